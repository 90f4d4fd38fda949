// Whose doing the end of a request was, as the metrics and the log tell it.
import { expect, test } from "vitest";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { outcomeOf } from "../../src/gateway/outcome.ts";

test.each<[ErrorCode, string]>([
  ["rate_limit_exceeded", "refused"],
  ["fleet_unavailable", "refused"],
  ["overloaded", "refused"],
  ["no_provider", "refused"],
  ["shutting_down", "refused"],
  ["storage_unavailable", "internal_error"],
  ["internal_error", "internal_error"],
  ["invalid_request", "client_error"],
  ["model_not_found", "client_error"],
  ["client_gone", "client_gone"],
  ["stream_interrupted", "interrupted"],
  ["provider_rate_limited", "provider_error"],
  ["provider_overloaded", "provider_error"],
  ["provider_timeout", "provider_error"],
])("%s is told as %s", (code, outcome) => {
  expect(outcomeOf(new GatewayError(code, "x"))).toBe(outcome);
});
