// Event-stream frames at which a stream ends: data that is not JSON, an error, the end mark. Frames are passed on as
// bytes, so a provider's half a chunk would reach the client as text that no JSON parser takes, and its words about a
// failure unread. Parsing every chunk would cost more than the rest of the relay, and need not be: the chunks of one
// stream end alike, in a name and some brackets behind the last of the text.
//
//   data: {"id":"1",…,"content":"Hello"},"finish_reason":null}]}⏎⏎
//         └ begins as an object           └── ends as one before, that was parsed: as deep, so as whole
//
// A frame that ends in another way is parsed, and its end is the one to compare with from then on.
import { errorMember } from "../../../providers/dialects/failure.ts";
import { isObject } from "../../../providers/dialects/json.ts";
import { tryParse } from "../../json.ts";
import { dataOf, frameEnd } from "./frames.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const DATA = Buffer.from("data:");
const BLANK_LINE = Buffer.from("\n\n");
const ERROR_EVENT = /^event: ?error$/m;
/** Events that say so by their own type, where a language names its events in their data. */
const ERROR_TYPES = new Set<unknown>(["error", "response.failed"]);

/** Why a stream goes no further than a frame. */
export type FrameStop =
  /** It is the end mark. */
  | { readonly kind: "done" }
  /** The provider says that it failed. */
  | { readonly kind: "error"; readonly data: unknown }
  | { readonly kind: "not_json" };

const IS_DONE: FrameStop = { kind: "done" };
const NOT_JSON: FrameStop = { kind: "not_json" };

/** How much of a frame's end is compared: enough to hold the quote of a name, which no text inside a string looks like. */
const ENDING_BYTES = 16;
/** Frames above this (images, audio) are not parsed, because that would hold up everyone: only their ends are looked at. */
const PARSED_BYTES_MAX = 256 * 1024;

/** Looks at the frames of one stream, in order. */
export class FrameCheck {
  /** What the bytes seen last were looked at until; null: all of them, and more may come. */
  stop: FrameStop | null = null;
  /** Where that frame lies in them. */
  stopFrom = 0;
  stopEnd = 0;
  /** How the latest frame ended that was parsed. */
  readonly #ending = Buffer.alloc(ENDING_BYTES);

  /** How many of these bytes, which are whole frames, may be passed on: up to a failure, or with the end mark. */
  goodUntil(frames: Buffer): number {
    const hasCr = frames.includes(CR);
    for (let from = 0; from < frames.length;) {
      const blankLine = hasCr ? -1 : frames.indexOf(BLANK_LINE, from);
      const end = blankLine === -1 ? frameEnd(frames, from) : blankLine + BLANK_LINE.length;
      if (!this.#isPlain(frames, from, end)) {
        this.stopFrom = from;
        this.stopEnd = end;
        return this.stop === IS_DONE ? end : from;
      }
      from = end;
    }
    return frames.length;
  }

  /** Whether the stream goes on behind this frame. */
  #isPlain(frames: Buffer, from: number, end: number): boolean {
    let last = end - 1;
    while (last > from && (frames[last] ?? 0) <= SPACE) last--;
    if (beginsAsObject(frames, from)) {
      if (this.#endsAsBefore(frames, last)) return true;
      if (end - from > PARSED_BYTES_MAX) {
        if (frames[last] !== CLOSE_BRACE) this.stop = NOT_JSON;
        return this.stop === null;
      }
    }
    this.stop = stopAt(frames.toString("latin1", from, end));
    if (this.stop === null) this.#remember(frames, from, last);
    return this.stop === null;
  }

  #endsAsBefore(frames: Buffer, last: number): boolean {
    const start = last - ENDING_BYTES + 1;
    for (let at = ENDING_BYTES - 1; at >= 0; at--) {
      if (frames[start + at] !== this.#ending[at]) return false;
    }
    return true;
  }

  #remember(frames: Buffer, from: number, last: number): void {
    const start = last - ENDING_BYTES + 1;
    if (start < from || frames[last] !== CLOSE_BRACE) return;
    const quote = frames.indexOf(QUOTE, start);
    if (quote > start) frames.copy(this.#ending, 0, start, last + 1);
  }
}

/** Whether the frame's first line is data that begins with a brace; the name of its event may stand before it. */
function beginsAsObject(frames: Buffer, from: number): boolean {
  if (frames[from] !== DATA[0]) from = frames.indexOf(LF, from) + 1;
  for (let at = 0; at < DATA.length; at++) if (frames[from + at] !== DATA[at]) return false;
  const first = frames[from + DATA.length];
  return first === OPEN_BRACE || (first === SPACE && frames[from + DATA.length + 1] === OPEN_BRACE);
}

/** JSON is as whole read as Latin-1, which is cheaper. */
function stopAt(frame: string): FrameStop | null {
  const data = dataOf(frame);
  if (data === "") return null;
  if (data === "[DONE]") return IS_DONE;
  const chunk = tryParse(data);
  if (!isObject(chunk)) return NOT_JSON;
  return errorMember(chunk) !== undefined || ERROR_TYPES.has(chunk["type"]) || ERROR_EVENT.test(frame)
    ? { kind: "error", data: tryParse(Buffer.from(data, "latin1").toString()) }
    : null;
}
