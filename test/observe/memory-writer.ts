// A line writer that keeps what it is given.
import type { LineWriter } from "../../src/observe/line-writer.ts";

export interface MemoryWriter extends LineWriter {
  lines(): readonly string[];
}

export function memoryWriter(): MemoryWriter {
  const lines: string[] = [];
  return {
    write: (line) => void lines.push(line),
    flush: () => Promise.resolve(),
    flushNow() {},
    dropped: () => 0,
    lines: () => lines,
  };
}
