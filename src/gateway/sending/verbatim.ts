// A request whose client and provider speak one language that is not chat: the client's bytes with the model's name put
// in, its headers of that language, and the provider's answers and errors as they come.
import { UNSIGNED, withoutUnsignedThinking, type DialectTarget } from "../../../providers/dialects/index.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { AnswerStreamRelay } from "../relay/answer-stream-relay.ts";
import { WatchedStream } from "../relay/answer-stream.ts";
import { AnswerWholeRelay, type ConvertedAnswer } from "../relay/answer-whole-relay.ts";
import { IdMarker, withOtherId } from "../affinity.ts";
import type { Exchange } from "../exchange.ts";
import { dialectTarget, type Verbatim } from "./passage.ts";
import type { Relay, RelayHost } from "../relay/relay.ts";
import { rewriteRequest } from "../request/request-rewrite.ts";
import type { Sending } from "./sending.ts";
import { withHeaders, withPassed } from "./upstream-request.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

export class VerbatimSending implements Sending {
  readonly request: CallRequest;
  readonly warnings: readonly string[] = [];
  readonly keepsErrors = true;
  readonly #passage: Verbatim;
  readonly #account: string;
  readonly #isStream: boolean;
  readonly #to: DialectTarget;

  constructor(exchange: Exchange, target: UpstreamTarget, passage: Verbatim, wallMs: number) {
    const { request } = exchange;
    const { isStream } = request.members;
    this.#passage = passage;
    this.#account = target.account;
    this.#isStream = isStream;
    this.#to = dialectTarget(target.language, request.id, wallMs);
    this.request = {
      path: target.paths[request.route.kind] ?? request.route.upstreamPath,
      headers: withPassed(
        withHeaders(target, isStream, headersOf(exchange, passage)),
        target,
        request.headers,
      ),
      body: bodyFor(exchange, target),
      timeouts: exchange.timeouts,
      startedMs: request.receivedMs,
    };
  }

  relay(host: RelayHost, context: AnswerContext): Relay {
    if (!this.#isStream) return new AnswerWholeRelay(host, context, (body) => this.#watch(body));
    const watched = this.#passage.watcher.stream(this.#to);
    return new AnswerStreamRelay(host, context, new WatchedStream(watched, this.#marker()));
  }

  #marker(): IdMarker | null {
    return this.#passage.marksIds ? new IdMarker(this.#account) : null;
  }

  #watch(body: Buffer): ConvertedAnswer {
    const marked = this.#marker()?.mark(body) ?? body;
    return { body: marked, usage: this.#passage.watcher.usage(JSON.parse(body.toString("utf8")), this.#to) };
  }
}

/** The language's headers: the client's own, since they belong to what its body says, else the provider's. */
function headersOf({ request }: Exchange, { headerPrefix, headers }: Verbatim): Record<string, string> {
  const sent: Record<string, string> = { ...headers };
  if (headerPrefix === "") return sent;
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(headerPrefix) && value !== undefined) sent[name] = String(value);
  }
  return sent;
}

/** The client's bytes with the provider's names put in, and without what the provider would refuse them for. */
function bodyFor(exchange: Exchange, target: UpstreamTarget): Buffer {
  const { body, members } = exchange.request;
  // Thinking that no provider has signed came from another target.
  if (body.includes(UNSIGNED)) {
    const cleaned = withoutUnsignedThinking(exchange.parsedBody());
    return Buffer.from(JSON.stringify({ ...cleaned, model: target.model }));
  }
  const named = rewriteRequest(body, members, { model: target.modelJson, addUsage: false });
  const { previous } = exchange;
  return previous === null ? named : withOtherId(named, previous.marked, previous.id);
}
