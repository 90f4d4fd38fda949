// Embeddings at a provider of another language: written anew both ways, and given in the form that the client asked for.
import type { DialectTarget, DialectUsage, EmbeddingsDialect } from "../../../providers/dialects/index.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { AnswerWholeRelay, type ConvertedAnswer } from "../relay/answer-whole-relay.ts";
import { convertedEmbeddings, formatOf } from "./embeddings.ts";
import type { Exchange } from "../exchange.ts";
import { dialectTarget } from "./passage.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "../relay/relay.ts";
import type { Sending } from "./sending.ts";
import { withHeaders, withPassed } from "./upstream-request.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

export class EmbeddingSending implements Sending {
  readonly request: CallRequest;
  readonly warnings: readonly string[];
  readonly keepsErrors = false;
  readonly #exchange: Exchange;
  readonly #dialect: EmbeddingsDialect;
  readonly #to: DialectTarget;

  /** Throws a `GatewayError` for what can't be asked in the target's language. */
  constructor(exchange: Exchange, target: UpstreamTarget, dialect: EmbeddingsDialect, wallMs: number) {
    const { request } = exchange;
    this.#exchange = exchange;
    this.#dialect = dialect;
    this.#to = dialectTarget(target.language, request.id, wallMs);
    const { path, headers, body, warnings } = dialect.encode(exchange.parsedBody(), this.#to);
    this.warnings = warnings;
    this.request = {
      path: target.language.below(path),
      headers: withPassed(withHeaders(target, false, headers), target, request.headers),
      body: Buffer.from(body),
      timeouts: exchange.timeouts,
      startedMs: request.receivedMs,
    };
  }

  relay(host: RelayHost, context: AnswerContext): Relay {
    return new AnswerWholeRelay(host, context, (bytes) => this.#convert(bytes));
  }

  #convert(bytes: Buffer): ConvertedAnswer {
    const answer: unknown = JSON.parse(bytes.toString("utf8"));
    const { body, usage } = this.#dialect.decode(answer, this.#to);
    const wanted = formatOf(this.#exchange.request.members.encodingFormat);
    const inForm = convertedEmbeddings(body, wanted) ?? body;
    return { body: Buffer.from(JSON.stringify({ ...inForm, usage: this.#usage(usage) })), usage };
  }

  /** Clients expect to read what it cost; where the provider does not say, it is about what the text's length tells. */
  #usage(usage: DialectUsage | null): object {
    const tokens = usage?.inputTokens ?? Math.ceil(this.#exchange.request.body.length / BYTES_PER_TOKEN);
    return { prompt_tokens: tokens, total_tokens: tokens };
  }
}
