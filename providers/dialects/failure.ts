// What a provider reports inside a 200: an error object in a body or a stream, whatever its shape. It is classified by
// the same rules as a plain HTTP error, so that retry and fallback need not know where it came from.
import { GatewayError } from "../../src/errors.ts";
import { classify, toGatewayError } from "./classify.ts";
import type { DialectTarget } from "./dialect.ts";
import { isObject, readNumber, readText } from "./json.ts";

/** The error for what the provider reports: an `error` member of any type. `name` is an exception's, where it has one. */
export function providerFailure(error: unknown, target: DialectTarget, name?: string): GatewayError {
  const headers = name === undefined ? {} : { "x-amzn-errortype": name };
  const body = isObject(error) ? { error } : error;
  const failure = classify(
    { status: 200, headers, body },
    target.errorHints ?? [],
    target.createdSeconds * 1000,
  );
  return toGatewayError(failure, target.provider ?? "upstream");
}

/**
 * The error that an answer's body reports in the place of an answer, whatever its shape: an `error` member, the body itself
 * (`object: "error"`), or a status other than success. `error: null` is an answer.
 */
export function errorMember(body: unknown): unknown {
  if (!isObject(body)) return undefined;
  const { error, object, choices, base_resp: status } = body;
  if (typeof error === "string" && error !== "") return { message: error };
  if (isObject(error)) return error;
  if (Array.isArray(choices) && choices.length > 0) return undefined;
  if (object === "error") return body;
  return isObject(status) && (readNumber(status, "status_code") ?? 0) !== 0 ? status : undefined;
}

/** For a body of the wrong shape: whatever error it reports, else that it was unexpected. */
export function unexpectedAnswer(body: unknown, target: DialectTarget): GatewayError {
  const isNamed = isObject(body) && (readText(body, "message") ?? readText(body, "detail")) !== undefined;
  if (isNamed) return providerFailure(body, target);
  return new GatewayError("provider_bad_response", "The provider's answer has an unexpected shape.");
}
