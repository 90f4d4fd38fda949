// Event-stream frames as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html). The relay forwards
// whole frames only, so that a stream which dies never leaves half a frame in front of the error event, and it looks
// for the few things it must know without decoding:
//
//   data: {"id":…,"choices":[…],"usage":null}⏎⏎      the member is cut out if the client did not ask for usage
//   data: {"id":…,"choices":[],"usage":{…}}⏎⏎        the frame is dropped if the client did not ask for usage
//   data: [DONE]⏎⏎                                    the end
//
// A name in quotes that stands inside a string has a backslash before it, so a byte search can't be fooled by content.
import { saysSomething } from "../../../providers/dialects/chunks.ts";
import { isObject } from "../../../providers/dialects/json.ts";
import { tryParse } from "../../json.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LOWER_N = 0x6e;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const DATA = Buffer.from("data:");
const USAGE = Buffer.from('"usage"');
/** What one language calls it. */
export const USAGE_METADATA = Buffer.from('"usageMetadata"');
const CHOICES = Buffer.from('"choices"');
const EMPTY_LIST = /^\s*:\s*\[\s*\]/;
const LINE_PAIR = Buffer.from("\n\n");

function isBreak(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}

/** The offset behind the last blank line that ends at or after `from`: what lies before it is whole frames. 0: none. */
export function framesEnd(bytes: Buffer, from = 0): number {
  const length = bytes.length;
  // The usual case: a chunk is one whole frame.
  if (length - from >= 2 && bytes[length - 1] === LF && bytes[length - 2] === LF) return length;
  for (let at = bytes.lastIndexOf(LF); at > from; at = bytes.lastIndexOf(LF, at - 1)) {
    const before = bytes[at - 1];
    if (before === LF) return at + 1;
    if (before === CR && at - 2 >= from && isBreak(bytes[at - 2])) return at + 1;
  }
  const pair = bytes.lastIndexOf("\r\r", length, "latin1");
  return pair >= from ? pair + 2 : 0;
}

/** The length of the line break at `at`: CR LF is one. */
function breakLength(bytes: Buffer, at: number): number {
  return bytes[at] === CR && bytes[at + 1] === LF ? 2 : 1;
}

/** The offset behind the frame that the byte at `at` belongs to. */
export function frameEnd(frames: Buffer, at: number): number {
  for (let i = at; i < frames.length; i++) {
    if (!isBreak(frames[i])) continue;
    const next = i + breakLength(frames, i);
    if (isBreak(frames[next])) return next + breakLength(frames, next);
    i = next - 1;
  }
  return frames.length;
}

/** The offset at which the frame that the byte at `at` belongs to begins. */
function frameStart(frames: Buffer, at: number): number {
  for (let i = at - 1; i > 0; i--) {
    if (!isBreak(frames[i])) continue;
    const end = i + 1;
    if (frames[i] === LF && frames[i - 1] === CR) i--;
    if (isBreak(frames[i - 1])) return end;
  }
  return 0;
}

/** How many frames the bytes hold, counted by LF pairs; at least 1. */
export function countFrames(frames: Buffer): number {
  let count = 0;
  for (let at = frames.indexOf(LINE_PAIR); at !== -1; at = frames.indexOf(LINE_PAIR, at + 2)) count++;
  return count === 0 ? 1 : count;
}

/** The first data that is not empty (the text of that line); `null` while there were only comments and blank lines. */
export function firstData(frames: Buffer): Buffer | null {
  for (let at = frames.indexOf(DATA); at !== -1; at = frames.indexOf(DATA, at + 1)) {
    if (at > 0 && !isBreak(frames[at - 1])) continue;
    let start = at + DATA.length;
    if (frames[start] === SPACE) start++;
    let end = start;
    while (end < frames.length && !isBreak(frames[end])) end++;
    if (end > start) return frames.subarray(start, end);
  }
  return null;
}

/** A member that is text, and has some; inside a string its quotation marks would be escaped. */
const TEXT = /"(?:content|text|reasoning_content)": ?"[^"]/;
/** How far into some frames it is looked for before they are parsed. */
const LOOK_BYTES = 4096;

/** Whether one of these frames of chat holds something of the answer, rather than to announce it. */
export function saySomething(frames: Buffer): boolean {
  if (TEXT.test(frames.toString("latin1", 0, LOOK_BYTES))) return true;
  for (let from = 0, end = 0; from < frames.length; from = end) {
    end = frameEnd(frames, from);
    const frame = frames.toString("latin1", from, end);
    // Most frames are one line of data, and JSON does not mind the breaks behind it.
    const chunk = frame.startsWith("data:") ? tryParse(frame.slice(DATA.length)) : undefined;
    if (isObject(chunk) ? saysSomething(chunk) : dataSays(dataOf(frame))) return true;
  }
  return false;
}

function dataSays(data: string): boolean {
  if (data === "" || data === "[DONE]") return false;
  const chunk = tryParse(data);
  return !isObject(chunk) || saysSomething(chunk);
}

const LINES = /\r\n|\r|\n/;

/** The data of one frame, its lines joined; empty when it has none. */
export function dataOf(frame: string): string {
  return frame
    .split(LINES)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length))
    .join("\n")
    .trim();
}

function skipSpaces(bytes: Buffer, at: number): number {
  while (bytes[at] === SPACE || bytes[at] === 0x09) at++;
  return at;
}

/** The offset behind the JSON object that begins at `at`; -1 when it does not end. */
export function objectEnd(bytes: Buffer, at: number): number {
  let depth = 0;
  let isString = false;
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i];
    if (isString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) isString = true;
    else if (byte === OPEN_BRACE) depth++;
    else if (byte === CLOSE_BRACE && --depth === 0) return i + 1;
  }
  return -1;
}

