// Collects what the checks after the schema find, each with its place in the document.
import type { Document } from "./document.ts";
import { describePath, type Path, type Problem } from "./problems.ts";

/** Where checks leave what they find. */
export interface Findings {
  error(path: Path, message: string): void;
  /** Whether this part, or all that it is in, was left out: nothing can be said about what refers to it. */
  isLeft(path: Path): boolean;
}

/** Reports a key, a provider's or a client's, that can't stand in a header. */
export function checkCarried(key: string, path: Path, report: Findings): void {
  if (/^[\x21-\x7e]+$/.test(key)) return;
  report.error(path, "the key holds a blank, a line break or another character that no header can carry");
}

export class Report implements Findings {
  readonly errors: Problem[] = [];
  /** What works, but may not be what was meant. */
  readonly warnings: Problem[] = [];
  readonly #document: Document;
  readonly #left: Set<string>;

  /** `left`: what the schema has left out, because something in it is wrong. */
  constructor(document: Document, left: readonly Path[]) {
    this.#document = document;
    this.#left = new Set(left.map(describePath));
  }

  error(path: Path, message: string): void {
    this.errors.push(this.#problem(path, message));
  }

  /** For a name that is at fault rather than what it names. */
  errorAtKey(path: Path, message: string): void {
    const { file } = this.#document;
    this.errors.push({ file, ...this.#document.locateKey(path), key: describePath(path), message });
  }

  warn(path: Path, message: string): void {
    this.warnings.push(this.#problem(path, message));
  }

  /** Leaves this part out too: what is wrong with it has been reported. */
  leave(path: Path): void {
    this.#left.add(describePath(path));
  }

  isLeft(path: Path): boolean {
    return path.some((_, index) => this.#left.has(describePath(path.slice(0, index + 1))));
  }

  #problem(path: Path, message: string): Problem {
    return { file: this.#document.file, ...this.#document.locate(path), key: describePath(path), message };
  }
}
