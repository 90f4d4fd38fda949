// Opening the durable store safely: one process per directory; a store that can't be read is set aside (renamed, never
// deleted) and a new one begun; one that a later version wrote is refused. LMDB maps its file into memory and trusts
// it, so damage may end the process rather than throw. Hence the marker: it exists while a store is being opened, and
// when it is found at a start, the last one died there, and the store is first read in a process of its own.
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { GatewayError } from "../errors.ts";
import type { Log } from "../observe/events.ts";
import { countEntries, type Database, LmdbStore, openDatabase, storageError } from "./lmdb.ts";
import { DATA, inspectFile, LOCK } from "./lmdb-file.ts";
import { own, type Ownership } from "./owner.ts";
import { checkSchema, PAST_UNKNOWN_KEY } from "./schema.ts";
import type { Batch, Store } from "./store.ts";

const MARKER = "opening";

/** How long the separate reader may take, in milliseconds; a store of a million entries takes about one second. */
const VERIFY_MS = 60_000;

export interface OpenedStore {
  readonly store: Store;
  /** Where the unreadable store went that was found instead; null: there was none. */
  readonly setAside: string | null;
}

interface OpenOptions {
  /** Made when it does not exist. */
  readonly directory: string;
  readonly log: Log;
  /** Milliseconds since the epoch, to name what is set aside. */
  readonly wallMs: number;
  /**
   * Looks into the store before anything is built on it: throws when what it holds can't be understood (a checksum
   * is wrong), and then it is set aside as if LMDB could not read it.
   */
  readonly verify?: (store: Store) => void;
}

/** Opens the store in the directory. Rejects with `storage_unavailable` and says what to do. */
export async function openStore(options: OpenOptions): Promise<OpenedStore> {
  const { directory } = options;
  prepareDirectory(directory);
  const ownership = await ownOrWarn(options);
  try {
    const { database, setAside } = openOrSetAside(options);
    const store = new OwnedStore(new LmdbStore(database, directory), ownership);
    await checkSchema(store, directory);
    if (setAside !== null) await store.write([[PAST_UNKNOWN_KEY, Buffer.from("unreadable")]]);
    return { store, setAside };
  } catch (error) {
    ownership?.release();
    throw error instanceof GatewayError ? error : storageError("The store can't be opened", directory, error);
  }
}

/** The store of this process: closing it lets others in. */
class OwnedStore implements Store {
  readonly #store: Store;
  readonly #ownership: Ownership | null;

  constructor(store: Store, ownership: Ownership | null) {
    this.#store = store;
    this.#ownership = ownership;
  }

  entries(prefix: string): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.#store.entries(prefix);
  }

  get(key: string): Uint8Array | undefined {
    return this.#store.get(key);
  }

  write(batch: Batch): Promise<void> {
    return this.#store.write(batch);
  }

  fault(): string | null {
    return this.#store.fault();
  }

  async close(): Promise<void> {
    await this.#store.close();
    this.#ownership?.release();
  }
}

/** Like `mkdir -p`. Node's own recursive form tries for ever where a folder can't be made in a parent that exists (/proc). */
export function makeDirectory(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return;
  if (found !== undefined) throw new Error(`${directory} is a file and not a folder`);
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent);
  mkdirSync(directory);
}

function prepareDirectory(directory: string): void {
  try {
    makeDirectory(directory);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(join(directory, DATA))) {
      accessSync(join(directory, DATA), constants.R_OK | constants.W_OK);
    }
    if (!existsSync(join(directory, LOCK))) tryRoom(join(directory, LOCK));
  } catch (error) {
    throw storageError("The store can't be opened", directory, error);
  }
}

/** Twice what LMDB's table of readers takes. */
const LOCK_BYTES = 16_384;

/** LMDB maps its table of readers before the disk has given it any room: where there is none the process would die of it. */
function tryRoom(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(LOCK_BYTES, 1), { flush: true });
  } finally {
    rmSync(path, { force: true });
  }
}

const NO_SOCKETS = /ENOTSUP|EOPNOTSUPP|EAFNOSUPPORT|EPERM|EINVAL/;

/** Some shared file systems have no sockets: there the rule can't be kept, and a person should know. */
async function ownOrWarn({ directory, log }: OpenOptions): Promise<Ownership | null> {
  try {
    return await own(directory);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    if (!NO_SOCKETS.test(reason)) throw storageError("The store can't be opened", directory, error);
    log.warn("data_dir can't be guarded against a second process", { directory, reason });
    return null;
  }
}

function openOrSetAside(options: OpenOptions): { database: Database; setAside: string | null } {
  const reason = damage(options.directory);
  if (reason === null) {
    try {
      return { database: openVerified(options), setAside: null };
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return startAfresh(options, error.message);
    }
  }
  return startAfresh(options, reason);
}

/** The store opens, but what it holds can't be read. */
class Unreadable extends Error {}

function openVerified({ directory, verify }: OpenOptions): Database {
  const marker = join(directory, MARKER);
  writeFileSync(marker, "This file exists while the store is being opened.\n");
  const database = openDatabase(directory);
  try {
    const { claimed, found } = countEntries(database);
    if (claimed !== found) throw new Unreadable(`it has ${found} of ${claimed} entries`);
    verify?.(new LmdbStore(database, directory));
  } catch (error) {
    void database.close();
    throw error instanceof Unreadable ? error : new Unreadable(String(error), { cause: error });
  }
  rmSync(marker, { force: true });
  return database;
}

function startAfresh(options: OpenOptions, reason: string): { database: Database; setAside: string } {
  const { directory, log, wallMs } = options;
  const setAside = dated(join(directory, DATA), "unreadable", wallMs);
  renameSync(join(directory, DATA), setAside);
  log.error("the store could not be read and was set aside; a new one was begun", { reason, setAside });
  return { database: openVerified({ directory, log, wallMs }), setAside };
}

/** A name beside the file that tells what became of it and when; one that is free. */
export function dated(path: string, word: string, wallMs: number): string {
  const stamp = new Date(wallMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  let name = `${path}.${word}-${stamp}`;
  for (let n = 2; existsSync(name); n++) name = `${path}.${word}-${stamp}-${n}`;
  return name;
}

/** Why the file must not be opened in this process; null: nothing speaks against it. */
function damage(directory: string): string | null {
  const found = inspectFile(join(directory, DATA));
  if (found.kind === "foreign") return "it is not an LMDB file";
  if (found.kind === "empty") return "it is empty";
  const isSuspect = existsSync(join(directory, MARKER)) || (found.kind === "lmdb" && found.isShort);
  if (!isSuspect) return null;
  const reader = join(import.meta.dirname, "verify.ts");
  const child = spawnSync(process.execPath, [reader, directory], { stdio: "ignore", timeout: VERIFY_MS });
  if (child.status === 0) return null;
  return `reading it ended with ${child.signal ?? `status ${child.status}`}`;
}
