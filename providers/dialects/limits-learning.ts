// `limits: auto`: what one model at one provider allows, learned from the reports of its answers. A limit is
// believed when it has been reported the same way several times in a row; a lower one at once, because following
// it can't do harm. Nothing learned is ever above what the configuration says.
//
//   unknown ──(report)──▶ candidate ──(CONFIRMATIONS alike)──▶ learned ──(lower)──▶ learned
//                             ▲          (another figure)         │
//                             └───────────────────────────────────┘ (higher: a candidate again, the old one holds)
import type { LimitReport, ReportedDimension } from "./limits.ts";

const CONFIRMATIONS = 3;

/** How many limits one target can have; names come from outside. */
const LIMITS_MAX = 32;

export interface LearnedLimit {
  readonly name: string;
  readonly dimension: ReportedDimension;
  readonly windowMs: number;
  /** Units per window. */
  readonly amount: number;
}

/** A limit of the configuration, by the same measure. */
export interface ConfiguredLimit {
  readonly dimension: string;
  /** null: it is a limit of what runs at once. */
  readonly windowMs: number | null;
  readonly amount: number;
}

interface Candidate {
  amount: number;
  windowMs: number;
  seen: number;
}

/** Learns the limits of one target. */
export class LimitLearner {
  readonly #configured: readonly ConfiguredLimit[];
  readonly #candidates = new Map<string, Candidate>();
  readonly #learned = new Map<string, LearnedLimit>();

  /** `configured`: limits that the learned ones must not exceed. */
  constructor(configured: readonly ConfiguredLimit[]) {
    this.#configured = configured;
  }

  /**
   * Takes in the reports of one answer. Returns what has been learned or changed by them, mostly nothing. A refusal's
   * headers may show a limit lowered for want of capacity, which is not our limit: `status` 429 teaches nothing
   * except when `isBody` says that the refusal named its quota.
   */
  observe(reports: readonly LimitReport[], status: number, isBody = false): readonly LearnedLimit[] {
    if (status === 429 && !isBody) return [];
    return reports.flatMap((report) => this.#observeOne(report, isBody) ?? []);
  }

  /** All that has been learned so far. */
  learned(): readonly LearnedLimit[] {
    return [...this.#learned.values()];
  }

  #observeOne(report: LimitReport, isCertain: boolean): LearnedLimit | null {
    const { name, dimension, limit } = report;
    if (dimension === null || limit === null) return null;
    const known = this.#learned.get(name);
    // Figures without a deficit don't show the window; it is the one they showed before.
    const windowMs = report.windowMs ?? this.#candidates.get(name)?.windowMs ?? known?.windowMs;
    if (windowMs === undefined) return null;
    const amount = this.#capped(dimension, windowMs, limit);
    if (known !== undefined && known.windowMs === windowMs && known.amount === amount) {
      this.#candidates.delete(name);
      return null;
    }
    const isLower = known !== undefined && known.windowMs === windowMs && amount < known.amount;
    if (!isLower && !isCertain && !this.#isConfirmed(name, amount, windowMs)) return null;
    if (known === undefined && this.#learned.size >= LIMITS_MAX) return null;
    this.#candidates.delete(name);
    const learned = { name, dimension, windowMs, amount };
    this.#learned.set(name, learned);
    return learned;
  }

  #isConfirmed(name: string, amount: number, windowMs: number): boolean {
    const candidate = this.#candidates.get(name);
    if (candidate === undefined || candidate.amount !== amount || candidate.windowMs !== windowMs) {
      if (candidate !== undefined || this.#candidates.size < LIMITS_MAX) {
        this.#candidates.set(name, { amount, windowMs, seen: 1 });
      }
      return false;
    }
    candidate.seen += 1;
    return candidate.seen >= CONFIRMATIONS;
  }

  #capped(dimension: ReportedDimension, windowMs: number, amount: number): number {
    const ceilings = this.#configured
      .filter((limit) => limit.dimension === dimension && limit.windowMs === windowMs)
      .map((limit) => limit.amount);
    return Math.min(amount, ...ceilings);
  }
}

/**
 * Which of our limits a report speaks of: its index, or -1. The dimension has to be the same; so has the window, and
 * where the answer does not show one the amount tells.
 */
export function limitMeant(report: LimitReport, ours: readonly ConfiguredLimit[]): number {
  const { dimension, windowMs, limit } = report;
  return ours.findIndex(
    (one) =>
      one.dimension === dimension && (windowMs === null ? one.amount === limit : one.windowMs === windowMs),
  );
}

/** Providers round what they report, and count a little otherwise than we do: this share of the limit is no difference. */
const ROUNDING = 0.02;

/**
 * How many units fewer the provider has left than we believe: what others used of the same account, to be
 * subtracted from our level. 0 when we agree; never negative, because a report can't prove that there is more: it
 * was made before the requests that have been sent since.
 */
export function excessOver(report: LimitReport, level: number): number {
  const { remaining, limit } = report;
  if (remaining === null) return 0;
  const excess = level - remaining;
  return excess > ROUNDING * (limit ?? 0) ? Math.max(0, excess) : 0;
}
