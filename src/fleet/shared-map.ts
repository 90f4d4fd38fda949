// What the fleet knows beside its buckets: a replicated map that rides on the replicas' exchanges (courier.ts) and so
// needs no messages and no timer of its own. It does no I/O: it says what is to be written, as the replica does, and the
// board (board.ts) writes it; the simulator has a disk of its own for it.
//
//     set, delete, add ──▶ map ──▶ `collect`, and `written` or `failed`
//                           └────▶ siblings, with the next exchange: it counts as news
//     a sibling's entries ──▶ map ──▶ `collect`, listeners, and on to other siblings
//
// A store that lost or forgot some of it gets it back from the siblings.
import {
  decodeMapMessage,
  encodeMapMessage,
  encodeMapRecord,
  isMapKey,
  storedKey,
} from "../bucket/lww-codec.ts";
import {
  BYTES_MAX,
  ENTRIES_MAX,
  type Entry,
  type Heard,
  isFitting,
  LwwMap,
  TOTALS_PREFIX,
  type Value,
  writtenAt,
} from "../bucket/lww-map.ts";
import { heardFrom, isSameBefore, wordOf } from "../bucket/lww-word.ts";
import type { Clock } from "../clock.ts";
import { assert, GatewayError } from "../errors.ts";
import type { Log, Sample } from "../observe/events.ts";
import { counter, gauge } from "../observe/sample.ts";
import type { Batch } from "../store/store.ts";
import { Retention } from "./retention.ts";
import { readRecords } from "./stored-records.ts";

/** All keys of the map begin so in the store. */
export const BOARD_PREFIX = "board/";

/** Entries in one message, about; more follow in the next. */
const MESSAGE_BYTES = 256 * 1024;
/** Messages name authors that have written within this time. */
const RECENT_MS = 600_000;
/** How often what has been counted becomes news. */
const COUNT_MS = 1000;
const EXPIRE_MS = 60_000;
/** Runs of processes that messages name before one takes over what the ended ones left, and how much of it at a time. */
const AUTHORS_MAX = 32;
const ADOPTED_MAX = 256;

export interface SharedMapOptions {
  /** What the store holds of it. */
  readonly stored: Iterable<readonly [key: string, value: Uint8Array]>;
  readonly clock: Clock;
  readonly log: Log;
  /** The replica's id: names its own totals. */
  readonly replica: string;
  /** Names this run of the process: 32 hexadecimal digits, new at each start. */
  readonly author: string;
}

/** What stands under a key. */
export interface Posted {
  readonly key: string;
  readonly value: Uint8Array;
  /** Milliseconds since it was written. */
  readonly ageMs: number;
  /** When that was, by the writer's wall clock. */
  readonly writtenMs: number;
}

/** `value` null: the key was deleted. */
type Listener = (key: string, value: Uint8Array | null, ageMs: number) => void;

export class SharedMap {
  /** Called before what was counted becomes news, about every second and at the end. */
  onCount: () => void = () => {};
  /** Called when siblings should hear of something soon. */
  onNews: () => void = () => {};
  readonly #options: SharedMapOptions;
  readonly #map = new LwwMap((entry, nowMs) => this.#retention.isExpired(entry, nowMs));
  readonly #retention = new Retention();
  readonly #listeners: Listener[] = [];
  readonly #dirty = new Set<string>();
  /** What was counted and not yet added to the totals. */
  #counted = new Map<string, number>();
  /** What each link's sibling had heard when it last answered; of those that are missing it is not known. */
  readonly #links = new Map<string, Heard>();
  /** The latest write of this run that a notice has told. */
  #toldTime = 0;
  #countedMs: number;
  #expiredMs: number;
  /** What the write under way holds; null: none is. */
  #writing: readonly string[] | null = null;
  #refused = 0;

  constructor(options: SharedMapOptions) {
    this.#options = options;
    this.#countedMs = options.clock.elapsedMs();
    this.#expiredMs = this.#countedMs;
    this.#restore();
  }

  /**
   * Damaged entries are left out and come back from the siblings. What was heard is then not everything any more, so
   * the rest goes on as this run's: nothing is claimed to have been heard, and siblings send all they have.
   */
  #restore(): void {
    const { stored, log, author } = this.#options;
    const moment = this.#moment();
    const { entries, isDamaged } = readRecords(stored, moment, log);
    for (const entry of entries) {
      if (this.#retention.isExpired(entry, moment.nowMs)) this.#dirty.add(entry.key);
      else this.#map.place(isDamaged ? { ...entry, author } : entry);
    }
    this.#bringBack();
  }

