// A histogram that costs a few comparisons per value: plain counts per bucket, made cumulative only when somebody
// scrapes. Bounds are in seconds, as Prometheus wants them; values come in milliseconds, as the gateway measures.
import type { Labels, Point } from "./exposition.ts";

/** Bounds for whole requests and for first tokens, in seconds: from a local model's to a long thought's. */
export const LATENCY_BOUNDS_S: readonly number[] = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640,
];

/** Bounds for the gateway's own share of a request, in seconds. */
export const OVERHEAD_BOUNDS_S: readonly number[] = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1,
];

export class Histogram {
  private readonly boundsMs: readonly number[];
  /** One more than bounds: the last counts what is above them all. */
  private readonly counts: Float64Array;
  private sumMs = 0;

  constructor(boundsS: readonly number[]) {
    this.boundsMs = boundsS.map((bound) => bound * 1000);
    this.counts = new Float64Array(boundsS.length + 1);
  }

  observe(valueMs: number): void {
    const { boundsMs, counts } = this;
    let at = 0;
    while (at < boundsMs.length && valueMs > (boundsMs[at] ?? Infinity)) at += 1;
    counts[at] = (counts[at] ?? 0) + 1;
    this.sumMs += valueMs;
  }

  /** `_bucket` (cumulative), `_sum` and `_count`; nothing while nothing was observed. */
  points(labels: Labels): Point[] {
    const points: Point[] = [];
    let total = 0;
    for (const [at, count] of this.counts.entries()) {
      total += count;
      const bound = this.boundsMs[at];
      const le = bound === undefined ? "+Inf" : String(Number((bound / 1000).toPrecision(12)));
      points.push({ suffix: "_bucket", labels: { ...labels, le }, value: total });
    }
    if (total === 0) return [];
    points.push({ suffix: "_sum", labels, value: this.sumMs / 1000 });
    points.push({ suffix: "_count", labels, value: total });
    return points;
  }
}
