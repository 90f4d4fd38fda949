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

/** What an attempt's end says of one circuit: nothing, that it is well (0), or as much as so many failures in a row. */
type Say = number | null;

/** What will hardly mend itself counts so that the second time in a row opens the circuit; once may be the request's doing. */
const GRAVE = 3;

const WELL = { provider: 0, key: 0, model: 0 };

/** What each end says of the provider, the key and the model. Any answer speaks for whatever it does not blame, silence for nothing. */
const SAYS: Readonly<Record<Exclude<Verdict["kind"], "quota_spent">, Readonly<Record<Scope, Say>>>> = {
  ok: WELL,
  // The request was at fault, or early.
  bad_request: WELL,
  content_filter: WELL,
  context_length: WELL,
  rate_limited: WELL,
  overloaded: { ...WELL, model: 1 },
  capacity: { ...WELL, model: 1 },
  transient: { ...WELL, model: 1 },
  not_found: { ...WELL, model: GRAVE },
  auth: { provider: 0, key: GRAVE, model: null },
  timeout: { provider: null, key: null, model: 1 },
  interrupted: { provider: null, key: null, model: 1 },
  unreachable: { provider: 1, key: null, model: null },
  abandoned: { provider: null, key: null, model: null },
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
  /** The same as distributions, of answers that come as a whole and of streams: when to hedge. */
  readonly latencies: { readonly whole: LatencyHistogram; readonly streamed: LatencyHistogram };
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

/** Whether a sibling's word casts doubt on it and a request is finding out already: others had better go elsewhere meanwhile. */
export function isTried({ provider, model, key }: Health, now: number): boolean {
  return provider.isTried(now) || model.isTried(now) || key.isTried(now);
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

/** A request was sent `latencyMs` before its answer began, or before it was given up while it had not. */
export function observeLatency(
  { latency, latencies }: Health,
  form: keyof Health["latencies"],
  latencyMs: number,
  now: number,
): void {
  latency.observe(latencyMs, now);
  latencies[form].observe(latencyMs);
}

/** Ends an attempt, whatever ended it; exactly once for each `Pass`. */
export function report(health: Health, pass: Pass, verdict: Verdict, now: number): void {
  health.inFlight -= 1;
  if (verdict.kind === "quota_spent") return reportSpent(health, pass, verdict.waitMs, now);
  const says = SAYS[verdict.kind];
  tell(health.provider, pass.provider, says.provider, now);
  tell(health.key, pass.key, says.key, now);
  tell(health.model, pass.model, says.model, now);
}

function tell(circuit: Circuit, ticket: number, say: Say, now: number): void {
  if (say === null) circuit.abandoned(ticket);
  else if (say === 0) circuit.succeeded(ticket, now);
  else circuit.failed(ticket, now, say);
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
