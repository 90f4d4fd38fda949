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

/** What a circuit guards. */
export type Scope = "provider" | "model" | "key";

/** What a failure does: to which circuit, and whether once is enough (`openMs`) or it only counts. */
interface Blame {
  readonly scope: Scope;
  readonly tripMs?: number;
}

/** A failure that is not listed speaks for the provider: it answered, and the request was at fault or early. */
const BLAME: Partial<Readonly<Record<FailureKind, Blame>>> = {
  quota_spent: { scope: "key", tripMs: 60_000 },
  auth: { scope: "key", tripMs: 60_000 },
  not_found: { scope: "model", tripMs: 60_000 },
  overloaded: { scope: "model" },
  capacity: { scope: "model" },
  transient: { scope: "model" },
  timeout: { scope: "model" },
  interrupted: { scope: "model" },
  unreachable: { scope: "provider" },
};

/** The longest that a provider's own word can keep a circuit open; a spent quota may say days. */
const TRIP_MS_MAX = 3_600_000;

/** One target's health. Circuits are shared: the provider's by all of its targets, the key's by all of its models. */
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
  if (verdict.kind === "abandoned") {
    health.provider.abandoned(pass.provider);
    health.model.abandoned(pass.model);
    health.key.abandoned(pass.key);
    return;
  }
  const blame = verdict.kind === "ok" ? undefined : BLAME[verdict.kind];
  const waitMs = verdict.kind === "ok" ? undefined : verdict.waitMs;
  settle(health.provider, pass.provider, { blame, scope: "provider", waitMs, now });
  settle(health.model, pass.model, { blame, scope: "model", waitMs, now });
  settle(health.key, pass.key, { blame, scope: "key", waitMs, now });
}

interface Result {
  readonly blame: Blame | undefined;
  readonly scope: Scope;
  readonly waitMs: number | undefined;
  readonly now: number;
}

function settle(circuit: Circuit, ticket: number, { blame, scope, waitMs, now }: Result): void {
  if (blame?.scope !== scope) {
    // An unreachable host says nothing about the model or the key; any answer speaks for whatever it does not blame.
    if (blame?.scope === "provider") circuit.abandoned(ticket);
    else circuit.succeeded(ticket, now);
    return;
  }
  if (blame.tripMs === undefined) circuit.failed(ticket, now);
  else circuit.trip(now, Math.min(waitMs ?? blame.tripMs, TRIP_MS_MAX));
}
