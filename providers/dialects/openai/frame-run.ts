// A run of whole frames on its way through the normaliser. Frames that stay are moved together inside the bytes they came
// in, over what is cut out of them; only a frame that is written anew breaks the run into parts.
//
//   ├─ frame ──┬─ frame, minus "usage" ─┬── frame ──┤        one array, a little shorter: nothing was allocated
import type { TailCut } from "./frame-template.ts";

export class FrameRun {
  readonly #bytes: Uint8Array;
  readonly #parts: Uint8Array[] = [];
  /** `#bytes[#from, #to)` holds the frames kept since the latest one that was replaced. */
  #from = 0;
  #to = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The frame from `start` to `end` stays, without the part that is cut out. Frames come in order. */
  keep(start: number, end: number, cut: TailCut): void {
    if (cut.from === 0) {
      this.#move(start, end);
      return;
    }
    this.#move(start, end - cut.from);
    this.#move(end - cut.to, end);
  }

  /** These bytes go out in the place of the frame that ends at `end`. */
  replace(end: number, sent: Uint8Array): void {
    this.#closePart();
    this.#parts.push(sent);
    this.#from = end;
    this.#to = end;
  }

  /** Everything to send; the array that was given when nothing has changed. */
  take(): Uint8Array {
    if (this.#from === 0 && this.#to === this.#bytes.length) return this.#bytes;
    this.#closePart();
    return joined(this.#parts);
  }

  #move(start: number, end: number): void {
    if (this.#to !== start) this.#bytes.copyWithin(this.#to, start, end);
    this.#to += end - start;
  }

  #closePart(): void {
    if (this.#to > this.#from) this.#parts.push(this.#bytes.subarray(this.#from, this.#to));
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
