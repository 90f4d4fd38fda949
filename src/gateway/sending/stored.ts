// A question about a response that a provider keeps: to show it, its input, to cancel or to delete it. The id that the client
// knows names the provider, and the provider is asked by its own.
import type { CallRequest } from "../../upstream/call.ts";
import { assert, GatewayError } from "../../errors.ts";
import { IdMarker, withOtherId } from "../affinity.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { AnswerStreamRelay } from "../relay/answer-stream-relay.ts";
import { WatchedStream } from "../relay/answer-stream.ts";
import { AnswerWholeRelay } from "../relay/answer-whole-relay.ts";
import type { Stored } from "../direct.ts";
import { ErrorRelay } from "../relay/error-relay.ts";
import type { Exchange } from "../exchange.ts";
import { dialectTarget, type Verbatim } from "./passage.ts";
import type { Relay, RelayHost } from "../relay/relay.ts";
import type { Sending } from "./sending.ts";
import { isProvidersFailure } from "./passed.ts";
import { withPassed } from "./upstream-request.ts";
import type { UpstreamTarget } from "./upstream-target.ts";
import { NOTHING_USED } from "../relay/usage.ts";

export class StoredSending implements Sending {
  readonly request: CallRequest;
  readonly warnings: readonly string[] = [];
  readonly keepsErrors = true;
  readonly #stored: Stored;
  readonly #passage: Verbatim;
  readonly #target: UpstreamTarget;

  /** Throws `not_found` where the provider keeps no responses. */
  constructor(exchange: Exchange, target: UpstreamTarget) {
    const { direct, body, headers, receivedMs } = exchange.request;
    assert(
      direct?.stored !== null && direct?.stored !== undefined,
      "a stored response is asked about by its id",
    );
    const passage = target.language.passages.responses;
    if (passage?.kind !== "verbatim") throw unknownResponse(direct.stored.marked);
    this.#stored = direct.stored;
    this.#passage = passage;
    this.#target = target;
    this.request = {
      method: direct.method,
      path: pathTo(target.paths.responses ?? "/responses", `/${direct.stored.id}${direct.path}`),
      headers: withPassed(target.access.openHeaders, target, headers),
      body,
      timeouts: exchange.timeouts,
      startedMs: receivedMs,
    };
  }

  relay(host: RelayHost, context: AnswerContext): Relay {
    if (isProvidersFailure(context.status)) return new ErrorRelay(host, context, true);
    const { marked, id, account } = this.#stored;
    if (context.headers["content-type"]?.startsWith("text/event-stream") === true) {
      const watched = this.#passage.watcher.stream(dialectTarget(this.#target.language, id, context.wallMs));
      return new AnswerStreamRelay(host, context, new WatchedStream(watched, new IdMarker(account)));
    }
    // What it used was counted when it was made.
    const mark = (body: Buffer) => ({ body: withOtherId(body, id, marked), usage: NOTHING_USED });
    return new AnswerWholeRelay(host, context, mark, false);
  }
}

/** A path below another that may have a query of its own. */
function pathTo(path: string, rest: string): string {
  const [place, query] = path.split("?", 2);
  if (query === undefined) return `${place}${rest}`;
  return `${place}${rest}${rest.includes("?") ? "&" : "?"}${query}`;
}

export function unknownResponse(id: string): GatewayError {
  const message = `There is no response ${JSON.stringify(id.slice(0, 100))} here: only responses that a provider keeps can be asked for.`;
  return new GatewayError("not_found", message, { param: "response_id" });
}
