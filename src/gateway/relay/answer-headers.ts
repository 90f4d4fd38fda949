// The headers of an answer: who answered, what is left of the fleet's limits, and what the provider has to say beyond
// its own limits and its connection.
import type { IncomingHttpHeaders } from "node:http";
import { headerSafe } from "../sending/upstream-target.ts";
import type { LimitFacts, RateLimitFacts } from "../../limiter/reservation.ts";

/** Content types of the two ways in which most answers come. */
export const JSON_TYPE = "application/json";
export const STREAM_TYPE = "text/event-stream";

/** The headers that say what kind of answer follows. */
export function answerType(type: string): string[] {
  if (type === "") return [];
  return type.startsWith(STREAM_TYPE)
    ? ["content-type", type, "cache-control", "no-cache"]
    : ["content-type", type];
}

/** The provider's headers that never reach the client: its connection's, its limits, and what we say ourselves. */
const DROPPED =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-(?:length|encoding|type)|date|server|via|set-cookie.*|alt-svc|strict-transport-security|access-control-.*|cache-control|retry-after.*|x-should-retry|(?:.*-)?rate-?limit.*|x-sluice-.*|(?:x-)?request-id)$/;

/** Whether a header is passed on, by name; providers send the same few dozen names again and again. */
const passed = new Map<string, boolean>();
const PASSED_NAMES_MAX = 1000;

function isPassed(name: string): boolean {
  const known = passed.get(name);
  if (known !== undefined) return known;
  if (passed.size >= PASSED_NAMES_MAX) passed.clear();
  const answer = !DROPPED.test(name);
  passed.set(name, answer);
  return answer;
}

/** Adds what the provider says that is of use to the client. Its request id goes by another name: ours is the one to quote. */
export function addProviderHeaders(to: string[], headers: IncomingHttpHeaders): void {
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string" && isPassed(name)) to.push(name, value);
  }
  const id = headers["x-request-id"] ?? headers["request-id"];
  if (typeof id === "string") to.push("x-sluice-upstream-request-id", id);
}

/** Longer lists of warnings are cut: some clients refuse heads of more than 16 KB. */
const WARNING_CHARS_MAX = 2000;

/** Adds `x-sluice-warning`: what could not be carried over into the provider's language. */
export function addWarnings(to: string[], warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  to.push("x-sluice-warning", headerSafe(warnings.join(" ")).slice(0, WARNING_CHARS_MAX));
}

/** Adds `x-ratelimit-*` as the client's language has them. */
export function addLimitHeaders(to: string[], facts: RateLimitFacts): void {
  if (facts.requests !== null) addLimit(to, REQUESTS, facts.requests);
  if (facts.tokens !== null) addLimit(to, TOKENS, facts.tokens);
}

interface LimitNames {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

const REQUESTS: LimitNames = {
  limit: "x-ratelimit-limit-requests",
  remaining: "x-ratelimit-remaining-requests",
  reset: "x-ratelimit-reset-requests",
};
const TOKENS: LimitNames = {
  limit: "x-ratelimit-limit-tokens",
  remaining: "x-ratelimit-remaining-tokens",
  reset: "x-ratelimit-reset-tokens",
};

function addLimit(to: string[], names: LimitNames, { limit, remaining, resetMs }: LimitFacts): void {
  to.push(
    names.limit,
    String(Math.floor(limit)),
    names.remaining,
    String(Math.max(0, Math.floor(remaining))),
  );
  to.push(names.reset, formatDuration(resetMs));
}

/** A time as Go prints it, which is how clients of these headers expect it: `12ms`, `6.2s`, `1m3.2s`, `24h0m0s`. */
export function formatDuration(ms: number): string {
  const whole = Math.ceil(Math.max(0, ms));
  if (!Number.isFinite(whole)) return "0s";
  if (whole < 1000) return whole === 0 ? "0s" : `${whole}ms`;
  const seconds = (whole % 60_000) / 1000;
  if (whole < 60_000) return `${seconds}s`;
  const minutes = Math.floor(whole / 60_000);
  if (minutes < 60) return `${minutes}m${seconds}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}s`;
}
