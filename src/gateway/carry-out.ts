// One attempt from its units to their settlement: the target's circuits let it through, it is sent, its answer is
// relayed, and what was reserved is settled in the `finally` beside it, so that no way out can miss it or do it twice.
// Where the provider still counts the attempt as running, its slot there is freed when it does not any more.
import { GatewayError } from "../errors.ts";
import type { RateLimitFacts } from "../limiter/reservation.ts";
import type { Usage } from "../observe/events.ts";
import { admit, observeLatency, report } from "../routing/health.ts";
import type { Target } from "../routing/target.ts";
import type { Granted } from "./admission.ts";
import { Attempt, type AttemptEnd } from "./attempt.ts";
import type { Exchange } from "./exchange.ts";
import { verdictOf } from "./outcome.ts";
import type { PlannedRequest } from "./planned-request.ts";
import type { Race } from "./race.ts";
import { withSale } from "./sale.ts";
import type { ServeParts } from "./serve.ts";
import type { KeyRenewal, UpstreamTarget } from "./sending/upstream-target.ts";
import { estimatedUsage, NOTHING_USED } from "./relay/usage.ts";

/** The request that attempts are made for. */
export interface Way {
  readonly exchange: Exchange;
  readonly planned: PlannedRequest;
  readonly parts: ServeParts;
  /** Whether another attempt of the request may run at the same time, so that the request's record is the winner's to write. */
  readonly race: Race | null;
}

/** Sends the request to the target that has granted it. Rejects only for a fault of ours. */
export async function carryOut(granted: Granted, way: Way): Promise<AttemptEnd> {
  let end: AttemptEnd | null = null;
  try {
    const { renewal } = granted.target.upstream.access;
    const isKeyed = renewal === null || renewal.isValid();
    const begun = isKeyed ? begin(granted, way) : beginKeyed(granted, renewal, way);
    end = begun instanceof Promise ? await begun : begun;
    return end;
  } finally {
    settle(granted, end, way);
  }
}

function begin(granted: Granted, { exchange, parts, race }: Way): AttemptEnd | Promise<AttemptEnd> {
  const { target, reservation } = granted;
  const { record } = exchange;
  const now = parts.clock.elapsedMs();
  if (exchange.stopped !== null) return notSent(exchange.stopped);
  granted.pass = admit(target.health, now);
  if (granted.pass === null) return notSent(resting(target));
  const facts = parts.limiter.facts(reservation.meters, now);
  const attempt = attemptAt(target.upstream, exchange, facts, parts);
  record.waitedMs += granted.waitedMs;
  // Of attempts that were made, the client hears of the last.
  if (attempt instanceof Attempt || record.attempts === 0) {
    exchange.targetHeaders = target.upstream.answerHeaders;
    record.provider = target.provider;
    record.model = target.model;
  }
  if (attempt instanceof GatewayError) return notSent(attempt);
  record.attempts += 1;
  granted.attempt = attempt;
  record.sentMs = now;
  if (race === null) exchange.onStop = (error) => attempt.abort(error);
  else race.joined(granted, attempt);
  return attempt.run(now);
}

/** Where there is no valid key, one that is being renewed is waited for: it takes no longer than its own deadline. */
async function beginKeyed(granted: Granted, renewal: KeyRenewal, way: Way): Promise<AttemptEnd> {
  const { exchange, race } = way;
  const stopped = Promise.withResolvers<GatewayError>();
  // In a race others may run beside this one, and being stopped is theirs to hear.
  if (race === null) exchange.onStop = stopped.resolve;
  const missing = await Promise.race([renewal.missing(), stopped.promise]);
  if (missing !== null && exchange.stopped === null) return notSent(missing);
  return begin(granted, way);
}

