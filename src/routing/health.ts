// What is known of a target's well-being: circuits for its provider, its model and its API key, how many requests it
// is running, how slow it is. Each kind of failure speaks against one of the three: a bad key disables the key, a
// missing model only that model, a host that can't be reached the provider. Health outlives a reload of the
// configuration, because the book finds it again by name.
import type { Circuit } from "./breaker.ts";
import type { LatencyHistogram } from "./hedge.ts";
import type { PeakLatency } from "./latency.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** Why an attempt failed: what a provider's answer meant, or how there came to be none. */
export type FailureKind =
  // The answer was read and means:
  | "quota_spent"
  | "rate_limited"
  | "overloaded"
  | "capacity"
  | "bad_request"
  | "auth"
  | "not_found"
  | "content_filter"
  | "context_length"
  | "transient"
  // There was no answer to read:
  | "unreachable"
  | "timeout"
  | "interrupted";

/** How an attempt ended, for the target's health. */
export type Verdict =
  | { readonly kind: "ok" }
  /** Nothing can be said about the target: the client left, or the attempt was never sent. */
  | { readonly kind: "abandoned" }
  /** `waitMs`: how long the provider asked to be left alone, when it said so. */
  | { readonly kind: FailureKind; readonly waitMs?: number };

/** What a circuit guards; `model` is one model at one provider as one API key sees it. */
export type Scope = "provider" | "model" | "key";

/** Which circuit a failure counts against, and as how many failures. */
interface Blame {
  readonly scope: Scope;
  readonly weight: number;
}

/** What will hardly mend itself counts so that the second time in a row opens the circuit; once may be the request's doing. */
const GRAVE = 3;

/** A failure that is not listed speaks for the provider: it answered, and the request was at fault or early. */
const BLAME: Partial<Readonly<Record<FailureKind, Blame>>> = {
  auth: { scope: "key", weight: GRAVE },
  not_found: { scope: "model", weight: GRAVE },
  overloaded: { scope: "model", weight: 1 },
  capacity: { scope: "model", weight: 1 },
  transient: { scope: "model", weight: 1 },
  timeout: { scope: "model", weight: 1 },
  interrupted: { scope: "model", weight: 1 },
  unreachable: { scope: "provider", weight: 1 },
};

/** How long an account without credit is left alone when nobody says when it will have some. */
const NO_CREDIT_MS = 60_000;

/** The longest that a provider's own word keeps a circuit open; a spent quota may say days. */
const SPENT_MS_MAX = 3_600_000;

/** One target's health. The provider's circuit is shared by all of its targets, the key's by all of its models. */
export interface Health {
  readonly provider: Circuit;
  readonly model: Circuit;
  readonly key: Circuit;
  /** Milliseconds to the first byte of an answer. */
  readonly latency: PeakLatency;
  /** The same, as a distribution: when to hedge. */
  readonly latencies: LatencyHistogram;
  /** What retries may add to this provider's load. */
  readonly retryBudget: RetryBudget;
  /** Requests that are running. */
  inFlight: number;
}

/** A started attempt's tickets, one for each circuit. Hand it back exactly once, with `report`. */
export interface Pass {
  readonly provider: number;
  readonly model: number;
  readonly key: number;
}

/** Milliseconds until no circuit is in the way; 0 now. */
export function blockedMs(health: Health, now: number): number {
  return Math.max(health.provider.blockedMs(now), health.model.blockedMs(now), health.key.blockedMs(now));
}

/** Starts an attempt, or says that a circuit is in its way (another request may just have taken the place of the probe). */
export function admit(health: Health, now: number): Pass | null {
  // All three are asked before any is started, so that none holds a probe's place for an attempt that never is.
  if (blockedMs(health, now) > 0) return null;
  health.inFlight += 1;
  health.retryBudget.deposit();
  return {
    provider: health.provider.start(now),
    model: health.model.start(now),
    key: health.key.start(now),
  };
}

/** An answer's first byte came `latencyMs` after the request was sent. */
export function observeLatency(health: Health, latencyMs: number, now: number): void {
  health.latency.observe(latencyMs, now);
  health.latencies.observe(latencyMs);
}

/** Ends an attempt, whatever ended it; exactly once for each `Pass`. */
export function report(health: Health, pass: Pass, verdict: Verdict, now: number): void {
  health.inFlight -= 1;
  if (verdict.kind === "ok") reportAnswer(health, pass, undefined, now);
  else if (verdict.kind === "abandoned") {
    health.provider.abandoned(pass.provider);
    health.model.abandoned(pass.model);
    health.key.abandoned(pass.key);
  } else if (verdict.kind === "quota_spent") reportSpent(health, pass, verdict.waitMs, now);
  else reportAnswer(health, pass, BLAME[verdict.kind], now);
}

/** A quota that comes back at a known time is the model's (a day's requests); money is the account's, and of unknown return. */
function reportSpent(health: Health, pass: Pass, waitMs: number | undefined, now: number): void {
  health.provider.succeeded(pass.provider, now);
  if (waitMs === undefined) {
    health.model.abandoned(pass.model);
    health.key.trip(now, NO_CREDIT_MS);
  } else {
    health.key.succeeded(pass.key, now);
    health.model.trip(now, Math.min(waitMs, SPENT_MS_MAX));
  }
}

/** Any answer speaks for whatever it does not blame; a host that can't be reached says nothing of its models and keys. */
function reportAnswer(health: Health, pass: Pass, blame: Blame | undefined, now: number): void {
  const scope = blame?.scope;
  const weight = blame?.weight ?? 0;
  if (scope === "provider") {
    health.provider.failed(pass.provider, now, weight);
    health.model.abandoned(pass.model);
    health.key.abandoned(pass.key);
    return;
  }
  health.provider.succeeded(pass.provider, now);
  if (scope === "key") {
    health.key.failed(pass.key, now, weight);
    health.model.abandoned(pass.model);
    return;
  }
  health.key.succeeded(pass.key, now);
  if (scope === "model") health.model.failed(pass.model, now, weight);
  else health.model.succeeded(pass.model, now);
}
