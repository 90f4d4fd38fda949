// A kept answer costs a provider nothing, but the limits on how many requests a client key may make count it: they are
// there against clients that ask too often. Its other limits don't, for nothing is used.
import type { Ask, Refusal, Reservation } from "../limiter/reservation.ts";
import { refusalError } from "../limiter/refusal.ts";
import type { GatewayError } from "../errors.ts";
import type { Exchange } from "./exchange.ts";
import { priorityOf } from "./priority.ts";
import type { ServeParts } from "./serve.ts";
import { NOTHING_USED } from "./relay/usage.ts";

const NO_TOKENS: Ask["estimate"] = { inputTokens: 0, outputTokens: 0, maxTokens: null, modelMaxTokens: null };

/** Takes the request from the key's limits; like any other it waits for room there. The answer is why it may not pass. */
export function admitKept(
  exchange: Exchange,
  parts: ServeParts,
): GatewayError | null | Promise<GatewayError | null> {
  const { request, runtime } = exchange;
  const meters = runtime.metersOf.get(request.key)?.ofRequests;
  if (meters === undefined || meters.meters.length === 0) return null;
  const now = parts.clock.elapsedMs();
  const ask: Ask = {
    estimate: NO_TOKENS,
    priority: priorityOf(request.headers, request.key),
    clientKey: request.key.name,
    weight: request.key.weight,
    deadlineMs: Math.min(now + runtime.queueWaitMs, exchange.deadlineMs),
  };
  const outcome = parts.limiter.reserve(meters, ask, now);
  if (outcome.kind !== "waiting") return book(outcome, parts);
  return new Promise((resolve) => {
    outcome.decided((decision) => {
      exchange.onStop = null;
      exchange.record.waitedMs += parts.clock.elapsedMs() - now;
      resolve(book(decision, parts));
    });
    exchange.onStop = (error) => {
      outcome.cancel();
      exchange.onStop = null;
      resolve(error);
    };
  });
}

function book(outcome: Reservation | Refusal, { limiter, clock }: ServeParts): GatewayError | null {
  if (outcome.kind === "refused") {
    limiter.countRefused(outcome);
    return refusalError(outcome);
  }
  limiter.settle(outcome, NOTHING_USED, clock.elapsedMs());
  return null;
}
