// An event stream on its way through another language: provider's bytes in, client's bytes out. The relay decides when
// the answer begins and ends; an answer stream only reads and writes.
import {
  chunksOfAnswer,
  type FrameNormaliser,
  sseFrame,
  type ClientStream,
  type DialectStream,
} from "../../../providers/dialects/index.ts";
import { isObject, readArray, readObject, type Json } from "../../../providers/dialects/json.ts";
import { GatewayError } from "../../errors.ts";
import { FrameBuffer, wholeFrame } from "./frame-buffer.ts";
import { FrameCheck } from "./frame-check.ts";
import { countFrames, firstData, saySomething } from "./frames.ts";
import type { IdMarker } from "../affinity.ts";
import type { Usage } from "../../observe/events.ts";

export interface AnswerStream {
  /** What the client gets for these bytes; empty when they complete nothing. */
  push(bytes: Buffer): string | Buffer;
  /** The provider's bytes have ended, or nothing worth waiting for follows: the rest, with the end mark unless it failed. */
  end(): string | Buffer;
  /** Why the stream failed, once it has. */
  failure(): GatewayError | null;
  /** The provider's end mark has been seen. */
  finished(): boolean;
  /** The model is at work: more has come than that there is going to be an answer. */
  hasBegun(): boolean;
  /** The client's last event when the stream breaks off; empty to leave that to the route. */
  lastWords(error: GatewayError): string;
  /** An event that means nothing and keeps the client waiting; empty where the language has none. */
  ping(): string;
  usage(): Usage | null;
  /** About how many tokens were produced so far. */
  outputTokens(): number;
}

const DONE = sseFrame("[DONE]");
const OVERFULL = "The provider sent an event without an end.";
const CHARACTERS_PER_TOKEN = 4;

/** A whole chat answer as a stream in the client's language; null: chat. */
export function asStream(answer: Json, includeUsage: boolean, client: ClientStream | null): Buffer {
  const chunks = chunksOfAnswer(answer, includeUsage);
  const text = chunks.map((chunk) => client?.push(chunk) ?? sseFrame(JSON.stringify(chunk))).join("");
  return Buffer.from(text + (client?.end() ?? DONE));
}

/** Reads with the provider's dialect and writes chat chunks, or with `client` its language's events. */
export class TranslatedStream implements AnswerStream {
  readonly #stream: DialectStream;
  readonly #client: ClientStream | null;
  #characters = 0;

  constructor(stream: DialectStream, client: ClientStream | null) {
    this.#stream = stream;
    this.#client = client;
  }

  push(bytes: Buffer): string {
    return this.#write(this.#stream.push(bytes));
  }

