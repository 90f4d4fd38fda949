// Reads scenario texts: blocks of a command, `----`, and what it answers, in the manner of Cockroach's datadriven tests.
//
//   # a comment
//   command argument name=value
//     more lines of the command, indented
//   ----
//   the answer

export interface Block {
  /** Comment lines and empty lines before it, kept when a file is rewritten. */
  readonly before: readonly string[];
  /** Its first line in the file, from 1. */
  readonly line: number;
  readonly command: readonly string[];
  readonly expected: string;
}

/** A file's blocks, and what follows the last. */
export function readScript(text: string): {
  readonly blocks: readonly Block[];
  readonly after: readonly string[];
} {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  let before: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line === "" || line.startsWith("#")) {
      before.push(line);
      at += 1;
      continue;
    }
    const separator = lines.indexOf("----", at);
    if (separator === -1) throw new Error(`line ${at + 1}: no ---- after ${line}`);
    const blank = lines.indexOf("", separator);
    const end = blank === -1 ? lines.length : blank;
    blocks.push({
      before,
      line: at + 1,
      command: lines.slice(at, separator),
      expected: lines.slice(separator + 1, end).join("\n"),
    });
    before = [];
    at = end;
  }
  return { blocks, after: before };
}

/** The file's text with other answers. */
export function writeScript(script: ReturnType<typeof readScript>, answers: readonly string[]): string {
  const blocks = script.blocks.flatMap(({ before, command }, index) => {
    const answer = answers[index] ?? "";
    return [...before, ...command, "----", ...(answer === "" ? [] : answer.split("\n"))];
  });
  return [...blocks, ...script.after].join("\n");
}

/** A command's words: `name=value` pairs apart from the rest. */
export interface Words {
  readonly plain: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

export function wordsOf(text: string): Words {
  const words = text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  const isNamed = (word: string) => /^[\w.-]+=/.test(word);
  return {
    plain: words.filter((word) => !isNamed(word)),
    named: new Map(
      words
        .filter(isNamed)
        .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
    ),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `250ms`, `5s`, `forever`. */
export function readMs(text: string): number {
  if (text === "forever") return Infinity;
  const match = /^\+?(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const unit = UNIT_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new Error(`${text} is no duration`);
  return Number(match[1]) * unit;
}

export function showMs(ms: number): string {
  if (ms === Infinity) return "forever";
  return ms >= 1000 ? `${Number((ms / 1000).toFixed(2))}s` : `${Math.ceil(ms)}ms`;
}

/** Uniform in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
