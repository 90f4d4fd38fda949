// What an LMDB file says of itself, read as plain bytes: opening a file that isn't one, or that lost its tail, kills
// the process instead of throwing. The first two pages hold the root twice (commits alternate between them):
//
//   page header (24 bytes) │ magic, version, … │ page size at 48 │ … │ last page used at 144, commit number at 152
//
// (struct MDB_meta in mdb.c of the LMDB that lmdb-js builds; data format 2.)
import { closeSync, openSync, readSync, statSync } from "node:fs";

/** LMDB's file in its directory. */
export const DATA = "data.mdb";
/** The table of its readers, beside it. */
export const LOCK = "lock.mdb";

const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_BYTES_AT = 48;
const LAST_PAGE_AT = 144;
const COMMIT_AT = 152;
const ROOT_BYTES = 160;

export type FileState =
  | { readonly kind: "none" }
  /** Cut to nothing; or created by a process that ended before its first write, which is rare and can't be told apart. */
  | { readonly kind: "empty" }
  | { readonly kind: "foreign" }
  /** `isShort`: it ends before the last page used. That is legal when only free pages are missing, so look closer. */
  | { readonly kind: "lmdb"; readonly isShort: boolean };

export function inspectFile(path: string): FileState {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return { kind: "none" };
  if (size === 0) return { kind: "empty" };
  const descriptor = openSync(path, "r");
  try {
    const first = readRoot(descriptor, 0);
    const second = first === null ? null : readRoot(descriptor, first.pageBytes);
    if (first === null || second === null) return { kind: "foreign" };
    const latest = first.commit >= second.commit ? first : second;
    return { kind: "lmdb", isShort: size < (latest.lastPage + 1) * latest.pageBytes };
  } finally {
    closeSync(descriptor);
  }
}

/** Which file a path leads to; null when there is none. */
export function identityOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

interface Root {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly commit: bigint;
}

function readRoot(descriptor: number, position: number): Root | null {
  const bytes = Buffer.alloc(ROOT_BYTES);
  if (readSync(descriptor, bytes, 0, ROOT_BYTES, position) < ROOT_BYTES) return null;
  if (bytes.readUInt32LE(MAGIC_AT) !== MAGIC) return null;
  return {
    pageBytes: bytes.readUInt32LE(PAGE_BYTES_AT),
    lastPage: Number(bytes.readBigUInt64LE(LAST_PAGE_AT)),
    commit: bytes.readBigUInt64LE(COMMIT_AT),
  };
}
