// `x-sluice-timeout`: how long a client is ready to wait for its whole request, in seconds or with a unit (`20`,
// `1.5s`, `800ms`, `2m`). It shortens `timeouts.total` and never lengthens it; no wait and no retry outlasts it.
import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";

const HEADER = "x-sluice-timeout";
const VALUE = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** In milliseconds; null: the client did not say. Throws `invalid_request` for what is no time or none at all. */
export function clientTimeoutMs(headers: IncomingHttpHeaders): number | null {
  const text = headers[HEADER];
  if (text === undefined) return null;
  const [, amount, unit = "s"] = (typeof text === "string" ? VALUE.exec(text.trim()) : null) ?? [];
  const timeoutMs = Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  if (timeoutMs > 0) return timeoutMs;
  const message = `The header \`${HEADER}\` must be a time above zero, in seconds or with a unit: 20, 1.5s, 800ms, 2m.`;
  throw new GatewayError("invalid_request", message, { param: HEADER });
}
