// One request's life, in reading order:
//
//   plan ─▶ ┌ reserve ─▶ send ─▶ first event ─▶ relay ─▶ settle ┐ ─▶ record
//           └────────── again, while nothing has gone out ◀─────┘
//
// `Attempt.run` covers send to relay and always comes back; what was reserved for it is settled in the `finally` beside
// it, so no way out can miss it or do it twice. Nothing is tried again after the first byte has gone to the client.
import type { Clock, Random, Timers } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { Limiter } from "../limiter/limiter.ts";
import { refusalError } from "../limiter/refusal.ts";
import type { Observer, RequestRecord, Usage } from "../observe/events.ts";
import { admit, observeLatency, report } from "../routing/health.ts";
import { plan } from "../routing/plan.ts";
import type { Progress } from "../routing/retry.ts";
import type { Attempt as PlannedAttempt, Target } from "../routing/target.ts";
import type { Watch } from "../upstream/watch.ts";
import { obtain, type Granted } from "./admission.ts";
import { Attempt, type AttemptEnd } from "./attempt.ts";
import { answerCount } from "./count.ts";
import type { Exchange } from "./exchange.ts";
import { outcomeOf, verdictOf } from "./outcome.ts";
import { PlannedRequest } from "./planned-request.ts";
import { pause, progressFrom, setbackOf } from "./retry.ts";
import { headerSafe, type UpstreamTarget } from "./upstream-target.ts";
import { estimatedUsage, NOTHING_USED } from "./usage.ts";

export interface ServeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly watch: Watch;
  readonly limiter: Limiter;
  readonly observer: Observer;
}

type RouteTarget = Target<UpstreamTarget>;
type RouteAttempt = PlannedAttempt<UpstreamTarget>;

/** From the plan to an answer (`null`) or the error that the request ends with, which the client has not been told yet. */
export async function serve(exchange: Exchange, parts: ServeParts): Promise<GatewayError | null> {
  const planned = new PlannedRequest(exchange, parts, parts.clock.elapsedMs());
  const route = plan(planned, exchange.runtime.routes, planned);
  if (route.kind === "refused")
    return new GatewayError(route.code, route.message, waitOf(route.retryAfterMs));
  if (isCounted(exchange, route.attempts[0]?.target)) {
    answerCount(exchange);
    return null;
  }
  const attempts = reachable(route.attempts, exchange);
  if (attempts.length === 0) return unreachable();
  let targets: readonly RouteTarget[] = attempts.map(({ target }) => target);
  let failure: GatewayError | null = null;
  let progress: Progress<UpstreamTarget> | null = null;
  for (;;) {
    const pending = obtain(targets, planned, exchange, parts);
    const granted = pending instanceof Promise ? await pending : pending;
    if (granted.kind === "refused") return exchange.stopped ?? failure ?? refusalError(granted);
    progress?.started(granted.target);
    let end: AttemptEnd | null = null;
    try {
      const begun = begin(exchange, granted, parts);
      end = begun instanceof Promise ? await begun : begun;
    } finally {
      settle(exchange, granted, end, { planned, parts });
    }
    if (end.kind !== "failed") return end.error;
    failure = end.error;
    if (exchange.stopped !== null) return exchange.stopped;
    progress ??= progressFrom(attempts, granted.target, exchange);
    const step = progress.next(granted.target, setbackOf(end), parts.clock.elapsedMs(), parts.random);
    if (step.kind === "stop") return finalError(failure, exchange.record.attempts);
    await pause(exchange, step.delayMs, parts.timers);
    if (exchange.stopped !== null) return exchange.stopped;
    planned.now = parts.clock.elapsedMs();
    targets = step.targets;
  }
}

/** The attempts that can know what the request builds on: an earlier answer is known to its own provider alone. */
function reachable(attempts: readonly RouteAttempt[], { previous }: Exchange): readonly RouteAttempt[] {
  return previous === null
    ? attempts
    : attempts.filter(({ target }) => target.provider === previous.provider);
}

function unreachable(): GatewayError {
  const message = "The earlier response is kept by a provider that does not serve this model.";
  return new GatewayError("invalid_request", message, { param: "previous_response_id" });
}

/** Whether the question is how many tokens a request has, and this target can't tell. */
function isCounted({ request }: Exchange, target: RouteTarget | undefined): boolean {
  return target?.upstream.language.passages[request.route.kind]?.kind === "counted";
}

