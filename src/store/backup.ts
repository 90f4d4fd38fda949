// A copy of the store in one file, and the way back. The copy is taken from one snapshot, also while a gateway runs;
// the file is verified whole before anything is touched, and the store that it replaces is set aside, not deleted.
//
//   "sluice backup 1\n" │ entries: key length u16, value length u32, key, value │ 0 u16, count u32 │ CRC-32 of all u32
//
// A backup knows nothing of what was spent after it was made. So a restored store is marked, and the replica starts
// from it with empty buckets: they refill at their rates, and the promise of §1 in BUCKET.md holds over the restore too.
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { GatewayError } from "../errors.ts";
import { LmdbStore, openDatabase } from "./lmdb.ts";
import { DATA } from "./lmdb-file.ts";
import { dated, makeDirectory } from "./open.ts";
import { own } from "./owner.ts";
import { checkSchema, OWN_PREFIX, PAST_UNKNOWN_KEY, SCHEMA_KEY } from "./schema.ts";
import { type Batch, isStoreKey, type Store } from "./store.ts";

const MAGIC = Buffer.from("sluice backup 1\n", "latin1");
const ENTRY_HEAD_BYTES = 6;
const END_BYTES = ENTRY_HEAD_BYTES + 4;
/** How much is gathered before it is written. */
const CHUNK_BYTES = 1 << 20;

/** Copies what is durable in the directory's store to a file, whether a gateway runs on it or not. Returns the number of entries. */
export async function backUp(directory: string, file: string): Promise<number> {
  if (!existsSync(join(directory, DATA))) {
    throw new GatewayError("storage_unavailable", `There is no store in data_dir ${directory}.`);
  }
  const store = new LmdbStore(openDatabase(directory, true), directory);
  try {
    return writeBackup(store, file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GatewayError("storage_unavailable", `The backup can't be written to ${file}: ${reason}.`, {
      cause: error,
    });
  } finally {
    await store.close();
  }
}

/** Writes all entries beside the file and puts them in its place once they are on disk. */
export function writeBackup(store: Store, file: string): number {
  const draft = `${file}.part`;
  const descriptor = openSync(draft, "w", 0o600);
  let count = 0;
  try {
    const writer = new Checksummed(descriptor);
    writer.add(MAGIC);
    for (const [key, value] of store.entries("")) {
      if (key.startsWith(OWN_PREFIX) && key !== SCHEMA_KEY) continue;
      writer.add(entryHead(key.length, value.length));
      writer.add(Buffer.from(key, "latin1"));
      writer.add(value);
      count++;
    }
    writer.add(entryHead(0, count));
    writer.finish();
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
  syncDirectory(dirname(file));
  return count;
}

function entryHead(keyBytes: number, valueBytes: number): Buffer {
  const head = Buffer.alloc(ENTRY_HEAD_BYTES);
  head.writeUInt16LE(keyBytes, 0);
  head.writeUInt32LE(valueBytes, 2);
  return head;
}

/** Gathers bytes, writes them in large pieces and ends with their checksum. */
class Checksummed {
  readonly #descriptor: number;
  #gathered: Uint8Array[] = [];
  #bytes = 0;
  #checksum = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  add(bytes: Uint8Array): void {
    this.#gathered.push(bytes);
    this.#bytes += bytes.length;
    this.#checksum = crc32(bytes, this.#checksum);
    if (this.#bytes >= CHUNK_BYTES) this.#write();
  }

  finish(): void {
    const end = Buffer.alloc(4);
    end.writeUInt32LE(this.#checksum);
    this.#gathered.push(end);
    this.#write();
  }

  #write(): void {
    const chunk = Buffer.concat(this.#gathered);
    for (let at = 0; at < chunk.length;) at += writeSync(this.#descriptor, chunk, at);
    this.#gathered = [];
    this.#bytes = 0;
  }
}

function unreadable(file: string, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const why = reason.startsWith("ENOENT") ? "there is no such file" : reason;
  return new GatewayError(
    "storage_unavailable",
    `The backup ${file} can't be read: ${why}. Nothing was changed.`,
    {
      cause,
    },
  );
}

/** The entries of a backup file. Throws `storage_unavailable` unless every byte of it is as it was written. */
export function readBackup(file: string): Batch {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  const faulty = (why: string): GatewayError =>
    new GatewayError("storage_unavailable", `${file} is not a whole backup: ${why}. Nothing was changed.`);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw faulty("it does not begin like one");
  const body = bytes.subarray(0, -4);
  if (bytes.length < MAGIC.length + END_BYTES || crc32(body) !== bytes.readUInt32LE(body.length)) {
    throw faulty("it was cut short or changed");
  }
  const batch: [string, Uint8Array][] = [];
  let at = MAGIC.length;
  for (;;) {
    const keyBytes = body.readUInt16LE(at);
    const valueBytes = body.readUInt32LE(at + 2);
    at += ENTRY_HEAD_BYTES;
    if (keyBytes === 0) {
      if (valueBytes !== batch.length || at !== body.length)
        throw faulty("its end is not where it should be");
      return batch;
    }
    const key = body.toString("latin1", at, at + keyBytes);
    if (!isStoreKey(key)) throw faulty("it holds a key that no store has");
    batch.push([key, body.subarray(at + keyBytes, at + keyBytes + valueBytes)]);
    at += keyBytes + valueBytes;
  }
}

interface RestoreOptions {
  readonly directory: string;
  readonly file: string;
  /** Milliseconds since the epoch, to name what is set aside. */
  readonly wallMs: number;
  /** Take the levels as they were when the backup was made: what was spent since may be spent again. */
  readonly keepsLevels: boolean;
}

interface Restored {
  readonly entries: number;
  /** Where the store went that was there before; null: there was none. */
  readonly setAside: string | null;
}

/** Puts a backup in place of the directory's store. Rejects with `storage_unavailable`, and then nothing has changed. */
export async function restore({ directory, file, wallMs, keepsLevels }: RestoreOptions): Promise<Restored> {
  const batch = readBackup(file);
  makeDirectory(directory);
  const ownership = await own(directory);
  const draft = mkdtempSync(join(directory, "restoring-"));
  try {
    const mark: Batch = keepsLevels ? [] : [[PAST_UNKNOWN_KEY, Buffer.from("restored")]];
    await fill(draft, [...batch, ...mark]);
    return { entries: batch.length, setAside: replaceData(directory, join(draft, DATA), wallMs) };
  } finally {
    rmSync(draft, { recursive: true, force: true });
    ownership.release();
  }
}

async function fill(directory: string, batch: Batch): Promise<void> {
  const store = new LmdbStore(openDatabase(directory), directory);
  try {
    await store.write(batch);
    await checkSchema(store, directory);
  } finally {
    await store.close();
  }
}

/** The old file gets a second name before the new one takes its place, so that at no instant there is none. */
function replaceData(directory: string, draft: string, wallMs: number): string | null {
  const path = join(directory, DATA);
  const setAside = existsSync(path) ? dated(path, "replaced", wallMs) : null;
  if (setAside !== null) linkSync(path, setAside);
  renameSync(draft, path);
  syncDirectory(directory);
  return setAside;
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
