// Joins the pieces of an event stream into whole frames. Most pieces are whole frames already and pass through; only the
// beginning of a frame whose end has not come yet is copied, into room that doubles, so that a frame which comes byte by
// byte is copied a few times, not thousands.
import { tryParse } from "../../json.ts";
import { dataOf, framesEnd } from "./frames.ts";

/** The longest frame: a whole image in base64 fits. Longer ones are refused rather than collected. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;

export class FrameBuffer {
  /** Whether a frame has grown beyond the bound; from then on nothing comes out. */
  isOverfull = false;
  /** The beginning of a frame: `#held[0, #heldBytes)`. */
  #held: Buffer | null = null;
  #heldBytes = 0;
  #isFirst = true;

  /** The whole frames that `chunk` completes; `null`: there are none yet. */
  push(chunk: Buffer): Buffer | null {
    const frames = this.#whole(chunk);
    if (!this.#isFirst || frames === null || frames.length === 0) return frames;
    this.#isFirst = false;
    // A byte order mark belongs to the stream, not to its first event.
    return startsWithMark(frames) ? frames.subarray(BYTE_ORDER_MARK_BYTES) : frames;
  }

  #whole(chunk: Buffer): Buffer | null {
    if (this.#heldBytes > 0) return this.#complete(chunk);
    const end = framesEnd(chunk);
    if (end === chunk.length) return chunk;
    this.#hold(chunk.subarray(end));
    return end === 0 ? null : chunk.subarray(0, end);
  }

  /** What is held of a frame that has not ended; it is let go of. */
  takeRest(): Buffer | null {
    const rest =
      this.#heldBytes === 0 || this.#held === null ? null : this.#held.subarray(0, this.#heldBytes);
    this.#held = null;
    this.#heldBytes = 0;
    return rest;
  }

  #complete(chunk: Buffer): Buffer | null {
    // A blank line may lie across the border, so the last bytes held are looked at again.
    const from = Math.max(0, this.#heldBytes - 3);
    this.#hold(chunk);
    const all = this.#held?.subarray(0, this.#heldBytes);
    if (this.isOverfull || all === undefined) return null;
    const end = framesEnd(all, from);
    if (end === 0) return null;
    this.#held = null;
    this.#heldBytes = 0;
    if (end < all.length) this.#hold(all.subarray(end));
    return all.subarray(0, end);
  }

  #hold(bytes: Buffer): void {
    const length = this.#heldBytes + bytes.length;
    if (length > FRAME_BYTES_MAX) {
      this.isOverfull = true;
      this.takeRest();
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
}

const BYTE_ORDER_MARK_BYTES = 3;

function startsWithMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** A last frame without its blank line, if it is whole by itself: the end mark, or complete JSON. `null`: it was cut off. */
export function wholeFrame(rest: Buffer | null): Buffer | null {
  const frame = rest?.toString("utf8").trim();
  if (frame === undefined) return null;
  const data = dataOf(frame);
  return data === "[DONE]" || tryParse(data) !== undefined ? Buffer.from(`${frame}\n\n`) : null;
}
