// One replica of the fleet: the buckets it can take from, kept durable and in step with its siblings. It does no I/O
// and reads no clock: time comes in, and what is to be written or sent goes out as values. The shell (shell.ts) drives
// it with a store and timers, the simulator in virtual time with a faulty network and disk.
//
// What a shell must do:
//   wake       The replica calls `onWake` when something should be written. Then, and while `journal.hasWork`:
//              `collect` a flush, write its batch, call `written` or `failed`. One flush at a time.
//   tick       Call `tick` about every 100 ms: demand, calendars, who is silent.
import { assert } from "../errors.ts";
import type { Limit } from "../bucket/limit.ts";
import type { Instant } from "../bucket/record.ts";
import { OpenBucket } from "./holding.ts";
import { elapsedSince, fill, Journal, type Loaded } from "./journal.ts";
import type { Bucket, Quota, Room, Shortage } from "./quota.ts";
import { type Identity, ReplicaState } from "./state.ts";

export interface ReplicaOptions {
  /** What the store held, from `load`; `null` for a new replica. */
  readonly loaded: Loaded | null;
  /** The id of a new replica: 32 hexadecimal digits. */
  readonly newId: string;
  readonly nowMs: number;
  readonly instant: Instant;
}

/** Boots are drawn from wall time, so that two processes that run from copies of one disk differ. */
const BOOTS_PER_MS = 1024;

export class Replica implements Quota {
  readonly state: ReplicaState;
  readonly journal: Journal;
  readonly #listeners: ((bucket: Bucket) => void)[] = [];

  constructor({ loaded, newId, nowMs, instant }: ReplicaOptions) {
    const stored = loaded?.identity;
    const boot = Math.max((stored?.boot ?? 0) + 1, Math.floor(instant.wallMs) * BOOTS_PER_MS);
    const identity: Identity = {
      id: stored?.id ?? newId,
      boot,
      soundSince: stored?.soundSince ?? boot,
    };
    const timelineMs = stored === undefined ? 0 : stored.timelineMs + elapsedSince(stored.instant, instant);
    this.state = new ReplicaState(identity, nowMs, instant.wallMs);
    this.journal = new Journal(this.state, timelineMs - nowMs);
    this.state.ledger.lineage = stored?.lineage ?? null;
    if (loaded !== null) fill(this.state, loaded, timelineMs - nowMs);
    this.state.room = (bucket) => this.#tellRoom(bucket);
  }

  get id(): string {
    return this.state.me.id;
  }

  /** Calls back when there is something to flush; at most once until the next flush is collected. */
  onWake(wake: () => void): void {
    this.state.wake = wake;
  }

  /** Founds a fleet of which this replica holds everything. */
  found(): void {
    const { state } = this;
    assert(state.ledger.lineage === null, "a fleet is founded once");
    state.ledger.lineage = { stamp: state.wallMs, founder: this.id };
    state.isIdentityDirty = true;
    for (const holding of state.holdings.values()) state.reshare(holding);
    state.wake();
  }

  open(limit: Limit): Bucket {
    return this.state.open(limit);
  }

  take(buckets: readonly Bucket[], costs: readonly number[], now: number): Shortage | null {
    for (let index = 0; index < buckets.length; index++) {
      const bucket = openBucket(buckets[index]);
      const cost = costs[index] ?? 0;
      if (!bucket.take(cost, now)) {
        this.#untake(buckets, costs, index);
        return this.#shortage(bucket, cost, now);
      }
      const holding = bucket.holding;
      if (bucket.allowance < bucket.allowanceLow && !holding.isDirty) this.state.markDirty(holding);
      if (!holding.isActive) this.state.markActive(holding);
    }
    return null;
  }

  #untake(buckets: readonly Bucket[], costs: readonly number[], end: number): void {
    for (let index = 0; index < end; index++) openBucket(buckets[index]).untake(costs[index] ?? 0);
  }

  #shortage(bucket: OpenBucket, cost: number, now: number): Shortage {
    assert(cost >= 0 && Number.isFinite(cost), "a cost is a finite number, zero or more");
    if (cost > bucket.limit.capacity) return { bucket, reason: "never", waitMs: Infinity };
    if (!bucket.holds(cost)) return { bucket, reason: "level", waitMs: bucket.waitMs(cost, now) };
    bucket.blockWanted = Math.max(bucket.blockWanted, cost);
    bucket.holding.isAwaitingBlock = true;
    this.state.markDirty(bucket.holding);
    return { bucket, reason: "durability", waitMs: 0 };
  }

  settle(bucket: Bucket, taken: number, actual: number, now: number): void {
    const open = openBucket(bucket);
    const surplus = taken - actual;
    assert(Number.isFinite(surplus) && actual >= 0, "settlement is of finite amounts, zero or more");
    const { holding } = open;
    if (surplus > 0) {
      open.giveBack(surplus, now);
      if (holding.waiting !== null) this.#tellRoom(open);
    } else if (surplus < 0) {
      open.owe(-surplus, now);
      if (open.allowance < open.allowanceLow && !holding.isDirty) this.state.markDirty(holding);
    }
    if (!holding.isActive) this.state.markActive(holding);
  }

  wait(
    bucket: Bucket,
    oldest: { readonly cost: number; readonly sinceMs: number } | null,
    now: number,
  ): void {
    const open = openBucket(bucket);
    const { holding } = open;
    this.state.nowMs = Math.max(this.state.nowMs, now);
    holding.waiting = oldest === null ? null : { cost: oldest.cost, sinceMs: oldest.sinceMs };
    this.state.markActive(holding);
  }

  room(bucket: Bucket, now: number): Room {
    const open = openBucket(bucket);
    open.refill(now);
    let fleetLevel = open.level;
    for (const [author, entry] of open.holding.rows.entries) {
      if (author !== this.id) fleetLevel += entry.row.gauge.level;
    }
    const fleetCapacity = open.limit.capacity;
    return {
      level: Math.min(open.level, open.capacity),
      capacity: open.capacity,
      fleetLevel: Math.min(fleetLevel, fleetCapacity),
      fleetCapacity,
    };
  }

  waitMs(bucket: Bucket, cost: number, now: number): number {
    const open = openBucket(bucket);
    open.refill(now);
    return open.waitMs(cost, now);
  }

  onRoom(listener: (bucket: Bucket) => void): void {
    this.#listeners.push(listener);
  }

  #tellRoom(bucket: Bucket): void {
    for (const listener of this.#listeners) listener(bucket);
  }

  /** Moves time on: calendars refill, moving averages move. `wallMs` may be stepped at any time. */
  tick(nowMs: number, wallMs: number): void {
    this.state.setTime(nowMs, wallMs);
  }

  /** Before a clean stop: what is reserved ahead goes back into the records. Nothing can be taken after this. */
  rest(nowMs: number): void {
    const { state } = this;
    state.nowMs = Math.max(state.nowMs, nowMs);
    for (const holding of state.holdings.values()) {
      if (holding.local === null || holding.local.block === 0) continue;
      holding.local.isAtRest = true;
      state.markDirty(holding);
    }
  }

  check(): void {
    for (const holding of this.state.holdings.values()) holding.local?.check();
  }
}

function openBucket(bucket: Bucket | undefined): OpenBucket {
  assert(bucket instanceof OpenBucket, "a bucket was opened by this replica");
  return bucket;
}