  end(): string {
    const rest = this.#write(this.#stream.end());
    if (this.#stream.failure() !== null) return rest;
    return rest + (this.#client === null ? DONE : this.#client.end());
  }

  failure(): GatewayError | null {
    return this.#stream.failure();
  }

  finished(): boolean {
    return this.#stream.finished();
  }

  hasBegun(): boolean {
    return this.#stream.hasBegun();
  }

  lastWords(error: GatewayError): string {
    return this.#client?.fail(error) ?? "";
  }

  ping(): string {
    return this.#client?.ping() ?? "";
  }

  usage(): Usage | null {
    return this.#stream.usage();
  }

  outputTokens(): number {
    return Math.ceil(this.#characters / CHARACTERS_PER_TOKEN);
  }

  #write(chunks: readonly Json[]): string {
    let text = "";
    for (const chunk of chunks) {
      this.#characters += generatedCharacters(chunk);
      text += this.#client === null ? sseFrame(JSON.stringify(chunk)) : this.#client.push(chunk);
    }
    return text;
  }
}

/** Passes whole frames on as they are and reads along. */
export class WatchedStream implements AnswerStream {
  readonly #watched: DialectStream;
  readonly #marker: IdMarker | null;
  readonly #buffer = new FrameBuffer();
  /** The frame with which the provider reported its failure. */
  #lastWords = "";
  #characters = 0;

  /** `marker` puts the provider's name into the answer's id; null: the id stays. */
  constructor(watched: DialectStream, marker: IdMarker | null) {
    this.#watched = watched;
    this.#marker = marker;
  }

  push(bytes: Buffer): string | Buffer {
    // What is read along is copied where it is kept, so the bytes can be passed on.
    for (const chunk of this.#watched.push(bytes)) this.#characters += generatedCharacters(chunk);
    const whole = this.#buffer.push(bytes);
    if (whole === null) return "";
    const frames = this.#marker?.mark(whole) ?? whole;
    return this.failure() === null ? frames : this.#untilFailure(frames);
  }

  end(): string | Buffer {
    const { endEvent } = this.#watched;
    const isMarked = endEvent === undefined || this.#watched.finished();
    this.#watched.end();
    // A last frame without its blank line counts if it is whole by itself.
    const rest = wholeFrame(this.#buffer.takeRest())?.toString() ?? "";
    if (this.failure() !== null) return "";
    return isMarked || rest.includes(`"${endEvent}"`) ? rest : rest + endFrame(endEvent);
  }

  failure(): GatewayError | null {
    // What the watcher refuses first is a frame that is too long: its bound is the same.
    return this.#watched.failure();
  }

  finished(): boolean {
    return this.#watched.finished();
  }

  hasBegun(): boolean {
    return this.#watched.hasBegun();
  }

  lastWords(error: GatewayError): string {
    if (error === this.failure() && this.#lastWords !== "") return this.#lastWords;
    const words = this.#watched.lastWords?.(error) ?? "";
    return this.#marker?.mark(Buffer.from(words)).toString() ?? words;
  }

  ping(): string {
    return "";
  }

  usage(): Usage | null {
    return this.#watched.usage();
  }

  outputTokens(): number {
    return Math.ceil(this.#characters / CHARACTERS_PER_TOKEN);
  }

  /** What may go out of these frames, among which the stream has failed: what clients can read, and no end mark. */
  #untilFailure(frames: Buffer): Buffer | string {
    const check = new FrameCheck();
    check.goodUntil(frames);
    const { stop, stopFrom, stopEnd } = check;
    // Well-formed frames that make no sense: which of them is at fault is not known here.
    if (stop === null) return "";
    if (stop.kind === "error") this.#lastWords = frames.toString("utf8", stopFrom, stopEnd);
    return frames.subarray(0, stopFrom);
  }
}

function endFrame(type: string): string {
  return sseFrame(JSON.stringify({ type }), type);
}

/** Passes the chunks of a "compatible" provider on, and mends those that official clients would stumble over. */
export class NormalisedStream implements AnswerStream {
  readonly #normaliser: FrameNormaliser;
  readonly #buffer = new FrameBuffer();
  #hasBegun = false;
  #isAnnounced = false;
  #bytes = 0;
  #frames = 0;
  /** The length of the first frames: about what a frame weighs without its content. */
  #frameBytes = 0;

  constructor(normaliser: FrameNormaliser) {
    this.#normaliser = normaliser;
  }

  push(bytes: Buffer): string | Buffer {
    const frames = this.#buffer.push(bytes);
    return frames === null ? "" : this.#mend(frames);
  }

  end(): string | Buffer {
    const rest = wholeFrame(this.#buffer.takeRest());
    const last = rest === null ? "" : this.#mend(rest);
    return Buffer.concat([Buffer.from(last), this.#normaliser.end()]);
  }

  failure(): GatewayError | null {
    if (this.#buffer.isOverfull) return new GatewayError("provider_bad_response", OVERFULL);
    return this.#normaliser.failure();
  }

  finished(): boolean {
    return this.#normaliser.finished();
  }

  hasBegun(): boolean {
    return this.#hasBegun;
  }

  lastWords(): string {
    return "";
  }

  ping(): string {
    return "";
  }

  usage(): Usage | null {
    return this.#normaliser.usage();
  }

  outputTokens(): number {
    if (!this.#hasBegun) return 0;
    const contentBytes = this.#bytes - this.#frames * this.#frameBytes;
    return Math.max(this.#frames, Math.round(contentBytes / CHARACTERS_PER_TOKEN));
  }

  #mend(frames: Buffer): string | Buffer {
    const mended = this.#normaliser.frames(frames);
    if (!this.#isAnnounced) {
      // Comments before the answer say nothing.
      if (firstData(frames) === null) return "";
      this.#isAnnounced = true;
      this.#frameBytes = frames.length;
    }
    this.#hasBegun ||= saySomething(Buffer.from(mended.buffer, mended.byteOffset, mended.length));
    this.#bytes += frames.length;
    this.#frames += frames.length < 2 * this.#frameBytes ? 1 : countFrames(frames);
    return mended === frames ? frames : Buffer.from(mended.buffer, mended.byteOffset, mended.length);
  }
}

/** How much generated text a chunk carries: content, reasoning and tools' arguments. */
function generatedCharacters(chunk: Json): number {
  let characters = 0;
  for (const choice of readArray(chunk, "choices")) {
    const delta = readObject(choice, "delta");
    if (delta === undefined) continue;
    for (const value of Object.values(delta)) if (typeof value === "string") characters += value.length;
    for (const call of readArray(delta, "tool_calls")) {
      const called = isObject(call) ? readObject(call, "function")?.["arguments"] : undefined;
      if (typeof called === "string") characters += called.length;
    }
  }
  return characters;
}
