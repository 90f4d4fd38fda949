// Large media in a request that is written anew. Parsing and writing ten megabytes of base64 twice over holds up everybody else
// for a fiftieth of a second and changes nothing in them. So they are taken out of the body first, each leaves a mark in its
// place, and what is written from the small rest gets them back as the bytes they were.
//
//   {"url":"data:image/png;base64,iVBOR…"}  ─▶  {"url":"data:image/png;base64,~held:ID:0~"}  ─▶ … ─▶  "data":"iVBOR…"
//
// The mark holds the request's id, which no client can know beforehand, and a character that base64 does not have: whoever has
// to look into the media fails on it, and the request is translated from its whole body.
import type { Span } from "./request.ts";
import { splice } from "./request-rewrite.ts";

const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const DATA_URL = Buffer.from("data:");
const BASE64 = ";base64";
/** How long the beginning of a data URL may be. */
const PREFIX_BYTES_MAX = 256;

export class HeldMedia {
  /** The body with marks in the place of its media. */
  readonly rest: Buffer;
  readonly #pieces: readonly Buffer[];
  readonly #mark: Buffer;

  private constructor(rest: Buffer, pieces: readonly Buffer[], mark: Buffer) {
    this.rest = rest;
    this.#pieces = pieces;
    this.#mark = mark;
  }

  /** Takes the media at these places (pairs of offsets, inside their quotes) out of a body; null: there is nothing to take. */
  static of(body: Buffer, places: readonly number[], requestId: string): HeldMedia | null {
    if (places.length === 0) return null;
    const spans: Span[] = [];
    for (let at = 0; at < places.length; at += 2) {
      const span = base64In(body, places[at] ?? 0, places[at + 1] ?? 0);
      if (span !== null) spans.push(span);
    }
    if (spans.length === 0) return null;
    const mark = `~held:${requestId}:`;
    const edits = spans.map((span, index) => ({ ...span, bytes: Buffer.from(`${mark}${index}~`) }));
    const pieces = spans.map(({ start, end }) => body.subarray(start, end));
    return new HeldMedia(splice(body, edits), pieces, Buffer.from(mark));
  }

  /** What was written from the rest, with the media in the places of their marks. */
  restored(written: Buffer): Buffer {
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = written.indexOf(this.#mark); at !== -1; at = written.indexOf(this.#mark, from)) {
      const end = written.indexOf("~", at + this.#mark.length);
      const index = Number(written.toString("latin1", at + this.#mark.length, end));
      parts.push(written.subarray(from, at), this.#pieces[index] ?? Buffer.alloc(0));
      from = end + 1;
    }
    return from === 0 ? written : Buffer.concat([...parts, written.subarray(from)]);
  }
}

/** The part of a string's contents that is plain base64; null: it is no media, or has escapes and so is not what it looks like. */
function base64In(body: Buffer, start: number, end: number): Span | null {
  const escape = body.subarray(start, end).indexOf(BACKSLASH);
  if (escape !== -1) return null;
  if (!body.subarray(start, start + DATA_URL.length).equals(DATA_URL)) return { start, end };
  const prefix = body.subarray(start, Math.min(end, start + PREFIX_BYTES_MAX));
  const comma = prefix.indexOf(COMMA);
  if (comma === -1 || !prefix.toString("latin1", 0, comma).toLowerCase().endsWith(BASE64)) return null;
  return { start: start + comma + 1, end };
}
