// The limiter on the real replica, alone in its fleet, on a memory store and a clock that tests move by hand.
// `flush` makes due records durable at once, as the shell does a moment later.
import type { Dimension, Limit, Refill } from "../../src/bucket/limit.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { type Estimate, PLAIN_COUNTING } from "../../src/limiter/cost.ts";
import { Limiter } from "../../src/limiter/limiter.ts";
import type { Meters, MeterSpec, OwnerKind } from "../../src/limiter/meters.ts";
import type { Usage } from "../../src/observe/events.ts";
import { ManualClock } from "../manual-clock.ts";

const PERIODS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** Reads `10s`, `250ms`, `1min` as milliseconds. */
export function milliseconds(text: string): number {
  const match = /^([\d.]+)(ms|s|min|h)$/.exec(text);
  if (match === null) throw new Error(`not a duration: ${text}`);
  return Number(match[1]) * (PERIODS[match[2] ?? ""] ?? Number.NaN);
}

const DIMENSIONS: readonly Dimension[] = [
  "requests",
  "tokens",
  "input_tokens",
  "output_tokens",
  "usd",
  "concurrent",
];

function refillOf(amount: number, per: string | undefined): Refill {
  if (per === undefined) return { kind: "held" };
  if (per === "day" || per === "month") return { kind: "calendar", period: per, timezone: "UTC" };
  const periodMs = milliseconds(/^\d/.test(per) ? per : `1${per}`);
  return { kind: "continuous", unitsPerMs: amount / periodMs };
}

/** Reads `tokens=100/10s`, `concurrent=2`, `usd=5000/day` (whole buckets, refilled at that rate). */
export function limitSpec(ownerKind: OwnerKind, owner: string, text: string): MeterSpec {
  const match = /^(\w+)=([\d.]+)(?:\/(\w+))?$/.exec(text);
  const dimension = DIMENSIONS.find((each) => each === match?.[1]);
  if (match === null || dimension === undefined) throw new Error(`not a limit: ${text}`);
  const amount = Number(match[2]);
  const per = match[3];
  const limit: Limit = {
    key: `${owner}/${dimension}`,
    dimension,
    capacity: amount,
    refill: refillOf(amount, per),
  };
  return { limit, ownerKind, owner, name: `${dimension}: ${amount}${per === undefined ? "" : `/${per}`}` };
}

export function tokens(inputTokens: number, outputTokens = 0): Estimate {
  return { inputTokens, outputTokens, maxTokens: null, modelMaxTokens: null };
}

export function used(inputTokens: number, outputTokens = 0): Usage {
  return { inputTokens, outputTokens, cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
}

export class SoloLimiter {
  readonly clock = new ManualClock();
  readonly replica: Replica;
  readonly limiter: Limiter;

  constructor(lineLengthMax = 1000) {
    this.replica = new Replica({
      loaded: null,
      newId: "0".repeat(31) + "1",
      nowMs: this.clock.elapsedMs(),
      instant: { bootId: "m", monotonicMs: 0, wallMs: this.clock.wallMs() },
    });
    this.limiter = new Limiter({
      quota: this.replica,
      clock: this.clock,
      timers: this.clock,
      lineLengthMax,
    });
  }

  get now(): number {
    return this.clock.elapsedMs();
  }

  target(provider: string, specs: readonly MeterSpec[], prices = { input: 1, output: 2 }): Meters {
    const meters = this.limiter.target({
      provider,
      model: "m",
      specs,
      counting: PLAIN_COUNTING,
      prices: { cachedInput: prices.input, cacheWrite: prices.input, ...prices },
    });
    this.flush();
    return meters;
  }

  key(specs: readonly MeterSpec[]): Meters {
    const meters = this.limiter.open(specs);
    this.flush();
    return meters;
  }

  /** Makes everything durable that is due. */
  flush(): void {
    const { journal } = this.replica;
    const instant = { bootId: "m", monotonicMs: this.now, wallMs: this.clock.wallMs() };
    while (journal.collect(this.now, instant) !== null) journal.written();
  }

  /** Moves time on in steps, with the replica's tick and its disk. */
  advance(ms: number, stepMs = 100): void {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      this.replica.tick(this.now, this.clock.wallMs());
      this.flush();
    }
    this.replica.check();
  }

  level(meters: Meters, index = 0): number {
    const bucket = meters.buckets[index];
    return bucket === undefined ? Number.NaN : this.replica.room(bucket, this.now).level;
  }
}
