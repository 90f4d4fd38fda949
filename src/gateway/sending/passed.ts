// A request that is passed through: the client's method, path, headers and body as they are, but for what belongs to a
// connection and for credentials. The gateway's own key for the provider takes the place of the client's.
import type { IncomingHttpHeaders } from "node:http";
import { assert } from "../../errors.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { ErrorRelay } from "../relay/error-relay.ts";
import type { Exchange } from "../exchange.ts";
import { PassedRelay } from "../relay/passed-relay.ts";
import type { Relay, RelayHost } from "../relay/relay.ts";
import type { Sending } from "./sending.ts";
import { refuseToSign } from "./upstream-request.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

/** Connection, framing, credentials, whoever stood between, and what is the gateway's own to say. */
const KEPT_BACK =
  /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|host|content-length|accept-encoding|authorization|(?:x-)?api-key|x-goog-api-key|cookie|forwarded|via|x-real-ip|http2-settings|(?:proxy|x-forwarded|x-sluice|sec-websocket)-.*)$/;

const FAILURES = new Set([401, 402, 408, 429]);

/** Whether a status says something of the provider or of its key, rather than of the request: circuits and limits hear of it. */
export function isProvidersFailure(status: number): boolean {
  return status >= 500 || FAILURES.has(status);
}

export class PassedSending implements Sending {
  readonly request: CallRequest;
  readonly warnings: readonly string[] = [];
  readonly keepsErrors = true;
  readonly #isGenerating: boolean;

  constructor(exchange: Exchange, target: UpstreamTarget) {
    const { direct, headers, body, upload, receivedMs } = exchange.request;
    assert(direct !== null, "what is passed through says where to");
    if (upload !== null) refuseToSign(target);
    const opened = upload?.open(null, exchange.runtime.timeouts.idleMs) ?? null;
    const sent = passedHeaders(headers, target);
    if (opened !== null && opened.bytes !== null) sent.push("content-length", String(opened.bytes));
    this.#isGenerating = body.length > 0;
    this.request = {
      method: direct.method,
      path: target.language.below(direct.path) || "/",
      headers: sent,
      body: opened?.body ?? body,
      timeouts: exchange.timeouts,
      startedMs: receivedMs,
    };
  }

  relay(host: RelayHost, context: AnswerContext): Relay {
    if (isProvidersFailure(context.status)) return new ErrorRelay(host, context, true);
    return new PassedRelay(host, context, this.#isGenerating);
  }
}

/** The client's headers and the target's; where both have one that describes the body or the answer, the client's counts. */
function passedHeaders(sent: IncomingHttpHeaders, target: UpstreamTarget): string[] {
  const dropped = new Set((sent.connection ?? "").toLowerCase().split(/\s*,\s*/));
  const headers: string[] = [];
  const names = new Set<string>();
  const own = target.access.openHeaders.filter((_, at) => at % 2 === 0);
  for (const [name, value] of Object.entries(sent)) {
    if (value === undefined || KEPT_BACK.test(name) || dropped.has(name)) continue;
    if (own.includes(name) && !CLIENTS.has(name)) continue;
    headers.push(name, Array.isArray(value) ? value.join(", ") : value);
    names.add(name);
  }
  for (const [at, name] of own.entries()) {
    const isDescription = name === "content-type" || names.has(name);
    if (!isDescription) headers.push(name, target.access.openHeaders[2 * at + 1] ?? "");
  }
  return headers;
}

/** Of the headers that the gateway has values for, those that are the client's to say here. */
const CLIENTS = new Set(["content-type", "accept", "user-agent"]);
