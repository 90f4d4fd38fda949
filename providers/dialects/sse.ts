// Server-sent events from bytes that may be cut anywhere: inside a line, a CRLF pair, a character or the byte order
// mark. Lines end in LF, CR or CRLF (WHATWG HTML §9.2.6). Each byte is looked at once; only a line that is cut between
// two reads is copied. A frame has a largest size, so that an endless line costs a bounded amount of memory.
import { GatewayError } from "../../src/errors.ts";

/** The largest frame accepted, in bytes; an image in one frame fits. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const CARRY_BYTES_KEPT = 64 * 1024;
const NOTHING = new Uint8Array(0);
const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Receives an event's name (empty when it has none) and its data. */
export type SseHandler = (event: string, data: string) => void;

/** One event in SSE's form; clients of some languages need the `event:` line. */
export function sseFrame(data: string, event?: string): string {
  return event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
}

export class SseParser {
  readonly #onEvent: SseHandler;
  readonly #frameBytesMax: number;
  /** The beginning of a line whose end has not come yet. */
  #carry: Uint8Array = NOTHING;
  #carryBytes = 0;
  #frameBytes = 0;
  #isFirstLine = true;
  /** The last read ended in CR: an LF at the start of the next belongs to it. */
  #skipsLf = false;
  #event = "";
  #data: string | null = null;

  constructor(onEvent: SseHandler, frameBytesMax = FRAME_BYTES_MAX) {
    this.#onEvent = onEvent;
    this.#frameBytesMax = frameBytesMax;
  }

  /** Throws `provider_bad_response` when a frame grows beyond the largest size, and whatever the handler throws. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    let start = this.#skipsLf && bytes[0] === LF ? 1 : 0;
    this.#skipsLf = false;
    let lf = bytes.indexOf(LF, start);
    let cr = bytes.indexOf(CR, start);
    for (;;) {
      if (lf !== -1 && lf < start) lf = bytes.indexOf(LF, start);
      if (cr !== -1 && cr < start) cr = bytes.indexOf(CR, start);
      const end = lf === -1 || (cr !== -1 && cr < lf) ? cr : lf;
      if (end === -1) break;
      this.#line(this.#whole(bytes.subarray(start, end)));
      start = end + 1;
      if (end !== cr) continue;
      if (start === bytes.length) this.#skipsLf = true;
      else if (bytes[start] === LF) start++;
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start));
  }

  /** The bytes have ended. A last frame without its blank line still counts: some providers leave it out. */
  end(): void {
    if (this.#carryBytes > 0) this.#line(this.#whole(NOTHING));
    this.#dispatch();
  }

  /** The line that ends with `rest`. */
  #whole(rest: Uint8Array): Uint8Array {
    if (this.#carryBytes === 0) return rest;
    this.#keep(rest);
    const line = this.#carry.subarray(0, this.#carryBytes);
    this.#carryBytes = 0;
    // A single huge line must not hold its memory for the rest of the stream.
    if (this.#carry.length > CARRY_BYTES_KEPT) this.#carry = NOTHING;
    return line;
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#carryBytes + bytes.length;
    if (this.#frameBytes + needed > this.#frameBytesMax) this.#refuse();
    if (needed > this.#carry.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#carry.length));
      grown.set(this.#carry.subarray(0, this.#carryBytes));
      this.#carry = grown;
    }
    this.#carry.set(bytes, this.#carryBytes);
    this.#carryBytes = needed;
  }

  #refuse(): never {
    const limit = this.#frameBytesMax;
    throw new GatewayError(
      "provider_bad_response",
      `The provider sent an event of more than ${limit} bytes.`,
    );
  }

  #line(whole: Uint8Array): void {
    let line = whole;
    if (this.#isFirstLine) {
      this.#isFirstLine = false;
      if (line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) line = line.subarray(3);
    }
    if (line.length === 0) {
      this.#dispatch();
      return;
    }
    this.#frameBytes += line.length;
    if (this.#frameBytes > this.#frameBytesMax) this.#refuse();
    if (startsWith(line, "data")) {
      const value = fieldValue(line, 4);
      this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    } else if (startsWith(line, "event")) {
      this.#event = fieldValue(line, 5);
    }
  }

  #dispatch(): void {
    const data = this.#data;
    const event = this.#event;
    this.#data = null;
    this.#event = "";
    this.#frameBytes = 0;
    if (data !== null) this.#onEvent(event, data);
  }
}

/** Whether the line is this field, with or without a value. */
function startsWith(line: Uint8Array, field: string): boolean {
  for (let at = 0; at < field.length; at++) {
    if (line[at] !== field.charCodeAt(at)) return false;
  }
  return line.length === field.length || line[field.length] === COLON;
}

function fieldValue(line: Uint8Array, nameBytes: number): string {
  const start = nameBytes + (line[nameBytes + 1] === SPACE ? 2 : 1);
  return start >= line.length ? "" : decoder.decode(line.subarray(start));
}
