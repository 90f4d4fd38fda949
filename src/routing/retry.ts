// What to do after a failure: go on to the next targets, try one again after a pause, or give up. Made when the first
// attempt of a plan has failed, so that requests that go well pay nothing for it.
//
//   Fresh targets are tried at once. One that has failed is tried only when no fresh one is left, after its own
//   `retry-after` and an exponential backoff with full jitter (Brooker 2015). Whatever adds to the load of a provider
//   that this request has burdened already is paid for from the provider's retry budget; other providers are free.
import { blockedMs } from "./health.ts";
import type { FailureKind } from "./health.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { Target } from "./target.ts";

export interface RetryPolicy {
  /** How often one request may be sent, over all its targets; at least 1. */
  readonly attempts: number;
  /** The first pause is up to this long, each further one up to twice as long as the one before. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** Nobody waits longer than this before a retry, whatever a provider asks for. */
  readonly pauseMsMax: number;
}

export const RETRY_POLICY: RetryPolicy = {
  attempts: 2,
  backoffMs: 250,
  backoffMsMax: 4000,
  pauseMsMax: 10_000,
};

/**
 * How an attempt failed; `unsuited`: it was not made, because the target can't be asked this. `waitMs`: how long the
 * provider asked to be left alone, if it did.
 */
export interface Setback {
  readonly kind: FailureKind | "unsuited";
  readonly waitMs: number | null;
}

export type Step<U> =
  | {
      readonly kind: "try";
      /** In order, at least one: the first that has room takes the request. Tell which with `started`. */
      readonly targets: readonly Target<U>[];
      /** Send it no sooner than in so many milliseconds. */
      readonly delayMs: number;
    }
  | { readonly kind: "stop"; readonly reason: StopReason };

export type StopReason =
  /** The request is at fault; it would fail everywhere. */
  | "pointless"
  | "attempts_used"
  | "deadline"
  /** Retries would exceed their share of the provider's traffic. */
  | "budget_used"
  /** Every target has failed for good, or can't be tried now. */
  | "nowhere";

/** What a failure leaves to try: nothing, other targets, or the same again later too. */
const AFTER: Readonly<Record<Setback["kind"], "nothing" | "elsewhere" | "again">> = {
  bad_request: "nothing",
  content_filter: "nothing",
  quota_spent: "elsewhere",
  auth: "elsewhere",
  not_found: "elsewhere",
  context_length: "elsewhere",
  unsuited: "elsewhere",
  timeout: "elsewhere",
  rate_limited: "again",
  overloaded: "again",
  capacity: "again",
  transient: "again",
  unreachable: "again",
  interrupted: "again",
};

interface Trial<U> {
  readonly target: Target<U>;
  state: "fresh" | "tried" | "again" | "done";
  /** Whether it has cost its provider work in vain. */
  hasBurdened: boolean;
  /** `elapsedMs` before which its provider asked not to be tried again. */
  notBeforeMs: number;
}

/** One request's way through its plan. */
export class Progress<U> {
  readonly #trials: readonly Trial<U>[];
  readonly #policy: RetryPolicy;
  readonly #deadlineMs: number;
  /** Budgets that the present step has drawn from, until it is known which target is tried. */
  readonly #paid = new Set<RetryBudget>();
  #sent = 0;
  #retries = 0;

  /** `targets`: the plan's, in order. `deadlineMs`: the request's, in `Clock.elapsedMs()`. */
  constructor(targets: readonly Target<U>[], policy: RetryPolicy, deadlineMs: number) {
    this.#trials = targets.map((target) => ({ target, state: "fresh", hasBurdened: false, notBeforeMs: 0 }));
    this.#policy = policy;
    this.#deadlineMs = deadlineMs;
  }

  /** How often the request has been sent. */
  get sent(): number {
    return this.#sent;
  }

  /** The request is sent to this target: the plan's first with room, or one of a step. */
  started(target: Target<U>): void {
    this.#sent += 1;
    const isRetry = this.#isBurdened(target);
    for (const budget of this.#paid) {
      if (!isRetry || budget !== target.health.retryBudget) budget.refund();
    }
    this.#paid.clear();
    const trial = this.#trials.find((one) => one.target === target);
    if (trial !== undefined) trial.state = "tried";
  }

