// The promise, as one exact bucket for the whole fleet: it starts full, refills all the time, and pays for every unit
// that any replica admits. In every interval of length w at most B + R·w units are admitted exactly as long as it never
// falls below zero. For running requests it counts those that run; for calendar quotas, the units of each period.
//
// Where the design gives way, the bucket says by how much: while parts exist twice (doubled.ts) it is as much larger and
// refills as much faster, and what a disk brought back that had been spent is lent to it once. Elsewhere both are nothing.
import type { Limit } from "../../src/bucket/limit.ts";

/** Rounding of milli-units and refills over a run. */
const SLACK = 1e-4;

export class Oracle {
  readonly limit: Limit;
  level: number;
  admitted = 0;
  over = 0;
  capacity: number;
  unitsPerMs: number;
  /** Units of calendar quotas that may be spent in any period beyond its capacity. */
  lent = 0;
  /** The largest capacity that there ever was: what a calendar period may use. */
  #capacityMost: number;
  /** Running requests that hold no part any more: their replica lost it while they ran. */
  #displaced = 0;
  #atMs = 0;
  readonly #periods = new Map<number, number>();

  constructor(limit: Limit) {
    this.limit = limit;
    this.level = limit.capacity;
    this.capacity = limit.capacity;
    this.#capacityMost = limit.capacity;
    this.unitsPerMs = rateOf(limit);
  }

  #refill(nowMs: number): void {
    if (this.unitsPerMs > 0)
      this.level = Math.min(this.capacity, this.level + (nowMs - this.#atMs) * this.unitsPerMs);
    this.#atMs = nowMs;
  }

  /** What all parts that exist can hold, and bring, from now on. */
  resize(
    size: { readonly capacity: number; readonly unitsPerMs: number; readonly displaced: number },
    nowMs: number,
  ): void {
    this.#refill(nowMs);
    if (this.limit.refill.kind === "held") this.level += size.capacity - this.capacity;
    // What nobody has used is full, also when another limit is set before the fleet is founded.
    else this.level = this.admitted === 0 ? size.capacity : Math.min(this.level, size.capacity);
    this.capacity = size.capacity;
    this.unitsPerMs = size.unitsPerMs;
    this.#displaced = size.displaced;
    this.#capacityMost = Math.max(this.#capacityMost, size.capacity);
  }

  /** Units that come back although they were spent. */
  lend(units: number, nowMs: number): void {
    if (this.limit.refill.kind === "held") return;
    this.lent += units;
    this.#refill(nowMs);
    this.level += units;
  }

  /** Books an admission; `period` is the replica's calendar period. */
  admit(cost: number, nowMs: number, period: number): void {
    this.admitted += cost;
    if (this.limit.refill.kind === "calendar") {
      const used = (this.#periods.get(period) ?? 0) + cost;
      this.#periods.set(period, used);
      this.over = Math.max(this.over, used - this.#capacityMost - this.lent);
      return;
    }
    this.#refill(nowMs);
    this.level -= cost;
    this.over = Math.max(this.over, -this.level - this.#displaced);
  }

  /** Books units that were given back. */
  giveBack(amount: number, nowMs: number, period: number): void {
    if (this.limit.refill.kind === "calendar") {
      this.#periods.set(period, (this.#periods.get(period) ?? 0) - amount);
      return;
    }
    this.#refill(nowMs);
    this.level = Math.min(this.capacity, this.level + amount);
  }

  get isBroken(): boolean {
    return this.over > SLACK;
  }
}

export function rateOf({ refill }: Limit): number {
  return refill.kind === "continuous" ? refill.unitsPerMs : 0;
}
/** A request as a scenario makes it. */
export interface Arrival {
  readonly atMs: number;
  readonly cost: number;
  readonly deadlineMs: number;
}

/** What one central bucket with one line would have admitted of these arrivals, in units. */
export function central(arrivals: readonly Arrival[], limit: Limit, untilMs: number): number {
  const rate = limit.refill.kind === "continuous" ? limit.refill.unitsPerMs : 0;
  let level = limit.capacity;
  let atMs = 0;
  let admitted = 0;
  for (const { atMs: arrivedMs, cost, deadlineMs } of [...arrivals].sort((a, b) => a.atMs - b.atMs)) {
    const readyMs = Math.max(atMs, arrivedMs);
    level = Math.min(limit.capacity, level + (readyMs - atMs) * rate);
    atMs = readyMs;
    const admittedMs = level >= cost ? readyMs : readyMs + (cost - level) / rate;
    if (admittedMs > deadlineMs || admittedMs > untilMs) continue;
    level = Math.min(limit.capacity, level + (admittedMs - atMs) * rate) - cost;
    atMs = admittedMs;
    admitted += cost;
  }
  return admitted;
}
