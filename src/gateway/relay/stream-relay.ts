// Passes an event stream from a provider that speaks the client's language: bytes in, the same bytes out, one write
// per chunk. What it changes is cut out in place (usage that the client did not ask for), what it needs to know it
// finds by byte search. Only whole frames are sent, so a stream that dies leaves no half frame behind.
//
//   nothing ──first event of the answer──▶ begun ──"[DONE]"──▶ done
//      │ error event, no stream,             │ socket error, silence, end without finish,
//      │ silence, no JSON, "[DONE]" alone    │ no JSON
//      ▼ fail: another target                ▼ fail: error event, no "[DONE]"
//
// Events that only announce an answer (a role, a filter's verdict) are held back, up to a bound, and go out with the
// first of it, or with the end of a stream that has none. Comments keep nobody waiting longer.
//
// "[DONE]" is the provider's word that its answer is whole, finish reason or not; without it a finish reason is needed.
import { GatewayError } from "../../errors.ts";
import type { Usage } from "../../observe/events.ts";
import { EventWriter } from "./event-writer.ts";
import { countFrames, firstData, inspectUsage, saySomething } from "./frames.ts";
import { FrameBuffer, wholeFrame } from "./frame-buffer.ts";
import { BYTES_PER_TOKEN, COMMENT, type Relay, type RelayHost } from "./relay.ts";
import { errorOf, type AnswerContext } from "./answer-error.ts";
import { parseUsage } from "./usage.ts";
import { FrameCheck, type FrameStop } from "./frame-check.ts";

const DONE = Buffer.from("[DONE]");

/** How a language's streams say that they have begun, and that they are whole. */
export interface StreamMarks {
  /** Whether some frames hold something of the answer. */
  readonly isBegun: (frames: Buffer) => boolean;
  /** Stands in the last frames of a whole answer. */
  readonly finish: RegExp;
  /** What clients wait for behind it, for providers that leave it out; null: nothing. */
  readonly end: Buffer | null;
}

export const CHAT_MARKS: StreamMarks = {
  isBegun: saySomething,
  finish: /"finish_reason"\s*:\s*"/,
  end: Buffer.from("data: [DONE]\n\n"),
};

/** Streams of audio, transcripts and images end with an event that says so: `speech.audio.done`, `image_generation.completed`. */
export const MEDIA_MARKS: StreamMarks = {
  isBegun: () => true,
  finish: /"type"\s*:\s*"[a-z_.]+\.(?:done|completed)"/,
  end: null,
};

export interface StreamOptions {
  readonly marks: StreamMarks;
  /** Whether the client asked for the final usage chunk. */
  readonly includeUsage: boolean;
  readonly context: AnswerContext;
}

export class StreamRelay implements Relay {
  readonly #host: RelayHost;
  readonly #options: StreamOptions;
  readonly #writer: EventWriter;
  readonly #check = new FrameCheck();
  #isBegun = false;
  #isOver = false;
  readonly #buffer = new FrameBuffer();
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
    const frames = this.#buffer.push(chunk);
    if (this.#buffer.isOverfull) {
      this.#fail("provider_bad_response", "sent an event without an end");
      return;
    }
    if (frames === null) return;
    const goodBytes = this.#check.goodUntil(frames);
    const { stop } = this.#check;
    if (stop === null) {
      this.#pass(frames);
    } else {
      this.#stop(stop, frames.subarray(0, goodBytes));
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#flushHeld();
    if (this.#isOver) return;
    if (this.#isFinished()) {
      // Complete, but the end mark is missing: clients wait for it.
      this.#finish(this.#options.marks.end);
    } else if (this.#isBegun) {
      this.#fail("stream_interrupted", "ended the stream before the answer was complete");
    } else {
      this.#fail("provider_bad_response", "ended the stream before it had begun");
    }
  }

  close(): void {
    this.#isOver = true;
    this.#buffer.takeRest();
    if (this.#isBegun) this.#writer.flush();
  }

  quiet(): string {
    return COMMENT;
  }

  usage(): Usage | null {
    return this.#usageBytes === null ? null : parseUsage(this.#usageBytes);
  }

  outputTokens(): number {
    if (!this.#isBegun) return 0;
    const contentBytes = this.#bytes - this.#frames * this.#frameBytes;
    return Math.max(this.#frames, Math.round(contentBytes / BYTES_PER_TOKEN));
  }

  /** Takes whole frames that are right. */
  #pass(frames: Buffer): void {
    if (!this.#isBegun) {
      if (!this.#isAnnounced(frames)) return;
      if (this.#options.marks.isBegun(frames)) this.#begin();
    }
    this.#writeOn(this.#shown(frames));
  }

  /** Whether a real event has come; comments before the first are dropped. */
  #isAnnounced(frames: Buffer): boolean {
    if (this.#frameBytes > 0) return true;
    const data = firstData(frames);
    if (data === null || data.equals(DONE)) return false;
    this.#frameBytes = data.length;
    return true;
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#host.begin(null);
  }

  /** `good`: what comes before the failure, or with the end mark. */
  #stop(stop: FrameStop, good: Buffer): void {
    if (stop.kind === "done") {
      if (this.#isAnnounced(good)) this.#finish(this.#shown(good));
      else this.#fail("provider_bad_response", "ended the stream before it had begun");
      return;
    }
    // What is right goes out first, but not as the beginning of an answer that is known to be bad.
    if (this.#isBegun && good.length > 0) this.#writeOn(this.#shown(good));
    if (stop.kind === "not_json") {
      this.#fail("provider_bad_response", "sent an event that is not JSON");
    } else {
      this.#isOver = true;
      this.#host.fail(errorOf(this.#options.context, stop.data));
    }
  }

  /** What the client gets of whole frames: usage only if it asked for it. */
  #shown(frames: Buffer): Buffer {
    this.#bytes += frames.length;
    this.#frames += frames.length < 2 * this.#frameBytes ? 1 : countFrames(frames);
    const found = inspectUsage(frames, this.#options.includeUsage);
    if (found === null) return frames;
    this.#usageBytes = found.usage ?? this.#usageBytes;
    return found.frames;
  }

  #writeOn(frames: Buffer): void {
    if (frames.length === 0) return;
    this.#before = this.#latest;
    this.#latest = frames;
    if (this.#isBegun) {
      this.#writer.write(frames);
    } else if (!this.#writer.hold(frames)) {
      this.#begin();
      this.#writer.flush();
    }
  }

  /** A last frame without its blank line counts if it is whole by itself; half a frame is dropped. */
  #flushHeld(): void {
    const rest = wholeFrame(this.#buffer.takeRest());
    if (rest !== null) this.data(rest);
  }

  #finish(last: Buffer | null): void {
    this.#isOver = true;
    this.#begin();
    this.#writer.end(last);
    this.#host.done();
  }

  #fail(code: "provider_bad_response" | "stream_interrupted", what: string): void {
    this.#isOver = true;
    this.#host.fail(new GatewayError(code, `Provider \`${this.#options.context.provider}\` ${what}.`));
  }

  #isFinished(): boolean {
    const { finish } = this.#options.marks;
    return this.#usageBytes !== null || matches(this.#latest, finish) || matches(this.#before, finish);
  }
}

function matches(frames: Buffer | null, pattern: RegExp): boolean {
  return frames !== null && pattern.test(frames.toString("latin1"));
}
