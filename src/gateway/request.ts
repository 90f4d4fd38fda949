// What is known about a request when its life begins: http/ has read the bounded body, found the few members that the
// gateway needs by scanning the bytes (nothing was parsed whole), and found out whose key it carries. All of it is
// read-only from here on; a changed body is spliced from the original bytes.
import type { IncomingHttpHeaders } from "node:http";
import type { ClientKey } from "./runtime.ts";

/** One of the gateway's routes, as data: all of them live the same life. */
export interface Route {
  /** The path clients call; also the metrics' label. */
  readonly pattern: string;
  /** The path below a provider's base URL. */
  readonly upstreamPath: string;
  readonly kind: "chat" | "completions" | "embeddings" | "messages" | "count_tokens" | "responses";
}

/** The routes that cost tokens and whose bodies are JSON, by pattern. */
export const ROUTES = {
  chat: { pattern: "/v1/chat/completions", upstreamPath: "/chat/completions", kind: "chat" },
  completions: { pattern: "/v1/completions", upstreamPath: "/completions", kind: "completions" },
  embeddings: { pattern: "/v1/embeddings", upstreamPath: "/embeddings", kind: "embeddings" },
  messages: { pattern: "/v1/messages", upstreamPath: "/messages", kind: "messages" },
  countTokens: {
    pattern: "/v1/messages/count_tokens",
    upstreamPath: "/messages/count_tokens",
    kind: "count_tokens",
  },
  responses: { pattern: "/v1/responses", upstreamPath: "/responses", kind: "responses" },
} as const satisfies Record<string, Route>;

/** A value's place in the body: its first byte and the byte after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The top-level members of the body that the gateway reads. `null`: absent (a JSON `null` counts as absent). */
export interface BodyMembers {
  /** As the client wrote it, decoded; never empty. It may hold any character: never put it into a header unchecked. */
  readonly model: string;
  readonly modelSpan: Span;
  /** `stream: true` was asked. */
  readonly isStream: boolean;
  /** The whole value of `stream_options`, even where that is a JSON `null`. */
  readonly streamOptionsSpan: Span | null;
  /** `stream_options.include_usage: true` was asked. */
  readonly includeUsage: boolean;
  /** `max_completion_tokens`, else `max_tokens`: a whole number ≥ 0. */
  readonly maxTokens: number | null;
  /** `n`: how many answers are asked for; 1 when absent. */
  readonly choices: number;
  /** `encoding_format` of embeddings. */
  readonly encodingFormat: string | null;
  /** How many content parts are images. */
  readonly imageCount: number;
  /** Bytes of inlined media: they are not text and don't count as such. */
  readonly mediaBytes: number;
  readonly hasTools: boolean;
  /** The end user or session as the client names it: `prompt_cache_key`, else `user`. */
  readonly session: string | null;
  /** The byte after the object's `{`, where a member can be inserted. */
  readonly insertAt: number;
}

export interface RequestFacts {
  /** `x-request-id` of the answer; safe in a header. */
  readonly id: string;
  readonly route: Route;
  readonly key: ClientKey;
  readonly headers: IncomingHttpHeaders;
  /** The body as the client sent it, decoded if it came compressed: valid JSON, an object. */
  readonly body: Buffer;
  readonly members: BodyMembers;
  /** `Clock.elapsedMs()` at the arrival of the request's head. */
  readonly receivedMs: number;
  /** How long the client is ready to wait for all of it; null: it did not say. */
  readonly timeoutMs: number | null;
}