/** The attempt, or why this request can't be asked of this target. */
function attemptAt(
  target: UpstreamTarget,
  exchange: Exchange,
  facts: RateLimitFacts,
  parts: ServeParts,
): Attempt | GatewayError {
  try {
    return new Attempt(exchange, target, facts, parts);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

/** Books what an attempt has used and how its target did; `end` is null when a fault of ours broke it off. */
function settle(granted: Granted, end: AttemptEnd | null, { exchange, planned, parts, race }: Way): void {
  const { target, reservation, pass } = granted;
  const now = parts.clock.elapsedMs();
  if (pass !== null) report(target.health, pass, verdictOf(end), now);
  if (end?.isSent === true && end.error?.code === "provider_auth") target.upstream.access.renewal?.refused();
  const isOutrun = end?.kind === "lost" && race?.isFirst(granted) === true;
  const latencyMs = end === null ? null : isOutrun ? now - end.sentMs : latencyOf(end, now);
  const form = exchange.request.members.isStream ? "streamed" : "whole";
  if (latencyMs !== null) observeLatency(target.health, form, latencyMs, now);
  if (end === null || !end.isSent) return parts.limiter.giveBack(reservation, now);
  const told = usageOf(end, target.upstream, planned, form);
  const used = soldOf(told, end, { target, exchange });
  settleUse(granted, used, now, parts);
  if (end.kind === "lost" || (end.kind === "failed" && end.isRefused)) return;
  exchange.record.isUsageEstimated = told !== end.usage;
  exchange.record.usage = used;
}

function settleUse({ reservation, attempt }: Granted, used: Usage, now: number, parts: ServeParts): void {
  const { limiter, clock } = parts;
  if (attempt === null || !attempt.isRunning || !reservation.meters.hasSlots) {
    limiter.settle(reservation, used, now);
    return;
  }
  limiter.settleUse(reservation, used, now);
  attempt.onReleased(() => limiter.freeSlots(reservation, clock.elapsedMs()));
}

/** How long the provider took to begin its answer, or was waited for in vain; null: that was not seen. */
function latencyOf({ kind, error, sentMs, firstByteMs }: AttemptEnd, now: number): number | null {
  if (kind === "failed" && error.code === "provider_timeout") return now - sentMs;
  return firstByteMs > 0 ? firstByteMs - sentMs : null;
}

/**
 * What an attempt that was sent is settled with: what was reported, else what the bytes tell. An answer that broke off
 * may have reported no more than its beginning, and a count of nothing beside a stream of something is none; so is one of
 * no prompt beside an answer.
 */
function usageOf(
  end: AttemptEnd,
  target: UpstreamTarget,
  planned: PlannedRequest,
  form: "streamed" | "whole",
): Usage {
  const { usage } = end;
  if (usage === null) return estimateOf(end, target, planned);
  const isSilent = form === "streamed" && usage.outputTokens === 0 && end.outputTokens > 0;
  const lacksInput = usage.inputTokens === 0 && usage.outputTokens > 0 && usage.sold === undefined;
  const lacksOutput = isSilent || end.kind !== "answered";
  if (!lacksInput && !lacksOutput) {
    target.estimate.learn(planned.shape, usage);
    return usage;
  }
  const estimated = estimateOf(end, target, planned);
  if (isSilent && usage.inputTokens === 0) return estimated;
  const inputTokens = lacksInput ? estimated.inputTokens : usage.inputTokens;
  const outputTokens = lacksOutput
    ? Math.max(usage.outputTokens, estimated.outputTokens)
    : usage.outputTokens;
  const isAsReported = inputTokens === usage.inputTokens && outputTokens === usage.outputTokens;
  return isAsReported ? usage : { ...usage, inputTokens, outputTokens };
}

function estimateOf(end: AttemptEnd, target: UpstreamTarget, planned: PlannedRequest): Usage {
  // A provider that answered with an error has produced nothing; one that fell silent has read the prompt, as far as one knows.
  if (end.kind !== "answered" && end.isRefused) return NOTHING_USED;
  const { inputTokens, outputTokens, maxTokens } = target.estimate.of(planned.shape);
  // Bytes may be anything. No answer is longer than what was asked for, and what was no good is no more than what was expected.
  const isUseless = end.kind === "failed" || end.kind === "lost";
  const outputTokensMax = isUseless ? outputTokens : (maxTokens ?? Infinity);
  return estimatedUsage(inputTokens, Math.min(end.outputTokens, outputTokensMax));
}

/** With what is sold by other units than tokens, if anything was made. */
function soldOf(
  used: Usage,
  { usage }: AttemptEnd,
  { target, exchange }: { readonly target: Target<UpstreamTarget>; readonly exchange: Exchange },
): Usage {
  const isSold = used !== NOTHING_USED && target.upstream.limits.meters.hasUnitPrices;
  return isSold ? withSale(used, usage, exchange) : used;
}

function notSent(error: GatewayError): AttemptEnd {
  return {
    kind: "failed",
    error,
    isSent: false,
    isRefused: false,
    usage: null,
    outputTokens: 0,
    sentMs: 0,
    firstByteMs: 0,
  };
}

/** Another request took the place of the probe that this target was to be tried with. */
function resting(target: Target<UpstreamTarget>): GatewayError {
  return new GatewayError(
    "provider_overloaded",
    `Provider \`${target.provider}\` is resting after failures.`,
  );
}
