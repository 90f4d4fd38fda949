// A limiter's refusal in words for the client: which limit, whose it is, and when to come back.
import { GatewayError } from "../errors.ts";
import type { Refusal } from "../limiter/reservation.ts";

export function refusalError(refusal: Refusal): GatewayError {
  const { reason, meter, provider, retryAfterMs } = refusal;
  const limit =
    meter === null ? "A limit" : `Limit \`${meter.name}\` of ${meter.ownerKind} \`${meter.owner}\``;
  const wait = Number.isFinite(retryAfterMs) ? { retryAfterMs } : {};
  switch (reason) {
    case "no_room":
      return new GatewayError("rate_limit_exceeded", `${limit} is used up.`, wait);
    case "queue_full":
      return new GatewayError("queue_full", `Too many requests are waiting for ${limit}.`, wait);
    case "exceeds_limit":
      return new GatewayError(
        "request_exceeds_limit",
        `${limit} can never admit this request: it is too large.`,
      );
    case "paused":
      return new GatewayError("rate_limit_exceeded", `Provider \`${provider}\` asked us to hold back.`, wait);
    case "closed":
      return new GatewayError("shutting_down", "The gateway is stopping.");
  }
}
