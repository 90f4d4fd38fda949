// Libraries print to the console what they think worth it, with stacks, into a log of one JSON object per line (lmdb-js prints the
// reason of each commit that failed, which is thrown too). While a gateway runs it becomes a line of the log like any other.
import type { Log } from "./events.ts";

/** Sends `console.error` and `console.warn` to the log from here on; returns what puts them back. */
export function logConsole(log: Log): () => void {
  const { error, warn } = console;
  const say = (...parts: readonly unknown[]): void => {
    const reason = parts.map((part) => (part instanceof Error ? part.message : String(part))).join(" ");
    log.warn("a library reports", { reason });
  };
  console.error = say;
  console.warn = say;
  return () => {
    console.error = error;
    console.warn = warn;
  };
}
