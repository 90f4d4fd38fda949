// A replicated map in which the last writer wins, for what a fleet shares beside its buckets: pauses, limits set at
// run time, client keys, totals of use. It is pure: times come in, entries go out.
//
// A stamp is a hybrid logical clock (Kulkarni et al. 2014) in one number, wall milliseconds × 1024 plus a counter,
// and the author breaks ties. So a later write wins even when clocks disagree a little, and never by being repeated.
// Per key the greater entry stays, in a total order; that is a join, so order, loss and repetition can't matter.
//
// An author is one run of one process, not a replica: what a restored or crashed disk has forgotten of its own writes
// is then simply another author's, and comes back from the siblings. What was heard of an author is everything up to
// a stamp; these form the version vector, and what a peer lacks is what lies above its own. Entries of an author are
// kept in the order of their stamps. The vector names only authors of entries that still stand, and so it does not
// grow with the replicas that are gone.
import { type Mark, markOfHeard } from "./lww-word.ts";

/** Stamps per millisecond of the wall clock. */
const STAMPS_PER_MS = 1024;

/** A stamp further ahead of the wall clock than this is refused, or one broken clock would win for ever. */
export const AHEAD_MS_MAX = 86_400_000;

/** Keys that begin with this hold totals, which only grow: the greater one wins, whenever it was written. */
export const TOTALS_PREFIX = "sum/";

export const VALUE_BYTES_MAX = 4096;
export const ENTRIES_MAX = 50_000;
export const BYTES_MAX = 32 * 1024 * 1024;
/** What an entry costs beside its key and value. */
const ENTRY_BYTES = 48;

/** `null`: the key was deleted; a number: a total. */
export type Value = Uint8Array | number | null;

export interface Entry {
  readonly key: string;
  readonly time: number;
  /** 32 hexadecimal digits. */
  readonly author: string;
  readonly value: Value;
  /** When it was written, on the elapsed clock of who holds it: messages carry ages, so wall clocks need not agree. */
  readonly bornMs: number;
}

/** Author → the time up to which everything of it has been heard. */
export type Heard = ReadonlyMap<string, number>;

/** All entries of one author above `base` up to `to` that still stand where it comes from. */
export interface Stretch {
  readonly author: string;
  readonly base: number;
  readonly to: number;
  readonly entries: readonly Entry[];
}

interface Author {
  heard: number;
  /** What its being heard up to `markedAt` adds to digests. */
  mark: number;
  markedAt: number;
  /** In the order of their times. */
  readonly entries: Map<string, Entry>;
}

/** The latest stamp that is taken at this time. */
function latestFrom(wallMs: number): number {
  return (Math.floor(wallMs) + AHEAD_MS_MAX) * STAMPS_PER_MS;
}

/** When a write with this stamp was made, by the wall clock of who made it, in milliseconds since the epoch: the same for all replicas. */
export function writtenAt(time: number): number {
  return Math.floor(time / STAMPS_PER_MS);
}

/** Whether the left of two entries of one key stays. Total: equal only to itself. */
export function wins(left: Entry, right: Entry): boolean {
  if (typeof left.value === "number" && typeof right.value === "number" && left.value !== right.value) {
    return left.value > right.value;
  }
  if (left.time !== right.time) return left.time > right.time;
  return left.author > right.author;
}

/** Whether a value can stand under a key: totals under theirs, and nothing else there. */
export function isFitting(key: string, value: Value): boolean {
  if (key.startsWith(TOTALS_PREFIX)) return typeof value === "number";
  return typeof value !== "number" && (value === null || value.length <= VALUE_BYTES_MAX);
}

function bytesOf({ key, value }: Entry): number {
  return ENTRY_BYTES + key.length + (value instanceof Uint8Array ? value.length : 0);
}

export class LwwMap {
  readonly #entries = new Map<string, Entry>();
  readonly #authors = new Map<string, Author>();
  /** Whether an entry is past its time: it is dropped, and not taken again. */
  readonly #isExpired: (entry: Entry, nowMs: number) => boolean;
  #latest = 0;
  #bytes = 0;

