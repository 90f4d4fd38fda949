// One replica's part of one bucket: an ordinary token bucket over the share it holds, plus the block that it has
// reserved ahead on disk.
//
// Reserve ahead. The durable record says `level L at instant t, block b`, and a restart computes
// min(capacity, L + refill since t) - b. Between two records the bucket counts x, the units taken and not returned
// since the record, and takes only while x + cost ≤ b. Let N be the level that the record's path would have with
// nothing taken, and T the true one. Refill and the clamp at capacity can only bring N and T closer, so N - T ≤ x ≤ b,
// and what a restart computes, N - b, is never above T: units that were spent can't come back, also after an idle
// time that filled both to the brim. While a new record is being written it is unknown which of the two a crash would
// leave, so both bind. `allowance` is b - x of the durable record, `allowanceNext` that of the one under way.
//
// A bucket of running requests (refill: held) needs no record: after a crash its requests are gone, and its level is
// its capacity less what runs now, whatever happened before.
import { invariant } from "./invariant.ts";
import type { Limit } from "./limit.ts";
import { WHOLE } from "./parts.ts";

/** Slack for the rounding of refills, in units. The level keeps the difference, so it doesn't add up. */
const ROUNDING = 1e-6;

/** A block is at least one unit, this part of the capacity, and this many of the largest requests lately: what comes after an idle time waits for no disk. */
const BLOCK_FLOOR = 1 / 100;
const BLOCK_COSTS = 2;
/** What was spent lately fades from memory in this time (to 1/e); divided by it, it is the present pace. */
const RECENT_MS = 500;
/** Above the floor a block lasts for so many commits at the present pace, so that the next is durable in time; this long at least and at most. */
const AHEAD_COMMITS = 8;
const AHEAD_MS_MIN = 125;
const AHEAD_MS_MAX = 500;
/** For those who wait it is up to so many times what was spent lately: with a floor of a hundredth any burst is in after three commits. */
const LINE_GROWTH = 6;
/** A bucket for fewer requests than this, each of which takes longer to refill than this, reserves for one of them at most: a crash would burn much of it. */
const FEW_REQUESTS = 8;
const SLOW_MS = 1000;
/** The memory of a large request fades by half in this time. */
const COST_HALVES_MS = 10_000;

/** What the disk knows of a level. */
export interface LevelRecord {
  readonly level: number;
  /** When the level was computed. */
  readonly atMs: number;
  /** Units that may have been taken since, and count as spent after a crash. */
  readonly block: number;
}

export class LocalBucket {
  limit: Limit;
  /** What this replica holds of the bucket, in parts; below zero only after a false death. */
  share = 0;
  /** Parts that were given by a replica whose calendar is ahead of ours; they count from its period on. */
  aheadParts = 0;
  aheadUnits = 0;
  aheadPeriod = -1;
  capacity = 0;
  ratePerMs = 0;
  /** Units here; at `atMs`. Below zero when more was used than taken: debt, paid by refill. */
  level = 0;
  atMs: number;
  /** The calendar period that the level was refilled for; -1 when it never was. */
  period = -1;
  /** When that period ends: by the wall clock, and in elapsed milliseconds; Infinity when no calendar is involved. */
  periodEndWallMs = Infinity;
  refillsAtMs = Infinity;
  /** The block of the durable record, and of the one under way (Infinity: none is). */
  block = 0;
  blockNext = Infinity;
  allowance = 0;
  allowanceNext = Infinity;
  /** Below this allowance the next record is due. */
  allowanceLow = 0;
  /** The largest cost that found the units here but no block to take them from. */
  blockWanted = 0;
  /** What all who wait here ask for: it is spent as soon as it is reserved. */
  queued = 0;
  /** What those ask for who wait for a block, here or of another bucket of theirs; for the next record. */
  expected = 0;
  /** For how long a block is to last: it follows what a commit takes. */
  aheadMs = AHEAD_MS_MIN;
  recordedAtMs = -Infinity;
  /** What was taken from blocks lately, at `recordedAtMs`. */
  recent = 0;
  /** Nothing is to be reserved any more: the replica stops. */
  isAtRest = false;
  /** Totals of this process's life and before, in units. */
  spent = 0;
  returned = 0;
  takes = 0;
  /** The largest cost lately; decays with each record. */
  costMax = 0;

  constructor(limit: Limit, nowMs: number) {
    this.limit = limit;
    this.atMs = nowMs;
    if (limit.refill.kind === "held") {
      this.block = Infinity;
      this.allowance = Infinity;
    }
  }

  /** Applies a share or a changed limit: the level carries over, and is clamped to the new capacity. */
  resize(limit: Limit, share: number, nowMs: number): void {
    this.refill(nowMs);
    this.limit = limit;
    this.share = share;
    // Nobody can hold more than all of it: a row that says so lies, and must not make this replica admit more.
    const portion = Math.min(WHOLE, Math.max(0, share - this.aheadParts)) / WHOLE;
    const capacity = limit.capacity * portion;
    if (limit.refill.kind === "held") this.level += capacity - this.capacity;
    else this.level = Math.min(this.level, capacity);
    this.capacity = capacity;
    this.ratePerMs = limit.refill.kind === "continuous" ? limit.refill.unitsPerMs * portion : 0;
  }

