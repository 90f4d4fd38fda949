// What the answers of one target teach, ready to be acted upon: limits to keep from now on, and levels to come down to
// because others use the same account. Answers that tell nothing new cost a comparison: successes are read only every
// so often, refusals always.
import { wordsOf } from "./classify-words.ts";
import { limitsInBody } from "./limits-body.ts";
import { LimitLearner, limitMeant } from "./limits-learning.ts";
import type { ConfiguredLimit, LearnedLimit } from "./limits-learning.ts";
import type { LimitReader, LimitReport, LimitSource } from "./limits.ts";

export interface LimitAdvice {
  /** Limits that are new or have changed; only where limits are learned. */
  readonly learned: readonly LearnedLimit[];
  /** What the provider has left of limits that are kept already, by their index; see `excessOver`. */
  readonly remaining: readonly { readonly index: number; readonly report: LimitReport }[];
}

/** One answer, as far as limits go. */
export interface LimitAnswer {
  readonly status: number;
  readonly headers: LimitSource;
  /** Of a refusal, whatever there is of it. */
  readonly body?: unknown;
  /** How long a refusal asks to be left alone, in milliseconds. */
  readonly waitMs?: number | null;
}

interface LimitAdvisorOptions {
  readonly reader: LimitReader;
  /** The target's limits as configured: provider's and model's. */
  readonly configured: readonly ConfiguredLimit[];
  /** Whether others are learned besides (`limits: auto`). */
  readonly isLearning: boolean;
}

/** How often successes are read, in milliseconds. */
const EVERY_MS = 250;

/** Advises about the limits of one target. */
export class LimitAdvisor {
  readonly #options: LimitAdvisorOptions;
  readonly #learner: LimitLearner;
  #kept: readonly ConfiguredLimit[];
  #readMs = -Infinity;

  constructor(options: LimitAdvisorOptions) {
    this.#options = options;
    this.#learner = new LimitLearner(options.configured);
    this.#kept = options.configured;
  }

  /** These limits are kept from now on: what remains is told by their index. */
  keep(limits: readonly ConfiguredLimit[]): void {
    this.#kept = limits;
  }

  /** Whether a success would be read now. */
  isDue(now: number): boolean {
    return now - this.#readMs >= EVERY_MS;
  }

  /** Takes in an answer; null: there is nothing to do. `now` is elapsed time, `wallMs` the time since the Unix epoch. */
  advise(answer: LimitAnswer, now: number, wallMs: number): LimitAdvice | null {
    const { status, headers, body, waitMs = null } = answer;
    const isRefusal = status === 429;
    if (!isRefusal && !this.isDue(now)) return null;
    this.#readMs = now;
    const { reader, isLearning } = this.#options;
    const shown = reader.read(headers, status, wallMs);
    const told = isRefusal && body !== undefined ? limitsInBody(wordsOf(body, headers), waitMs) : [];
    const learned = isLearning
      ? [...this.#learner.observe(shown, status), ...this.#learner.observe(told, status, true)]
      : [];
    const remaining = [...shown, ...told].flatMap((report) => {
      const index = report.remaining === null ? -1 : limitMeant(report, this.#kept);
      return index === -1 ? [] : [{ index, report }];
    });
    return learned.length === 0 && remaining.length === 0 ? null : { learned, remaining };
  }
}
