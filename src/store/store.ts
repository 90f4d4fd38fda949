// What the rest of Sluice needs of a durable store: keys and values, read in one snapshot at start, written in atomic
// batches that are on disk when the promise resolves. Two implementations pass one contract suite: LMDB, and memory
// for tests and the simulator.

/** One atomic set of changes; a value of `null` removes the key. Keys are ASCII, at most 500 bytes. */
export type Batch = readonly (readonly [key: string, value: Uint8Array | null])[];

export interface Store {
  /** All entries whose key begins with `prefix`, in key order, from one snapshot. */
  entries(prefix: string): Iterable<readonly [key: string, value: Uint8Array]>;
  /** The value of one key. */
  get(key: string): Uint8Array | undefined;
  /**
   * Writes the whole batch or nothing. Resolves once it is durable (synced); rejects with a
   * `GatewayError("storage_unavailable")` when it could not be written, and then nothing of it is.
   * Batches become durable in the order in which they were handed over.
   */
  write(batch: Batch): Promise<void>;
  /** Waits for what is under way, then closes. Further writes are refused. */
  close(): Promise<void>;
}
