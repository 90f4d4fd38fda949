// Bytes that come in pieces, gathered until they are whole, in little more memory than they need. They go into segments;
// as soon as half of an announced length is here they get room for all of it, so that nothing is left to be joined in
// one go at the end. (Not before: room for the announced length would be there for the asking.)
//
// One room that doubles is simpler, and took 1.2 times its contents: the rooms that were left are garbage of many
// sizes. Segments are of one size, and given back at once.

/** Segments grow with what has come, from the one to the other. */
const SEGMENT_BYTES_MIN = 16 * 1024;
const SEGMENT_BYTES_MAX = 256 * 1024;

export class Gathering {
  length: number;
  readonly #announcedBytes: number;
  /** The first piece as it came: its memory is not ours. */
  readonly #first: Buffer;
  /** Full segments, in order. */
  #full: Buffer[] = [];
  /** `#last[0, #used)` follows on them. */
  #last: Buffer;
  #used: number;

  /** `announcedBytes`: how long it is going to be; 0: nobody said. */
  constructor(first: Buffer, announcedBytes: number) {
    this.#first = first;
    this.#last = first;
    this.#used = first.length;
    this.length = first.length;
    this.#announcedBytes = announcedBytes;
  }

  add(piece: Buffer): void {
    for (let from = 0; from < piece.length;) {
      if (this.#used === this.#last.length) this.#extend();
      const copied = piece.copy(this.#last, this.#used, from);
      from += copied;
      this.#used += copied;
      this.length += copied;
    }
  }

  /** All of it, as the last call: the memory is the caller's from here on. */
  take(): Buffer {
    if (this.#full.length > 0) this.#join(this.length);
    return this.#used === this.#last.length ? this.#last : this.#last.subarray(0, this.#used);
  }

  /** Lets go of everything at once, as the last call. */
  drop(): void {
    for (const segment of this.#full) this.#release(segment);
    this.#release(this.#last);
  }

  #extend(): void {
    const { length } = this;
    if (this.#announcedBytes > length && 2 * length >= this.#announcedBytes) {
      this.#join(this.#announcedBytes);
      return;
    }
    this.#full.push(this.#last);
    this.#last = Buffer.allocUnsafeSlow(Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, length)));
    this.#used = 0;
  }

  /** Puts everything into one room of this size. */
  #join(bytes: number): void {
    const room = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const segment of this.#full) {
      at += segment.copy(room, at);
      this.#release(segment);
    }
    at += this.#last.copy(room, at, 0, this.#used);
    this.#release(this.#last);
    this.#full = [];
    this.#last = room;
    this.#used = at;
  }

  /** The collector sees how small a Buffer is, not what hangs on it, and would leave that lying about. */
  #release(segment: Buffer): void {
    const { buffer } = segment;
    if (segment !== this.#first && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }
}
