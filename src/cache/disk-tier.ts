// The answers that are kept on disk, in a store of their own, so that the buckets' commits never stand behind them and
// a backup does not carry them. A request pays for one synchronous read; everything that is written waits in a bounded
// queue, for a moment so that one sync serves many, and goes out in small batches, one at a time. What does not fit into
// the queue is not kept.
//
//   a/KEY          the answer
//   t/TIME/KEY     what it is charged with: the answers in the order of their age, oldest first, which go first
//   charged        the sum of all charges, written in the same batch as what changes it
import type { Timers } from "../clock.ts";
import type { Log } from "../observe/events.ts";
import type { Store } from "../store/store.ts";
import { decodeAnswer, encodeAnswer, memoryBytes, type CachedAnswer } from "./answer.ts";

export interface DiskSettings {
  readonly bytesMax: number;
  /** Answers older than this are removed when something is written, in milliseconds. */
  readonly ttlMs: number;
}

const ANSWERS = "a/";
const AGES = "t/";
const CHARGED = "charged";

/** What may wait to be written, in bytes of memory. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** How long answers are gathered, in milliseconds: each batch is a sync, which the buckets' own wait for on most disks. */
const GATHER_MS = 100;
/** A batch is put together without a pause, so it is small: at most so many bytes, or one answer. */
const BATCH_BYTES = 512 * 1024;
/** And at most so many answers are removed by one. */
const BATCH_REMOVALS = 200;

/** LMDB's page; what is larger than half of one gets pages of its own. */
const PAGE_BYTES = 4096;
/** Of pages that answers share, about a third is empty; the keys and the index come on top. */
const SHARED_PAGE_FACTOR = 1.5;
const INDEX_BYTES = 300;

/** The time in a key has this many digits, so that keys are in the order of time. */
const TIME_DIGITS = 15;

interface DiskParts {
  readonly log: Log;
  readonly timers: Timers;
  readonly wallMs: () => number;
}

interface Change {
  readonly changes: [key: string, value: Uint8Array | null][];
  charged: number;
  removed: number;
}

export class DiskTier {
  readonly #store: Store;
  readonly #parts: DiskParts;
  readonly #queue = new Map<string, CachedAnswer>();
  #queuedBytes = 0;
  #settings: DiskSettings = { bytesMax: 0, ttlMs: 0 };
  #charged: number;
  #evictedCount = 0;
  #droppedCount = 0;
  #faultCount = 0;
  #isFailing = false;
  #isClosed = false;
  /** The writing that is under way; null: none is. */
  #writing: Promise<void> | null = null;
  /** Calls off the writing that is to begin; null: none is. */
  #callOff: (() => void) | null = null;

  constructor(store: Store, parts: DiskParts) {
    this.#store = store;
    this.#parts = parts;
    this.#charged = numberOf(store.get(CHARGED));
  }

  /** About how much of the disk the answers take. */
  get bytes(): number {
    return this.#charged;
  }

  /** How many answers were removed to make room, or because they were too old. */
  get evictedCount(): number {
    return this.#evictedCount;
  }

  /** How many answers were not written, because too many waited or the disk failed. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** How many entries could not be read. */
  get faultCount(): number {
    return this.#faultCount;
  }

  /** One synchronous read. An entry that is damaged counts as absent. */
  get(key: string): CachedAnswer | null {
    const queued = this.#queue.get(key);
    if (queued !== undefined) return queued;
    const value = this.#read(key);
    if (value === undefined) return null;
    const answer = decodeAnswer(value);
    if (answer === null) this.#faultCount += 1;
    return answer;
  }

  /** Keeps an answer, a little later. */
  put(key: string, answer: CachedAnswer): void {
    const bytes = memoryBytes(answer);
    if (this.#queuedBytes + bytes > QUEUE_BYTES_MAX || this.#isClosed) {
      this.#droppedCount += 1;
      return;
    }
    const before = this.#queue.get(key);
    this.#queuedBytes += bytes - (before === undefined ? 0 : memoryBytes(before));
    this.#queue.set(key, answer);
    this.#begin();
  }

  configure(settings: DiskSettings): void {
    this.#settings = settings;
    if (settings.bytesMax === 0) {
      this.#forgetQueue();
      this.#start();
    } else {
      this.#begin();
    }
  }

