// A request at the door, before it is the gateway's: what every way in knows of it, and how it is turned away.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { RequestFacts } from "../gateway/request/request.ts";
import type { Route } from "../gateway/routes.ts";
import type { ClientKey } from "../gateway/runtime.ts";
import type { Observer } from "../observe/events.ts";
import { clientTimeoutMs } from "./client-timeout.ts";
import { ClientDownstream } from "./downstream.ts";
import { hiddenError, type ErrorShape } from "./error-answer.ts";
import { methodNotAllowed } from "./paths.ts";
import { recordRefusal } from "./refusal.ts";
import { sendError } from "./respond.ts";

export interface Arrival {
  readonly id: string;
  /** `elapsedMs` at the arrival of the head. */
  readonly receivedMs: number;
  /** The route's pattern. */
  readonly pattern: string;
  readonly shape: ErrorShape;
  /** The methods that the route answers, as an `allow` header lists them, besides OPTIONS. */
  readonly allow: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What turning a request away takes. */
export interface Door {
  readonly clock: Clock;
  readonly observer: Observer;
}

/** The body of requests that have none, or whose body flows. */
export const NO_BODY = Buffer.alloc(0);

/** What the gateway is told of a request that is let in. Throws `invalid_request` for a wait that is none. */
export function factsOf(
  { id, request: { headers }, receivedMs }: Arrival,
  route: Route,
  key: ClientKey,
  given: Pick<RequestFacts, "body" | "upload" | "direct" | "members">,
): RequestFacts {
  return { ...given, id, route, key, headers, receivedMs, timeoutMs: clientTimeoutMs(headers) };
}

/** The client's side of it. */
export function downstreamOf({ id, shape, response }: Arrival, isStream: boolean): ClientDownstream {
  return new ClientDownstream(response, { requestId: id, shape, isStream });
}

/** Whether the request is to be served: `false` for OPTIONS, which is answered here. Throws `method_not_allowed`. */
export function isMethodServed({ id, request, response, pattern, allow }: Arrival): boolean {
  const method = request.method ?? "";
  if (allow === method || allow.split(", ").includes(method)) return true;
  if (method !== "OPTIONS") throw methodNotAllowed(method, pattern, allow);
  response.writeHead(204, ["allow", `${allow}, OPTIONS`, "x-request-id", id]).end();
  return false;
}

/** Tells the client why its request is not served, and records that. */
export function turnAway({ clock, observer }: Door, arrival: Arrival, error: unknown): void {
  const { id, pattern, shape, allow, response, receivedMs } = arrival;
  const known = error instanceof GatewayError ? error : hiddenError(error);
  const extra =
    known.code === "method_not_allowed"
      ? ["allow", allow.includes("OPTIONS") ? allow : `${allow}, OPTIONS`]
      : [];
  sendError(response, known, { requestId: id, shape, extra });
  recordRefusal(observer, { id, route: pattern, startedMs: receivedMs, endedMs: clock.elapsedMs() }, known);
}