  refill(nowMs: number): void {
    const elapsed = nowMs - this.atMs;
    if (elapsed <= 0) return;
    this.atMs = nowMs;
    if (this.ratePerMs === 0) return;
    const level = this.level + elapsed * this.ratePerMs;
    this.level = level > this.capacity ? this.capacity : level;
  }

  /** Takes `cost` units if they are here and reserved. */
  take(cost: number, nowMs: number): boolean {
    this.refill(nowMs);
    if (this.level < cost - ROUNDING || this.allowance < cost || this.allowanceNext < cost) return false;
    this.level -= cost;
    this.allowance -= cost;
    this.allowanceNext -= cost;
    this.spent += cost;
    this.takes += 1;
    if (cost > this.costMax) this.costMax = cost;
    return true;
  }

  /** Milliseconds until refill alone covers a cost; Infinity when it never will. */
  waitMs(cost: number, nowMs: number): number {
    if (this.level >= cost - ROUNDING) return 0;
    if (this.ratePerMs > 0)
      return cost > this.capacity + ROUNDING / 2
        ? Infinity
        : (cost - ROUNDING / 2 - this.level) / this.ratePerMs;
    if (cost > this.capacity + ROUNDING / 2 + Math.min(0, this.level)) return Infinity;
    return this.refillsAtMs === Infinity ? Infinity : Math.max(0, this.refillsAtMs - nowMs);
  }

  /** Totals begin anew: what was counted so far is another row's. */
  startCounting(): void {
    this.spent = 0;
    this.returned = 0;
    this.takes = 0;
  }

  /** Whether the units are here, reserved or not. */
  holds(cost: number): boolean {
    return this.level >= cost - ROUNDING;
  }

  /** So many requests of this cost will ask for a block together. Returns whether the one there is falls short of that. */
  expect(cost: number, requests: number): boolean {
    const allowance = this.blockNext === Infinity ? this.allowance : this.allowanceNext;
    if (allowance >= cost * requests || !this.holds(cost)) return false;
    if (allowance < cost) this.blockWanted = Math.max(this.blockWanted, cost);
    this.expected = Math.max(this.expected, cost * requests);
    return true;
  }

  /** Undoes a take of the same instant: another bucket of the request was short. */
  untake(cost: number): void {
    this.level += cost;
    this.allowance += cost;
    this.allowanceNext += cost;
    this.spent -= cost;
    this.takes -= 1;
  }

  /** Gives units back; what the capacity can't hold is lost. */
  giveBack(amount: number, nowMs: number): void {
    this.refill(nowMs);
    this.returned += amount;
    this.level = Math.min(this.capacity, this.level + amount);
    this.allowance = Math.min(this.block, this.allowance + amount);
    this.allowanceNext = Math.min(this.blockNext, this.allowanceNext + amount);
  }

  /** Books units that were used beyond what was taken; the level may fall below zero. */
  owe(amount: number, nowMs: number): void {
    this.refill(nowMs);
    this.spent += amount;
    this.level -= amount;
    this.allowance -= amount;
    this.allowanceNext -= amount;
  }

  /**
   * The record that is to become durable, and binds from now on beside the durable one; `commitMs` is how long that takes
   * of late. `endRecord` must follow before the next one begins.
   */
  beginRecord(nowMs: number, commitMs = 0): LevelRecord {
    invariant(this.blockNext === Infinity, "one record of a bucket is written at a time");
    this.refill(nowMs);
    if (this.limit.refill.kind === "held") return { level: 0, atMs: nowMs, block: 0 };
    this.recent = this.#recentAt(nowMs);
    this.aheadMs = Math.min(AHEAD_MS_MAX, Math.max(AHEAD_MS_MIN, commitMs * AHEAD_COMMITS));
    this.blockNext = this.isAtRest ? 0 : this.#blockSize(this.recent);
    this.allowanceNext = this.blockNext;
    this.expected = 0;
    if (this.recordedAtMs > -Infinity) {
      this.costMax *= 2 ** ((this.recordedAtMs - nowMs) / COST_HALVES_MS);
    }
    this.recordedAtMs = nowMs;
    return { level: this.level, atMs: nowMs, block: this.blockNext };
  }

  /** The record under way is durable (or was not written, and then the old one goes on). */
  endRecord(isDurable: boolean): void {
    if (this.blockNext === Infinity) return;
    if (isDurable) {
      this.block = this.blockNext;
      this.allowance = this.allowanceNext;
      this.allowanceLow = this.block / 2;
      if (this.allowance >= this.blockWanted) this.blockWanted = 0;
    }
    this.blockNext = Infinity;
    this.allowanceNext = Infinity;
  }