  /** Writes what waits; resolves when it is on disk, or given up. */
  async flush(): Promise<void> {
    this.#start();
    while (this.#writing !== null) await this.#writing;
  }

  /** Writes what waits and takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    await this.#store.close();
  }

  #read(key: string): Uint8Array | undefined {
    try {
      return this.#store.get(`${ANSWERS}${key}`);
    } catch (error) {
      this.#faultCount += 1;
      this.#failing(error);
      return undefined;
    }
  }

  /** Begins to gather, unless that or the writing is under way. */
  #begin(): void {
    if (this.#writing !== null || this.#callOff !== null) return;
    this.#callOff = this.#parts.timers.after(GATHER_MS, () => this.#start());
  }

  #start(): void {
    this.#callOff?.();
    this.#callOff = null;
    this.#writing ??= this.#run().finally(() => {
      this.#writing = null;
      // It came when the last look had been taken.
      if (this.#hasWork()) this.#begin();
    });
  }

  #hasWork(): boolean {
    return this.#queue.size > 0 || this.#charged > this.#settings.bytesMax;
  }

  async #run(): Promise<void> {
    while (this.#hasWork()) {
      const waiting = this.#queue.size;
      try {
        const { changes, charged, removed } = this.#nextBatch();
        if (changes.length === 0) {
          if (this.#queue.size > 0) continue;
          // Nothing is left that could be removed.
          this.#charged = 0;
          return;
        }
        await this.#store.write([...changes, [CHARGED, Buffer.from(String(charged))]]);
        this.#charged = charged;
        this.#evictedCount += removed;
        this.#isFailing = false;
      } catch (error) {
        this.#droppedCount += waiting;
        this.#forgetQueue();
        this.#failing(error);
        return;
      }
    }
  }

  /** The next answers of the queue, and the removal of as many old ones as have to go for them. */
  #nextBatch(): Change {
    const change: Change = { changes: [], charged: this.#charged, removed: 0 };
    let bytes = 0;
    const added = new Set<string>();
    for (const [key, answer] of this.#queue) {
      if (bytes > 0 && bytes + answer.body.length > BATCH_BYTES) break;
      this.#queue.delete(key);
      this.#queuedBytes -= memoryBytes(answer);
      bytes += answer.body.length;
      this.#add(key, answer, change);
      added.add(key);
    }
    this.#makeRoom(change, added);
    return change;
  }

  #add(key: string, answer: CachedAnswer, change: Change): void {
    const value = encodeAnswer(answer);
    const charge = chargeOf(value.length);
    if (charge > this.#settings.bytesMax) return;
    const before = this.#store.get(`${ANSWERS}${key}`);
    const replaced = before === undefined ? null : decodeAnswer(before);
    if (replaced !== null) {
      const place = agePlace(replaced.storedMs, key);
      change.charged -= numberOf(this.#store.get(place));
      change.changes.push([place, null]);
    }
    change.charged += charge;
    change.changes.push(
      [`${ANSWERS}${key}`, value],
      [agePlace(answer.storedMs, key), Buffer.from(String(charge))],
    );
  }

  /** Removes the oldest until the rest fits, and with them those that are too old to be given. */
  #makeRoom(change: Change, added: ReadonlySet<string>): void {
    const { bytesMax, ttlMs } = this.#settings;
    const expiredBefore = agePlace(Math.max(0, this.#parts.wallMs() - ttlMs), "");
    for (const [place, value] of this.#store.entries(AGES)) {
      if (change.charged <= bytesMax && place >= expiredBefore) return;
      if (change.removed >= BATCH_REMOVALS) return;
      const key = place.slice(AGES.length + TIME_DIGITS + 1);
      // Its old place was removed when it was added.
      if (added.has(key)) continue;
      change.changes.push([place, null], [`${ANSWERS}${key}`, null]);
      change.charged -= numberOf(value);
      change.removed += 1;
    }
  }

  #forgetQueue(): void {
    this.#queue.clear();
    this.#queuedBytes = 0;
  }

  /** Says so once, until it works again. */
  #failing(error: unknown): void {
    if (!this.#isFailing) this.#parts.log.warn("the response cache can't use its disk", { error });
    this.#isFailing = true;
  }
}

function agePlace(storedMs: number, key: string): string {
  return `${AGES}${String(Math.floor(storedMs)).padStart(TIME_DIGITS, "0")}/${key}`;
}

function chargeOf(valueBytes: number): number {
  const isShared = valueBytes < PAGE_BYTES / 2;
  const bytes = isShared
    ? Math.ceil(valueBytes * SHARED_PAGE_FACTOR)
    : Math.ceil(valueBytes / PAGE_BYTES) * PAGE_BYTES;
  return bytes + INDEX_BYTES;
}

function numberOf(value: Uint8Array | undefined): number {
  const number = value === undefined ? 0 : Number(Buffer.from(value).toString("latin1"));
  return Number.isFinite(number) && number >= 0 ? number : 0;
}
