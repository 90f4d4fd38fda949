// A store whose loss costs nothing: what can't be read is thrown away, and a new one is begun. LMDB may end the process
// where its file is damaged, so a mark says how the last process with it ended, and none dies of it twice:
//
//   no mark     it was closed properly
//   "open"      its process was killed; LMDB survives that, but every key is read once before it is used
//   "reading"   that reading ended the process: thrown away
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../observe/events.ts";
import { type Database, LmdbStore, openDatabase, storageError } from "./lmdb.ts";
import { DATA, inspectFile, LOCK } from "./lmdb-file.ts";
import { makeDirectory } from "./open.ts";
import type { Store } from "./store.ts";

const MARK = "in-use";

/** Opens the store in the directory, made when it does not exist. The caller sees to it that no other process does. Throws `storage_unavailable`. */
export function openDisposableStore(directory: string, log: Log): Store {
  try {
    makeDirectory(directory);
    const fault = faultOf(directory);
    if (fault !== null) throwAway(directory, fault, log);
    return new DisposableStore(openChecked(directory, log), directory);
  } catch (error) {
    throw storageError("The store can't be opened", directory, error);
  }
}

/** Removes a store of this kind, if there is one. */
export function removeDisposableStore(directory: string): void {
  for (const name of [DATA, LOCK, MARK]) rmSync(join(directory, name), { force: true });
}

class DisposableStore extends LmdbStore {
  readonly #directory: string;

  constructor(database: Database, directory: string) {
    super(database, directory);
    this.#directory = directory;
  }

  override async close(): Promise<void> {
    await super.close();
    rmSync(join(this.#directory, MARK), { force: true });
  }
}

/** Why the file must not be opened; null: nothing speaks against it. */
function faultOf(directory: string): string | null {
  const found = inspectFile(join(directory, DATA));
  if (found.kind === "foreign") return "it is not an LMDB file";
  if (found.kind === "lmdb" && found.isShort) return "a part of it is missing";
  return markOf(directory) === "reading" ? "reading it ended the last process" : null;
}

function markOf(directory: string): string | null {
  const mark = join(directory, MARK);
  return existsSync(mark) ? readFileSync(mark, "utf8") : null;
}

function openChecked(directory: string, log: Log): Database {
  const mark = join(directory, MARK);
  const wasKilled = markOf(directory) !== null;
  writeFileSync(mark, wasKilled ? "reading" : "open");
  let database: Database;
  try {
    database = wasKilled ? openReading(directory) : openDatabase(directory);
  } catch (error) {
    throwAway(directory, String(error), log);
    database = openDatabase(directory);
  }
  writeFileSync(mark, "open");
  return database;
}

function openReading(directory: string): Database {
  const database = openDatabase(directory);
  try {
    for (const key of database.getKeys()) {
      if (typeof key !== "string") throw new TypeError("a key is not a text");
    }
    return database;
  } catch (error) {
    void database.close();
    throw error;
  }
}

function throwAway(directory: string, reason: string, log: Log): void {
  log.warn("a store that can be done without could not be read; a new one was begun", { directory, reason });
  removeDisposableStore(directory);
}
