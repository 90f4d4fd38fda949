// Requests that end before the gateway sees them still count: an operator looks for wrong keys and malformed bodies in
// the same metrics and log lines as for everything else.
import type { GatewayError } from "../errors.ts";
import type { Observer, Outcome } from "../observe/events.ts";

/** Which request was refused and when, by `Clock.elapsedMs()`. */
export interface Refused {
  readonly id: string;
  /** The route's pattern. */
  readonly route: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Reports a refused request to the observer; an exception of ours is logged with its cause, which the client never sees. */
export function recordRefusal(observer: Observer, refused: Refused, error: GatewayError): void {
  if (error.code === "internal_error") {
    observer.log.error("request failed unexpectedly", { requestId: refused.id, error: error.cause });
  }
  observer.requestEnded({
    ...refused,
    keyName: "",
    modelAsked: "",
    provider: "",
    model: "",
    isStream: false,
    attempts: 0,
    status: error.status,
    outcome: outcomeOf(error),
    errorCode: error.code,
    waitedMs: 0,
    sentMs: 0,
    firstByteMs: 0,
    usage: null,
    isUsageEstimated: false,
    cache: "",
  });
}

/** The gateway's own refusals (draining, too many large bodies) are not the client's fault and not a failure. */
function outcomeOf(error: GatewayError): Outcome {
  if (error.code === "internal_error" || error.code === "client_gone") return error.code;
  return error.status < 500 ? "client_error" : "refused";
}
