// When to send a request a second time because its answer is slow in coming (Dean and Barroso 2013, "The tail at scale"):
// after most answers would have begun. The quantile comes from a histogram with buckets in equal ratios, whose
// counts fade, so that it costs an increment per answer and follows the provider's day.

/** How long an answer may take to begin before the request is hedged. */
export type HedgeAfter =
  /** Longer than this share of all answers took. */
  { readonly kind: "quantile"; readonly share: number } | { readonly kind: "time"; readonly afterMs: number };

export interface HedgePolicy {
  readonly after: HedgeAfter;
  /** Never sooner than this, whatever the quantile. */
  readonly afterMsMin: number;
}

/** Fewer answers than this tell no quantile. */
export const ANSWERS_MIN = 50;

/** Buckets from 1 ms in steps of 2^(1/4), about 19 %, to 18 minutes. */
const BUCKETS = 80;
const PER_DOUBLING = 4;

/** When this many answers are counted all counts are halved. */
const COUNT_MAX = 2000;

/** How long answers take to begin, as a histogram that forgets. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  /** Counts one answer; milliseconds to its first byte. */
  observe(latencyMs: number): void {
    const bucket = Math.floor(PER_DOUBLING * Math.log2(Math.max(1, latencyMs)));
    const index = Math.min(BUCKETS - 1, bucket);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
    if (this.#total >= COUNT_MAX) this.#fade();
  }

  /** The latency, in milliseconds, that the given share of answers does not exceed (up to 19 % more); null when none was counted. */
  quantile(share: number): number | null {
    if (this.#total === 0) return null;
    let left = share * this.#total;
    const index = this.#counts.findIndex((count) => (left -= count) <= 0);
    return 2 ** (((index === -1 ? BUCKETS - 1 : index) + 1) / PER_DOUBLING);
  }

  /** How many answers count. */
  get total(): number {
    return this.#total;
  }

  #fade(): void {
    this.#total /= 2;
    for (let index = 0; index < BUCKETS; index += 1) this.#counts[index] = (this.#counts[index] ?? 0) / 2;
  }
}

/** After how many milliseconds without a first byte to hedge; null: not at all. */
export function hedgeAfterMs(histogram: LatencyHistogram, { after, afterMsMin }: HedgePolicy): number | null {
  if (after.kind === "time") return after.afterMs;
  if (histogram.total < ANSWERS_MIN) return null;
  const slowMs = histogram.quantile(after.share);
  return slowMs === null ? null : Math.max(afterMsMin, slowMs);
}
