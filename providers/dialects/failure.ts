// What a provider reports inside a 200: an error object in a body or a stream, whatever its shape. Types, codes and
// statuses are looked up in one table, so that retry and fallback read the same codes as for a plain HTTP error.
import { GatewayError, type ErrorCode } from "../../src/errors.ts";
import { isObject, readString, readText, type Json } from "./json.ts";

/** A provider's word or status for a failure → ours. Words are compared without case and punctuation. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  // Overload: another provider, or this one a little later.
  overloaded: "provider_overloaded",
  overloadederror: "provider_overloaded",
  serverisoverloaded: "provider_overloaded",
  slowdown: "provider_overloaded",
  unavailable: "provider_overloaded",
  serviceunavailable: "provider_overloaded",
  serviceunavailableexception: "provider_overloaded",
  modelnotreadyexception: "provider_overloaded",
  insufficientsystemresource: "provider_overloaded",
  "498": "provider_overloaded",
  "503": "provider_overloaded",
  "529": "provider_overloaded",
  // Rates.
  ratelimiterror: "provider_rate_limited",
  ratelimitexceeded: "provider_rate_limited",
  resourceexhausted: "provider_rate_limited",
  throttlingexception: "provider_rate_limited",
  "429": "provider_rate_limited",
  // Money.
  insufficientquota: "provider_quota_spent",
  servicequotaexceededexception: "provider_quota_spent",
  billingerror: "provider_quota_spent",
  "402": "provider_quota_spent",
  // What was asked.
  invalidrequesterror: "invalid_request",
  invalidargument: "invalid_request",
  failedprecondition: "invalid_request",
  validationexception: "invalid_request",
  toolusefailed: "provider_bad_response",
  contextlengthexceeded: "context_length_exceeded",
  contentfilter: "content_filter",
  requesttoolarge: "request_too_large",
  "400": "invalid_request",
  "413": "request_too_large",
  "422": "invalid_request",
  // Who asked.
  authenticationerror: "provider_auth",
  unauthenticated: "provider_auth",
  permissionerror: "provider_auth",
  permissiondenied: "provider_auth",
  accessdeniedexception: "provider_auth",
  "401": "provider_auth",
  "403": "provider_auth",
  notfounderror: "model_not_found",
  notfound: "model_not_found",
  modelnotfound: "model_not_found",
  resourcenotfoundexception: "model_not_found",
  "404": "model_not_found",
  // Time.
  timeouterror: "provider_timeout",
  deadlineexceeded: "provider_timeout",
  modeltimeoutexception: "provider_timeout",
  "408": "provider_timeout",
  "504": "provider_timeout",
};

const MESSAGE_CHARS_MAX = 500;

/** The `GatewayError` for an `error` member (object, string, anything) or a named exception. */
export function providerFailure(error: unknown, name?: string): GatewayError {
  const reported = isObject(error) ? error : undefined;
  const words = [
    reported?.["code"],
    reported?.["type"],
    reported?.["status"],
    reported?.["status_code"],
    name,
  ];
  for (const word of words) {
    const code = codeOf(word);
    if (code !== undefined) return new GatewayError(code, failureMessage(error));
  }
  return new GatewayError("provider_error", failureMessage(error));
}

/** The error object inside an answer's body, if it is one. `error: null` is an answer. */
export function errorMember(body: unknown): unknown {
  if (!isObject(body)) return undefined;
  const error = body["error"];
  if (typeof error === "string" && error !== "") return { message: error };
  return isObject(error) ? error : undefined;
}

/** For a body of the wrong shape: whatever error it reports, else that it was unexpected. */
export function unexpectedAnswer(body: unknown): GatewayError {
  const error = errorMember(body);
  if (error !== undefined) return providerFailure(error);
  const isNamed = isObject(body) && (readText(body, "message") ?? readText(body, "detail")) !== undefined;
  if (isNamed) return providerFailure(body);
  return new GatewayError("provider_bad_response", "The provider's answer has an unexpected shape.");
}

function codeOf(word: unknown): ErrorCode | undefined {
  if (typeof word !== "string" && typeof word !== "number") return undefined;
  const key = String(word)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "");
  return Object.hasOwn(CODES, key) ? CODES[key] : undefined;
}

function failureMessage(error: unknown): string {
  const text = typeof error === "string" ? error : isObject(error) ? messageMember(error) : undefined;
  const cleaned = text?.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
  if (cleaned === undefined || cleaned === "") return "The provider reported an error without a message.";
  return `The provider reported: ${cleaned.slice(0, MESSAGE_CHARS_MAX)}`;
}

function messageMember(error: Json): string | undefined {
  return (
    readText(error, "message") ??
    readText(error, "detail") ??
    readText(error, "Message") ??
    readString(error, "error")
  );
}
