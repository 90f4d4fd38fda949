// One HTTP exchange of the simulator at its edges: reading a bounded body, sending a JSON answer, an error or a refusal.
import type { IncomingMessage, ServerResponse } from "node:http";
import { GatewayError } from "../errors.ts";
import { retryLater } from "./faults.ts";
import type { Plan } from "./plan.ts";
import type { Refusal } from "./quota.ts";

const BODY_BYTES_MAX = 64 * 1024 * 1024;

const NAMES = {
  requests: "requests per min (RPM)",
  tokens: "tokens per min (TPM)",
  concurrent: "concurrent requests",
};

/** The 429 of a spent quota; `headers` tell the state of the buckets. */
export function refusalPlan(
  refusal: Refusal,
  model: string,
  headers: Readonly<Record<string, string>>,
): Plan {
  const { dimension, limit, waitMs } = refusal;
  const advice =
    waitMs === null ? "The request is larger than the limit." : `Please try again in ${Math.ceil(waitMs)}ms.`;
  const message = `Rate limit reached for ${model} on ${NAMES[dimension]}: Limit ${limit}. ${advice}`;
  const error = { message, type: dimension, param: null, code: "rate_limit_exceeded" };
  const plan: Plan = {
    status: 429,
    headers: { ...headers, "content-type": "application/json" },
    chunks: [JSON.stringify({ error })],
    firstMs: 0,
    paceMs: 0,
    isHeadFirst: false,
    isSplit: false,
    repeats: 0,
    ending: "end",
  };
  return waitMs === null ? plan : retryLater(plan, waitMs);
}

/** A header that is a number of at least 0, or null. */
export function headerNumber(request: IncomingMessage, name: string): number | null {
  const value = request.headers[name];
  const number = typeof value === "string" ? Number(value) : Number.NaN;
  return Number.isFinite(number) && number >= 0 ? number : null;
}

export function sendJson(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(text);
}

/** Any failure in the envelope that official clients read. */
export function sendError(response: ServerResponse, error: unknown): void {
  const failure =
    error instanceof GatewayError
      ? error
      : new GatewayError("internal_error", "The simulator failed.", { cause: error });
  const { message, type, param, code } = failure;
  sendJson(response, failure.status, JSON.stringify({ error: { message, type, param, code } }));
}

/** Hands over the whole body, or null when it is larger than the bound; nothing when the client goes away before its end. */
export function readBody(request: IncomingMessage, done: (body: Buffer | null) => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  request.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes <= BODY_BYTES_MAX) parts.push(part);
  });
  request.on("end", () => done(bytes <= BODY_BYTES_MAX ? Buffer.concat(parts) : null));
  request.on("error", () => request.destroy());
}
