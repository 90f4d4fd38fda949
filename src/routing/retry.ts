// What to do after a failure: go on to the next target, try one again after a pause, or give up. Made when the first
// attempt of a plan has failed, so that requests that go well pay nothing for it.
//
//   a fresh target is tried at once; one that has failed only when no fresh one is left, after its own `retry-after` or
//   an exponential backoff with full jitter (Brooker 2015), and only if the provider's retry budget and the deadline allow
import { blockedMs } from "./health.ts";
import type { FailureKind } from "./health.ts";
import type { Attempt, Target } from "./target.ts";

export interface RetryPolicy {
  /** How often one request may be sent, over all its targets; at least 1. */
  readonly attempts: number;
  /** The first pause is up to this long, each further one up to twice as long as the one before. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** Nobody waits longer than this before a retry, whatever a provider asks for. */
  readonly pauseMsMax: number;
  /** How long one attempt may take until its first byte, while there are other targets to try; null: as long as the request. */
  readonly attemptMs: number | null;
}

export const RETRY_POLICY: RetryPolicy = {
  attempts: 2,
  backoffMs: 250,
  backoffMsMax: 4000,
  pauseMsMax: 10_000,
  attemptMs: null,
};

/** Why the current attempt is not the last. */
export type Setback =
  /** It was sent and failed. `waitMs`: how long the provider asked to be left alone, if it did. */
  | { readonly kind: FailureKind; readonly waitMs: number | null }
  /** It was not sent: no units for it, or a circuit got in its way. Does not count as an attempt. */
  | { readonly kind: "no_room" }
  | { readonly kind: "blocked" };