  /** A clock that was far ahead and has been put right must not keep siblings from what was written under it. */
  #bringBack(): void {
    const { author, clock } = this.#options;
    const again = this.#map.bringBack(author, clock.wallMs());
    if (again.length === 0) return;
    for (const { key } of again) this.#dirty.add(key);
    this.#toldTime = 0;
    this.onNews();
  }

  #moment(): { readonly nowMs: number; readonly wallMs: number } {
    const { clock } = this.#options;
    return { nowMs: clock.elapsedMs(), wallMs: clock.wallMs() };
  }

  /** The value under a key; undefined when there is none or it was deleted. */
  get(key: string): Posted | undefined {
    const entry = this.#map.get(key);
    return entry === undefined ? undefined : posted(entry, this.#options.clock.elapsedMs());
  }

  /** Everything under a prefix, in no order. */
  *entries(prefix: string): Iterable<Posted> {
    const nowMs = this.#options.clock.elapsedMs();
    for (const entry of this.#map.entries()) {
      const found = entry.key.startsWith(prefix) ? posted(entry, nowMs) : undefined;
      if (found !== undefined) yield found;
    }
  }

  /** Throws `invalid_request` for a key or value that is too long, and `overloaded` when there is no place left. */
  set(key: string, value: Uint8Array): void {
    this.#write(key, value);
  }

  /** Whether there is much room left: what may grow without end stops here, so that the rest finds a place. */
  get isRoomy(): boolean {
    return this.#map.size < ENTRIES_MAX / 2 && this.#map.bytes < BYTES_MAX / 2;
  }

  /** Like `set`, for what may as well be left out: nothing happens when it can't be. */
  offer(key: string, value: Uint8Array): void {
    this.#tryWrite(key, value);
  }

  /** Does nothing when there is nothing under the key. */
  delete(key: string): void {
    if (this.get(key) !== undefined) this.#write(key, null);
  }

  /** Entries whose keys begin with this stay for so long after their last write. */
  retain(prefix: string, ageMs: number): void {
    this.#retention.set(prefix, ageMs);
  }

  /**
   * Goes on as the author of entries that nobody writes any more, if many runs of processes wrote them: each message names
   * the authors of all that stands. Value and age stay. `isFinal` must be so for the whole fleet: a write that has not been
   * heard here would lose against the new one.
   */
  adopt(prefix: string, isFinal: (key: string) => boolean): void {
    if (this.#map.authors <= AUTHORS_MAX) return;
    const { author } = this.#options;
    const left = this.#map.entries().filter((entry) => entry.author !== author);
    const final = left.filter(({ key }) => key.startsWith(prefix) && isFinal(key));
    const { wallMs } = this.#moment();
    // What is placed again comes at the end of what is walked through here, and is left out there.
    for (const entry of final.take(ADOPTED_MAX)) {
      this.#map.place({ ...entry, author, time: this.#map.nextTime(wallMs) });
      this.#dirty.add(entry.key);
    }
    this.onNews();
  }

  /** Tells of every change, one's own included. */
  onChange(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Counts something; cheap enough for every request. The fleet hears of it within about a second. */
  add(name: string, count: number): void {
    this.#counted.set(name, (this.#counted.get(name) ?? 0) + count);
  }

  /** What the fleet has counted under all names that begin with this. */
  sum(prefix: string): number {
    let total = 0;
    for (const { key, value } of this.#map.entries()) {
      if (typeof value === "number" && key.startsWith(prefix, TOTALS_PREFIX.length)) total += value;
    }
    for (const [name, count] of this.#counted) if (name.startsWith(prefix)) total += count;
    return total;
  }

  #write(key: string, value: Value): void {
    const { author } = this.#options;
    const { nowMs, wallMs } = this.#moment();
    if (!isMapKey(key) || !isFitting(key, value)) {
      throw new GatewayError(
        "invalid_request",
        "The name or its value is too long to be shared with the fleet.",
      );
    }
    const entry = { key, author, time: this.#map.nextTime(wallMs), bornMs: nowMs, value };
    if (!this.#map.hasPlaceFor(entry)) {
      throw new GatewayError("overloaded", "There is no place for more entries that the fleet shares.");
    }
    if (this.#map.place(entry)) this.#changed([entry], nowMs);
  }

  #changed(entries: readonly Entry[], nowMs: number): void {
    if (entries.length === 0) return;
    for (const { key } of entries) this.#dirty.add(key);
    for (const { key, value, bornMs } of entries) {
      if (typeof value === "number") continue;
      for (const listener of this.#listeners) listener(key, value, Math.max(0, nowMs - bornMs));
    }
    this.onNews();
  }

  /** To be called about every 100 ms. */
  tick(): void {
    const nowMs = this.#options.clock.elapsedMs();
    this.#bringBack();
    if (nowMs - this.#countedMs >= COUNT_MS) this.count();
    if (nowMs - this.#expiredMs >= EXPIRE_MS) {
      this.#expiredMs = nowMs;
      for (const { key } of this.#map.expire(nowMs)) this.#dirty.add(key);
    }
  }

  /** Puts what was counted into this replica's totals, where siblings see it. */
  count(): void {
    this.#countedMs = this.#options.clock.elapsedMs();
    this.onCount();
    const counted = this.#counted;
    if (counted.size === 0) return;
    this.#counted = new Map();
    for (const [name, count] of counted) {
      const key = `${TOTALS_PREFIX}${name}/${this.#options.replica}`;
      const held = this.#map.get(key)?.value;
      this.#tryWrite(key, (typeof held === "number" ? held : 0) + count);
    }
  }

  #tryWrite(key: string, value: Value): void {
    try {
      this.#write(key, value);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#refused += 1;
    }
  }

  /** Whether anything is to be written that no write under way holds. */
  get hasWork(): boolean {
    return this.#dirty.size > 0;
  }

  /** The next batch to write, or `null` when nothing is to be written. `written` or `failed` must follow. */
  collect(): Batch | null {
    assert(this.#writing === null, "one write of the board is under way at a time");
    if (this.#dirty.size === 0) return null;
    const moment = this.#moment();
    const keys = [...this.#dirty];
    this.#dirty.clear();
    this.#writing = keys;
    return keys.map((key) => {
      const entry = this.#map.get(key);
      return [BOARD_PREFIX + storedKey(key), entry === undefined ? null : encodeMapRecord(entry, moment)];
    });
  }

  /** The batch is durable. */
  written(): void {
    this.#writing = null;
  }

  /** Nothing of the batch was written; all of it stays due. */
  failed(): void {
    for (const key of this.#writing ?? []) this.#dirty.add(key);
    this.#writing = null;
  }

  /** What goes with a message on a link. */
  request(link: string): Uint8Array {
    // What the sibling has heard is not known before it has answered once.
    return this.#message(this.#links.get(link));
  }

  /** What goes with the answer to a sibling that has heard this; `null`: it said so in a way that can't be read here. */
  answer(heard: Heard | null): Uint8Array {
    return this.#message(heard ?? undefined);
  }

  /** What this run has written since the last notice, for everybody at once; `null` when that is nothing. */
  notice(): Uint8Array | null {
    const { author } = this.#options;
    const heard = this.#map.heard();
    const own = heard.get(author) ?? 0;
    if (own <= this.#toldTime) return null;
    const { stretches, isCut } = this.#map.delta(new Map(heard).set(author, this.#toldTime), MESSAGE_BYTES);
    this.#toldTime = own;
    if (isCut) return null;
    const word = wordOf(heard, this.#map.stampBefore(RECENT_MS), this.#map.markOf);
    return encodeMapMessage({ word, stretches }, this.#options.clock.elapsedMs());
  }

  #message(known: Heard | undefined): Uint8Array {
    const { stretches, isCut } =
      known === undefined ? { stretches: [], isCut: false } : this.#map.delta(known, MESSAGE_BYTES);
    if (isCut) this.onNews();
    const own = this.#map.heard();
    const since = this.#map.stampBefore(RECENT_MS);
    const isShort = known !== undefined && isSameBefore(since, own, known);
    const word = wordOf(own, isShort ? since : 0, this.#map.markOf);
    return encodeMapMessage({ word, stretches }, this.#options.clock.elapsedMs());
  }

  /**
   * Takes what came with a message or, on a link, with an answer. Returns what its sender has heard; `null`: it has heard
   * other things of those who wrote long ago than this one has. Throws `Malformed`.
   */
  receive(bytes: Uint8Array, link: string | null): Heard | null {
    const { nowMs, wallMs } = this.#moment();
    const { word, stretches } = decodeMapMessage(bytes, nowMs);
    const heard = heardFrom(word, this.#map.heard(), this.#map.markOf);
    if (link !== null && heard !== null) this.#links.set(link, heard);
    else if (link !== null) this.#links.delete(link);
    const { changed, refused } = this.#map.merge(stretches, nowMs, wallMs);
    this.#refused += refused;
    this.#changed(changed, nowMs);
    return heard;
  }

  /** Whether some sibling has answered that it has heard all that this one has. */
  get isTold(): boolean {
    const heard = [...this.#map.heard()];
    for (const known of this.#links.values()) {
      if (heard.every(([author, time]) => (known.get(author) ?? 0) >= time)) return true;
    }
    return false;
  }

  /** Forgets links that are no more. */
  keepLinks(names: readonly string[]): void {
    if (this.#links.size <= names.length) return;
    for (const name of this.#links.keys()) if (!names.includes(name)) this.#links.delete(name);
  }

  *samples(): Iterable<Sample> {
    const shared = "Entries that the fleet shares beside its buckets";
    yield gauge("sluice_fleet_shared_entries", `${shared}.`, this.#map.size);
    yield gauge("sluice_fleet_shared_bytes", `${shared}, in bytes.`, this.#map.bytes);
    const refused =
      "Entries that were refused: written more than a day ahead of this clock, too long, or without place.";
    yield counter("sluice_fleet_shared_refused_total", refused, this.#refused);
  }

  /** The invariants of what it holds. */
  check(): boolean {
    return this.#map.check();
  }
}

function posted({ key, value, bornMs, time }: Entry, nowMs: number): Posted | undefined {
  if (!(value instanceof Uint8Array)) return undefined;
  return { key, value, ageMs: Math.max(0, nowMs - bornMs), writtenMs: writtenAt(time) };
}
