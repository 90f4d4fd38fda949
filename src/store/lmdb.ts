// The durable store: LMDB in its classic mode, where a commit writes the pages, syncs them, and only then writes and
// syncs the root, so that `committed` means `on disk` and a crash at any byte leaves the last commit whole. lmdb-js's
// own default ("overlapping sync") acknowledges before the sync and is not used. One commit is under way at a time,
// on lmdb-js's writer thread; batches that arrive meanwhile share the next (group commit), which keeps their order.
import { accessSync, constants, statfsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { open, type RootDatabase } from "lmdb";
import { assert, GatewayError } from "../errors.ts";
import { DATA, identityOf } from "./lmdb-file.ts";
import { type Batch, isStoreKey, type Store } from "./store.ts";

/** What was thrown while LMDB wrote: the reason rather than "Commit failed". */
async function commitCause(thrown: unknown): Promise<Error> {
  if (!(thrown instanceof Error)) return new Error(String(thrown));
  if (!("commitError" in thrown)) return thrown;
  // lmdb-js rejects this promise in the same turn as the write's own, or never.
  const reason: unknown = await Promise.race([rejection(thrown.commitError), nextTurn()]);
  return reason instanceof Error ? reason : thrown;
}

async function rejection(promise: unknown): Promise<unknown> {
  try {
    return await promise;
  } catch (reason) {
    return reason;
  }
}

const ADVICE: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/No space left|ENOSPC|MDB_MAP_FULL|File too large|quota/i, "Free disk space under data_dir"],
  [/is a file and not a folder|ENOTDIR/, "Move that file away, or name another folder as data_dir"],
  [/Read-only|EROFS|Permission|EACCES|EPERM/i, "Make data_dir writable for this user"],
  [/while it was in use/, "Start again: a new store is begun, or the one that is there is used"],
  // LMDB reports a write cut short by a full disk as an input/output error too.
  [/Input\/output|EIO/i, "Check that the disk under data_dir has free space and no errors"],
];

/** A storage failure for people: what happened, where, and what to do. */
export function storageError(what: string, place: string, cause: unknown): GatewayError {
  const freeBytes = freeBytesOf(place);
  const reason = reasonOf(cause instanceof Error ? cause.message : String(cause), freeBytes);
  const advice = ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? "Check data_dir";
  const room = advice.includes("disk") && freeBytes !== null ? ` (${inWords(freeBytes)})` : "";
  return new GatewayError("storage_unavailable", `${what} in ${place}: ${reason}. ${advice}${room}.`, {
    cause,
  });
}

/** What a commit may need; a disk with less is full. */
const FULL_BYTES = 65_536;

/** A full disk has many names, the system's own and those of LMDB, which reports it as an input/output error too. */
function reasonOf(reason: string, freeBytes: number | null): string {
  const isFull = freeBytes !== null && freeBytes < FULL_BYTES && /Input\/output|EIO/i.test(reason);
  return isFull || /No space left|ENOSPC/i.test(reason) ? "ENOSPC: no space left on device" : reason;
}

function freeBytesOf(place: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize;
  } catch {
    // The folder is not there, which the reason says.
    return null;
  }
}

/** Roughly: whoever logs what has changed must not log each page that comes and goes. */
function inWords(freeBytes: number): string {
  if (freeBytes < FULL_BYTES) return "nothing is free there";
  const mib = freeBytes / 1_048_576;
  if (mib < 1) return "less than 1 MiB is free there";
  const size = 10 ** Math.floor(Math.log10(mib));
  return `about ${(Math.round(mib / size) * size).toLocaleString("en-US")} MiB are free there`;
}

/** Written, and removed at once, to see whether there is room. */
const ROOM = "room.tmp";
const PAGE_BYTES = 4096;

export type Database = RootDatabase<Uint8Array, string>;

/** Opens LMDB's files in `directory` without any of the checks in open.ts. Throws LMDB's own errors. */
export function openDatabase(directory: string, readOnly = false): Database {
  return open<Uint8Array, string>({
    path: directory,
    encoding: "binary",
    noSubdir: false,
    maxDbs: 1,
    overlappingSync: false,
    // Batches are gathered here; lmdb-js doing it too would make a promise of its own that nobody can own.
    eventTurnBatching: false,
    readOnly,
  });
}

