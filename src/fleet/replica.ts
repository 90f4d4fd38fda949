// One replica of the fleet: the buckets it can take from, kept durable and in step with its siblings. It does no I/O
// and reads no clock: time comes in, and what is to be written or sent goes out as values. The shell (shell.ts) drives
// it with a store, timers and a transport; the simulator drives it in virtual time over a faulty network and disk.
//
// What a shell must do:
//   links      `setLinks` with a name for each way to a sibling (an address), at the start and whenever they change.
//   tick       Call `tick` about every 100 ms: demand, calendars, signs of life, who is silent.
//   wake       The replica calls `onWake` when something should be written or sent. Then:
//     write      while `journal.hasWork`: `collect` a flush, write its batch, call `written` or `failed`. One at a time.
//     send       `due` gives messages to send, each with the name of its link. Send it, and hand the answer to
//                `receive` with the link's name; if there is none (refused, timed out, not ours), call `linkFailed`.
//                Call it after every tick, wake, `written` and `receive`, and in `askAgainMs` after the last call.
//   message    Hand a sibling's message to `receive` with link `null`. If `wantsAnswer`: when `mustFlush`, first write
//              until nothing is left (so that what was given is durable), and then send what `answer` returns.
//   leave      `leave`, then go on as before until `hasLeft` (or a deadline).
//   stop       `rest`, write until nothing is left.
// When `state.supersededByBoot` is not 0, another process runs under this id: nothing is admitted any more; report it.
import { assert } from "../errors.ts";
import type { Limit } from "../bucket/limit.ts";
import type { Instant } from "../bucket/record.ts";
import type { Random } from "../clock.ts";
import { Exchange, type Outgoing, type Received } from "./exchange.ts";
import { levelElsewhere, show, updateGauges } from "./gauges.ts";
import { holdersOf } from "./giving.ts";
import { OpenBucket } from "./holding.ts";
import type { Identity } from "./identity.ts";
import { elapsedSince, fill, Journal, type Loaded } from "./journal.ts";
import { type Link, Links } from "./links.ts";
import { ALONE, Membership, type MembershipOptions } from "./membership.ts";
import { giveDue } from "./merging.ts";
import type { Bucket, Quota, Room, Shortage } from "./quota.ts";
import { ReplicaState } from "./state.ts";

export interface ReplicaOptions {
  /** What the store held, from `load`; `null` for a new replica. */
  readonly loaded: Loaded | null;
  /** 32 random hexadecimal digits: the id of a new replica, and what sets this start apart from one of a copied disk. */
  readonly newId: string;
  readonly nowMs: number;
  readonly instant: Instant;
  /** Picks the links to talk to; by default always the first. */
  readonly random?: Random;
  /** By default it is alone. */
  readonly membership?: MembershipOptions;
}

/**
 * Boots are drawn from wall time, so that two processes that run from copies of one disk differ; and at random within a
 * millisecond, so that they mostly do also when both were started under clocks that are set back.
 */
const BOOTS_PER_MS = 1024;

/** The boot of a start; it is later than any that the disk knows. */
function drawBoot(storedBoot: number, wallMs: number, newId: string): number {
  const drawn = Number.parseInt(newId.slice(0, 8), 16) % BOOTS_PER_MS;
  return Math.max(storedBoot + 1, Math.floor(wallMs) * BOOTS_PER_MS) + drawn;
}

export class Replica implements Quota {
  readonly state: ReplicaState;
  readonly journal: Journal;
  readonly membership: Membership;
  readonly exchange: Exchange;
  readonly #links: Links;
  readonly #listeners: ((bucket: Bucket) => void)[] = [];
  #isGiveDue = false;