/** The offset of the value of the `"usage"` at `at`, or -1 when it is not a member's name. */
function usageValue(bytes: Buffer, at: number, name: Buffer = USAGE): number {
  if (bytes[at - 1] === BACKSLASH) return -1;
  const colon = skipSpaces(bytes, at + name.length);
  return bytes[colon] === COLON ? skipSpaces(bytes, colon + 1) : -1;
}

/** The usage object whose name stands at `at`, as its bytes; null: it is none, or does not end. */
function usageAt(bytes: Buffer, at: number, name: Buffer): Buffer | null {
  const value = usageValue(bytes, at, name);
  if (value === -1 || bytes[value] !== OPEN_BRACE) return null;
  const end = objectEnd(bytes, value);
  return end === -1 ? null : bytes.subarray(value, end);
}

/** The last usage object in a JSON text, as its bytes; looked for from the end, where it stands. */
export function lastUsage(bytes: Buffer, name: Buffer = USAGE): Buffer | null {
  for (let at = bytes.lastIndexOf(name); at !== -1; at = bytes.lastIndexOf(name, at - 1)) {
    const found = usageAt(bytes, at, name);
    if (found !== null || at === 0) return found;
  }
  return null;
}

/** The first one, for languages whose streams begin with what came in. */
export function firstUsage(bytes: Buffer, name: Buffer = USAGE): Buffer | null {
  for (let at = bytes.indexOf(name); at !== -1; at = bytes.indexOf(name, at + 1)) {
    const found = usageAt(bytes, at, name);
    if (found !== null) return found;
  }
  return null;
}

/** How most frames end when usage was asked for. */
const NULL_USAGE_TAIL = Buffer.from(',"usage":null}\n\n');

/** Whether the bytes end with a frame whose last member is `"usage":null`; cheaper to see than to search for. */
function endsWithNullUsage(frames: Buffer): boolean {
  const start = frames.length - NULL_USAGE_TAIL.length;
  for (let i = NULL_USAGE_TAIL.length - 1; i >= 0; i--) {
    if (frames[start + i] !== NULL_USAGE_TAIL[i]) return false;
  }
  // Several frames in one piece may hold more of it.
  return frames.lastIndexOf(LF, start) === -1;
}

/** Moves what follows the member over it. */
function withoutNullUsage(frames: Buffer): Buffer {
  const end = frames.length - NULL_USAGE_TAIL.length;
  frames[end] = CLOSE_BRACE;
  frames[end + 1] = LF;
  frames[end + 2] = LF;
  return frames.subarray(0, end + 3);
}

/** What `inspectUsage` found in some frames. */
export interface UsageFinding {
  /** The bytes to forward. */
  readonly frames: Buffer;
  /** The last usage object among them. */
  readonly usage: Buffer | null;
}

/** Where to cut, as pairs of offsets; used anew by each call, which is synchronous. */
const cuts: number[] = [];

/**
 * Finds the usage object and, unless the client asked for it, takes every trace of usage out of the frames, in place.
 * Frames without any come back as they are.
 */
export function inspectUsage(frames: Buffer, isWanted: boolean): UsageFinding | null {
  if (endsWithNullUsage(frames)) return isWanted ? null : { frames: withoutNullUsage(frames), usage: null };
  let at = frames.indexOf(USAGE);
  if (at === -1) return null;
  let usage: Buffer | null = null;
  cuts.length = 0;
  for (; at !== -1; at = frames.indexOf(USAGE, at + USAGE.length)) {
    const value = usageValue(frames, at);
    if (value === -1 || at < (cuts.at(-1) ?? 0)) continue;
    const isObject = frames[value] === OPEN_BRACE;
    const end = isObject ? objectEnd(frames, value) : value + 4;
    if (end === -1 || (!isObject && frames[value] !== LOWER_N)) continue;
    if (isObject) usage = frames.subarray(value, end);
    if (!isWanted) cutUsage(frames, at, end, isObject);
  }
  if (cuts.length === 0) return usage === null ? null : { frames, usage };
  // The cut moves bytes, so what is kept of them is copied first.
  if (usage !== null) usage = Buffer.from(usage);
  return { frames: applyCuts(frames), usage };
}

/** Notes the cut for one usage member: its whole frame if that carries nothing else, otherwise the member and its comma. */
function cutUsage(frames: Buffer, nameAt: number, valueEnd: number, isObject: boolean): void {
  if (isObject) {
    const start = frameStart(frames, nameAt);
    const end = frameEnd(frames, valueEnd);
    const choices = frames.subarray(start, end).indexOf(CHOICES);
    const after = start + choices + CHOICES.length;
    if (choices === -1 || EMPTY_LIST.test(frames.toString("latin1", after, Math.min(after + 16, end)))) {
      // Members of this frame that were cut already are inside the new cut.
      while ((cuts.at(-2) ?? -1) >= start) cuts.length -= 2;
      cuts.push(start, end);
      return;
    }
  }
  if (frames[nameAt - 1] === COMMA) {
    cuts.push(nameAt - 1, valueEnd);
  } else {
    const next = skipSpaces(frames, valueEnd);
    cuts.push(nameAt, frames[next] === COMMA ? next + 1 : valueEnd);
  }
}

/** Closes the gaps in one pass. */
function applyCuts(frames: Buffer): Buffer {
  let to = cuts[0] ?? 0;
  for (let i = 0; i < cuts.length; i += 2) {
    const from = cuts[i + 1] ?? 0;
    const until = cuts[i + 2] ?? frames.length;
    if (from >= until) continue;
    frames.copyWithin(to, from, until);
    to += until - from;
  }
  return frames.subarray(0, to);
}
