// One replica on a disk that can be killed: what a crash may leave is decided by the test, write by write.
import { systemInstant } from "../../src/clock.ts";
import { type Flush, load, PREFIX } from "../../src/fleet/journal.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { MemoryStore } from "../../src/store/memory.ts";

export class Solo {
  nowMs = 0;
  wallMs = 1_700_000_000_000;
  disk = new Map<string, Uint8Array>();
  replica: Replica;

  readonly #newId: string;

  /** `digit`: the last one of its id. */
  constructor(digit = "1") {
    this.#newId = "0".repeat(31) + digit;
    this.replica = this.#start();
  }

  #start(): Replica {
    const loaded = load(new MemoryStore({ contents: this.disk }).entries(PREFIX));
    const replica = new Replica({
      loaded,
      newId: this.#newId,
      nowMs: this.nowMs,
      instant: { ...systemInstant(), bootId: "m", monotonicMs: this.nowMs, wallMs: this.wallMs },
      random: () => 0,
    });
    return replica;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.wallMs += ms;
    this.replica.tick(this.nowMs, this.wallMs);
  }

  /** Writes what is due, unless the disk refuses it; or the process dies before it hears of it, with it on disk or not. */
  flush(cut: "no" | "before" | "after" | "refused" = "no"): void {
    const flush = this.replica.journal.collect(this.nowMs, {
      bootId: "m",
      monotonicMs: this.nowMs,
      wallMs: this.wallMs,
    });
    if (flush === null) return;
    if (cut === "refused") this.replica.journal.failed();
    if (cut === "no" || cut === "after") {
      for (const [key, value] of flush.batch) {
        if (value === null) this.disk.delete(key);
        else this.disk.set(key, value);
      }
    }
    if (cut === "no") this.replica.journal.written();
  }

  /** The disk has it. */
  apply(flush: Flush): void {
    for (const [key, value] of flush.batch) {
      if (value === null) this.disk.delete(key);
      else this.disk.set(key, value);
    }
  }

  /** The process dies and a new one starts after a while. */
  kill(downMs: number): void {
    this.nowMs += downMs;
    this.wallMs += downMs;
    this.replica = this.#start();
  }
}
