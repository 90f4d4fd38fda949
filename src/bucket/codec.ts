// Bytes for the store and the wire: one small binary format, the same in both, so that what a disk holds and what a
// peer sends is checked by one piece of code. A frame is
//
//     kind (1)  version (1)  payload …  CRC-32 of all before (4, little endian)
//
// Integers are LEB128 varints of up to 53 bits, floating numbers IEEE doubles (little endian), ids 16 raw bytes,
// texts UTF-8 with their length. A reader never trusts a length: every read is bounded by the frame, and whatever is
// wrong ends in one `Malformed`, which the caller turns into a refusal. Unknown versions are refused, not guessed at.

/** Bytes that are not a frame of ours: truncated, damaged, of an unknown kind or version, or out of range. */
export class Malformed extends Error {
  override readonly name: string = "Malformed";
}

/** A sound frame of a later format: a newer program wrote it. */
export class UnknownVersion extends Malformed {
  override readonly name = "UnknownVersion";
}

/** Entry `256 k + b` is the CRC of byte `b` followed by `k` zeros, so that four bytes are taken at a time. */
const CRC_TABLE = new Uint32Array(4 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  CRC_TABLE[byte] = crc;
}
for (let index = 256; index < CRC_TABLE.length; index++) {
  const before = CRC_TABLE[index - 256]!;
  CRC_TABLE[index] = CRC_TABLE[before & 0xff]! ^ (before >>> 8);
}

/** CRC-32 as in IEEE 802.3. */
export function crc32(bytes: Uint8Array, end = bytes.length): number {
  const table = CRC_TABLE;
  let crc = -1;
  let index = 0;
  for (const last = end - 3; index < last; index += 4) {
    crc ^= bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24);
    crc =
      table[768 + (crc & 0xff)]! ^
      table[512 + ((crc >>> 8) & 0xff)]! ^
      table[256 + ((crc >>> 16) & 0xff)]! ^
      table[crc >>> 24]!;
  }
  for (; index < end; index++) crc = table[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const FRAME_OVERHEAD_BYTES = 6;

/** Frames are written one at a time, so they share the space they grow in; a finished frame is a copy. */
let scratch = new Uint8Array(1 << 16);
let scratchView = new DataView(scratch.buffer);

function growScratch(needed: number): void {
  const grown = new Uint8Array(Math.max(scratch.length * 2, needed));
  grown.set(scratch);
  scratch = grown;
  scratchView = new DataView(grown.buffer);
}

/** Appends values to a frame. Only one is in use at a time. */
export class Writer {
  #length = 2;

  constructor(kind: number, version: number) {
    scratch[0] = kind;
    scratch[1] = version;
  }

  #reserve(count: number): void {
    if (this.#length + count > scratch.length) growScratch(this.#length + count);
  }

  /** An integer from 0 to 2^53 - 1. */
  integer(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER && Number.isInteger(value))) {
      throw new Malformed(`${value} can't be written as an integer`);
    }
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      scratch[this.#length++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    scratch[this.#length++] = rest;
  }

  number(value: number): void {
    this.#reserve(8);
    scratchView.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** In single precision, for hints. */
  single(value: number): void {
    this.#reserve(4);
    scratchView.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  boolean(value: boolean): void {
    this.integer(value ? 1 : 0);
  }

  bytes(value: Uint8Array): void {
    this.integer(value.length);
    this.#reserve(value.length);
    scratch.set(value, this.#length);
    this.#length += value.length;
  }

  text(value: string): void {
    const { length } = value;
    this.#reserve(8 + length);
    const start = this.#length;
    this.integer(length);
    // Most texts are short and ASCII: keys and names.
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) {
        this.#length = start;
        this.bytes(encoder.encode(value));
        return;
      }
      scratch[this.#length++] = code;
    }
  }

  /** 32 hexadecimal digits, in 16 bytes. */
  id(value: string): void {
    if (value.length !== 32) throw new Malformed("an id must be 32 hexadecimal digits");
    this.#reserve(16);
    for (let index = 0; index < 32; index += 2) {
      scratch[this.#length++] = digit(value.charCodeAt(index)) * 16 + digit(value.charCodeAt(index + 1));
    }
  }

  /** The finished frame. The writer is not used after this. */
  finish(): Uint8Array {
    this.#reserve(4);
    scratchView.setUint32(this.#length, crc32(scratch, this.#length), true);
    return scratch.slice(0, this.#length + 4);
  }
}

function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  throw new Malformed("an id must be 32 hexadecimal digits");
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Up to here a text that is ASCII is quicker to put together than to decode. */
const SHORT_BYTES = 48;

function isAscii(byte: number): boolean {
  return byte < 0x80;
}

/** Reads values from a frame; throws `Malformed` for whatever is not as it should be. */
export class Reader {
  readonly version: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #offset = 2;

  constructor(bytes: Uint8Array, kind: number, versionMax: number) {
    if (bytes.length < FRAME_OVERHEAD_BYTES) throw new Malformed("a frame is cut short");
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length - 4;
    this.version = bytes[1] ?? 0;
    if (bytes[0] !== kind) throw new Malformed("a frame is of another kind");
    if (this.#view.getUint32(this.#end, true) !== crc32(bytes, this.#end)) {
      throw new Malformed("a frame's checksum is wrong");
    }
    if (this.version < 1 || this.version > versionMax) {
      throw new UnknownVersion(`a frame has version ${this.version}; this program reads up to ${versionMax}`);
    }
  }

  #take(count: number): number {
    const start = this.#offset;
    if (count > this.#end - start) throw new Malformed("a frame ends inside a value");
    this.#offset = start + count;
    return start;
  }

  integer(): number {
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 8; index++) {
      const byte = this.#bytes[this.#take(1)] ?? 0;
      value += (byte % 0x80) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new Malformed("an integer is longer than 53 bits");
  }

  /** A finite double. */
  number(): number {
    const value = this.#view.getFloat64(this.#take(8), true);
    if (!Number.isFinite(value)) throw new Malformed("a number is not finite");
    return value;
  }

  /** A finite number in single precision. */
  single(): number {
    const value = this.#view.getFloat32(this.#take(4), true);
    if (!Number.isFinite(value)) throw new Malformed("a number is not finite");
    return value;
  }

  boolean(): boolean {
    const value = this.integer();
    if (value > 1) throw new Malformed("a boolean is neither 0 nor 1");
    return value === 1;
  }

  bytes(lengthMax: number): Uint8Array {
    const length = this.integer();
    if (length > lengthMax) throw new Malformed(`a value is longer than ${lengthMax} bytes`);
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  text(lengthMax: number): string {
    const length = this.integer();
    if (length > lengthMax) throw new Malformed(`a value is longer than ${lengthMax} bytes`);
    const start = this.#take(length);
    const bytes = this.#bytes.subarray(start, start + length);
    if (length <= SHORT_BYTES && bytes.every(isAscii)) return String.fromCharCode(...bytes);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new Malformed("a text is not UTF-8");
    }
  }

  id(): string {
    const start = this.#take(16);
    let id = "";
    for (let index = start; index < start + 16; index++) id += HEX[this.#bytes[index] ?? 0];
    return id;
  }

  /** A count of things of at least `sizeMin` bytes each, so that a lie can't make the reader allocate. */
  count(sizeMin: number): number {
    const count = this.integer();
    if (count * sizeMin > this.#end - this.#offset) throw new Malformed("a count is larger than the frame");
    return count;
  }

  /** Asserts that everything was read. */
  end(): void {
    if (this.#offset !== this.#end) throw new Malformed("a frame has bytes left over");
  }
}
