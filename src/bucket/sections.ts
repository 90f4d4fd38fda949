// What one author said, as it travels: its rows above a stamp, oldest first, and its profile with the last of them. A
// section that does not fit is cut, and says up to where it goes.
import type { Entry, Member, Profile } from "./member.ts";
import { compareStamps, type Row, type Stamp } from "./row.ts";

export interface SectionEntry {
  readonly stamp: Stamp;
  readonly bucket: string;
  readonly row: Row;
}

interface Said {
  readonly stamp: Stamp;
  readonly profile: Profile;
}

/** What one author said after `from`, up to `to`. */
export interface Section {
  readonly author: string;
  readonly from: Stamp;
  readonly to: Stamp;
  readonly entries: readonly SectionEntry[];
  /** Comes with the last entries only; `known`: it is as it was at `from`; `null`: more entries are to follow. */
  readonly profile: Said | "known" | null;
}

/** So many replicas that an entry names count as much as the entry: in a large fleet they are most of its bytes. */
const NAMED_PER_ENTRY = 16;

/** How much of a message's room something takes up that names so many replicas. */
function sizeNaming(replicas: number): number {
  return 1 + Math.floor(replicas / NAMED_PER_ENTRY);
}

/** How much of a message's room a section takes up. */
export function sizeOf({ entries, profile }: Section): number {
  let size = 1;
  if (profile !== null && profile !== "known")
    size = sizeNaming(profile.profile.seen.size + profile.profile.heirs.length);
  for (const { row } of entries) size += sizeNaming(row.given.size);
  return size;
}

/**
 * What an author said above a stamp, for as many entries as there is room; entries that are hidden are left out, and will
 * come under a later stamp.
 */
export function sectionOf(
  author: Member,
  from: Stamp,
  room: number,
  isHidden: (entry: Entry) => boolean,
): Section {
  const entries: SectionEntry[] = [];
  let left = room;
  for (let entry = firstAbove(author, from); entry !== null; entry = entry.newer) {
    if (isHidden(entry)) continue;
    if (left <= 0) return partOf(author, from, entries);
    const stamp = { boot: entry.boot, version: entry.version };
    entries.push({ stamp, bucket: entry.bucket.key, row: entry.row });
    left -= sizeNaming(entry.row.given.size);
    if (left <= 0) author.cutAt = entry;
  }
  return {
    author: author.id,
    from,
    to: { boot: author.boot, version: author.version },
    entries,
    profile:
      compareStamps(author.profileStamp, from) <= 0
        ? "known"
        : { stamp: author.profileStamp, profile: author.profile },
  };
}

/** The oldest entry above a stamp: at an end of the list, or where the last section ended, or else it is looked for. */
function firstAbove(author: Member, from: Stamp): Entry | null {
  const { newest, oldest, cutAt } = author;
  if (oldest !== null && compareStamps(oldest, from) > 0) return oldest;
  if (cutAt !== null && compareStamps(cutAt, from) === 0) return cutAt.newer;
  let first: Entry | null = null;
  for (let entry = newest; entry !== null && compareStamps(entry, from) > 0; entry = entry.older) {
    first = entry;
  }
  return first;
}

/** The first entries of a section; more are to follow. Single rows may be ahead of what is known to be complete. */
function partOf(author: Member, from: Stamp, entries: readonly SectionEntry[]): Section {
  const last = entries.at(-1);
  const to = last !== undefined && compareStamps(last.stamp, author) < 0 ? last.stamp : from;
  return { author: author.id, from, to, entries, profile: null };
}
