// The byte side of the stream normaliser: a whole frame in, the bytes to send on out. Canonical frames come back as the
// same array, so that a relay can pass on what it received; the others are parsed, mended and written anew.
import { GatewayError } from "../../../src/errors.ts";
import type { DialectTarget, DialectUsage } from "../dialect.ts";
import { isObject, type Json } from "../json.ts";
import { sseFrame, SseParser } from "../sse.ts";
import { FrameRun } from "./frame-run.ts";
import { NO_CUT, templateOf, type FrameTemplate } from "./frame-template.ts";
import { ChatNormaliser } from "./normaliser.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const COLON = 58;
const LF = 10;
const CR = 13;
const DONE = sseFrame("[DONE]");

export class FrameNormaliser {
  readonly #normaliser: ChatNormaliser;
  readonly #parser: SseParser;
  #failure: GatewayError | null = null;
  #parsed: Json | undefined;
  /** Of the frame before, while frames differ in their text alone. */
  #template: FrameTemplate | undefined;
  #wroteDone = false;

  constructor(target: DialectTarget, includeUsage: boolean) {
    this.#normaliser = new ChatNormaliser(target, includeUsage);
    this.#parser = new SseParser((event, data) => {
      this.#parsed = this.#normaliser.event(event, data);
    });
  }

  /**
   * What to send on for one frame (with its closing blank line): the same array when nothing had to change, nothing
   * when the frame is swallowed. After a failure, and after the end, nothing. It becomes the template if it can be one.
   */
  frame(bytes: Uint8Array): Uint8Array {
    if (this.#failure !== null || this.#wroteDone) return NOTHING;
    this.#template = undefined;
    if (bytes[0] === COLON || bytes[0] === LF || bytes[0] === CR)
      return isComment(bytes) ? bytes : this.#mend(bytes);
    const isCanonical = this.#normaliser.isCanonical(bytes);
    const kept = isCanonical ? bytes : this.#normaliser.withoutUsage(bytes);
    if (kept === undefined) return this.#mend(bytes);
    const { finish, usageStart, usageEnd } = this.#normaliser.facts;
    if (finish === 0)
      this.#template = isCanonical ? templateOf(bytes, 0, 0) : templateOf(bytes, usageStart, usageEnd);
    return kept;
  }

  /**
   * What to send on for a run of whole frames; the same array when none of them had to change. What is cut out of frames
   * is cut in place, so the bytes that were given are not to be read again.
   */
  frames(bytes: Uint8Array): Uint8Array {
    const run = new FrameRun(bytes);
    for (let start = 0, end = 0; start < bytes.length; start = end) {
      end = this.#endOfMatch(bytes, start);
      if (end !== -1) {
        run.keep(start, end, this.#template?.cut ?? NO_CUT);
        continue;
      }
      end = frameEnd(bytes, start);
      const frame = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
      const sent = this.frame(frame);
      if (sent === frame) run.keep(start, end, NO_CUT);
      else run.replace(end, sent);
    }
    return run.take();
  }

  /** The upstream bytes have ended: what is left to send, with the end mark. */
  end(): Uint8Array {
    if (this.#failure !== null || this.#wroteDone) return NOTHING;
    this.#try(() => {
      this.#parser.end();
      this.#normaliser.end();
    });
    return encoder.encode(this.#written(this.#normaliser.take()));
  }

  /** Why the stream failed, once it has. Ask after every `frame` and `end`. */
  failure(): GatewayError | null {
    return this.#failure;
  }

  finished(): boolean {
    return this.#normaliser.finished();
  }

  usage(): DialectUsage | null {
    return this.#normaliser.usage();
  }

  /** Where the frame at `start` ends when it is like the one before; -1: it needs a closer look. */
  #endOfMatch(bytes: Uint8Array, start: number): number {
    if (this.#template === undefined || this.#failure !== null || this.#wroteDone) return -1;
    return this.#template.endOfMatch(bytes, start);
  }

  #mend(bytes: Uint8Array): Uint8Array {
    this.#parsed = undefined;
    this.#try(() => this.#parser.push(bytes));
    const chunks = this.#normaliser.take();
    const [only] = chunks;
    const isUnchanged = chunks.length === 1 && sameJson(only, this.#parsed) && !bytes.includes(CR);
    return isUnchanged ? bytes : encoder.encode(this.#written(chunks));
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#failure = error;
    }
  }

  #written(chunks: readonly Json[]): string {
    const text = chunks.map((chunk) => sseFrame(JSON.stringify(chunk))).join("");
    if (this.#failure !== null || !this.#normaliser.finished()) return text;
    this.#wroteDone = true;
    return text + DONE;
  }
}

/** Behind the next blank line; the end of the bytes when there is none. Frames that end in CRs stay together. */
function frameEnd(bytes: Uint8Array, start: number): number {
  for (let lf = bytes.indexOf(LF, start); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf + 1] === LF) return lf + 2;
    if (bytes[lf + 1] === CR && bytes[lf + 2] === LF) return lf + 3;
  }
  return bytes.length;
}

/** Only a comment or blank lines: nothing that starts a field after the first line. */
function isComment(bytes: Uint8Array): boolean {
  if (bytes.includes(CR)) return false;
  let lineStart = 0;
  while (lineStart < bytes.length) {
    if (bytes[lineStart] !== COLON && bytes[lineStart] !== LF) return false;
    const end = bytes.indexOf(LF, lineStart);
    if (end === -1) return true;
    lineStart = end + 1;
  }
  return true;
}

/** Whether two JSON values are equal, whatever the order of their members. */
function sameJson(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => sameJson(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameJson(left[key], right[key]))
  );
}
