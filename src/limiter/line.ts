// The waiting line of one bucket (or of a provider that is paused): three priorities, fair between clients inside
// each. A waiting request keeps its place against newcomers of its priority or a lower one, so a large request at the
// head is not starved by small ones that would still fit.
import type { Bucket } from "../fleet/quota.ts";
import { FairQueue } from "./fair-queue.ts";
import type { InHeap } from "./heap.ts";
import type { Meter } from "./meters.ts";
import type { Place, Priority } from "./reservation.ts";
import type { Waiter } from "./waiter.ts";

/** How much one finished request moves the average time for which a place is held. */
const LESSON = 0.05;
/** For how long a place is taken to be held until one was given back, in milliseconds. Nobody is refused on the strength of it. */
const HELD_MS = 2000;

export class Line implements InHeap {
  heapIndex = -1;
  /** What it is the line of; null: of a paused provider. */
  meter: Meter | null;
  readonly bucket: Bucket | null;
  /** `elapsedMs` at which the head may have room by refill alone. */
  wakeMs = Infinity;
  /** Whether a configuration in force has its limit; people see no others. */
  isListed = true;
  /** The limiter's round of compiling in which it was last asked for. */
  askedIn = 0;
  /** The head that siblings were told of. */
  told: Waiter | null = null;
  /** `elapsedMs` when the level last came down to what the provider has left. */
  loweredMs = -Infinity;
  /** How long a unit of this bucket is held on average, in milliseconds; for running requests. */
  heldMs = HELD_MS;
  /** How many of them have told. */
  #lessons = 0;
  /** For metrics: units taken, returned and used beyond the estimate, requests refused for want of room here, units that others used, and waits that ended, with their length. */
  taken = 0;
  returned = 0;
  overrun = 0;
  refused = 0;
  lowered = 0;
  /** Units of requests that have ended here and not at the provider: they come back within moments. */
  leaving = 0;
  waits = 0;
  waitedMs = 0;
  readonly #queues: readonly [FairQueue<Waiter>, FairQueue<Waiter>, FairQueue<Waiter>] = [
    new FairQueue(),
    new FairQueue(),
    new FairQueue(),
  ];
  size = 0;

  constructor(meter: Meter | null) {
    this.meter = meter;
    this.bucket = meter?.bucket ?? null;
  }

  get head(): Waiter | null {
    return this.#queues[0].head ?? this.#queues[1].head ?? this.#queues[2].head;
  }

  /** Whether somebody waits here whom a request of this priority may not overtake. */
  blocks(priority: Priority): boolean {
    if (this.size === 0) return false;
    return this.#queues.some((queue, level) => level <= priority && queue.size > 0);
  }

  push(waiter: Waiter): void {
    this.#queues[waiter.priority].push(waiter, this.costOf(waiter));
    waiter.line = this;
    this.size++;
    this.#count();
  }

  /** Takes out a request that was not served here. */
  remove(waiter: Waiter): void {
    this.#queues[waiter.priority].remove(waiter);
    this.#left(waiter);
  }

  /** Takes out a request because it has got its units. */
  serve(waiter: Waiter, now: number): void {
    this.#queues[waiter.priority].serve(waiter);
    this.#left(waiter);
    this.waits++;
    this.waitedMs += now - waiter.sinceMs;
  }

  /** What is served before a new request of this kind, in units of this bucket. */
  costAhead({ priority, clientKey, weight = 1 }: Place, cost: number): number {
    let ahead = this.#queues[priority].costAhead({ clientKey, weight }, cost);
    for (let level = 0; level < priority; level++) ahead += this.#queues[level]?.cost ?? 0;
    return ahead;
  }

  /** What this request costs here; of a paused provider every request costs one. */
  costOf(waiter: Waiter): number {
    const index = this.bucket === null ? -1 : waiter.meters.buckets.indexOf(this.bucket);
    return waiter.costs[index] ?? 1;
  }

  countSettled(taken: number, actual: number): void {
    if (actual < taken) this.returned += taken - actual;
    else this.overrun += actual - taken;
  }

  /** The mean of the first ones, then a moving average. */
  learnHeld(ms: number): void {
    this.#lessons += 1;
    this.heldMs += (ms - this.heldMs) * Math.max(LESSON, 1 / this.#lessons);
  }

  get isHeldKnown(): boolean {
    return this.#lessons > 0;
  }

  #count(): void {
    const [high, normal, low] = this.#queues;
    if (this.bucket !== null) this.bucket.queued = high.cost + normal.cost + low.cost;
  }

  #left(waiter: Waiter): void {
    waiter.line = null;
    this.size--;
    this.#count();
  }
}

/** A pause as a line: requests to the provider, or to one model of it, wait here while it lasts. */
export class Pause extends Line {
  /** `provider` or `provider/model`. */
  readonly owner: string;
  /** `elapsedMs` until which nothing passes. */
  untilMs = -Infinity;

  constructor(owner: string) {
    super(null);
    this.owner = owner;
  }
}
