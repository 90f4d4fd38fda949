// Passes an event stream from a provider that speaks the client's language: bytes in, the same bytes out, one write
// per chunk. What it changes is cut out in place (usage that the client did not ask for), what it needs to know it
// finds by byte search. Only whole frames are sent, so a stream that dies leaves no half frame behind.
//
//   nothing ──first real event──▶ begun ──"[DONE]"──▶ done
//      │ error event, no stream     │ socket error, silence, end without finish
//      ▼ fail: another target       ▼ fail: error event, no "[DONE]"
import { GatewayError } from "../errors.ts";
import type { Usage } from "../observe/events.ts";
import { EventWriter } from "./event-writer.ts";
import { countFrames, endsWithDone, firstData, framesEnd, inspectUsage, withoutDone } from "./frames.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "./relay.ts";
import { errorInAnswer, type AnswerContext } from "./answer-error.ts";
import { parseUsage } from "./usage.ts";
import { areWhole } from "./whole-frames.ts";

/** The longest frame: a whole image in base64 fits. Longer ones are refused rather than collected. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const DONE_FRAME = Buffer.from("data: [DONE]\n\n");
const FINISH = /"finish_reason"\s*:\s*"/;
const ERROR_FRAME = /(^|\n)data:\s*\{\s*"error"\s*:\s*[{"]/;

export interface StreamOptions {
  /** Whether the client asked for the final usage chunk. */
  readonly includeUsage: boolean;
  readonly context: AnswerContext;
}

export class StreamRelay implements Relay {
  readonly #host: RelayHost;
  readonly #options: StreamOptions;
  readonly #writer: EventWriter;
  #isBegun = false;
  #isOver = false;
  /** The beginning of a frame whose end has not come yet: `#held[0, #heldBytes)`. */
  #held: Buffer | null = null;
  #heldBytes = 0;
  /** The latest two pieces sent: they tell how a stream ended that has no end mark. */
  #latest: Buffer | null = null;
  #before: Buffer | null = null;
  #usageBytes: Buffer | null = null;
  #frames = 0;
  #bytes = 0;
  /** The length of the first frame: about what a frame weighs without its content. */
  #frameBytes = 0;

