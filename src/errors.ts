// Every way a request can fail, in one closed table: the status, the error type that clients branch on, and
// whether another attempt (ours or the client's) may help. The gateway throws `GatewayError`s with a code from
// here; only `http/` turns one into a response. docs/ERRORS.md lists the same codes; a test compares the two.

/** Whether trying again can help: `no` never, `elsewhere` on another target only, `later` after a wait or elsewhere. */
export type Retry = "no" | "elsewhere" | "later";

interface ErrorEntry {
  readonly status: number;
  /** The `error.type` of the response. */
  readonly type: string;
  readonly retry: Retry;
  /** The `error.code` of the response where clients match another one than ours; ours is in `x-sluice-error` then as always. */
  readonly clientCode?: string;
}

export const ERRORS = {
  // What the client sent.
  invalid_json: { status: 400, type: "invalid_request_error", retry: "no" },
  invalid_request: { status: 400, type: "invalid_request_error", retry: "no" },
  unsupported_parameter: { status: 400, type: "invalid_request_error", retry: "no" },
  context_length_exceeded: { status: 400, type: "invalid_request_error", retry: "no" },
  content_filter: { status: 400, type: "invalid_request_error", retry: "no" },
  invalid_api_key: { status: 401, type: "authentication_error", retry: "no" },
  permission_denied: { status: 403, type: "permission_error", retry: "no" },
  model_not_found: { status: 404, type: "invalid_request_error", retry: "no" },
  not_found: { status: 404, type: "invalid_request_error", retry: "no" },
  method_not_allowed: { status: 405, type: "invalid_request_error", retry: "no" },
  already_exists: { status: 409, type: "invalid_request_error", retry: "no" },
  request_timeout: { status: 408, type: "invalid_request_error", retry: "no" },
  request_too_large: { status: 413, type: "invalid_request_error", retry: "no" },
  unsupported_media_type: { status: 415, type: "invalid_request_error", retry: "no" },
  headers_too_large: { status: 431, type: "invalid_request_error", retry: "no" },
  client_gone: { status: 499, type: "invalid_request_error", retry: "no" },
  // Our own limits.
  rate_limit_exceeded: { status: 429, type: "rate_limit_error", retry: "later" },
  insufficient_quota: { status: 429, type: "insufficient_quota", retry: "no" },
  request_exceeds_limit: {
    status: 429,
    type: "rate_limit_error",
    retry: "no",
    clientCode: "rate_limit_exceeded",
  },
  queue_full: { status: 429, type: "rate_limit_error", retry: "later", clientCode: "rate_limit_exceeded" },
  not_cached: { status: 504, type: "invalid_request_error", retry: "no" },
  // The provider's answer.
  provider_rate_limited: {
    status: 429,
    type: "rate_limit_error",
    retry: "later",
    clientCode: "rate_limit_exceeded",
  },
  provider_quota_spent: {
    status: 429,
    type: "insufficient_quota",
    retry: "elsewhere",
    clientCode: "insufficient_quota",
  },
  provider_overloaded: { status: 503, type: "server_error", retry: "later" },
  provider_auth: { status: 502, type: "server_error", retry: "elsewhere" },
  provider_error: { status: 502, type: "server_error", retry: "later" },
  provider_bad_response: { status: 502, type: "server_error", retry: "elsewhere" },
  provider_unreachable: { status: 502, type: "server_error", retry: "later" },
  provider_timeout: { status: 504, type: "server_error", retry: "elsewhere" },
  stream_interrupted: { status: 502, type: "server_error", retry: "no" },
  // Ourselves.
  internal_error: { status: 500, type: "server_error", retry: "no" },
  overloaded: { status: 503, type: "server_error", retry: "later" },
  storage_unavailable: { status: 503, type: "server_error", retry: "later" },
  fleet_unavailable: { status: 503, type: "server_error", retry: "later" },
  no_provider: { status: 503, type: "server_error", retry: "no" },
  shutting_down: { status: 503, type: "server_error", retry: "later" },
  invalid_config: { status: 500, type: "server_error", retry: "no" },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorDetails {
  readonly cause?: unknown;
  /** The request field at fault, as the client would write it: `messages[0].role`. */
  readonly param?: string;
  /** How long until a new attempt can succeed, in milliseconds, when it is known. */
  readonly retryAfterMs?: number;
  /** Overrides the table's status, for a provider's own status that is passed on. */
  readonly status?: number;
  /** Overrides the table's retry advice to the client (`x-should-retry`). */
  readonly shouldRetry?: boolean;
  /** The provider's own error answer. */
  readonly answer?: ProviderAnswer;
}

/** An error as a provider answered it, which clients of the provider's own language get unchanged: they match its wording. */
export interface ProviderAnswer {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
}

/** An expected failure with a code from the table. Messages are written for the caller and hold no secrets. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  /** The code as clients know it: `code`, or the one that they match for failures of this kind. */
  readonly clientCode: string;
  readonly status: number;
  readonly type: string;
  readonly retry: Retry;
  readonly param: string | null;
  readonly retryAfterMs: number | undefined;
  readonly shouldRetry: boolean | undefined;
  readonly answer: ProviderAnswer | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    const entry: ErrorEntry = ERRORS[code];
    this.code = code;
    this.clientCode = entry.clientCode ?? code;
    this.status = details.status ?? entry.status;
    this.type = entry.type;
    this.retry = entry.retry;
    this.param = details.param ?? null;
    this.retryAfterMs = details.retryAfterMs;
    this.shouldRetry = details.shouldRetry;
    this.answer = details.answer;
  }

  /** The same error with some details changed, or told in other words. */
  with({ message = this.message, ...changes }: ErrorDetails & { readonly message?: string }): GatewayError {
    const { code, cause, status, param, retryAfterMs, shouldRetry, answer } = this;
    return new GatewayError(code, message, {
      cause,
      status,
      ...(param === null ? {} : { param }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(shouldRetry === undefined ? {} : { shouldRetry }),
      ...(answer === undefined ? {} : { answer }),
      ...changes,
    });
  }
}

/** A broken invariant of ours. It ends the request; in `bucket/` it ends the process: a wrong balance is worse than a restart. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${invariant}`);
}
