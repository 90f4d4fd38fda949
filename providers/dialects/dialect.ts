// What a wire language has to offer the gateway: pure functions from one request or answer to another. A dialect never
// sends, waits, logs or reads a clock. The gateway's own language is chat completions as its clients speak it; a
// provider that speaks the same language needs no dialect at all, and its bytes pass through.

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
  readonly body: Readonly<Record<string, unknown>>;
  readonly usage: DialectUsage | null;
}

/**
 * Turns a provider's stream into chat-completion chunks (objects, ready for `data: …`). Chunks may be cut anywhere.
 * A failure that the provider reports inside the stream, or a broken frame, throws a `GatewayError`; what was decoded
 * before it in the same push is in the error's place lost to nobody: `push` returns it first and throws on the next call.
 */
export interface DialectStream {
  push(bytes: Uint8Array): readonly Readonly<Record<string, unknown>>[];
  /** The stream has ended: the remaining chunks, or a throw when it ended before the provider's own end mark. */
  end(): readonly Readonly<Record<string, unknown>>[];
  /** What the provider has reported so far. */
  usage(): DialectUsage | null;
}

/** Chat in one wire language. */
export interface ChatDialect {
  /** Throws `GatewayError("invalid_request" | "unsupported_parameter")` for what can't be asked in this language. */
  encode(request: Readonly<Record<string, unknown>>, target: DialectTarget): DialectRequest;
  decode(answer: unknown, target: DialectTarget): DialectAnswer;
  /** `includeUsage`: whether the client asked for a final usage chunk. */
  stream(target: DialectTarget, includeUsage: boolean): DialectStream;
}