  /** What a restart makes of a record: the level that is surely not above the true one. */
  restore(record: LevelRecord, nowMs: number): void {
    if (this.limit.refill.kind === "held") {
      this.level = this.capacity;
      return;
    }
    this.level = Math.min(this.capacity, record.level);
    this.atMs = record.atMs;
    this.refill(nowMs);
    this.level -= record.block;
    this.spent += record.block;
  }

  /** Parts that somebody has refilled already for a later period than ours: they count from then on, with these units. */
  setApart(parts: number, units: number, period: number): void {
    const most = (parts / WHOLE) * this.limit.capacity;
    this.aheadUnits = Math.min(most, units) + (this.aheadPeriod === period ? this.aheadUnits : 0);
    this.aheadParts += parts;
    this.aheadPeriod = Math.max(this.aheadPeriod, period);
  }

  /**
   * A calendar boundary was passed: the bucket is full again (less debt). The durable record is of the old period,
   * and a restart would refill it whole, so nothing may be taken before the new period is on disk.
   */
  enterPeriod(period: number, nowMs: number): void {
    invariant(period > this.period, "periods only advance");
    this.period = period;
    let fresh = this.capacity;
    if (this.aheadPeriod !== -1 && this.aheadPeriod <= period) {
      const units = this.aheadPeriod === period ? this.aheadUnits : Infinity;
      this.aheadPeriod = -1;
      this.aheadUnits = 0;
      const parts = this.aheadParts;
      this.aheadParts = 0;
      this.resize(this.limit, this.share, nowMs);
      fresh += Math.min(units, (parts / WHOLE) * this.limit.capacity);
    }
    this.level = Math.min(this.capacity, Math.min(0, this.level) + fresh);
    this.allowance = 0;
    this.block = 0;
    if (this.blockNext === Infinity) return;
    this.blockNext = 0;
    this.allowanceNext = 0;
  }

  /** Whether far more is reserved than the present pace needs, so that a crash would burn it for nothing. */
  isOverReserved(nowMs: number): boolean {
    if (this.limit.refill.kind === "held" || this.isAtRest) return false;
    return this.allowance > 2 * this.#blockSize(this.#recentAt(nowMs));
  }

  /** Whether the block is as small as it gets: nothing was spent lately. */
  get isBlockSmall(): boolean {
    return this.limit.refill.kind === "held" || this.block <= 2 * this.#blockSize(0);
  }

  #recentAt(nowMs: number): number {
    const used = Math.max(0, this.block - this.allowance);
    if (this.recent === 0) return used;
    return this.recent * Math.exp((this.recordedAtMs - nowMs) / RECENT_MS) + used;
  }

  /**
   * What will be spent until the next record is durable: at the present pace, or by those who wait. Also for them it is in
   * proportion to what was spent just before, so that what a crash burns is too. The figures were chosen by
   * docs/decisions/2026-11-21-reserve-ahead.md.
   */
  #blockSize(recent: number): number {
    const request = Math.max(1, this.costMax);
    if (this.#isForFew) {
      // Where one request is all there is, it is for nobody before it asks.
      const floor = this.limit.capacity < 2 * request ? 0 : request;
      const wanted = Math.max(floor, this.#blockOfLine(floor, recent));
      return Math.max(this.blockWanted, Math.min(wanted, Math.max(0, this.level)));
    }
    const floor = Math.max(1, this.capacity * BLOCK_FLOOR, this.costMax * BLOCK_COSTS);
    const pace = floor + recent * (this.aheadMs / RECENT_MS);
    const refill = this.ratePerMs === 0 ? 0 : Math.max(this.ratePerMs * this.aheadMs, this.costMax);
    const usable = Math.max(0, this.level) + refill;
    return Math.max(this.blockWanted, Math.min(Math.max(pace, this.#blockOfLine(floor, recent)), usable));
  }

  #blockOfLine(floor: number, recent: number): number {
    const base = Math.max(floor, this.blockWanted * BLOCK_COSTS);
    return Math.min(Math.max(this.queued, this.expected), base + LINE_GROWTH * recent);
  }

  /** Whether takes are so few that each may as well wait for a commit. */
  get #isForFew(): boolean {
    const { capacity, refill } = this.limit;
    const request = Math.max(1, this.costMax);
    const rate = refill.kind === "continuous" ? refill.unitsPerMs : 0;
    return capacity < FEW_REQUESTS * request && rate * SLOW_MS < request;
  }

  /** The invariants, for tests and the simulator. */
  check(): void {
    invariant(this.level <= this.capacity + ROUNDING, "a level is never above its capacity");
    invariant(this.allowance <= this.block, "an allowance is never above its block");
    invariant(this.allowanceNext <= this.blockNext, "an allowance is never above its block");
    invariant(Number.isFinite(this.level) && Number.isFinite(this.spent), "levels and totals are finite");
  }
}
