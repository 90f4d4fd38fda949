// One attempt: the request is sent to one target, and its answer, if it is any good, is relayed. Whatever happens, the
// attempt ends exactly once and says how; the reservation is settled by whoever started it. Nothing here decides about
// retries: an attempt that ends as `failed` has sent nothing to the client.
import type { IncomingHttpHeaders } from "node:http";
import { sseFrame } from "../../providers/dialects/index.ts";
import type { Clock } from "../clock.ts";
import { GatewayError } from "../errors.ts";
import type { RateLimitFacts } from "../limiter/reservation.ts";
import type { Usage } from "../observe/events.ts";
import { Call, type Receiver } from "../upstream/call.ts";
import type { Watch } from "../upstream/watch.ts";
import {
  addLimitHeaders,
  addProviderHeaders,
  addWarnings,
  answerType,
  JSON_TYPE,
  STREAM_TYPE,
} from "./relay/answer-headers.ts";
import type { AnswerContext } from "./relay/answer-error.ts";
import { covered, withoutSecrets } from "./relay/covered.ts";
import { DecodingRelay, decoderOf } from "./relay/decoder.ts";
import type { ClientResponse } from "./downstream.ts";
import { formatOf } from "./sending/embeddings.ts";
import type { Exchange } from "./exchange.ts";
import { ErrorRelay, PARTIAL } from "./relay/error-relay.ts";
import type { AnswerSink, Relay, RelayHost } from "./relay/relay.ts";
import { isToldByProvider } from "./outcome.ts";
import { sendingOf, signed, type Sending } from "./sending/sending.ts";
import { announcedBytes, RawRelay } from "./relay/raw-relay.ts";
import { SniffedRelay } from "./relay/sniffed-relay.ts";
import { CHAT_MARKS, MEDIA_MARKS, StreamRelay } from "./relay/stream-relay.ts";
import { upstreamRequest } from "./sending/upstream-request.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";
import { WholeRelay } from "./relay/whole-relay.ts";

/** How an attempt ended. */
export type AttemptEnd = Answered | Unanswered;

interface Answered extends Produced {
  /** The client has the whole answer. */
  readonly kind: "answered";
  readonly error: null;
}

interface Unanswered extends Produced {
  /**
   * `failed`: nothing has gone to the client. `lost`: nothing either, because another attempt was quicker. `cut`: the
   * answer broke off, and the client was told. `gone`: the client left.
   */
  readonly kind: "failed" | "lost" | "cut" | "gone";
  readonly error: GatewayError;
}

interface Produced {
  /** Whether the provider can have seen the request. */
  readonly isSent: boolean;
  /** Whether the provider answered with an error, so that it has produced nothing. */
  readonly isRefused: boolean;
  /** What the provider reported. */
  readonly usage: Usage | null;
  /** About how many tokens were produced, judged by the bytes. */
  readonly outputTokens: number;
  /** `elapsedMs` when it was handed to the provider. */
  readonly sentMs: number;
  /** When the answer began for the client; 0: it did not. */
  readonly firstByteMs: number;
}

/** What an attempt needs of the gateway. */
export interface AttemptParts {
  readonly clock: Clock;
  readonly watch: Watch;
}

/** An event stream in whatever language. */
const OPAQUE_STREAM_TYPE = "text/event-stream; charset=utf-8";
/** What keeps clients of the messages route waiting. */
const PING = sseFrame('{"type":"ping"}', "ping");
const UNKNOWN_TYPE = "application/octet-stream";
const JSON_LIKE = /^application\/(?:[\w.-]+\+)?json\b/i;

const NO_HEADERS: IncomingHttpHeaders = {};
const NO_FACTS: RateLimitFacts = { requests: null, tokens: null };

export class Attempt implements Receiver, RelayHost {
  /** What relays write to: the client, or the recording on the way there. */
  readonly response: AnswerSink;
  readonly #client: ClientResponse;
  readonly #exchange: Exchange;
  readonly #target: UpstreamTarget;
  readonly #parts: AttemptParts;
  #facts: RateLimitFacts;
  readonly #call: Call;
  readonly #sending: Sending | null;
  #relay: Relay | null = null;
  #status = 0;
  #sentMs = 0;
  #firstByteMs = 0;
  #headers: IncomingHttpHeaders = NO_HEADERS;
  /** The answer's content type; for JSON and streams one of ours. */
  #type = JSON_TYPE;
  #isBegun = false;
  #isOver = false;
  #isLost = false;
  /** The provider said that it failed, in the place of an answer. */
  #isRefused = false;
  #isPaused = false;
  #resolve: (end: AttemptEnd) => void = () => undefined;

  constructor(exchange: Exchange, target: UpstreamTarget, facts: RateLimitFacts, parts: AttemptParts) {
    this.#exchange = exchange;
    this.#target = target;
    this.#parts = parts;
    this.#facts = facts;
    this.#client = exchange.downstream.response;
    this.response = exchange.recording ?? this.#client;
    this.#sending = sendingOf(exchange, target, parts.clock);
    const request = this.#sending?.request ?? upstreamRequest(target, exchange);
    this.#call = new Call(target.origin, parts.watch, signed(request, target, parts.clock), this);
  }