/** How many entries the root says there are, and how many a walk finds. They differ when pages were lost. */
export function countEntries(database: Database): { readonly claimed: number; readonly found: number } {
  const stats: { entryCount?: unknown } = database.getStats();
  let found = 0;
  for (const { value } of database.getRange()) if (value !== undefined) found++;
  return { claimed: typeof stats.entryCount === "number" ? stats.entryCount : found, found };
}

export class LmdbStore implements Store {
  readonly #database: Database;
  readonly #directory: string;
  /** The file that was opened: LMDB goes on writing to it when it is removed or replaced. */
  readonly #file: string | null;
  #queued: Batch[] = [];
  #next: Promise<void> | null = null;
  #current: Promise<void> = Promise.resolve();
  #closed = false;
  /** The latest commit failed. */
  #isFailing = false;

  constructor(database: Database, directory: string) {
    this.#database = database;
    this.#directory = directory;
    this.#file = identityOf(join(directory, DATA));
  }

  *entries(prefix: string): Iterable<readonly [key: string, value: Uint8Array]> {
    const range = prefix === "" ? this.#database.getRange() : this.#database.getRange({ start: prefix });
    for (const { key, value } of range) {
      if (!key.startsWith(prefix)) return;
      yield [key, value];
    }
  }

  get(key: string): Uint8Array | undefined {
    return this.#database.get(key);
  }

  write(batch: Batch): Promise<void> {
    for (const [key] of batch) assert(isStoreKey(key), `a store key is printable ASCII: ${key}`);
    if (this.#closed) {
      return Promise.reject(new GatewayError("storage_unavailable", "The store is closed."));
    }
    this.#queued.push(batch);
    this.#next ??= this.#commitAfter(this.#current);
    return this.#next;
  }

  fault(): string | null {
    const lost = this.#lost();
    if (lost !== null) return lost;
    try {
      accessSync(this.#directory, constants.W_OK);
      accessSync(join(this.#directory, DATA), constants.W_OK);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Why nobody will ever find what is written from now on. A look costs some microseconds. */
  #lost(): string | null {
    const file = identityOf(join(this.#directory, DATA));
    if (file === this.#file) return null;
    return `${DATA} was ${file === null ? "removed" : "replaced"} while it was in use`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#current, this.#next]);
    await this.#database.close();
  }

  /** Commits everything queued by the time the previous commit is done. */
  async #commitAfter(previous: Promise<void>): Promise<void> {
    await Promise.allSettled([previous]);
    const batches = this.#queued;
    this.#queued = [];
    const commit = this.#commit(batches);
    this.#current = commit;
    this.#next = null;
    return commit;
  }

  async #commit(batches: readonly Batch[]): Promise<void> {
    // Each put returns a promise of its own (mostly the commit's, shared); all of them must have an owner.
    const writes = new Set<PromiseLike<unknown>>();
    const lost = this.#lost();
    if (lost !== null) throw storageError("Writing was refused", this.#directory, lost);
    if (this.#isFailing) await this.#tryRoom();
    try {
      const all = this.#database.batch(() => {
        for (const [key, value] of batches.flat()) {
          writes.add(value === null ? this.#database.remove(key) : this.#database.put(key, value));
        }
      });
      await Promise.all([all, ...writes]);
      this.#isFailing = false;
    } catch (error) {
      this.#isFailing = true;
      throw storageError("Writing failed", this.#directory, await commitCause(error));
    }
  }

  /**
   * After a failure, looks whether the disk takes a page before LMDB is asked again: its writer can abort the whole process
   * when commits fail again and again (about one run in six of 30 failures did). Throws `storage_unavailable`.
   */
  async #tryRoom(): Promise<void> {
    const path = join(this.#directory, ROOM);
    try {
      await writeFile(path, Buffer.alloc(PAGE_BYTES, 1), { flush: true });
    } catch (error) {
      throw storageError("Writing failed", this.#directory, error);
    } finally {
      // One that stays is written over the next time.
      await rm(path, { force: true }).catch(() => undefined);
    }
  }
}
