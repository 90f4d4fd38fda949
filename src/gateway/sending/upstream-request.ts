// The request as one target gets it: the client's own bytes with the model's name put in, and headers that are the same
// for every request but for the few of the client's that are passed on.
import { GatewayError } from "../../errors.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { Exchange } from "../exchange.ts";
import { rewriteRequest } from "../request/request-rewrite.ts";
import type { Upload } from "../request/upload.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

/** The client's headers that mean the same to any provider: tracing, and its own word on repetition. */
const PASSED = ["traceparent", "tracestate", "idempotency-key"];

/** Longer ones are not passed on: with them a head could become larger than providers take. */
const PASSED_CHARS_MAX = 1024;

export function upstreamRequest(target: UpstreamTarget, exchange: Exchange): CallRequest {
  const { request } = exchange;
  const { members, route, body, upload, receivedMs } = request;
  if (upload !== null) return formRequest(target, exchange, upload);
  const addUsage = members.isStream && route.answers === "asked" && target.takesStreamOptions;
  return {
    path: target.paths[route.kind] ?? route.upstreamPath,
    headers: withPassed(headersFor(exchange, target), target, request.headers),
    body: rewriteRequest(body, members, { model: target.modelJson, addUsage }),
    timeouts: exchange.timeouts,
    startedMs: receivedMs,
  };
}

/** The client's form with the provider's name for the model. */
function formRequest(target: UpstreamTarget, exchange: Exchange, upload: Upload): CallRequest {
  const { route, headers, receivedMs } = exchange.request;
  refuseToSign(target);
  const { body, bytes } = upload.open(target.model, exchange.runtime.timeouts.idleMs);
  const own = withHeader(target.access.openHeaders, "content-type", upload.contentType);
  return {
    path: target.paths[route.kind] ?? route.upstreamPath,
    headers: withPassed(bytes === null ? own : [...own, "content-length", String(bytes)], target, headers),
    body,
    timeouts: exchange.timeouts,
    startedMs: receivedMs,
  };
}

/** A signature covers the whole body, and what flows on as it comes is never whole. Throws `unsupported_media_type`. */
export function refuseToSign({ access, provider }: UpstreamTarget): void {
  if (access.sign === null) return;
  const message = `Requests to provider \`${provider}\` are signed, so their bodies must be JSON.`;
  throw new GatewayError("unsupported_media_type", message);
}

function withHeader(headers: readonly string[], name: string, value: string): string[] {
  return headers.map((each, at) => (at % 2 === 1 && headers[at - 1] === name ? value : each));
}

function headersFor({ request }: Exchange, target: UpstreamTarget): string[] {
  if (request.route.answers !== "asked") return target.access.openHeaders;
  return request.members.isStream ? target.access.streamHeaders : target.access.wholeHeaders;
}

/** The target's headers and the client's that are passed on; the very same list when there are none. */
export function withPassed(
  headers: string[],
  { passedHeaderPrefix }: UpstreamTarget,
  sent: Exchange["request"]["headers"],
): string[] {
  const passed: string[] = [];
  for (const name of PASSED) {
    const value = sent[name];
    if (typeof value === "string" && value.length <= PASSED_CHARS_MAX) passed.push(name, value);
  }
  if (passedHeaderPrefix !== "") {
    for (const [name, value] of Object.entries(sent)) {
      if (name.startsWith(passedHeaderPrefix) && typeof value === "string") passed.push(name, value);
    }
  }
  return passed.length === 0 ? headers : [...headers, ...passed];
}

/** The target's headers and those that its dialect adds; what the configuration sets wins. */
export function withHeaders(
  target: UpstreamTarget,
  isStream: boolean,
  added: Readonly<Record<string, string>>,
): string[] {
  const own = isStream ? target.access.streamHeaders : target.access.wholeHeaders;
  const headers = [...own];
  for (const [name, value] of Object.entries(added)) {
    const isOwn = own.some((each, at) => at % 2 === 0 && each === name);
    if (!isOwn) headers.push(name, value);
  }
  return headers;
}
