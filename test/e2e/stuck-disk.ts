// A disk that stands still: while another process holds LMDB's lock for writing, no commit of the store's owner ends,
// though the owner goes on. What it has not written when it is killed then, it has never written.
import { openDatabase } from "../../src/store/lmdb.ts";

/** Holds up all commits in this data folder until the result is called. */
export function holdUp(directory: string): () => Promise<void> {
  const database = openDatabase(directory);
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  const held = database.transactionSync(() => isOver);
  return async () => {
    resolve();
    await held;
    await database.close();
  };
}
