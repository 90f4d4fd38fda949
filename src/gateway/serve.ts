// One request's life, in reading order:
//
//   plan ─▶ ┌ reserve ─▶ send ─▶ first event ─▶ relay ─▶ settle ┐ ─▶ record
//           └────────── again, while nothing has gone out ◀─────┘
//
// `carryOut` covers send to settle for one target, whatever ends it. Nothing is tried again after the first byte has gone
// to the client.
import type { Clock, Random, Timers } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { Limiter } from "../limiter/limiter.ts";
import { refusalError } from "../limiter/refusal.ts";
import type { Refusal } from "../limiter/reservation.ts";
import type { Observer } from "../observe/events.ts";
import { plan } from "../routing/plan.ts";
import type { Progress } from "../routing/retry.ts";
import type { Attempt as PlannedAttempt, Target } from "../routing/target.ts";
import type { Watch } from "../upstream/watch.ts";
import { obtain } from "./admission.ts";
import { carryOut } from "./carry-out.ts";
import { answerCount } from "./count.ts";
import type { HeaderList } from "./downstream.ts";
import type { Exchange } from "./exchange.ts";
import { isUnsuited, outcomeOf } from "./outcome.ts";
import { PlannedRequest } from "./planned-request.ts";
import { pause, progressFrom, setbackOf } from "./retry.ts";
import { hedgeDelayMs, Race } from "./race.ts";
import type { Hedges } from "./hedges.ts";
import type { Shadows } from "./shadows.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

export interface ServeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly watch: Watch;
  readonly limiter: Limiter;
  readonly observer: Observer;
  readonly hedges: Hedges;
  readonly shadows: Shadows;
}

type RouteTarget = Target<UpstreamTarget>;
type RouteAttempt = PlannedAttempt<UpstreamTarget>;

/** From the plan to an answer (`null`) or the error that the request ends with, which the client has not been told yet. */
export async function serve(exchange: Exchange, parts: ServeParts): Promise<GatewayError | null> {
  const planned = new PlannedRequest(exchange, parts, parts.clock.elapsedMs());
  const route = plan(planned, exchange.runtime.routes, planned);
  if (route.kind === "refused")
    return new GatewayError(route.code, route.message, waitOf(route.retryAfterMs));
  const first = route.attempts[0]?.target;
  if (first !== undefined && isCounted(exchange, first)) {
    answerCount(exchange, first.upstream.answerHeaders);
    return null;
  }
  const attempts = reachable(route.attempts, exchange);
  if (attempts.length === 0) return unreachable();
  let targets: readonly RouteTarget[] = attempts.map(({ target }) => target);
  let failure: GatewayError | null = null;
  let progress: Progress<UpstreamTarget> | null = null;
  let { shadow } = route;
  for (;;) {
    const pending = obtain(targets, planned, exchange, parts);
    const granted = pending instanceof Promise ? await pending : pending;
    if (granted.kind === "refused") return exchange.stopped ?? failure ?? turnedAway(granted, parts);
    progress?.started(granted.target);
    const way = { exchange, planned, parts, race: null };
    const afterMs = attempts.length > 1 ? hedgeDelayMs(exchange, granted.target) : null;
    const race: Race | null = afterMs === null ? null : new Race({ way, afterMs, attempts, progress });
    const running = race === null ? carryOut(granted, way) : race.run(granted);
    if (shadow !== null) parts.shadows.send(exchange, shadow, parts);
    shadow = null;
    const end = await running;
    exchange.onStop = null;
    if (end.kind !== "failed") return end.error;
    // What one target can't be asked is not what the client has to know of one that was.
    if (failure === null || !isUnsuited(end)) failure = end.error;
    if (exchange.stopped !== null) return exchange.stopped;
    if (!exchange.isRepeatable) return finalError(failure, exchange.record.attempts);
    progress = race?.progress ?? progress ?? progressFrom(attempts, granted.target, exchange);
    const last = race === null ? granted.target : race.last;
    const step = progress.next(last, setbackOf(end), parts.clock.elapsedMs(), parts.random);
    if (step.kind === "stop") return finalError(failure, exchange.record.attempts);
    await pause(exchange, step.delayMs, parts.timers);
    if (exchange.stopped !== null) return exchange.stopped;
    planned.now = parts.clock.elapsedMs();
    targets = step.targets;
  }
}

function turnedAway(refusal: Refusal, { limiter }: ServeParts): GatewayError {
  limiter.countRefused(refusal);
  return refusalError(refusal);
}

/** The attempts that can know what the request builds on: an earlier answer is known to its own provider alone. */
function reachable(attempts: readonly RouteAttempt[], { previous }: Exchange): readonly RouteAttempt[] {
  return previous === null
    ? attempts
    : attempts.filter(({ target }) => target.upstream.account === previous.account);
}

function unreachable(): GatewayError {
  const message = "The earlier response is kept by a provider that does not serve this model.";
  return new GatewayError("invalid_request", message, { param: "previous_response_id" });
}

/** Whether the question is how many tokens a request has, and this target can't tell. */
function isCounted({ request }: Exchange, target: RouteTarget): boolean {
  return target.upstream.language.passages[request.route.kind]?.kind === "counted";
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
  exchange.request.upload?.close();
  record.endedMs = parts.clock.elapsedMs();
  parts.observer.requestEnded(record);
}

/** Who was tried or had no room, and what is left of the limits that refused the request. */
function failureHeaders({ record, targetHeaders, limitHeaders }: Exchange): HeaderList {
  return [...targetHeaders, "x-sluice-attempts", String(record.attempts), ...limitHeaders];
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
