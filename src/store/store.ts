// What the rest of Sluice needs of a durable store: keys and values, read in one snapshot at start, written in atomic
// batches that are on disk when the promise resolves. Two implementations pass one contract suite: LMDB, and memory
// for tests and the simulator.

/**
 * One atomic set of changes; a value of `null` removes the key; of two changes to one key the later wins. Keys are
 * printable ASCII, 1 to 500 bytes. The bytes of a value belong to the store from here on: don't change them.
 */
export type Batch = readonly (readonly [key: string, value: Uint8Array | null])[];

export interface Store {
  /**
   * All entries whose key begins with `prefix`, in the order of their bytes, from one snapshot. Only what is durable
   * is seen. Read it to its end or leave the loop: it must not be kept across an `await`.
   */
  entries(prefix: string): Iterable<readonly [key: string, value: Uint8Array]>;
  /** The durable value of one key. The bytes are the caller's own. */
  get(key: string): Uint8Array | undefined;
  /**
   * Writes the whole batch or nothing. Resolves once it is durable (synced); rejects with a
   * `GatewayError("storage_unavailable")` when it could not be written, and then nothing of it is.
   * Batches become durable in the order in which they were handed over; batches handed over while another is being
   * written share one commit (and, on failure, its error).
   */
  write(batch: Batch): Promise<void>;
  /**
   * Why what is written from now on would not be found at the next start, as far as can be seen from outside: its file
   * is gone, was replaced, or can't be written. Null when nothing speaks against it. Looks at the disk.
   */
  fault(): string | null;
  /** Waits for what is under way, then closes. Further writes are refused with `storage_unavailable`. */
  close(): Promise<void>;
}

/** The longest key, in bytes; LMDB takes up to 1978 of its encoding, this leaves room for growth. */
export const KEY_BYTES_MAX = 500;

const PRINTABLE = /^[\x20-\x7e]+$/;

/** Whether a key is one that every implementation keeps in the same order: printable ASCII, 1 to 500 bytes. */
export function isStoreKey(key: string): boolean {
  return key.length <= KEY_BYTES_MAX && PRINTABLE.test(key);
}
