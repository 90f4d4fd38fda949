// A chat request to a provider that claims the client's language: the client's bytes go out, and what comes back is
// looked at frame by frame, because such providers differ in ways that break official clients without a word.
import { FrameNormaliser, type DialectTarget } from "../../../providers/dialects/index.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { AnswerStreamRelay } from "../relay/answer-stream-relay.ts";
import { NormalisedStream } from "../relay/answer-stream.ts";
import { AnswerWholeRelay, type ConvertedAnswer } from "../relay/answer-whole-relay.ts";
import type { Exchange } from "../exchange.ts";
import { dialectTarget, type Mended } from "./passage.ts";
import type { Relay, RelayHost } from "../relay/relay.ts";
import { asStream } from "../relay/answer-stream.ts";
import type { Sending } from "./sending.ts";
import { upstreamRequest } from "./upstream-request.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

export class MendedSending implements Sending {
  readonly request: CallRequest;
  readonly warnings: readonly string[] = [];
  readonly keepsErrors = false;
  readonly #exchange: Exchange;
  readonly #passage: Mended;
  readonly #to: DialectTarget;

  constructor(exchange: Exchange, target: UpstreamTarget, passage: Mended, wallMs: number) {
    this.#exchange = exchange;
    this.#passage = passage;
    this.#to = dialectTarget(target.language, exchange.request.id, wallMs);
    this.request = upstreamRequest(target, exchange);
  }

  relay(host: RelayHost, context: AnswerContext): Relay {
    const { isStream, includeUsage } = this.#exchange.request.members;
    if (!isStream) return new AnswerWholeRelay(host, context, (body) => this.#mend(body));
    const stream = new NormalisedStream(new FrameNormaliser(this.#to, includeUsage));
    return new AnswerStreamRelay(host, context, stream);
  }

  wholeRelay(host: RelayHost, context: AnswerContext): Relay {
    const { includeUsage } = this.#exchange.request.members;
    return new AnswerWholeRelay(host, context, (bytes) => {
      const { body, usage } = this.#passage.dialect.decode(JSON.parse(bytes.toString("utf8")), this.#to);
      return { body: asStream(body, includeUsage, null), usage };
    });
  }

  #mend(bytes: Buffer): ConvertedAnswer {
    const answer: unknown = JSON.parse(bytes.toString("utf8"));
    const { body, usage } = this.#passage.dialect.decode(answer, this.#to);
    return { body: Buffer.from(JSON.stringify(body)), usage };
  }
}
