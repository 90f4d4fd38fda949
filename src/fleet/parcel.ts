// Two messages in one, so that what is shared beside the buckets needs no round trips of its own:
//
//     length of the first (4, little endian)  │  the buckets' message  │  the board's message
import { Malformed } from "../bucket/codec.ts";
import { MESSAGE_BYTES_MAX } from "./transport.ts";

const LENGTH_BYTES = 4;

export interface Parcel {
  /** Empty in a notice that has only the other. */
  readonly ledger: Uint8Array;
  /** Empty when it would not have fitted. */
  readonly board: Uint8Array;
}

export function pack({ ledger, board }: Parcel): Uint8Array {
  const rest = LENGTH_BYTES + ledger.length + board.length > MESSAGE_BYTES_MAX ? new Uint8Array() : board;
  const bytes = new Uint8Array(LENGTH_BYTES + ledger.length + rest.length);
  new DataView(bytes.buffer).setUint32(0, ledger.length, true);
  bytes.set(ledger, LENGTH_BYTES);
  bytes.set(rest, LENGTH_BYTES + ledger.length);
  return bytes;
}

/** Throws `Malformed`. */
export function unpack(bytes: Uint8Array): Parcel {
  if (bytes.length < LENGTH_BYTES) throw new Malformed("a message is cut short");
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const end = LENGTH_BYTES + length;
  if (end > bytes.length) throw new Malformed("a message is cut short");
  return { ledger: bytes.subarray(LENGTH_BYTES, end), board: bytes.subarray(end) };
}
