// How an ended request is told to the metrics, and an ended attempt to the target's health.
import type { ErrorCode, GatewayError } from "../errors.ts";
import type { Outcome } from "../observe/events.ts";
import type { FailureKind, Verdict } from "../routing/health.ts";
import type { AttemptEnd } from "./attempt.ts";

/** The gateway's own refusals: no provider has to do with them. */
const REFUSED = new Set<ErrorCode>([
  "rate_limit_exceeded",
  "insufficient_quota",
  "request_exceeds_limit",
  "queue_full",
  "shutting_down",
  "fleet_unavailable",
  "overloaded",
  "no_provider",
  "not_cached",
]);

/** What goes wrong in the gateway itself, its disk included. */
const INTERNAL = new Set<ErrorCode>(["internal_error", "storage_unavailable", "invalid_config"]);

/** The metrics' `outcome` of a request that failed with this error. */
export function outcomeOf(error: GatewayError): Outcome {
  if (error.code === "client_gone") return "client_gone";
  if (error.code === "stream_interrupted") return "interrupted";
  if (INTERNAL.has(error.code)) return "internal_error";
  if (REFUSED.has(error.code)) return "refused";
  return error.status < 500 && !error.code.startsWith("provider_") ? "client_error" : "provider_error";
}

/** What an error says about the target; one that is not listed was the request's fault, or ours. */
const FAILURES: Partial<Readonly<Record<ErrorCode, FailureKind>>> = {
  provider_rate_limited: "rate_limited",
  provider_quota_spent: "quota_spent",
  provider_overloaded: "overloaded",
  provider_auth: "auth",
  provider_unreachable: "unreachable",
  provider_timeout: "timeout",
  provider_error: "transient",
  provider_bad_response: "transient",
  stream_interrupted: "interrupted",
  model_not_found: "not_found",
  context_length_exceeded: "context_length",
  content_filter: "content_filter",
};

/** Errors that are a provider's own word on why there is no answer, rather than what the gateway saw of one. */
const TOLD = new Set<ErrorCode>([
  "provider_rate_limited",
  "provider_quota_spent",
  "provider_overloaded",
  "provider_auth",
  "provider_error",
  "model_not_found",
  "context_length_exceeded",
  "content_filter",
  "invalid_request",
  "unsupported_parameter",
]);

/** Whether the provider has said that there is no answer. */
export function isToldByProvider({ code }: GatewayError): boolean {
  return TOLD.has(code);
}

const OK: Verdict = { kind: "ok" };
const ABANDONED: Verdict = { kind: "abandoned" };

/** Whether the request can't be said in the target's language, so that nothing was sent; another's may have words for it. */
export function isUnsuited({ isSent, error }: AttemptEnd): boolean {
  return !isSent && error?.code === "unsupported_parameter";
}

/** What an attempt's end says about its target; null: it broke off by a fault of ours. */
export function verdictOf(end: AttemptEnd | null): Verdict {
  if (end === null || end.kind === "gone" || end.kind === "lost") return ABANDONED;
  if (end.kind === "answered") return OK;
  if (isUnsuited(end)) return ABANDONED;
  const kind = FAILURES[end.error.code] ?? "bad_request";
  const { retryAfterMs } = end.error;
  return retryAfterMs === undefined ? { kind } : { kind, waitMs: retryAfterMs };
}