  /** Sends the request; resolves when the attempt is over, whatever ended it. Never rejects. */
  run(nowMs: number): Promise<AttemptEnd> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#sentMs = nowMs;
      this.#call.start(nowMs);
    });
  }

  /** The client has left, or the gateway ends what is running. */
  abort(error: GatewayError): void {
    this.fail(error);
  }

  /** Another attempt of the same request has begun to answer: ends this one, of which the client has seen nothing. */
  yieldTo(winner: string): void {
    this.#isLost = true;
    this.fail(
      new GatewayError(
        "provider_timeout",
        `Provider \`${winner}\` has answered before \`${this.#target.provider}\`.`,
      ),
    );
  }

  /** Whether the provider may still count it among those that run. */
  get isRunning(): boolean {
    return this.#call.isRunning;
  }

  /** Calls the listener once when `isRunning` turns false, which is before long. */
  onReleased(listener: () => void): void {
    this.#call.onReleased = listener;
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    this.#target.limits.answered(status, headers, this.#sentMs);
    this.#relay = this.#relayFor(status, headers);
  }

  onData(chunk: Buffer): void {
    if (!this.#isBegun && !this.#isStreamDue()) this.#call.markFirst();
    this.#relay?.data(chunk);
  }

  onQuiet(): void {
    if (!this.#isBegun || this.#isOver) return;
    const words = this.#relay?.quiet?.() ?? "";
    if (words === "") return;
    const isMessages = this.#exchange.request.route.kind === "messages";
    // Past the recording: an answer that is given again does not wait.
    this.#client.write(isMessages ? PING : words, "latin1");
  }

  onEnd(): boolean {
    this.#relay?.end();
    // What is still being decoded, or waits for a slow client, keeps its deadlines.
    return this.#isOver;
  }

  onFailure(error: GatewayError): void {
    const isTorn = this.#isBegun && error.code === "provider_unreachable";
    this.#conclude(isTorn ? tornOff(error, this.#target.provider) : error);
  }

  begin(bytes: number | null): void {
    this.#exchange.onBegin?.(this);
    this.#isBegun = true;
    this.#call.markFirst();
    const { record } = this.#exchange;
    this.#firstByteMs = this.#parts.clock.elapsedMs();
    record.provider = this.#target.provider;
    record.model = this.#target.model;
    record.sentMs = this.#sentMs;
    record.firstByteMs = this.#firstByteMs;
    record.status = this.#status;
    record.isStream = this.#type.startsWith(STREAM_TYPE);
    // What passes unread may be in another language than our last event would be.
    this.#exchange.downstream.isStream = this.#type === STREAM_TYPE;
    const { recording } = this.#exchange;
    if (recording !== null) recording.warnings = this.#sending?.warnings ?? [];
    this.#client.writeHead(this.#status, this.#answerHeaders(bytes));
    // A stream may stay open for long, and this is of no more use.
    this.#headers = NO_HEADERS;
    this.#facts = NO_FACTS;
  }

  done(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.letGo();
    this.#resolve({ kind: "answered", error: null, ...this.#produced() });
  }

  fail(error: GatewayError): void {
    this.#conclude(error);
    this.#call.abort(error);
  }

  pause(onResume?: () => void): void {
    // What was under way when reading stopped still comes, and each piece of it may ask again.
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#call.pause();
    this.#client.once("drain", () => {
      this.#isPaused = false;
      this.#call.resume();
      onResume?.();
    });
  }

  #conclude(cause: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isRefused = !this.#isBegun && isToldByProvider(cause);
    const error = covered(cause, this.#target.access.secrets);
    this.#relay?.close();
    if (this.#exchange.isGone) {
      this.#resolve({ kind: "gone", error, ...this.#produced() });
    } else if (this.#isBegun) {
      const words = withoutSecrets(this.#relay?.lastWords?.(cause) ?? "", this.#target.access.secrets);
      if (words !== "" && !this.#client.writableEnded) this.#client.end(words);
      this.#exchange.downstream.fail(error, []);
      this.#resolve({ kind: "cut", error, ...this.#produced() });
    } else {
      this.#resolve({ kind: this.#isLost ? "lost" : "failed", error, ...this.#produced() });
    }
  }

  #produced(): Produced {
    const relay = this.#relay;
    return {
      isSent: this.#call.isSent,
      isRefused: this.#status >= 300 || this.#isRefused || this.#isUploading,
      usage: relay?.usage() ?? null,
      outputTokens: this.#outputTokens(),
      sentMs: this.#sentMs,
      firstByteMs: this.#firstByteMs,
    };
  }

  /** Whether the provider has not got the whole request, and so can't have produced anything for it. */
  get #isUploading(): boolean {
    return this.#exchange.request.upload?.isEnded === false;
  }

  #isStreamDue(): boolean {
    return this.#type === STREAM_TYPE || this.#exchange.request.members.isStream;
  }

  #outputTokens(): number {
    const isGenerated =
      this.#status >= 200 && this.#status < 300 && this.#exchange.request.route.output === "text";
    return isGenerated ? (this.#relay?.outputTokens() ?? 0) : 0;
  }

  #relayFor(status: number, headers: IncomingHttpHeaders): Relay {
    const { provider, errorHints, limits } = this.#target;
    const context = { provider, errorHints, limits, status, headers, wallMs: this.#parts.clock.wallMs() };
    const decoder = decoderOf(headers["content-encoding"]);
    if (decoder === null) return this.#plainRelay(this, context);
    if (decoder === undefined) return new ErrorRelay(this, context);
    return new DecodingRelay(this, decoder(), provider, (host) => this.#plainRelay(host, context));
  }

  /** The relay that an answer of this status and type needs, or the one that finds out what went wrong. */
  #plainRelay(host: RelayHost, context: AnswerContext): Relay {
    const { members, route } = this.#exchange.request;
    const type = context.headers["content-type"] ?? "";
    const isStreamed = type.startsWith(this.#target.language.streamType);
    if (route.answers === "opaque" && this.#sending !== null) {
      this.#type = isStreamed ? OPAQUE_STREAM_TYPE : type;
      return this.#sending.relay(host, context);
    }
    const isWrong = route.answers === "asked" && members.isStream !== isStreamed;
    const isWhole = context.status < 300 && context.status !== PARTIAL;
    if (isWhole && isWrong && members.isStream) {
      return this.#target.language.streamType === STREAM_TYPE
        ? new SniffedRelay((isEvents) => this.#relayInstead(host, context, isEvents))
        : this.#relayInstead(host, context, false);
    }
    if (!isWhole || isWrong || type.startsWith("text/html")) {
      return new ErrorRelay(host, context, this.#sending?.keepsErrors);
    }
    if (isStreamed) this.#type = STREAM_TYPE;
    if (this.#sending !== null) return this.#sending.relay(host, context);
    if (route.answers !== "asked") return this.#openRelay(host, context, type);
    if (isStreamed) return this.#chatRelay(host, context);
    const embeddings = route.kind === "embeddings" ? formatOf(members.encodingFormat) : null;
    return new WholeRelay(host, { context, embeddings, isSoldByUnits: route.sells !== null });
  }

  #chatRelay(host: RelayHost, context: AnswerContext): Relay {
    const { includeUsage } = this.#exchange.request.members;
    return new StreamRelay(host, { context, includeUsage, marks: CHAT_MARKS });
  }

  /** The relay for what does not call itself a stream although one was asked for. */
  #relayInstead(host: RelayHost, context: AnswerContext, isEvents: boolean): Relay {
    this.#type = STREAM_TYPE;
    if (isEvents) return this.#sending?.relay(host, context) ?? this.#chatRelay(host, context);
    const isJson = JSON_LIKE.test(context.headers["content-type"] ?? "");
    const whole = isJson ? this.#sending?.wholeRelay?.(host, context) : undefined;
    return whole ?? new ErrorRelay(host, context, this.#sending?.keepsErrors);
  }

  /** The relay for an answer whose own type says what it is. */
  #openRelay(host: RelayHost, context: AnswerContext, type: string): Relay {
    if (this.#type === STREAM_TYPE) {
      return new StreamRelay(host, { context, includeUsage: true, marks: MEDIA_MARKS });
    }
    if (this.#exchange.request.route.answers === "either" || JSON_LIKE.test(type)) {
      return new WholeRelay(host, { context, embeddings: null, isSoldByUnits: true });
    }
    this.#type = type === "" ? UNKNOWN_TYPE : type;
    return new RawRelay(host, announcedBytes(context.headers));
  }

  #answerHeaders(bytes: number | null): string[] {
    const { request, record } = this.#exchange;
    const headers = answerType(this.#type);
    if (bytes !== null) headers.push("content-length", String(bytes));
    headers.push("x-request-id", request.id, ...this.#target.answerHeaders);
    if (request.route.kind === "messages") headers.push("request-id", request.id);
    headers.push("x-sluice-attempts", String(record.attempts));
    if (record.cache !== "") headers.push("x-sluice-cache", record.cache);
    if (this.#sending !== null) addWarnings(headers, this.#sending.warnings);
    addLimitHeaders(headers, this.#facts);
    addProviderHeaders(headers, this.#headers);
    return headers;
  }
}

/** A connection that was lost behind the answer's beginning: the provider was reached, and nothing can be tried again. */
function tornOff(cause: GatewayError, provider: string): GatewayError {
  const message = `Provider \`${provider}\` lost the connection in the middle of its answer.`;
  return new GatewayError("stream_interrupted", message, { cause });
}
