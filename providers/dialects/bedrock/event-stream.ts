// Amazon's binary event stream (application/vnd.amazon.eventstream): frames with a checksum of their lengths and one of
// everything. Frames come cut anywhere; nothing in a frame is believed before its checksum is right.
//
//   0        4              8            12            12+H                       T-4      T
//   | total T | headers H   | prelude CRC | headers ... | payload ...             | CRC    |
//
// https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html (the encoding is the same for all services)
import { GatewayError } from "../../../src/errors.ts";
import type { FrameReader } from "../stream.ts";
import { crc32 } from "./crc32.ts";

/** The largest frame accepted, in bytes; the protocol's own limit for payloads is 24 MB. */
const FRAME_BYTES_MAX = 24 * 1024 * 1024;
const HELD_BYTES_KEPT = 64 * 1024;
const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

/** One frame: the string headers by name, and the payload as text. */
export interface StreamFrame {
  readonly headers: ReadonlyMap<string, string>;
  readonly payload: string;
}

export class EventStreamReader implements FrameReader {
  readonly #onFrame: (frame: StreamFrame) => void;
  /** The beginning of a frame whose end has not come yet. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;

  constructor(onFrame: (frame: StreamFrame) => void) {
    this.#onFrame = onFrame;
  }

  /** Throws `provider_bad_response` for a frame that is broken, and whatever the handler throws. */
  push(bytes: Uint8Array): void {
    let rest = bytes;
    while (this.#heldBytes > 0 && rest.length > 0) {
      const wanted = this.#heldBytes < PRELUDE_BYTES ? PRELUDE_BYTES : frameBytes(this.#held);
      rest = this.#hold(rest, wanted);
      if (this.#heldBytes === wanted && wanted > PRELUDE_BYTES) {
        const frame = this.#held.subarray(0, wanted);
        this.#heldBytes = 0;
        // A single huge frame must not hold its memory for the rest of the stream.
        if (this.#held.length > HELD_BYTES_KEPT) this.#held = NOTHING;
        this.#frame(frame);
      }
    }
    while (rest.length >= PRELUDE_BYTES) {
      const total = frameBytes(rest);
      if (rest.length < total) break;
      this.#frame(rest.subarray(0, total));
      rest = rest.subarray(total);
    }
    if (rest.length > 0) this.#hold(rest, rest.length);
  }

  /** Throws `stream_interrupted` when the bytes end inside a frame. */
  end(): void {
    if (this.#heldBytes > 0) {
      throw new GatewayError("stream_interrupted", "The provider's stream ended in the middle of a frame.");
    }
  }

  /** Takes bytes until `wanted` are held; returns the others. */
  #hold(bytes: Uint8Array, wanted: number): Uint8Array {
    const taken = bytes.subarray(0, wanted - this.#heldBytes);
    if (this.#held.length < wanted) {
      const grown = new Uint8Array(wanted);
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(taken, this.#heldBytes);
    this.#heldBytes += taken.length;
    return bytes.subarray(taken.length);
  }

  #frame(frame: Uint8Array): void {
    const view = viewOf(frame);
    const bodyBytes = frame.length - CHECKSUM_BYTES;
    if (crc32(frame.subarray(0, bodyBytes)) !== view.getUint32(bodyBytes))
      throw broken("its checksum is wrong");
    const headersEnd = PRELUDE_BYTES + view.getUint32(4);
    this.#onFrame({
      headers: readHeaders(frame.subarray(PRELUDE_BYTES, headersEnd)),
      payload: decoder.decode(frame.subarray(headersEnd, bodyBytes)),
    });
  }
}

/** The whole length of the frame that begins here, from a prelude whose checksum is right. */
function frameBytes(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  const total = view.getUint32(0);
  const headers = view.getUint32(4);
  if (crc32(bytes.subarray(0, 8)) !== view.getUint32(8)) throw broken("the checksum of its lengths is wrong");
  if (total > FRAME_BYTES_MAX) throw broken(`it is larger than ${FRAME_BYTES_MAX} bytes`);
  if (PRELUDE_BYTES + headers + CHECKSUM_BYTES > total) throw broken("its lengths contradict each other");
  return total;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function broken(why: string): GatewayError {
  return new GatewayError("provider_bad_response", `The provider sent a broken frame: ${why}.`);
}

const STRING = 7;
/** Bytes of a header's value by its type; types 6 (bytes) and 7 (string) carry their own length. */
const VALUE_BYTES: readonly (number | undefined)[] = [0, 0, 1, 2, 4, 8, undefined, undefined, 8, 16];

/** The headers whose values are strings; others are skipped by their length. */
function readHeaders(bytes: Uint8Array): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  const view = viewOf(bytes);
  let at = 0;
  while (at < bytes.length) {
    const nameBytes = bytes[at] ?? 0;
    const nameEnd = at + 1 + nameBytes;
    const type = bytes[nameEnd];
    if (type === undefined || type >= VALUE_BYTES.length) throw broken("its headers can't be read");
    const fixed = VALUE_BYTES[type];
    const valueStart = nameEnd + (fixed === undefined ? 3 : 1);
    if (valueStart > bytes.length) throw broken("its headers can't be read");
    const valueEnd = valueStart + (fixed ?? view.getUint16(nameEnd + 1));
    if (valueEnd > bytes.length) throw broken("its headers can't be read");
    if (type === STRING) {
      const name = decoder.decode(bytes.subarray(at + 1, nameEnd));
      headers.set(name, decoder.decode(bytes.subarray(valueStart, valueEnd)));
    }
    at = valueEnd;
  }
  return headers;
}
