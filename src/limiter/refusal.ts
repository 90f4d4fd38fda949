// A refusal in words: which limit, whose it is, and when to come back.
import { GatewayError } from "../errors.ts";
import { Pause, type Line } from "./line.ts";
import type { Meter, Meters } from "./meters.ts";
import type { Refusal } from "./reservation.ts";

/** A refusal on account of this line; at a provider's pause it says so whatever the reason given. */
export function refusal(reason: Refusal["reason"], line: Line | null, retryAfterMs: number): Refusal {
  if (line instanceof Pause && reason === "no_room") {
    return { kind: "refused", reason: "paused", meter: null, provider: line.owner, retryAfterMs };
  }
  return { kind: "refused", reason, meter: line?.meter ?? null, provider: "", retryAfterMs };
}

/** A refusal because a limit in dollars has no prices to count with. */
export function unpricedRefusal({ budget, pauses }: Meters): Refusal {
  const model = pauses.at(-1)?.owner ?? "";
  return { kind: "refused", reason: "unpriced", meter: budget, provider: model, retryAfterMs: Infinity };
}

/** Clients sleep at most this long for a `retry-after`; beyond it they would come back early, so they are told not to. */
const WORTH_RETRYING_MS = 60_000;

/** How long a disk that does not answer may need, in milliseconds: a guess. */
const DISK_RETRY_MS = 5000;

/** How long siblings may need to be heard, in milliseconds: a guess. */
const FLEET_RETRY_MS = 2000;

/** The error a client gets when no other target took its request. */
export function refusalError(refusal: Refusal): GatewayError {
  const { reason, retryAfterMs, meter, provider } = refusal;
  const wait = Number.isFinite(retryAfterMs) ? { retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)) } : {};
  const details = { ...wait, shouldRetry: retryAfterMs <= WORTH_RETRYING_MS };
  switch (reason) {
    case "no_room":
      return new GatewayError(
        isBudget(refusal) ? "insufficient_quota" : "rate_limit_exceeded",
        usedUp(refusal),
        details,
      );
    case "queue_full":
      return new GatewayError(
        "queue_full",
        `The waiting line for ${describe(meter)} is full. ${again(retryAfterMs)}`,
        details,
      );
    case "exceeds_limit":
      return new GatewayError(
        "request_exceeds_limit",
        `${capital(describe(meter))} is smaller than this request needs: it can never be admitted.`,
      );
    case "unpriced":
      return new GatewayError(
        "permission_denied",
        `No price is known of what this asks of model \`${provider}\`, so ${describe(meter)} can't be kept. Set \`prices\` for the model.`,
      );
    case "not_durable":
      return new GatewayError(
        "storage_unavailable",
        `Units of ${describe(meter)} can't be reserved: the disk does not take them. Try again later.`,
        { retryAfterMs: DISK_RETRY_MS },
      );
    case "not_in_service":
      return new GatewayError(
        "fleet_unavailable",
        "This instance has not heard from its siblings yet, who may hold all units. Try again in a moment, or ask another instance.",
        { retryAfterMs: FLEET_RETRY_MS },
      );
    case "paused":
      return new GatewayError(
        "provider_rate_limited",
        `${provider.includes("/") ? "Model" : "Provider"} \`${provider}\` asked to hold back. ${again(retryAfterMs)}`,
        details,
      );
    case "closed":
      return new GatewayError("shutting_down", "The gateway is stopping. Try again in a moment.");
  }
}

/** A client key's budget that comes back by the calendar, not in a while: OpenAI's clients know it by another code. */
function isBudget({ meter, retryAfterMs }: Refusal): boolean {
  return (
    meter?.ownerKind === "key" && meter.limit.refill.kind === "calendar" && retryAfterMs > WORTH_RETRYING_MS
  );
}

function usedUp({ meter, retryAfterMs }: Refusal): string {
  return `${capital(describe(meter))} is used up. ${again(retryAfterMs)}`;
}

const OWNERS = { provider: "provider", model: "model", key: "key" } as const;

function describe(meter: Meter | null): string {
  if (meter === null) return "this request";
  return `limit \`${meter.name}\` of ${OWNERS[meter.ownerKind]} \`${meter.owner}\``;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function again(retryAfterMs: number): string {
  return Number.isFinite(retryAfterMs) ? `Try again in ${duration(retryAfterMs)}.` : "Try again later.";
}

/** `40 ms`, `3.2 s`, `12 min`, `5 h`, `3 days`: rounded up, so that coming back then is late enough. */
function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(1, Math.ceil(ms))} ms`;
  if (ms < 60_000) return `${Math.ceil(ms / 100) / 10} s`;
  if (ms < 3_600_000) return `${Math.ceil(ms / 60_000)} min`;
  if (ms < 2 * 86_400_000) return `${Math.ceil(ms / 3_600_000)} h`;
  return `${Math.ceil(ms / 86_400_000)} days`;
}
