// Passes an answer through without understanding it. What it used is looked for by name in its first and its last bytes: answers
// of all languages say it there, if they say it.
import type { Usage } from "../../observe/events.ts";
import type { AnswerContext } from "./answer-error.ts";
import { announcedBytes, RawRelay } from "./raw-relay.ts";
import type { Relay, RelayHost } from "./relay.ts";
import { NOTHING_USED, usageAround } from "./usage.ts";

const READABLE = /^(?:application\/(?:[\w.-]+\+)?json|text\/event-stream)\b/i;
/** How much of the answer's end is looked through. */
const TAIL_BYTES = 64 * 1024;
/** How much of its beginning. */
const HEAD_BYTES = 16 * 1024;

export class PassedRelay implements Relay {
  readonly #raw: RawRelay;
  readonly #isFailed: boolean;
  readonly #isGenerated: boolean;
  #first: Buffer | null = null;
  #before: Buffer | null = null;
  #latest: Buffer | null = null;

  /** `isGenerating`: the request may have been one for text, so that an answer which says nothing is counted by its length. */
  constructor(host: RelayHost, { status, headers }: AnswerContext, isGenerating: boolean) {
    this.#raw = new RawRelay(host, announcedBytes(headers));
    this.#isFailed = status >= 400;
    this.#isGenerated = isGenerating && READABLE.test(headers["content-type"] ?? "");
  }

  data(chunk: Buffer): void {
    this.#first ??= chunk.subarray(0, HEAD_BYTES);
    this.#before = this.#latest;
    this.#latest = chunk;
    this.#raw.data(chunk);
  }

  end(): void {
    this.#raw.end();
  }

  close(): void {
    this.#raw.close();
  }

  usage(): Usage | null {
    if (this.#isFailed) return NOTHING_USED;
    const ends = [this.#before, this.#latest].filter((chunk) => chunk !== null);
    return usageAround(this.#first ?? Buffer.alloc(0), Buffer.concat(ends).subarray(-TAIL_BYTES));
  }

  outputTokens(): number {
    return this.#isGenerated ? this.#raw.outputTokens() : 0;
  }
}
