import { describe, expect, test } from "vitest";
import { ERRORS, GatewayError, type ErrorCode } from "../../src/errors.ts";
import {
  errorBody,
  errorEvent,
  errorHeaders,
  errorStatus,
  hiddenError,
} from "../../src/http/error-answer.ts";

function headersOf(error: GatewayError): Record<string, string> {
  const list = errorHeaders(error, "chat", "id-1");
  const entries: [string, string][] = [];
  for (let at = 0; at < list.length; at += 2) entries.push([list[at] ?? "", list[at + 1] ?? ""]);
  return Object.fromEntries(entries);
}

const CODES = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);

describe("an error's body", () => {
  test.each(CODES)("has all four keys for %s", (code) => {
    const body: unknown = JSON.parse(errorBody(new GatewayError(code, "Because."), "chat", "id-1"));
    const { type, clientCode = code }: { type: string; clientCode?: string } = ERRORS[code];
    expect(body).toEqual({ error: { message: "Because.", type, param: null, code: clientCode } });
  });

  test.each([
    ["provider_quota_spent", "insufficient_quota"],
    ["insufficient_quota", "insufficient_quota"],
    ["provider_rate_limited", "rate_limit_exceeded"],
    ["queue_full", "rate_limit_exceeded"],
    ["request_exceeds_limit", "rate_limit_exceeded"],
    ["rate_limit_exceeded", "rate_limit_exceeded"],
    ["provider_timeout", "provider_timeout"],
  ] as const)("of %s has the code that clients match: %s, and ours in a header", (code, clientCode) => {
    const error = new GatewayError(code, "Because.");
    expect(JSON.parse(errorBody(error, "chat", "id-1"))).toMatchObject({ error: { code: clientCode } });
    expect(headersOf(error)["x-sluice-error"]).toBe(code);
  });

  test("comes with the status that its clients branch on", () => {
    const overloaded = new GatewayError("provider_overloaded", "x");
    expect(errorStatus(overloaded, "chat")).toBe(503);
    expect(errorStatus(overloaded, "messages")).toBe(529);
    expect(errorStatus(new GatewayError("provider_timeout", "x"), "messages")).toBe(504);
  });

  test("names the parameter at fault", () => {
    const error = new GatewayError("invalid_request", "x", { param: "messages[0].role" });
    expect(JSON.parse(errorBody(error, "chat", "id-1"))).toMatchObject({
      error: { param: "messages[0].role" },
    });
  });

  test.each([
    ["invalid_request", undefined, "invalid_request_error"],
    ["invalid_api_key", undefined, "authentication_error"],
    ["permission_denied", undefined, "permission_error"],
    ["model_not_found", undefined, "not_found_error"],
    ["request_too_large", undefined, "request_too_large"],
    ["rate_limit_exceeded", undefined, "rate_limit_error"],
    ["provider_timeout", undefined, "timeout_error"],
    ["provider_overloaded", 529, "overloaded_error"],
    ["provider_error", undefined, "api_error"],
    ["headers_too_large", undefined, "invalid_request_error"],
  ] as const)("of %s (%s) is %s to clients of the messages route", (code, status, type) => {
    const error = new GatewayError(code, "Because.", status === undefined ? {} : { status });
    expect(JSON.parse(errorBody(error, "messages", "id-1"))).toEqual({
      type: "error",
      error: { type, message: "Because." },
      request_id: "id-1",
    });
  });

  test("about a thread tells clients of the messages route to send their conversation whole", () => {
    const error = new GatewayError("unsupported_parameter", "Because.", { param: "thread" });
    expect(JSON.parse(errorBody(error, "messages", "id-1"))).toMatchObject({
      error: {
        type: "invalid_request_error",
        details: { error_code: "thread_unsupported_request", unsupported: ["thread"] },
      },
    });
  });

  test("as the last event of a stream is named where its clients ignore unnamed ones", () => {
    const error = new GatewayError("stream_interrupted", "a\nb");
    expect(errorEvent(error, "chat", "id-1")).toMatch(/^data: \{.*\}\n\n$/);
    expect(errorEvent(error, "messages", "id-1")).toMatch(/^event: error\ndata: \{.*\}\n\n$/);
  });

  test("says nothing of an unexpected exception", () => {
    const text = errorBody(hiddenError(new Error("secret")), "chat", "id-1");
    expect(text).toContain("internal_error");
    expect(text).not.toContain("secret");
  });
});

describe("the wait a client is told", () => {
  test.each([
    [0, "1", "1"],
    [-5, "1", "1"],
    [0.2, "1", "1"],
    [999, "1", "999"],
    [1000, "1", "1000"],
    [1000.5, "2", "1001"],
    [60_000, "60", "60000"],
    [60_001, "61", undefined],
    [3_600_000, "3600", undefined],
    [Number.POSITIVE_INFINITY, undefined, undefined],
    [Number.NaN, undefined, undefined],
    [undefined, undefined, undefined],
  ])("for %d ms is %s s and %s ms", (retryAfterMs, seconds, ms) => {
    const details = retryAfterMs === undefined ? {} : { retryAfterMs };
    const headers = headersOf(new GatewayError("rate_limit_exceeded", "x", details));
    expect(headers["retry-after"]).toBe(seconds);
    expect(headers["retry-after-ms"]).toBe(ms);
  });
});

describe("whether a client is told to retry", () => {
  test.each([
    [
      "a short wait for units",
      new GatewayError("rate_limit_exceeded", "x", { retryAfterMs: 5000 }),
      undefined,
    ],
    [
      "a long wait for units",
      new GatewayError("rate_limit_exceeded", "x", { retryAfterMs: 61_000 }),
      "false",
    ],
    ["a spent budget", new GatewayError("insufficient_quota", "x"), "false"],
    ["a request larger than the bucket", new GatewayError("request_exceeds_limit", "x"), "false"],
    ["an overloaded provider", new GatewayError("provider_overloaded", "x"), undefined],
    ["a failure after fallbacks", new GatewayError("provider_error", "x", { shouldRetry: false }), "false"],
    ["a provider's own wish", new GatewayError("provider_error", "x", { shouldRetry: true }), "true"],
    ["what only another target could serve", new GatewayError("provider_timeout", "x"), "false"],
    ["a failure of ours", new GatewayError("internal_error", "x"), "false"],
    ["a shutdown", new GatewayError("shutting_down", "x", { retryAfterMs: 1000 }), undefined],
    ["a bad request, which clients don't retry anyway", new GatewayError("invalid_request", "x"), undefined],
  ])("after %s", (_, error, expected) => {
    expect(headersOf(error)["x-should-retry"]).toBe(expected);
  });
});
