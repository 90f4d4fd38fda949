// The quota the pretend provider enforces: exact token buckets, written without a look at `src/bucket`, because tests
// use them as the oracle for it. A request is charged its exact tokens when it is admitted, which is possible because
// the answer is known by then; what a broken-off answer did not produce is given back at its end.
//
// The headers follow the measured meaning: `reset` is the time until the bucket is full again.

export interface Rate {
  /** What the bucket holds when it is full. */
  readonly capacity: number;
  readonly perMinute: number;
  /** Units beyond the capacity that are forgiven, for the time requests spend on the network. */
  readonly slack?: number;
}

export interface SimulatorQuota {
  readonly requests?: Rate;
  readonly tokens?: Rate;
  /** How many requests may run at a time. */
  readonly concurrent?: number;
}

export interface BucketStats {
  /** Units of the requests that were let in, less what was given back. */
  readonly admitted: number;
  /** Requests that this bucket turned away. */
  readonly refused: number;
  /** The least it ever held; null when there is no such limit. */
  readonly lowest: number | null;
}

export interface QuotaStats {
  readonly requests: BucketStats;
  readonly tokens: BucketStats;
  readonly concurrent: {
    readonly running: number;
    readonly peak: number;
    readonly refused: number;
  };
}

export interface Refusal {
  readonly dimension: "requests" | "tokens" | "concurrent";
  readonly limit: number;
  /** Until the request would be let in; null: never. */
  readonly waitMs: number | null;
}

const MINUTE_MS = 60_000;
/** Rounding of the refill's sum must not refuse a unit that is there. */
const ROUNDING = 1e-6;

class ExactBucket {
  readonly rate: Rate | undefined;
  private level: number;
  private levelAtMs: number;
  private admitted = 0;
  private refused = 0;
  private lowest: number;

  constructor(rate: Rate | undefined, nowMs: number) {
    this.rate = rate;
    this.level = this.full();
    this.lowest = this.level;
    this.levelAtMs = nowMs;
  }

  private full(): number {
    return this.rate === undefined ? Infinity : this.rate.capacity + (this.rate.slack ?? 0);
  }

  private refill(nowMs: number): void {
    const elapsed = Math.max(0, nowMs - this.levelAtMs);
    this.levelAtMs = Math.max(this.levelAtMs, nowMs);
    if (this.rate === undefined) return;
    this.level = Math.min(this.full(), this.level + (elapsed * this.rate.perMinute) / MINUTE_MS);
  }

  has(units: number, nowMs: number): boolean {
    this.refill(nowMs);
    return this.level + ROUNDING >= units;
  }

  take(units: number): void {
    this.level -= units;
    this.admitted += units;
    this.lowest = Math.min(this.lowest, this.level);
  }

  giveBack(units: number, nowMs: number): void {
    this.refill(nowMs);
    this.level = Math.min(this.full(), this.level + units);
    this.admitted -= units;
  }

  refuse(): void {
    this.refused += 1;
  }

  /** Until it holds `units`; null: it never will. */
  waitMs(units: number): number | null {
    if (this.rate === undefined) return 0;
    if (units > this.full() || this.rate.perMinute === 0) return null;
    return ((units - this.level) * MINUTE_MS) / this.rate.perMinute;
  }

  headers(name: string, nowMs: number): Record<string, string> {
    if (this.rate === undefined) return {};
    this.refill(nowMs);
    const { capacity, perMinute } = this.rate;
    const remaining = Math.min(capacity, Math.max(0, this.level));
    const resetMs = perMinute === 0 ? 0 : ((capacity - remaining) * MINUTE_MS) / perMinute;
    return {
      [`x-ratelimit-limit-${name}`]: String(capacity),
      [`x-ratelimit-remaining-${name}`]: String(Math.floor(remaining + ROUNDING)),
      [`x-ratelimit-reset-${name}`]: formatDuration(resetMs),
    };
  }

  stats(): BucketStats {
    const lowest = this.rate === undefined ? null : this.lowest;
    return { admitted: this.admitted, refused: this.refused, lowest };
  }
}

/** The buckets of one simulator. Times are `Clock.elapsedMs()`. */
export class QuotaKeeper {
  private readonly requests: ExactBucket;
  private readonly tokens: ExactBucket;
  private readonly concurrent: number;
  private running: number;
  private peak = 0;
  private concurrentRefused = 0;

  /** `running`: requests under way already, when the quota is replaced. */
  constructor(quota: SimulatorQuota, nowMs: number, running = 0) {
    this.requests = new ExactBucket(quota.requests, nowMs);
    this.tokens = new ExactBucket(quota.tokens, nowMs);
    this.concurrent = quota.concurrent ?? Infinity;
    this.running = running;
    this.peak = running;
  }

  /** Lets one request of `tokens` in (null), or says why not; then nothing is taken. */
  admit(tokens: number, nowMs: number): Refusal | null {
    if (this.running >= this.concurrent) {
      this.concurrentRefused += 1;
      return { dimension: "concurrent", limit: this.concurrent, waitMs: 1000 };
    }
    if (!this.requests.has(1, nowMs)) return refusal("requests", this.requests, 1);
    if (!this.tokens.has(tokens, nowMs)) return refusal("tokens", this.tokens, tokens);
    this.requests.take(1);
    this.tokens.take(tokens);
    this.running += 1;
    this.peak = Math.max(this.peak, this.running);
    return null;
  }

  /** Ends a request that was let in; `unusedTokens` were charged and not produced. */
  end(unusedTokens: number, nowMs: number): void {
    this.running -= 1;
    if (unusedTokens > 0) this.tokens.giveBack(unusedTokens, nowMs);
  }

  runningNow(): number {
    return this.running;
  }

  headers(nowMs: number): Record<string, string> {
    return { ...this.requests.headers("requests", nowMs), ...this.tokens.headers("tokens", nowMs) };
  }

  stats(): QuotaStats {
    const { running, peak, concurrentRefused: refused } = this;
    return {
      requests: this.requests.stats(),
      tokens: this.tokens.stats(),
      concurrent: { running, peak, refused },
    };
  }
}

function refusal(dimension: "requests" | "tokens", bucket: ExactBucket, units: number): Refusal {
  bucket.refuse();
  return { dimension, limit: bucket.rate?.capacity ?? 0, waitMs: bucket.waitMs(units) };
}

/** As Go writes durations, which is how these headers are written: `0s`, `12ms`, `1.5s`, `6m0s`, `20h52m3.2s`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, Math.ceil(durationMs));
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = `${(ms % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
