// An error that comes where an answer should be: a failed status with a body, or a success whose body is an error.
// What it means is for the classifier to say; here it is only found.
import type { IncomingHttpHeaders } from "node:http";
import { classify, toGatewayError, type ErrorHint } from "../../../providers/dialects/classify.ts";
import { errorMember } from "../../../providers/dialects/failure.ts";
import { isObject, readArray } from "../../../providers/dialects/json.ts";
import type { GatewayError } from "../../errors.ts";
import { tryParse } from "../../json.ts";
import type { TargetLimits } from "../target-limits.ts";

/** Whose answer it is and how it came. */
export interface AnswerContext {
  readonly provider: string;
  readonly errorHints: readonly ErrorHint[];
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Hears of refusals for want of room. */
  readonly limits: Pick<TargetLimits, "refused" | "spent">;
  /** Now, for waits that are given as a date. */
  readonly wallMs: number;
}

/** One of these stands in every answer that is an error in disguise. */
const HINTS = [Buffer.from('"error"'), Buffer.from('"base_resp"')];

/** No error is longer; anything beyond is an answer. */
export const ERROR_BYTES_MAX = 64 * 1024;

/** The error that a failed answer means, whatever its body; the target's limits hear of it if it is about them. */
export function errorOf(context: AnswerContext, body: unknown): GatewayError {
  const { provider, errorHints, status, headers, wallMs, limits } = context;
  const failure = classify({ status, headers, body }, errorHints, wallMs);
  const { kind, isMetered, waitMs } = failure;
  if (kind === "rate_limited") limits.refused({ headers, body, waitMs });
  else if (isMetered) limits.spent(waitMs);
  return toGatewayError(failure, provider);
}

/** The error in a body that came with a success status; `null`: it is an answer. */
export function errorInAnswer(context: AnswerContext, body: Buffer): GatewayError | null {
  if (body.length > ERROR_BYTES_MAX || !HINTS.some((hint) => body.includes(hint))) return null;
  // What is not JSON is judged by whoever relays the body.
  const answer = tryParse(body.toString("utf8"));
  const isAnswered = isObject(answer) && readArray(answer, "choices").length > 0;
  return isAnswered || errorMember(answer) === undefined ? null : errorOf(context, answer);
}
