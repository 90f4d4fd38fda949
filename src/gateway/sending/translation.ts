// One request in another language: the client's body is parsed once, read as a chat request, and written by the
// provider's dialect for each target that needs it; the answer takes the same way back.
import type { ClientContext, DialectTarget } from "../../../providers/dialects/index.ts";
import { readObject, type Json } from "../../../providers/dialects/json.ts";
import { GatewayError } from "../../errors.ts";
import type { CallRequest } from "../../upstream/call.ts";
import type { AnswerContext } from "../relay/answer-error.ts";
import { AnswerStreamRelay } from "../relay/answer-stream-relay.ts";
import { asStream, TranslatedStream } from "../relay/answer-stream.ts";
import { AnswerWholeRelay, type ConvertedAnswer } from "../relay/answer-whole-relay.ts";
import type { Exchange } from "../exchange.ts";
import { dialectTarget, type Translated } from "./passage.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "../relay/relay.ts";
import type { Sending } from "./sending.ts";
import { withHeaders, withPassed } from "./upstream-request.ts";
import type { UpstreamTarget } from "./upstream-target.ts";

interface Encoded {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly warnings: readonly string[];
}

/** A request that is on its way to a target in the target's language. */
export class Translation implements Sending {
  readonly request: CallRequest;
  /** What could not be carried over, for the client. */
  readonly warnings: readonly string[];
  readonly keepsErrors = false;
  readonly #exchange: Exchange;
  readonly #passage: Translated;
  readonly #to: DialectTarget;

  /** Throws a `GatewayError` for what can't be asked in the target's language. */
  constructor(exchange: Exchange, target: UpstreamTarget, passage: Translated, wallMs: number) {
    const { request } = exchange;
    this.#exchange = exchange;
    this.#passage = passage;
    const { chatPath, below } = target.language;
    this.#to = dialectTarget(target.language, request.id, wallMs);
    const { path, body, headers, warnings } = this.#encoded();
    this.warnings = warnings;
    this.request = {
      path: chatPath ?? below(path),
      headers: withPassed(withHeaders(target, request.members.isStream, headers), target, request.headers),
      body: exchange.held?.restored(body) ?? body,
      timeouts: exchange.timeouts,
      startedMs: request.receivedMs,
    };
  }

  /** The request in the target's language. Where that looks into media, they can't be kept out of it. */
  #encoded(): Encoded {
    if (this.#exchange.held === null) return this.#encodedWhole();
    try {
      return this.#encodedWhole();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#exchange.letGoOfMedia();
      return this.#encodedWhole();
    }
  }

  #encodedWhole(): Encoded {
    const { client, dialect } = this.#passage;
    const asked = this.#exchange.chatRequest(client);
    const request = askingUsage(asked.request, this.#exchange.request.members.isStream);
    const { path, headers, body, warnings } = dialect.encode(request, this.#to);
    const bytes =
      typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
    return { path, headers, body: bytes, warnings: [...asked.warnings, ...warnings] };
  }

  /** The relay for a success of the right content type. */
  relay(host: RelayHost, context: AnswerContext): Relay {
    const { client, dialect } = this.#passage;
    const { members } = this.#exchange.request;
    if (!members.isStream) return new AnswerWholeRelay(host, context, (body) => this.#convert(body));
    const stream = dialect.stream(this.#to, client !== null || members.includeUsage);
    const written = client === null ? null : client.stream(this.#context());
    return new AnswerStreamRelay(host, context, new TranslatedStream(stream, written));
  }

  wholeRelay(host: RelayHost, context: AnswerContext): Relay {
    const { client, dialect } = this.#passage;
    const includeUsage = client !== null || this.#exchange.request.members.includeUsage;
    return new AnswerWholeRelay(host, context, (bytes) => {
      const { body, usage } = dialect.decode(JSON.parse(bytes.toString("utf8")), this.#to);
      const written = client === null ? null : client.stream(this.#context());
      return { body: asStream(body, includeUsage, written), usage };
    });
  }

  #convert(bytes: Buffer): ConvertedAnswer {
    const { client, dialect } = this.#passage;
    const answer: unknown = JSON.parse(bytes.toString("utf8"));
    const { body, usage } = dialect.decode(answer, this.#to);
    const written = client === null ? body : client.encode(body, this.#context());
    return { body: Buffer.from(JSON.stringify(written)), usage };
  }

  #context(): ClientContext {
    const { body, members } = this.#exchange.request;
    return {
      request: this.#exchange.lightBody(),
      id: this.#to.id,
      createdSeconds: this.#to.createdSeconds,
      inputTokens: Math.ceil(Math.max(1, body.length - members.mediaBytes) / BYTES_PER_TOKEN),
    };
  }
}

/** A streamed request asks the provider for usage, whether or not the client wants to see it. */
function askingUsage(request: Json, isStream: boolean): Json {
  if (!isStream) return request;
  return { ...request, stream_options: { ...readObject(request, "stream_options"), include_usage: true } };
}