export type Step<U> =
  | {
      readonly kind: "attempt";
      readonly target: Target<U>;
      /** Send it no sooner than in so many milliseconds. */
      readonly delayMs: number;
      /** Whether it may wait for units: there is nowhere else to go. */
      readonly mayWait: boolean;
      /** `Clock.elapsedMs()` by which its first byte has to be there. */
      readonly deadlineMs: number;
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
const AFTER: Readonly<Record<FailureKind, "nothing" | "elsewhere" | "again">> = {
  bad_request: "nothing",
  content_filter: "nothing",
  quota_spent: "elsewhere",
  auth: "elsewhere",
  not_found: "elsewhere",
  context_length: "elsewhere",
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
  readonly hadRoom: boolean;
  state: "fresh" | "current" | "again" | "done";
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
  #sent = 1;
  #retries = 0;

  /** `attempts`: the plan's, of which the first is being tried. `deadlineMs`: the request's, in `Clock.elapsedMs()`. */
  constructor(attempts: readonly Attempt<U>[], policy: RetryPolicy, deadlineMs: number) {
    this.#trials = attempts.map(({ target, waitMs }, index) => ({
      target,
      hadRoom: waitMs === 0,
      state: index === 0 ? "current" : "fresh",
      hasBurdened: false,
      notBeforeMs: 0,
    }));
    this.#policy = policy;
    this.#deadlineMs = deadlineMs;
  }

  /** How often the request has been sent, the current attempt included. */
  get sent(): number {
    return this.#sent;
  }

  /** What to do now that the current attempt has met with a setback; its health has been reported before. */
  next(setback: Setback, now: number, random: () => number): Step<U> {
    const current = this.#trials.find(({ state }) => state === "current");
    if (setback.kind === "no_room" || setback.kind === "blocked") {
      if (current !== undefined) current.state = "done";
      this.#sent -= 1;
      return this.#choose(null, now, random);
    }
    const after = AFTER[setback.kind];
    if (current !== undefined) {
      current.state = after === "again" ? "again" : "done";
      current.hasBurdened = after === "again" || setback.kind === "timeout";
      current.notBeforeMs = now + (setback.waitMs ?? 0);
    }
    if (after === "nothing") return { kind: "stop", reason: "pointless" };
    if (this.#sent >= this.#policy.attempts) return { kind: "stop", reason: "attempts_used" };
    const tooSmall = setback.kind === "context_length" ? (current?.target ?? null) : null;
    return this.#choose(tooSmall, now, random);
  }

  /**
   * Another target for a request whose answer is slow in coming, to be tried beside the current one; null when there
   * is none that could be sent to at once. The first of the two to answer wins; the other is aborted.
   */
  hedge(now: number): Target<U> | null {
    if (this.#sent >= this.#policy.attempts) return null;
    const trial = this.#trials.find(
      ({ state, hadRoom, target }) => state === "fresh" && hadRoom && blockedMs(target.health, now) === 0,
    );
    if (trial === undefined || !trial.target.health.retryBudget.withdraw()) return null;
    trial.state = "done";
    this.#sent += 1;
    return trial.target;
  }

  #choose(tooSmall: Target<U> | null, now: number, random: () => number): Step<U> {
    if (now >= this.#deadlineMs) return { kind: "stop", reason: "deadline" };
    const fresh = this.#trials.filter(
      (trial) =>
        trial.state === "fresh" &&
        isLarger(trial.target, tooSmall) &&
        blockedMs(trial.target.health, now) === 0,
    );
    const first = fresh.find((trial) => this.#afford(trial.target));
    if (first !== undefined) return this.#start(first, 0, { now, mayWait: fresh.length === 1 });
    return tooSmall === null
      ? this.#again(now, random, fresh.length > 0)
      : { kind: "stop", reason: "nowhere" };
  }

  /** Another model of a provider that this request has burdened is a retry, and paid for; another provider is not. */
  #afford(target: Target<U>): boolean {
    const isRetry = this.#trials.some(
      (trial) => trial.hasBurdened && trial.target.provider === target.provider,
    );
    return !isRetry || target.health.retryBudget.withdraw();
  }

  #again(now: number, random: () => number, wasBudgetUsed: boolean): Step<U> {
    const failed = this.#trials.filter(
      ({ state, target }) => state === "again" && blockedMs(target.health, now) === 0,
    );
    const soonest = failed.reduce<Trial<U> | null>(
      (best, trial) => (best === null || trial.notBeforeMs < best.notBeforeMs ? trial : best),
      null,
    );
    if (soonest === null) return { kind: "stop", reason: wasBudgetUsed ? "budget_used" : "nowhere" };
    const delayMs = Math.max(0, soonest.notBeforeMs - now) + this.#backoff(random);
    if (delayMs > this.#policy.pauseMsMax || now + delayMs >= this.#deadlineMs) {
      return { kind: "stop", reason: "deadline" };
    }
    if (!soonest.target.health.retryBudget.withdraw()) return { kind: "stop", reason: "budget_used" };
    this.#retries += 1;
    return this.#start(soonest, delayMs, { now, mayWait: true });
  }

  #backoff(random: () => number): number {
    const { backoffMs, backoffMsMax } = this.#policy;
    return Math.ceil(random() * Math.min(backoffMsMax, backoffMs * 2 ** this.#retries));
  }

  #start(trial: Trial<U>, delayMs: number, { now, mayWait }: { now: number; mayWait: boolean }): Step<U> {
    trial.state = "current";
    this.#sent += 1;
    const { attemptMs } = this.#policy;
    const hasOthers =
      this.#sent < this.#policy.attempts && this.#trials.some(({ state }) => state === "fresh");
    const deadlineMs =
      attemptMs !== null && hasOthers
        ? Math.min(this.#deadlineMs, now + delayMs + attemptMs)
        : this.#deadlineMs;
    return { kind: "attempt", target: trial.target, delayMs, mayWait, deadlineMs };
  }
}

/** After a prompt was too long for one model, only a larger one helps, or one of which nothing is known. */
function isLarger<U>(target: Target<U>, tooSmall: Target<U> | null): boolean {
  if (tooSmall === null) return true;
  if (target.contextTokens === null || tooSmall.contextTokens === null)
    return target.model !== tooSmall.model;
  return target.contextTokens > tooSmall.contextTokens;
}
