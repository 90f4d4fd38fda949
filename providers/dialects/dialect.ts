// What a wire language has to offer the gateway: pure functions from one request or answer to another. A dialect never
// sends, waits, logs or reads a clock. The gateway's own language is chat completions as its clients speak it.
//
//   client ── ClientDialect.decode ──► chat request ──── ChatDialect.encode ──► provider
//   client ◄─ ClientDialect.encode ─── chat answer  ◄─── ChatDialect.decode ─── provider
//
// A chat-completions client needs no ClientDialect, and a provider of that language (`Dialect.native`) without quirks
// no ChatDialect: then the bytes pass through.
import type { GatewayError } from "../../src/errors.ts";
import type { ErrorHint } from "./classify.ts";
import type { Json } from "./json.ts";
import type { Quirks } from "./quirks.ts";

/** Facts about the provider and model a request goes to. */
export interface DialectTarget {
  /** The model's name at the provider. */
  readonly model: string;
  /** The provider's base URL without a trailing slash; some languages put the model into the path. */
  readonly baseUrl: string;
  /** The most tokens the model can produce, when known; languages that require a maximum default to it. */
  readonly maxOutputTokens?: number;
  /** Settings of the provider's catalog file that only its language understands (API version, region …). */
  readonly options: Readonly<Record<string, string>>;
  /** The provider's name in the configuration, for messages. */
  readonly provider?: string;
  /** What this provider's errors mean, before the general rules. */
  readonly errorHints?: readonly ErrorHint[];
  /** How the provider deviates from its language. */
  readonly quirks?: Quirks;
  /** Seconds since the epoch, for `created`. */
  readonly createdSeconds: number;
  /** A fresh id for answers that have none. */
  readonly id: string;
}

/** What to send upstream. Authentication and signing are added by `upstream/`. */
export interface DialectRequest {
  /** Path and query below the base URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
  /** One line for each thing that could not be carried over; the client sees them in `x-sluice-warning`. */
  readonly warnings: readonly string[];
}

/** Token counts of an answer; `inputTokens` includes cached and cache-write tokens, `outputTokens` includes reasoning. */
export interface DialectUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
}

/** A finished answer in the client's language, with what it used. */
export interface DialectAnswer {
  readonly body: Json;
  readonly usage: DialectUsage | null;
}

/**
 * Turns a provider's stream into chat-completion chunks (objects, ready for `data: …`). Bytes may be cut anywhere.
 * Nothing here throws: a failure that the provider reports inside the stream, a broken frame and an end before the
 * provider's own end mark are left in `failure()`, and the chunks decoded before it are still returned. After a
 * failure every push returns nothing.
 */
export interface DialectStream {
  push(bytes: Uint8Array): readonly Json[];
  /** The bytes have ended: the remaining chunks. */
  end(): readonly Json[];
  /** Why the stream failed, once it has. Ask after every `push` and `end`. */
  failure(): GatewayError | null;
  /** The provider's own end mark has been seen: nothing worth waiting for follows. */
  finished(): boolean;
  /** The model is at work: more has come than that there is going to be an answer. */
  hasBegun(): boolean;
  /** What the provider has reported so far. */
  usage(): DialectUsage | null;
  /**
   * For clients of the provider's own language, to whom the stream is passed on as it is: the events that tell that it ends
   * here, and why; absent, or empty: their route has one.
   */
  lastWords?(error: GatewayError): string;
  /** For them too: the type of a whole answer's last event, which they wait for and some providers leave out. */
  readonly endEvent?: string;
}

/** Chat in one wire language. */
export interface ChatDialect {
  /** Throws `GatewayError("invalid_request" | "unsupported_parameter")` for what can't be asked in this language. */
  encode(request: Json, target: DialectTarget): DialectRequest;
  /** `answer` is the parsed body of a 200; throws a `GatewayError` when it is an error or of another shape. */
  decode(answer: unknown, target: DialectTarget): DialectAnswer;
  /** `includeUsage`: whether the client asked for a final usage chunk. */
  stream(target: DialectTarget, includeUsage: boolean): DialectStream;
}

/** Embeddings in one wire language; both sides are whole. */
export type EmbeddingsDialect = Pick<ChatDialect, "encode" | "decode">;

/** A chat request as another language's client meant it. */
export interface ClientRequest {
  readonly request: Json;
  readonly warnings: readonly string[];
}

/** Facts a client's answer needs that the chat answer does not hold. */
export interface ClientContext {
  /** The client's own request, for the members an answer repeats. */
  readonly request: Json;
  /** A fresh id for the answer, without a prefix. */
  readonly id: string;
  readonly createdSeconds: number;
  /** Estimated input tokens, for languages whose streams begin with them. */
  readonly inputTokens: number;
}

/** Turns chat chunks into the text of a client's own event stream. */
export interface ClientStream {
  push(chunk: Json): string;
  /** The last events of a stream that ended well. */
  end(): string;
  /** The last events of a stream that failed after its first byte. */
  fail(error: GatewayError): string;
  /** An event that keeps the connection alive and means nothing. */
  ping(): string;
}

/** A language that clients speak and providers need not. */
export interface ClientDialect {
  /** Throws `GatewayError("invalid_request" | "unsupported_parameter")`. */
  decode(request: Json): ClientRequest;
  /** `answer` is a chat completion. */
  encode(answer: Json, context: ClientContext): Json;
  stream(context: ClientContext): ClientStream;
}

/** Everything a provider's language decides, by the name that catalog files use. */
export interface Dialect {
  /** The provider speaks chat completions itself: without quirks, bytes may pass through. */
  readonly native: boolean;
  readonly chat: ChatDialect;
  /** Absent: embeddings pass as they are, or there are none. */
  readonly embeddings?: EmbeddingsDialect;
  /** For requests of the language's own clients that are passed on as they are; absent: chat is its only language. */
  readonly passed?: {
    /** Client headers that begin with this are part of such a request. */
    readonly headerPrefix: string;
    /** What such requests need when the client does not send its own. */
    headers(target: DialectTarget): Readonly<Record<string, string>>;
  };
  /** Content type of its streams; `text/event-stream` when absent. */
  readonly streamType?: string;
  /**
   * Path and query below the base URL of a route that is passed on as it is (`/embeddings`, `/audio/speech`), or null
   * when the language has no such route.
   */
  path(route: string, target: DialectTarget): string | null;
}
