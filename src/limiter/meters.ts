// The limits that one request has to pass, compiled once per target and client key: parallel arrays of buckets, of
// their waiting lines and of how each counts, so that reserving follows references and looks nothing up.
import { assert } from "../errors.ts";
import type { Limit } from "../bucket/limit.ts";
import type { Bucket } from "../fleet/quota.ts";
import {
  actualCost,
  type Counting,
  type Estimate,
  expectedCost,
  FREE,
  isPriced,
  type Prices,
  usdCost,
} from "./cost.ts";
import type { Pause, Line } from "./line.ts";
import type { Priority } from "./reservation.ts";
import type { Usage } from "../observe/events.ts";

export type OwnerKind = "provider" | "model" | "key";

/** A limit as the configuration gives it, with what people call it and whose it is. */
export interface MeterSpec {
  readonly limit: Limit;
  readonly ownerKind: OwnerKind;
  /** The provider's name, `provider/model`, or the client key's name. */
  readonly owner: string;
  /** As people write it: `requests: 500/min`. */
  readonly name: string;
}

/** One limit with its live bucket. */
export interface Meter extends MeterSpec {
  readonly bucket: Bucket;
  readonly counting: Counting;
}

/** Whether the limit is on what runs at the provider, which ends when the provider says so. A key's own ends with the answer. */
export function isSlot({ limit, ownerKind }: MeterSpec): boolean {
  return limit.dimension === "concurrent" && ownerKind !== "key";
}

/** The provider's name in that of an account: a provider with several API keys is still one, `main~second`. */
export function providerOf(account: string): string {
  const [provider = account] = account.split("~", 1);
  return provider;
}

/** All limits on one way of a request: provider, model, client key. */
export class Meters {
  readonly meters: readonly Meter[];
  /** `meters[i].bucket`, as the take wants them. */
  readonly buckets: readonly Bucket[];
  /** The waiting line of each bucket. */
  readonly lines: readonly Line[];
  /** The provider's pause and the model's, either of which holds these requests back; none for a client key. */
  readonly pauses: readonly Pause[];
  /** Where these requests go; empty for a client key alone. */
  readonly provider: string;
  readonly model: string;
  /** A limit in dollars, which can be kept only for what has a price. Null: there is none. */
  readonly budget: Meter | null;
  /** Whether the provider, or a model of it, has a limit on requests that run at the same time. */
  readonly hasSlots: boolean;
  /** Of the model; null: not known. */
  readonly #prices: Prices | null;
  #ofRequests: Meters | null = null;
  readonly #joined = new WeakMap<Meters, Meters>();

  constructor(
    pauses: readonly Pause[],
    meters: readonly Meter[],
    lines: readonly Line[],
    prices: Prices | null,
  ) {
    const [provider, model] = pauses;
    const owner = provider?.owner ?? "";
    this.provider = providerOf(owner);
    this.model = model?.owner.slice(owner.length + 1) ?? "";
    this.pauses = pauses;
    this.meters = meters;
    this.buckets = meters.map(({ bucket }) => bucket);
    this.lines = lines;
    this.budget = meters.find(({ limit }) => limit.dimension === "usd") ?? null;
    this.hasSlots = meters.some(isSlot);
    this.#prices = prices;
  }

  /** These limits and a client key's, at these prices; remembered, so cheap enough for every request. */
  with(key: Meters): Meters {
    if (key.meters.length === 0) return this;
    const known = this.#joined.get(key);
    if (known !== undefined) return known;
    const joined = new Meters(
      this.pauses,
      [...this.meters, ...key.meters],
      [...this.lines, ...key.lines],
      this.#prices,
    );
    this.#joined.set(key, joined);
    return joined;
  }

  /** Those of these limits that count requests; remembered. */
  get ofRequests(): Meters {
    if (this.#ofRequests !== null) return this.#ofRequests;
    const isCounted = this.meters.map(({ limit }) => limit.dimension === "requests");
    const pick = <T>(all: readonly T[]): T[] => all.filter((_, index) => isCounted[index]);
    this.#ofRequests = new Meters(this.pauses, pick(this.meters), pick(this.lines), this.#prices);
    return this.#ofRequests;
  }

  /**
   * Units to take per meter. An estimate above a limit's capacity is cut to it: the request waits for a full bucket
   * instead of being refused for ever, and what it used beyond that becomes debt when it is settled.
   */
  expected(estimate: Estimate): number[] {
    const costs: number[] = [];
    for (const { limit, counting } of this.meters) {
      const cost = expectedCost(limit.dimension, estimate, counting, this.#prices ?? FREE);
      const isEstimate = limit.dimension !== "requests" && limit.dimension !== "concurrent";
      costs.push(isEstimate && cost > limit.capacity ? limit.capacity : cost);
    }
    return costs;
  }

  /** Whether a limit in dollars can't be kept for such a request, so that it may not pass. */
  isUnpriced(estimate: Estimate): boolean {
    return this.budget !== null && !isPriced(estimate, this.#prices);
  }

  /** Whether the model has prices by other units than tokens. */
  get hasUnitPrices(): boolean {
    return this.#prices?.units !== undefined;
  }

  /** The pause that holds these requests back longest; null: none does. */
  pausedBy(now: number): Pause | null {
    let longest: Pause | null = null;
    for (const pause of this.pauses) {
      if (pause.untilMs > (longest?.untilMs ?? now)) longest = pause;
    }
    return longest;
  }

  /** Where a new request has to wait before it may take: at a pause, or behind those it may not overtake. */
  obstacle(priority: Priority, costs: readonly number[], now: number): Line | null {
    const paused = this.pausedBy(now);
    if (paused !== null) return paused;
    for (const pause of this.pauses) if (pause.blocks(priority)) return pause;
    for (let index = 0; index < this.lines.length; index++) {
      const line = this.lines[index];
      if (line !== undefined && line.size > 0 && costs[index] !== 0 && line.blocks(priority)) return line;
    }
    return null;
  }

  /** The waiting line of one of these buckets. */
  lineOf(bucket: Bucket): Line {
    const line = this.lines[this.buckets.indexOf(bucket)];
    assert(line !== undefined, "a shortage names one of the buckets taken from");
    return line;
  }

  countTaken(costs: readonly number[]): void {
    for (let index = 0; index < this.lines.length; index++) {
      const line = this.lines[index];
      if (line !== undefined) line.taken += costs[index] ?? 0;
    }
  }

  /** What the use of a finished request costs, in micro-dollars; 0 where prices are not known. */
  microUsd(usage: Usage): number {
    return usdCost(usage, this.#prices ?? FREE);
  }

  /** Units that a finished request has used at one meter. */
  actual(meter: Meter, usage: Usage): number {
    return actualCost(meter.limit.dimension, usage, meter.counting, this.#prices ?? FREE);
  }
}