  /** The attempt at this target has failed; its health has been reported before. */
  failed(failed: Target<U>, { kind, waitMs }: Setback, now: number): void {
    const after = AFTER[kind];
    const trial = this.#trials.find(({ target }) => target === failed);
    if (trial !== undefined) {
      trial.state = after === "again" ? "again" : "done";
      trial.hasBurdened = after === "again" || kind === "timeout";
      trial.notBeforeMs = now + (waitMs ?? 0);
    }
    if (kind === "context_length") this.#dropSmaller(failed);
    if (kind === "unsuited") this.#sent -= 1;
  }

  /** The same, and nothing else runs: what to do now. */
  next(failed: Target<U>, setback: Setback, now: number, random: () => number): Step<U> {
    this.failed(failed, setback, now);
    if (AFTER[setback.kind] === "nothing") return stop("pointless");
    if (this.#sent >= this.#policy.attempts) return stop("attempts_used");
    if (now >= this.#deadlineMs) return stop("deadline");
    const fresh = this.#fresh(now);
    const affordable = fresh.filter(({ target }) => !this.#isBurdened(target) || this.#pay(target));
    if (affordable.length > 0) return tryNext(affordable, 0);
    return this.#again(now, random, fresh.length > 0);
  }

  /**
   * Other targets for a request whose answer is slow in coming, to be tried beside the current one: the first of the two
   * to answer wins. Call `started` with the one that is sent.
   */
  others(now: number): readonly Target<U>[] {
    return this.#sent < this.#policy.attempts ? this.#fresh(now).map(({ target }) => target) : [];
  }

  #fresh(now: number): readonly Trial<U>[] {
    return this.#trials.filter(
      ({ state, target }) => state === "fresh" && blockedMs(target.health, now) === 0,
    );
  }

  /** Another model of a provider that this request has burdened is a retry, and paid for; another provider is not. */
  #isBurdened({ provider }: Target<U>): boolean {
    return this.#trials.some((trial) => trial.hasBurdened && trial.target.provider === provider);
  }

  #pay({ health }: Target<U>): boolean {
    if (this.#paid.has(health.retryBudget)) return true;
    if (!health.retryBudget.withdraw()) return false;
    this.#paid.add(health.retryBudget);
    return true;
  }

  /**
   * After a prompt was too long for one model, only a larger one helps. Another provider counts as large with the
   * same size or an unknown one: it was perhaps the account's limit that was too small.
   */
  #dropSmaller({ provider, model, contextTokens }: Target<U>): void {
    for (const trial of this.#trials) {
      const { target } = trial;
      const isElsewhere = target.provider !== provider;
      const isUnknown = target.contextTokens === null || contextTokens === null;
      const isLarger = isUnknown
        ? isElsewhere || target.model !== model
        : target.contextTokens > contextTokens || (isElsewhere && target.contextTokens === contextTokens);
      if (!isLarger) trial.state = "done";
    }
  }

  #again(now: number, random: () => number, wasBudgetUsed: boolean): Step<U> {
    const failed = this.#trials.filter(
      ({ state, target }) => state === "again" && blockedMs(target.health, now) === 0,
    );
    const soonest = failed.reduce<Trial<U> | null>(
      (best, trial) => (best === null || trial.notBeforeMs < best.notBeforeMs ? trial : best),
      null,
    );
    if (soonest === null) return stop(wasBudgetUsed ? "budget_used" : "nowhere");
    const delayMs = Math.max(0, soonest.notBeforeMs - now) + this.#backoff(random);
    if (delayMs > this.#policy.pauseMsMax || now + delayMs >= this.#deadlineMs) return stop("deadline");
    if (!this.#pay(soonest.target)) return stop("budget_used");
    this.#retries += 1;
    return tryNext([soonest], delayMs);
  }

  #backoff(random: () => number): number {
    const { backoffMs, backoffMsMax } = this.#policy;
    return Math.ceil(random() * Math.min(backoffMsMax, backoffMs * 2 ** this.#retries));
  }
}

function tryNext<U>(trials: readonly Trial<U>[], delayMs: number): Step<U> {
  return { kind: "try", targets: trials.map(({ target }) => target), delayMs };
}

function stop(reason: StopReason): { readonly kind: "stop"; readonly reason: StopReason } {
  return { kind: "stop", reason };
}
