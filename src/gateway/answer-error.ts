// An error that comes where an answer should be: a failed status with a body, or a 200 whose body is an error.
import { GatewayError } from "../errors.ts";

const ERROR = Buffer.from('"error"');

/** How far into an answer an `error` member is looked for: it stands first, perhaps behind an id. */
const LOOK_BYTES = 256;
/** The longest message that is passed on. */
const MESSAGE_CHARS_MAX = 2000;
/** No error is longer; anything beyond is an answer. */
const ERROR_BYTES_MAX = 64 * 1024;

/** The error in a body that came with a success status; `null`: it is an answer. */
export function errorInAnswer(body: Buffer, provider: string): GatewayError | null {
  if (body.length > ERROR_BYTES_MAX || !body.subarray(0, LOOK_BYTES).includes(ERROR)) return null;
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString("utf8"));
  } catch {
    // Not JSON: whoever relays the body judges that.
    return null;
  }
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return null;
  const { error } = answer;
  if (error === null || error === undefined || "choices" in answer) return null;
  return new GatewayError("provider_error", `Provider \`${provider}\` failed: ${messageOf(error)}`);
}

/** The message of an error in any of its usual shapes, cleaned and bounded. */
function messageOf(error: unknown): string {
  const text =
    typeof error === "object" && error !== null && "message" in error && typeof error.message === "string"
      ? error.message
      : typeof error === "string"
        ? error
        : "no reason given";
  return text.replaceAll(/\p{Cc}+/gu, " ").slice(0, MESSAGE_CHARS_MAX);
}
