// Failures as clients read them. Each family of clients has one shape for every error, whatever failed: official
// clients show "no body" or lose the code when a key is missing or a 404 comes in another form. The retry headers
// decide what the client does next, so they are honest and never zero: a zero or absent wait makes some clients come
// back three times within milliseconds, and a wait above a minute is ignored by some and slept through by others.
import { GatewayError } from "../errors.ts";
import type { HeaderList } from "../gateway/downstream.ts";

/** Which clients a route serves: those of chat completions and its siblings, or those of the messages route. */
export type ErrorShape = "chat" | "messages";

/** Longest wait that clients are told to sit out; beyond it they are told not to retry by themselves. */
const CLIENT_WAIT_MS_MAX = 60_000;

/** What clients of the messages route know an error of this status as. */
const MESSAGES_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** The status that a family's clients branch on: overload has one of its own on the messages route. */
export function errorStatus({ status }: GatewayError, shape: ErrorShape): number {
  return shape === "messages" && status === 503 ? 529 : status;
}

/** The body of an error answer: JSON text. `requestId` is repeated inside only where the shape has a place for it. */
export function errorBody(error: GatewayError, shape: ErrorShape, requestId: string): string {
  switch (shape) {
    case "chat": {
      const { message, type, param, clientCode } = error;
      return JSON.stringify({ error: { message, type, param, code: clientCode } });
    }
    case "messages": {
      const type =
        MESSAGES_TYPES[error.status] ?? (error.status < 500 ? "invalid_request_error" : "api_error");
      return JSON.stringify({
        type: "error",
        error: { type, message: error.message, ...messagesDetails(error) },
        request_id: requestId,
      });
    }
  }
}

/**
 * What clients of the messages route read besides the type: told that nobody holds their conversation, they send it whole.
 * https://platform.claude.com/docs/en/api/errors
 */
function messagesDetails({ code, param }: GatewayError): object {
  if (code !== "unsupported_parameter" || param !== "thread") return {};
  return { details: { error_code: "thread_unsupported_request", unsupported: ["thread"] } };
}

/** The last event of a stream that fails after it began. */
export function errorEvent(error: GatewayError, shape: ErrorShape, requestId: string): string {
  const data = errorBody(error, shape, requestId);
  switch (shape) {
    case "chat":
      return `data: ${data}\n\n`;
    case "messages":
      return `event: error\ndata: ${data}\n\n`;
  }
}

/**
 * The headers that say what an error's body can't: the request's id, our own code, and whether and when to try again.
 * `known` is what else there is to tell; where it does not say who was tried, nobody was.
 */
export function errorHeaders(
  error: GatewayError,
  shape: ErrorShape,
  requestId: string,
  known: HeaderList = [],
): HeaderList {
  const headers = [...known, "content-type", "application/json", "x-request-id", requestId];
  if (!known.includes("x-sluice-attempts")) headers.push("x-sluice-attempts", "0");
  headers.push("x-sluice-error", error.code);
  if (shape === "messages") headers.push("request-id", requestId);
  if (error.status === 401) headers.push("www-authenticate", "Bearer");
  const waitMs = error.retryAfterMs;
  if (waitMs !== undefined && Number.isFinite(waitMs)) {
    const wholeMs = Math.max(1, Math.ceil(waitMs));
    headers.push("retry-after", String(Math.ceil(wholeMs / 1000)));
    if (wholeMs <= CLIENT_WAIT_MS_MAX) headers.push("retry-after-ms", String(wholeMs));
  }
  const shouldRetry = clientRetry(error);
  if (shouldRetry !== undefined) headers.push("x-should-retry", String(shouldRetry));
  return headers;
}

/**
 * Whether the client should try again by itself; `undefined` leaves it to the client's own rule for the status.
 * Clients retry 408, 409, 429 and everything from 500, so only there a `false` changes anything. `elsewhere` means that
 * another target may help: the gateway has tried those itself.
 */
function clientRetry(error: GatewayError): boolean | undefined {
  if (error.shouldRetry !== undefined) return error.shouldRetry;
  const { status } = error;
  if (status !== 408 && status !== 409 && status !== 429 && status < 500) return undefined;
  if (error.retry !== "later") return false;
  return (error.retryAfterMs ?? 0) > CLIENT_WAIT_MS_MAX ? false : undefined;
}

/** What the client is told of an exception that is not an expected failure: nothing but that it happened. */
export function hiddenError(cause: unknown): GatewayError {
  const message =
    "The gateway failed to serve this request. The request id identifies it in the gateway's log.";
  return new GatewayError("internal_error", message, { cause });
}