  constructor(isExpired: (entry: Entry, nowMs: number) => boolean = () => false) {
    this.#isExpired = isExpired;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** As `markOfHeard`, which takes its time with thousands of authors. */
  readonly markOf: Mark = (author, time) => {
    const known = this.#authors.get(author);
    if (known === undefined) return markOfHeard(author, time);
    if (known.markedAt !== time) {
      known.mark = markOfHeard(author, time);
      known.markedAt = time;
    }
    return known.mark;
  };

  /** The stamp before which a write lies further back than this, as time passes by the latest that was heard. */
  stampBefore(ageMs: number): number {
    return Math.max(0, this.#latest - ageMs * STAMPS_PER_MS);
  }

  /** Of how many authors entries stand. */
  get authors(): number {
    return this.#authors.size;
  }

  /** The entry of a key; that of a deleted one has the value null. */
  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): MapIterator<Entry> {
    return this.#entries.values();
  }

  heard(): Map<string, number> {
    return new Map([...this.#authors].map(([author, { heard }]) => [author, heard]));
  }

  /** Whether one more entry of this key and value finds a place. */
  hasPlaceFor(entry: Entry): boolean {
    const held = this.#entries.get(entry.key);
    const bytes = this.#bytes + bytesOf(entry) - (held === undefined ? 0 : bytesOf(held));
    return bytes <= BYTES_MAX && (held !== undefined || this.#entries.size < ENTRIES_MAX);
  }

  /** The stamp of a write now: later than all that was heard. */
  nextTime(wallMs: number): number {
    return Math.max(Math.floor(wallMs) * STAMPS_PER_MS, this.#latest + 1);
  }

  /**
   * Writes anew, as `author`, what was written under a clock that has been set back since, from so far ahead that nobody
   * takes it; and so must every later write be, for none is earlier than the latest. Returns the entries.
   */
  bringBack(author: string, wallMs: number): Entry[] {
    const timeMax = latestFrom(wallMs);
    if (this.#latest <= timeMax) return [];
    const ahead = [...this.#entries.values()].filter(({ time }) => time > timeMax);
    for (const entry of ahead) this.#remove(entry);
    this.#latest = 0;
    for (const known of this.#authors.values()) {
      known.heard = Math.min(known.heard, timeMax);
      for (const { time } of known.entries.values()) this.#latest = Math.max(this.#latest, time);
    }
    const again: Entry[] = [];
    for (const entry of ahead.sort((left, right) => left.time - right.time)) {
      const written = { ...entry, author, time: this.nextTime(wallMs) };
      this.place(written);
      again.push(written);
    }
    return again;
  }

  /** Writes an entry of one's own, or puts one back that was stored (in the order of their times). Says whether it stands. */
  place(entry: Entry): boolean {
    this.#latest = Math.max(this.#latest, entry.time);
    const held = this.#entries.get(entry.key);
    if (held !== undefined && !wins(entry, held)) return false;
    if (held !== undefined) this.#remove(held);
    let author = this.#authors.get(entry.author);
    if (author === undefined) {
      author = { heard: 0, mark: 0, markedAt: -1, entries: new Map() };
      this.#authors.set(entry.author, author);
    }
    author.entries.set(entry.key, entry);
    author.heard = Math.max(author.heard, entry.time);
    this.#entries.set(entry.key, entry);
    this.#bytes += bytesOf(entry);
    return true;
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.key);
    this.#bytes -= bytesOf(entry);
    const author = this.#authors.get(entry.author);
    author?.entries.delete(entry.key);
    if (author?.entries.size === 0) this.#authors.delete(entry.author);
  }

  /** What a peer lacks that has heard `known`, in about `bytesMax` bytes; `isCut`: there is more. */
  delta(known: Heard, bytesMax: number): { readonly stretches: Stretch[]; readonly isCut: boolean } {
    const stretches: Stretch[] = [];
    let left = bytesMax;
    for (const [author, { heard, entries }] of this.#authors) {
      const base = known.get(author) ?? 0;
      if (heard <= base) continue;
      const chosen: Entry[] = [];
      for (const entry of entries.values()) {
        if (entry.time <= base) continue;
        if (left <= 0) {
          const last = chosen.at(-1);
          if (last !== undefined) stretches.push({ author, base, to: last.time, entries: chosen });
          return { stretches, isCut: true };
        }
        chosen.push(entry);
        left -= bytesOf(entry);
      }
      stretches.push({ author, base, to: heard, entries: chosen });
    }
    return { stretches, isCut: false };
  }

  /**
   * Joins what a peer sent. What an author wrote and another has overwritten since is in neither's stretch, so stretches
   * are taken together or not at all: one that begins above what was heard leaves a gap, and all wait for a better message.
   * An entry from too far ahead, or one for which there is no place, ends its stretch before it. Returns what has changed.
   */
  merge(
    stretches: readonly Stretch[],
    nowMs: number,
    wallMs: number,
  ): { readonly changed: Entry[]; readonly refused: number } {
    const timeMax = latestFrom(wallMs);
    const changed: Entry[] = [];
    let refused = 0;
    if (stretches.length === 0) return { changed, refused };
    // As it is before any entry is taken: an author of whom nothing stands any more is forgotten.
    const heard = this.heard();
    if (stretches.some(({ author, base }) => base > (heard.get(author) ?? 0))) return { changed, refused };
    for (const { author, to, entries } of stretches) {
      let end = to;
      for (const entry of entries) {
        if (entry.time <= (heard.get(author) ?? 0) || this.#isExpired(entry, nowMs)) continue;
        if (entry.time > timeMax || !this.hasPlaceFor(entry)) {
          end = entry.time - 1;
          refused += 1;
          break;
        }
        if (this.place(entry)) changed.push(entry);
      }
      const known = this.#authors.get(author);
      if (known !== undefined && end <= timeMax) known.heard = Math.max(known.heard, end);
    }
    return { changed, refused };
  }

  /** Drops what is past its time, and returns it. Every replica does so by itself, and so nobody has to be told. */
  expire(nowMs: number): Entry[] {
    const expired = [...this.#entries.values()].filter((entry) => this.#isExpired(entry, nowMs));
    for (const entry of expired) this.#remove(entry);
    return expired;
  }

  /** The invariants: each entry stands in its author's list, which is in order and no further than what was heard. */
  check(): boolean {
    let count = 0;
    for (const { heard, entries } of this.#authors.values()) {
      const times = [...entries.values()].map(({ time }) => time);
      if (times.length === 0 || times.some((time, at) => time <= (times[at - 1] ?? -1) || time > heard))
        return false;
      if ([...entries.values()].some((entry) => this.#entries.get(entry.key) !== entry)) return false;
      count += entries.size;
    }
    return count === this.#entries.size;
  }
}
