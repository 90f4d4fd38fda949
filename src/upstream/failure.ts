// What went wrong on the way to a provider or back, as an error from the table. Only the kind of failure is told to
// the client; the original error stays the `cause`, for the log.
import { GatewayError } from "../errors.ts";

/** Failures of the answer itself, by the code that undici or Node gives them. */
const BAD_RESPONSE_CODES = new Set([
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE",
  "UND_ERR_RESPONSE",
]);

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** The HTTP parser's errors have codes of its own, or none. */
function isParserError(error: unknown): boolean {
  return error instanceof Error && error.name === "HTTPParserError";
}

/** Turns what undici reports into a `GatewayError`; one that is a GatewayError already is returned as it is. */
export function toGatewayError(error: unknown, provider: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = codeOf(error);
  if (BAD_RESPONSE_CODES.has(code) || isParserError(error)) {
    return new GatewayError(
      "provider_bad_response",
      `Provider \`${provider}\` answered with something that is not valid HTTP.`,
      { cause: error },
    );
  }
  if (code.startsWith("UND_ERR_INVALID") || code === "UND_ERR_NOT_SUPPORTED") {
    return new GatewayError("internal_error", "The request could not be sent upstream.", { cause: error });
  }
  const reason = code === "" || code.startsWith("UND_") ? "the connection was lost" : code;
  return new GatewayError(
    "provider_unreachable",
    `Provider \`${provider}\` could not be reached (${reason}).`,
    { cause: error },
  );
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

/** The phases of a call, each with its own deadline. */
export type Phase = "connect" | "sending" | "first_token" | "idle" | "total";

/** A deadline of the given phase has passed. */
export function timedOut(phase: Phase, limitMs: number, provider: string): GatewayError {
  switch (phase) {
    case "connect":
      return new GatewayError(
        "provider_unreachable",
        `Provider \`${provider}\` could not be reached within ${seconds(limitMs)}.`,
      );
    case "sending":
      return new GatewayError(
        "provider_timeout",
        `Provider \`${provider}\` took nothing of the request for ${seconds(limitMs)}.`,
      );
    case "first_token":
      return new GatewayError(
        "provider_timeout",
        `Provider \`${provider}\` did not begin to answer within ${seconds(limitMs)}.`,
      );
    case "idle":
      return new GatewayError(
        "provider_timeout",
        `Provider \`${provider}\` sent nothing for ${seconds(limitMs)}.`,
      );
    case "total":
      return new GatewayError("provider_timeout", `The request took longer than ${seconds(limitMs)} in all.`);
  }
}
