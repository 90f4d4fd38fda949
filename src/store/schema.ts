// Which layout of keys and values a store has. A start that finds an older one brings it up to date here, step by
// step, in one batch each; one that a later Sluice wrote is refused rather than misread.
import { GatewayError } from "../errors.ts";
import type { Store } from "./store.ts";

/** The layout this code reads and writes. */
export const SCHEMA = 1;

/** Keys of the store's own, beside everybody else's. */
export const OWN_PREFIX = "store/";

export const SCHEMA_KEY = `${OWN_PREFIX}schema`;

/**
 * Present while this store can't know what was spent before: it was restored from a backup, or begun in place of one
 * that could not be read. A replica starts from such a store with empty buckets, and removes the mark with its first
 * durable write.
 */
export const PAST_UNKNOWN_KEY = `${OWN_PREFIX}past-unknown`;

/** Marks a new store with the layout; rejects with `storage_unavailable` when it has one that this code can't read. */
export async function checkSchema(store: Store, directory: string): Promise<void> {
  const found = store.get(SCHEMA_KEY);
  if (found === undefined) {
    for (const [key] of store.entries("")) {
      throw unreadable(
        directory,
        `has no schema, but a key ${JSON.stringify(key)}: it was not made by Sluice`,
      );
    }
    await store.write([[SCHEMA_KEY, Buffer.from(String(SCHEMA))]]);
    return;
  }
  const schema = Number(Buffer.from(found).toString("latin1"));
  if (schema === SCHEMA) return;
  throw unreadable(directory, `was written by another version (schema ${schema}; this one reads ${SCHEMA})`);
}

function unreadable(directory: string, why: string): GatewayError {
  return new GatewayError(
    "storage_unavailable",
    `The store in data_dir ${directory} ${why}. Use the version that wrote it, or another data_dir.`,
  );
}