  constructor(host: RelayHost, options: StreamOptions) {
    this.#host = host;
    this.#options = options;
    this.#writer = new EventWriter(host);
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    const frames = this.#wholeFrames(chunk);
    if (frames === null || (!this.#isBegun && !this.#begin(frames))) return;
    this.#forward(frames);
  }

  end(): void {
    if (this.#isOver) return;
    this.#flushHeld();
    if (this.#isOver) return;
    if (!this.#isBegun) {
      this.#fail("provider_bad_response", "ended the stream before it had begun");
    } else if (this.#tailMatches(ERROR_FRAME)) {
      this.#endBroken(null);
    } else if (!this.#isFinished()) {
      this.#fail("stream_interrupted", "ended the stream before the answer was complete");
    } else {
      // Complete, but the end mark is missing: clients wait for it.
      this.#finish(this.#tailIncludes("[DONE]") ? null : DONE_FRAME);
    }
  }

  close(): void {
    this.#isOver = true;
    this.#held = null;
    this.#writer.flush();
  }

  usage(): Usage | null {
    return this.#usageBytes === null ? null : parseUsage(this.#usageBytes);
  }

  outputTokens(): number {
    const contentBytes = this.#bytes - this.#frames * this.#frameBytes;
    return Math.max(this.#frames, Math.round(contentBytes / BYTES_PER_TOKEN));
  }

  /** The whole frames that `chunk` completes; the rest is held. `null`: there are none yet. */
  #wholeFrames(chunk: Buffer): Buffer | null {
    if (this.#heldBytes > 0) return this.#completeHeld(chunk);
    const end = framesEnd(chunk);
    if (end === chunk.length) return chunk;
    this.#hold(chunk.subarray(end));
    return end === 0 ? null : chunk.subarray(0, end);
  }

  #completeHeld(chunk: Buffer): Buffer | null {
    // A blank line may lie across the border, so the last bytes held are looked at again.
    const from = Math.max(0, this.#heldBytes - 3);
    this.#hold(chunk);
    const held = this.#held;
    if (this.#isOver || held === null) return null;
    const all = held.subarray(0, this.#heldBytes);
    const end = framesEnd(all, from);
    if (end === 0) return null;
    this.#held = null;
    this.#heldBytes = 0;
    if (end < all.length) this.#hold(all.subarray(end));
    return all.subarray(0, end);
  }

  /** Appends to what is held. The room doubles, so a frame that comes byte by byte is copied a few times, not thousands. */
  #hold(bytes: Buffer): void {
    const length = this.#heldBytes + bytes.length;
    if (length > FRAME_BYTES_MAX) {
      this.#fail("provider_bad_response", "sent an event without an end");
      return;
    }
    if (this.#held === null || this.#held.length < length) {
      const grown = Buffer.allocUnsafe(
        this.#held === null ? length : Math.max(length, 2 * this.#held.length),
      );
      this.#held?.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes = length;
  }

  /** Looks at the first real event; comments before it are dropped. Says whether the answer has begun. */
  #begin(frames: Buffer): boolean {
    const data = firstData(frames);
    if (data === null) return false;
    const error = errorInAnswer(this.#options.context, data);
    if (error !== null) {
      this.#isOver = true;
      this.#host.fail(error);
      return false;
    }
    this.#isBegun = true;
    this.#frameBytes = data.length;
    this.#host.begin(null);
    return true;
  }

  #forward(frames: Buffer): void {
    if (!areWhole(frames)) {
      this.#fail("provider_bad_response", "sent an event that breaks off");
      return;
    }
    this.#bytes += frames.length;
    this.#frames += frames.length < 2 * this.#frameBytes ? 1 : countFrames(frames);
    const found = inspectUsage(frames, this.#options.includeUsage);
    if (found !== null) {
      this.#usageBytes = found.usage ?? this.#usageBytes;
      frames = found.frames;
      if (frames.length === 0) return;
    }
    this.#before = this.#latest;
    this.#latest = frames;
    if (endsWithDone(frames)) {
      if (this.#tailMatches(ERROR_FRAME)) this.#endBroken(frames);
      else this.#finish(frames);
    } else {
      this.#writer.write(frames);
    }
  }

  /** A last frame without its blank line counts if it is whole by itself; half a frame is dropped. */
  #flushHeld(): void {
    if (this.#held === null || this.#heldBytes === 0) return;
    const rest = this.#held.toString("utf8", 0, this.#heldBytes).trim();
    this.#heldBytes = 0;
    if (!isWholeData(rest)) return;
    this.data(Buffer.from(`${rest}\n\n`));
  }

  #finish(last: Buffer | null): void {
    this.#isOver = true;
    this.#writer.end(last);
    this.#host.done();
  }

  /** The provider has told the client itself that it failed: nothing is added, and the end mark is left out. */
  #endBroken(last: Buffer | null): void {
    this.#writer.end(last === null ? null : withoutDone(last));
    this.#fail("stream_interrupted", "reported an error in the middle of its answer");
  }

  #fail(code: "provider_bad_response" | "stream_interrupted", what: string): void {
    this.#isOver = true;
    this.#held = null;
    this.#heldBytes = 0;
    this.#host.fail(new GatewayError(code, `Provider \`${this.#options.context.provider}\` ${what}.`));
  }

  #isFinished(): boolean {
    return this.#usageBytes !== null || this.#tailIncludes("[DONE]") || this.#tailMatches(FINISH);
  }

  #tailIncludes(text: string): boolean {
    return (this.#latest?.includes(text) ?? false) || (this.#before?.includes(text) ?? false);
  }

  #tailMatches(pattern: RegExp): boolean {
    return (
      (this.#latest !== null && pattern.test(this.#latest.toString("latin1"))) ||
      (this.#before !== null && pattern.test(this.#before.toString("latin1")))
    );
  }
}

/** Whether a line is an event that needs nothing more: the end mark, or complete JSON. */
function isWholeData(line: string): boolean {
  if (!line.startsWith("data:")) return false;
  const data = line.slice("data:".length).trim();
  if (data === "[DONE]") return true;
  try {
    JSON.parse(data);
    return true;
  } catch {
    // Cut off: that is what is being asked.
    return false;
  }
}
