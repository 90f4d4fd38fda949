// Routes that others bring along (health, metrics, operators' commands) as plain functions, so that they depend on no
// HTTP framework and can be tested by calling them.
import type { ClientKey } from "../gateway/runtime.ts";

export interface PlainRequest {
  /** The parts of the path that the pattern names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Whose key the request carries; on routes that need a client key. */
  readonly caller?: ClientKey;
  /** The body as text; empty when there is none. At most 1 MiB. */
  readonly body: string;
}

export interface PlainAnswer {
  readonly status: number;
  /** Names in lower case; `content-type` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PlainRoute {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As Hono writes patterns: `/admin/keys/:name`. */
  readonly path: string;
  /** May throw a `GatewayError`; anything else is hidden from the client and logged. */
  handle(request: PlainRequest): PlainAnswer | Promise<PlainAnswer>;
}

/** An answer whose body is `value` as JSON. */
export function jsonAnswer(value: unknown, status = 200): PlainAnswer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}