/** Tells the client how its request failed, if it did and does not know, and records the request. */
export function conclude(exchange: Exchange, error: GatewayError | null, parts: ServeParts): void {
  const { record, downstream } = exchange;
  if (error !== null) {
    record.outcome = outcomeOf(error);
    record.errorCode = error.code;
    if (!downstream.response.headersSent) {
      record.status = error.status;
      downstream.fail(error, failureHeaders(exchange));
    }
  }
  record.endedMs = parts.clock.elapsedMs();
  parts.observer.requestEnded(record);
}

/** Sends the request to the target that has granted it. */
function begin(exchange: Exchange, granted: Granted, parts: ServeParts): AttemptEnd | Promise<AttemptEnd> {
  const { target, reservation } = granted;
  const { record } = exchange;
  const now = parts.clock.elapsedMs();
  if (exchange.stopped !== null) return notSent(exchange.stopped);
  granted.pass = admit(target.health, now);
  if (granted.pass === null) return notSent(resting(target));
  record.provider = target.provider;
  record.model = target.model;
  record.attempts += 1;
  record.waitedMs += granted.waitedMs;
  record.sentMs = now;
  const facts = parts.limiter.facts(reservation.meters, now);
  const attempt = new Attempt(exchange, target.upstream, facts, parts);
  exchange.onStop = (error) => attempt.abort(error);
  return attempt.run(now);
}

/** Books what an attempt has used and how its target did; `end` is null when a fault of ours broke it off. */
function settle(
  exchange: Exchange,
  { target, reservation, pass }: Granted,
  end: AttemptEnd | null,
  { planned, parts }: { readonly planned: PlannedRequest; readonly parts: ServeParts },
): void {
  const { record } = exchange;
  const now = parts.clock.elapsedMs();
  exchange.onStop = null;
  if (pass !== null) report(target.health, pass, verdictOf(end), now);
  const latencyMs = latencyOf(end, record, now);
  if (latencyMs !== null) observeLatency(target.health, latencyMs, now);
  if (end === null || !end.isSent) parts.limiter.giveBack(reservation, now);
  else parts.limiter.settle(reservation, usageOf(end, target.upstream, planned, record), now);
}

/** How long the provider took to begin its answer, or was waited for in vain; null: that was not seen. */
function latencyOf(
  end: AttemptEnd | null,
  { sentMs, firstByteMs }: RequestRecord,
  now: number,
): number | null {
  if (end?.error?.code === "provider_timeout" && end.kind === "failed") return now - sentMs;
  return firstByteMs > 0 ? firstByteMs - sentMs : null;
}

/** Who was tried, if anyone, and what is left of the limits that refused the request. */
function failureHeaders({ record, limitHeaders }: Exchange): readonly string[] {
  if (record.attempts === 0) return limitHeaders;
  const { provider, model, attempts } = record;
  return [
    "x-sluice-provider",
    headerSafe(provider),
    "x-sluice-model",
    headerSafe(model),
    "x-sluice-attempts",
    String(attempts),
    ...limitHeaders,
  ];
}

/** What an attempt that was sent is settled with: what was reported, else what the bytes tell. */
function usageOf(
  end: AttemptEnd,
  target: UpstreamTarget,
  planned: PlannedRequest,
  record: RequestRecord,
): Usage {
  if (end.usage !== null) {
    if (end.kind === "answered") target.estimate.learn(planned.shape, end.usage);
    record.usage = end.usage;
    return end.usage;
  }
  // A provider that answered with an error has produced nothing; one that fell silent has read the prompt, as far as one knows.
  if (end.kind === "failed" && end.isRefused) return NOTHING_USED;
  record.isUsageEstimated = true;
  record.usage = estimatedUsage(target.estimate.of(planned.shape).inputTokens, end.outputTokens);
  return record.usage;
}

function notSent(error: GatewayError): AttemptEnd {
  return { kind: "failed", error, isSent: false, isRefused: false, usage: null, outputTokens: 0 };
}

/** Another request took the place of the probe that this target was to be tried with. */
function resting(target: RouteTarget): GatewayError {
  return new GatewayError(
    "provider_overloaded",
    `Provider \`${target.provider}\` is resting after failures.`,
  );
}

/** The client has no reason to repeat what was repeated here already. */
function finalError(error: GatewayError, attempts: number): GatewayError {
  if (attempts < 2 || error.shouldRetry !== undefined) return error;
  return error.with({ shouldRetry: false });
}

function waitOf(retryAfterMs: number | undefined): { retryAfterMs?: number } {
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

/** A broken invariant of ours: it ends this request and is logged; the client learns nothing of it. */
export function unexpected(cause: unknown, requestId: string, { observer }: ServeParts): GatewayError {
  if (cause instanceof GatewayError) return cause;
  observer.log.error("request failed unexpectedly", { requestId, cause });
  return new GatewayError("internal_error", "The gateway failed to serve the request.", { cause });
}