  constructor({ loaded, newId, nowMs, instant, random = () => 0, membership = ALONE }: ReplicaOptions) {
    const stored = loaded?.identity;
    const boot = drawBoot(stored?.boot ?? 0, instant.wallMs, newId);
    const identity: Identity = {
      id: stored?.id ?? newId,
      boot,
      soundSince: stored?.soundSince ?? boot,
    };
    const timelineMs = stored === undefined ? 0 : stored.timelineMs + elapsedSince(stored.instant, instant);
    this.state = new ReplicaState(identity, nowMs, instant.wallMs);
    this.journal = new Journal(this.state, timelineMs - nowMs);
    this.state.ledger.lineage = stored?.lineage ?? null;
    this.state.durableId = stored?.id ?? "";
    if (loaded !== null) fill(this.state, loaded, timelineMs - nowMs);
    this.state.room = (bucket) => this.#tellRoom(bucket);
    this.state.newId = () => drawId(random);
    this.#links = new Links(random);
    this.exchange = new Exchange(this.state, this.#links);
    this.membership = new Membership(this.state, this.#links, membership);
  }

  get isInService(): boolean {
    return this.state.isAdmitting && this.state.ledger.lineage !== null;
  }

  get isDiskFailing(): boolean {
    return this.state.isDiskFailing;
  }

  get id(): string {
    return this.state.me.id;
  }

  /** Calls back when there is something to flush; at most once until the next flush is collected. */
  onWake(wake: () => void): void {
    this.state.wake = wake;
  }

  open(limit: Limit, now = this.state.nowMs): Bucket {
    this.state.nowMs = Math.max(this.state.nowMs, now);
    return this.state.open(limit);
  }

  take(buckets: readonly Bucket[], costs: readonly number[], now: number): Shortage | null {
    if (!this.state.isAdmitting && buckets.length > 0)
      return { bucket: openBucket(buckets[0]), reason: "level", waitMs: Infinity };
    for (let index = 0; index < buckets.length; index++) {
      const bucket = openBucket(buckets[index]);
      const cost = costs[index] ?? 0;
      if (!bucket.take(cost, now)) {
        this.#untake(buckets, costs, index);
        const shortage = this.#shortage(bucket, cost, now);
        if (shortage.reason === "durability") this.#expect(buckets, costs);
        return shortage;
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

  /**
   * Those who wait for the block of one bucket are about to need one of each of their others: one commit reserves all.
   * They are as many as stand in line and can be served from what is here.
   */
  #expect(buckets: readonly Bucket[], costs: readonly number[]): void {
    let queued = 1;
    let servable = Infinity;
    for (let index = 0; index < buckets.length; index++) {
      const cost = costs[index] ?? 0;
      const bucket = openBucket(buckets[index]);
      if (cost <= 0) continue;
      queued = Math.max(queued, bucket.queued / cost);
      servable = Math.min(servable, bucket.level / cost);
    }
    const requests = Math.max(1, Math.min(queued, servable));
    for (let index = 0; index < buckets.length; index++) {
      const bucket = openBucket(buckets[index]);
      if (bucket.expect(costs[index] ?? 0, requests)) this.state.markDirty(bucket.holding);
    }
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

  wait(bucket: Bucket, oldest: Parameters<Quota["wait"]>[1], now: number): void {
    const open = openBucket(bucket);
    const { holding } = open;
    const { state } = this;
    state.nowMs = Math.max(state.nowMs, now);
    const isNew = oldest !== null && holding.waiting === null;
    holding.waiting = oldest === null ? null : { ...oldest };
    if (oldest !== null && open.limit.refill.kind !== "held") {
      open.blockWanted = Math.max(open.blockWanted, Math.min(oldest.cost, open.limit.capacity));
      if (open.allowance < oldest.cost) state.markDirty(holding);
    }
    state.markActive(holding);
    if (oldest === null) state.waiting.delete(holding);
    else state.waiting.add(holding);
    this.#isGiveDue = true;
    if (!isNew) return;
    show(state, holding);
    this.#links.hurry();
    state.wake();
  }

  room(bucket: Bucket, now: number): Room {
    const open = openBucket(bucket);
    open.refill(now);
    const elsewhere = levelElsewhere(this.state, open.holding);
    const fleetCapacity = open.limit.capacity;
    return {
      level: Math.min(open.level, open.capacity),
      capacity: open.capacity,
      fleetLevel: Math.min(open.level + elsewhere.level, fleetCapacity),
      reachableLevel: Math.min(open.level + elsewhere.reachable, fleetCapacity),
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
    const { state } = this;
    state.setTime(nowMs, wallMs);
    updateGauges(state);
    this.membership.tick();
    giveDue(state);
  }

  /** The ways to the siblings, by names of the shell's choosing, and whether these are all that there are. */
  setLinks(names: Iterable<string>, areAll = true): void {
    this.#links.set(names);
    this.#links.areAllKnown = areAll;
  }

  /** The messages to send now. */
  due(nowMs: number): Outgoing[] {
    const { state } = this;
    state.nowMs = Math.max(state.nowMs, nowMs);
    if (this.#isGiveDue) giveDue(state);
    this.#isGiveDue = false;
    if (state.durableId !== state.me.id) return [];
    return this.exchange.due({
      nowMs: state.nowMs,
      news: state.news,
      isSeeking: this.membership.isSeeking || this.membership.isLeaving,
      asked: holdersOf(state, state.waiting),
    });
  }

  /** In how many milliseconds a sibling is to be asked again for what requests here wait for; Infinity: nobody is. */
  askAgainMs(nowMs: number): number {
    return Math.max(0, this.#links.pacedUntilMs - nowMs);
  }

  /** Takes a message: the answer on a link, or (`null`) one that a sibling sent by itself. */
  receive(bytes: Uint8Array, nowMs: number, link: string | null): Received {
    this.state.nowMs = Math.max(this.state.nowMs, nowMs);
    return this.exchange.receive(bytes, link === null ? null : this.#link(link));
  }

  /** The answer to a message that was taken. */
  answer(to: string): Uint8Array {
    return this.exchange.answer(to);
  }

  /** One message for all siblings, where a transport can send it at once; `null` when there is no news. */
  notice(): Uint8Array | null {
    return this.exchange.notice();
  }

  /** `isAbsent`: nobody listens there, for sure. */
  linkFailed(name: string, isAbsent = false): void {
    const link = this.#link(name);
    if (link !== null) this.#links.failed(link, isAbsent ? this.state.nowMs : Infinity);
  }

  #link(name: string): Link | null {
    return this.#links.all.get(name) ?? null;
  }

  leave(): void {
    this.membership.leave();
  }

  get hasLeft(): boolean {
    return this.membership.hasLeft;
  }

  /** Before a clean stop: what is reserved ahead goes back into the records. Nothing can be taken after this. */
  rest(nowMs: number): void {
    const { state } = this;
    state.nowMs = Math.max(state.nowMs, nowMs);
    state.checkpoint();
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

/** 32 hexadecimal digits. */
function drawId(random: Random): string {
  return Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
}

function openBucket(bucket: Bucket | undefined): OpenBucket {
  assert(bucket instanceof OpenBucket, "a bucket was opened by this replica");
  return bucket;
}
