// How a request of one kind reaches one model: as the client's own bytes where provider and client speak chat
// completions, otherwise as one of these. Worked out once per target when the configuration is compiled.
import type {
  ChatDialect,
  ClientDialect,
  DialectStream,
  DialectTarget,
  DialectUsage,
  EmbeddingsDialect,
} from "../../../providers/dialects/index.ts";
import type { Route } from "../routes.ts";

export type Passage = Translated | Mended | Verbatim | Counted | Embedded;

/** Request and answer are parsed and written anew. */
export interface Translated {
  readonly kind: "translated";
  readonly dialect: ChatDialect;
  /** The client's language; null: chat completions. */
  readonly client: ClientDialect | null;
}

/** The provider speaks this client's language, which is not chat: bytes pass both ways and are only watched. */
export interface Verbatim {
  readonly kind: "verbatim";
  readonly watcher: Watcher;
  /** Client headers that begin with this belong to the language and are passed on; empty: there are none. */
  readonly headerPrefix: string;
  /** Whether answers can be asked for again by their id, which then has to name the provider. */
  readonly marksIds: boolean;
  /** Sent unless the client sends its own. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads answers in a language that are passed on as they are. */
export interface Watcher {
  /** What a whole answer used; null when it does not say. Throws a `GatewayError` when it is none. */
  usage(answer: unknown, to: DialectTarget): DialectUsage | null;
  /** Follows a stream to its end, for its usage and failures. */
  stream(to: DialectTarget): DialectStream;
}

/** The client's bytes go out; chunks that come back are mended where official clients would stumble over them. */
export interface Mended {
  readonly kind: "mended";
  readonly dialect: ChatDialect;
}

/** The provider can't count, so the gateway tells about how many tokens a request has. */
interface Counted {
  readonly kind: "counted";
}

/** Embeddings that are written anew in the provider's language. */
interface Embedded {
  readonly kind: "embedded";
  readonly dialect: EmbeddingsDialect;
}

/** The facts that dialects want, for one request. `wallMs`: now, in milliseconds since the epoch. */
export function dialectTarget({ about }: TargetLanguage, requestId: string, wallMs: number): DialectTarget {
  return { ...about, createdSeconds: Math.floor(wallMs / 1000), id: requestId };
}

/** What a target's language means for requests to it. */
export interface TargetLanguage {
  readonly chat: ChatDialect;
  /** By kind of route; the others pass as bytes. */
  readonly passages: Readonly<Partial<Record<Route["kind"], Passage>>>;
  /** A chat request that holds one of these texts is written anew, even where others pass as bytes. */
  readonly rewriteMarks: readonly string[];
  /** Whether one that is too long to be searched is written anew in any case. */
  readonly rewritesLong: boolean;
  /** The facts that dialects want, but for those that differ from request to request. */
  readonly about: Omit<DialectTarget, "createdSeconds" | "id">;
  /** Path and query on the origin for chat, where they are the same for every request. */
  readonly chatPath: string | null;
  /** Path and query on the origin for one that lies below the base URL. */
  readonly below: (path: string) => string;
  /** Content type of its streams. */
  readonly streamType: string;
}
