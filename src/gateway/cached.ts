// A request's life where answers are kept:
//
//   found ──▶ the key's limit on requests ──▶ the kept answer                              hit
//   not found, nobody asks it ──▶ serve, recorded ──▶ kept, and given to those who wait    miss
//   not found, somebody asks it ──▶ wait ─┬▶ the key's limit on requests ──▶ that answer   wait
//                                         └▶ serve: the other one has left or failed       miss
//
// A kept answer takes nothing from providers, and no tokens or dollars from the key; it is a request all the same.
import type { CachedAnswer } from "../cache/answer.ts";
import { directivesOf } from "../cache/directives.ts";
import type { Flight, FlightEnd } from "../cache/flights.ts";
import { GatewayError } from "../errors.ts";
import type { CacheUse } from "../observe/events.ts";
import { isCovered, questionOf, type CachePolicy } from "./cache-policy.ts";
import { admitKept } from "./admit-kept.ts";
import type { Exchange } from "./exchange.ts";
import { sendKept } from "./relay/kept-answer.ts";
import { Recording } from "./relay/recording.ts";
import { serve, type ServeParts } from "./serve.ts";

/** What a request's life needs here. */
interface Life {
  readonly exchange: Exchange;
  readonly parts: ServeParts;
  readonly policy: CachePolicy;
  readonly key: string;
}

/** Like `serve`, with a look at what is kept. */
export async function serveCached(
  exchange: Exchange,
  parts: ServeParts,
  policy: CachePolicy,
): Promise<GatewayError | null> {
  if (!isCovered(exchange, policy)) return serve(exchange, parts);
  const directives = directivesOf(exchange.request.headers["cache-control"]);
  const key = directives.isBypassed ? null : questionOf(exchange, policy);
  if (key === null) {
    note(exchange, policy, "bypass", null);
    return directives.isOnlyIfCached ? notKept() : serve(exchange, parts);
  }
  const life: Life = { exchange, parts, policy, key };
  const found = directives.isRefresh ? null : policy.cache.find(key, directives.maxAgeMs);
  if (found !== null) return giveKept(life, found.answer, { use: "hit", ageMs: found.ageMs });
  if (directives.isOnlyIfCached) {
    note(exchange, policy, "miss", null);
    return notKept();
  }
  // Whoever wants it fresh does not take what was asked for before.
  return directives.isRefresh ? lead(life, null) : join(life);
}

/** Leads, if nobody else does, or waits for the one who does. */
async function join(life: Life): Promise<GatewayError | null> {
  const { exchange, parts, policy, key } = life;
  const { flights } = policy.cache;
  const flight = flights.get(key);
  if (flight === undefined) return lead(life, flights.begin(key));
  if (flight.isFull) return serveAlone(life);
  const end = await follow(flight, exchange, parts);
  switch (end.kind) {
    case "answered":
      return giveKept(life, end.answer, { use: "wait", ageMs: 0 });
    case "lead":
      return lead(life, flight);
    case "alone":
      return serveAlone(life);
    case "stopped":
      return end.error;
  }
}

function serveAlone({ exchange, parts, policy }: Life): Promise<GatewayError | null> {
  note(exchange, policy, "miss", null);
  return serve(exchange, parts);
}

/** Asks the provider, and keeps the answer if it is a whole one. `flight`: those who wait for it; null: nobody does. */
async function lead(life: Life, flight: Flight | null): Promise<GatewayError | null> {
  const { exchange, parts, policy, key } = life;
  note(exchange, policy, "miss", null);
  const recording = new Recording(exchange.downstream.response, policy.cache, () => flight?.release());
  exchange.recording = recording;
  let kept: CachedAnswer | null = null;
  try {
    const error = await serve(exchange, parts);
    if (error === null) kept = answerOf(exchange, recording, parts);
    return error;
  } finally {
    recording.close();
    if (kept !== null) {
      policy.cache.keep(key, kept);
      flight?.answered(kept);
    } else if (exchange.stopped === null) {
      flight?.failed();
    } else {
      flight?.abandoned();
    }
  }
}

/** The answer as it is kept; null: it was too large. */
function answerOf(
  { request, record }: Exchange,
  recording: Recording,
  { clock }: ServeParts,
): CachedAnswer | null {
  const body = recording.body();
  if (body === null || record.status !== 200) return null;
  return {
    storedMs: clock.wallMs(),
    isStream: request.members.isStream,
    provider: record.provider,
    model: record.model,
    inputTokens: record.usage?.inputTokens ?? 0,
    outputTokens: record.usage?.outputTokens ?? 0,
    warnings: recording.warnings,
    body,
  };
}

type FollowEnd = FlightEnd | { readonly kind: "stopped"; readonly error: GatewayError };

/** Until the flight ends, this request's own deadline passes, or it has to stop. */
function follow(flight: Flight, exchange: Exchange, { clock, timers }: ServeParts): Promise<FollowEnd> {
  return new Promise((resolve) => {
    const end = (outcome: FollowEnd): void => {
      stopTimer();
      leave();
      exchange.onStop = null;
      resolve(outcome);
    };
    const leave = flight.follow(end);
    const waitMs = Math.max(0, exchange.deadlineMs - clock.elapsedMs());
    const stopTimer = timers.after(waitMs, () => end({ kind: "stopped", error: tooLate() }));
    exchange.onStop = (error) => end({ kind: "stopped", error });
  });
}

/** Gives a kept answer, if the key may ask at all. */
async function giveKept(
  { exchange, parts, policy }: Life,
  answer: CachedAnswer,
  how: { readonly use: "hit" | "wait"; readonly ageMs: number },
): Promise<GatewayError | null> {
  const admitted = admitKept(exchange, parts);
  const error = admitted instanceof Promise ? await admitted : admitted;
  if (error !== null) return error;
  if (exchange.stopped !== null) return exchange.stopped;
  note(exchange, policy, how.use, answer);
  sendKept(exchange, answer, how.ageMs);
  return null;
}

function note({ record }: Exchange, { cache }: CachePolicy, use: CacheUse, saved: CachedAnswer | null): void {
  record.cache = use;
  cache.count(use, saved);
}

function notKept(): GatewayError {
  return new GatewayError(
    "not_cached",
    "The client asked for a kept answer only (`cache-control: only-if-cached`), and there is none that is fresh enough.",
  );
}

function tooLate(): GatewayError {
  return new GatewayError(
    "provider_timeout",
    "An identical request that is under way was not answered before this one's time was over.",
  );
}
