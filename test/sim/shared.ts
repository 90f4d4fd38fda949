// What the fleet shares beside its buckets, in the simulator: limits set at run time, pauses, keys of any kind and
// counters ride on the replicas' messages and are written to the same disks. What is promised of them is checked here:
// replicas that have exchanged everything hold the same; what was durable on a disk that is still there gives way to
// nothing older; nothing is counted twice, and nothing that was durable is left out.
import { decodeMapMessage, decodeMapRecord } from "../../src/bucket/lww-codec.ts";
import { type Entry, TOTALS_PREFIX } from "../../src/bucket/lww-map.ts";
import type { Clock } from "../../src/clock.ts";
import { BOARD_PREFIX, SharedMap } from "../../src/fleet/shared-map.ts";
import { silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Batch } from "../../src/store/store.ts";
import type { Chance } from "./random.ts";

const KEYS = ["keys/a", "keys/b", "paused/p", "keys/c"];
const COUNTER = "use";
const NOW = { nowMs: 0, wallMs: 0 };

/** What all processes together did, against which what they hold is checked. */
export class Truth {
  /** Counted by anybody, ever. */
  counted = 0;
  /** Of that, what was not on a disk when its process died, or is not any more because its disk went back in time. */
  lost = 0;
  /** Per key the time of the latest write that was on a disk. */
  readonly durable = new Map<string, number>();

  /** A disk is no more, or was set back: what only it knew is lost. */
  forget(): void {
    this.lost = Infinity;
    this.durable.clear();
  }

  /** Why maps that have exchanged everything are not what they must be; empty: they are. */
  faultOf(maps: readonly SharedMap[]): string {
    if (!maps.every((map) => map.check())) return "a shared map is not in order";
    const views = maps.map(viewOf);
    const [first] = views;
    if (first === undefined) return "";
    const texts = views.map(textOf);
    if (texts.some((text) => text !== texts[0])) return "shared maps differ";
    let sum = 0;
    for (const { value } of first.values()) if (typeof value === "number") sum += value;
    if (sum > this.counted) return `${sum} is what the counters say, of ${this.counted}`;
    if (sum < this.counted - this.lost)
      return `${sum} is what the counters say, of ${this.counted} less ${this.lost}`;
    for (const [key, time] of this.durable) {
      if ((first.get(key)?.time ?? 0) < time) return `what was durable under ${key} is lost`;
    }
    return "";
  }
}

/** Everything that a map holds, by key: what it would tell one that has heard of nothing. */
function viewOf(map: SharedMap): Map<string, Entry> {
  const { stretches } = decodeMapMessage(map.answer(new Map()), 0);
  return new Map(stretches.flatMap(({ entries }) => entries.map((entry) => [entry.key, entry])));
}

function textOf(view: ReadonlyMap<string, Entry>): string {
  const lines = [...view.values()].map(({ key, time, author, value }) => {
    const text = value instanceof Uint8Array ? Buffer.from(value).toString() : value;
    return `${key} ${time} ${author} ${text}`;
  });
  return lines.sort().join("\n");
}

/** The shared map of one process, and what it had counted when. */
export class SharedProcess {
  readonly map: SharedMap;
  readonly #truth: Truth;
  #added = 0;
  /** What of that is in the totals, in the write under way, and on the disk. */
  #inTotals = 0;
  #beingWritten = 0;
  #durable = 0;
  #batch: Batch = [];

  constructor(
    disk: ReadonlyMap<string, Uint8Array>,
    truth: Truth,
    process: { readonly clock: Clock; readonly replica: string; readonly author: string },
  ) {
    this.#truth = truth;
    const stored = new MemoryStore({ contents: disk }).entries(BOARD_PREFIX);
    this.map = new SharedMap({ stored, log: silentLog, ...process });
    this.map.onCount = () => {
      this.#inTotals = this.#added;
    };
  }

  /** Writes, deletes or counts something. */
  act(chance: Chance, nowMs: number): void {
    if (chance.hits(0.5)) {
      const count = chance.integer(1, 5);
      this.map.add(COUNTER, count);
      this.#added += count;
      this.#truth.counted += count;
      return;
    }
    const key = chance.pick(KEYS);
    if (chance.hits(0.2)) this.map.delete(key);
    else this.map.set(key, Buffer.from(`${nowMs}`));
  }

  /** What is to be written now. */
  collect(): Batch | null {
    const batch = this.map.collect();
    if (batch === null) return null;
    this.#batch = batch;
    this.#beingWritten = this.#inTotals;
    return batch;
  }

  /** The write under way ended; on the disk, or not. */
  ended(isDurable: boolean): void {
    if (isDurable) this.#note();
    if (isDurable) this.map.written();
    else this.map.failed();
  }

  #note(): void {
    this.#durable = this.#beingWritten;
    for (const [, bytes] of this.#batch) {
      if (bytes === null) continue;
      const { key, time } = decodeMapRecord(bytes, NOW);
      if (!key.startsWith(TOTALS_PREFIX))
        this.#truth.durable.set(key, Math.max(time, this.#truth.durable.get(key) ?? 0));
    }
  }

  /** The process died; the write under way is on the disk, or not. */
  died(isDurable: boolean): void {
    if (isDurable) this.#note();
    this.#truth.lost += this.#added - this.#durable;
  }
}
