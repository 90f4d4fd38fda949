// The routes whose requests name a model, as data: all of them live the same life, and differ in where they lead, in what
// their answers may be and in what can be told about the tokens of an answer whose provider says nothing of them.
import type { SaleKind } from "../observe/events.ts";
import type { Endpoint } from "../../providers/dialects/vocabulary.ts";

/** What every provider can be asked for: whatever it has, under its own path. */
export const ANYTHING = "anything";

export interface Route {
  /** The path clients call; also the metrics' label. */
  readonly pattern: string;
  /** The path below a provider's base URL. */
  readonly upstreamPath: string;
  readonly kind: Endpoint | "image_edits" | "image_variations" | "passed" | "stored";
  /** What a provider must have to be asked this. */
  readonly endpoint: Endpoint | typeof ANYTHING;
  /** `asked`: JSON, or a stream where one was asked for. `either`: JSON or a stream, whichever comes. `any`: audio and plain text too. `opaque`: whatever it is, the status too. */
  readonly answers: "asked" | "either" | "any" | "opaque";
  /** What answers are made of: `text`, whose length tells about how many tokens it has; `media`, whose length tells nothing; `none`: nothing is generated. */
  readonly output: "text" | "media" | "none";
  /** What may be sold there by other units than tokens; null: nothing is. */
  readonly sells: SaleKind | null;
  /** The alias of requests that name no model, which providers allow here; null: they have to name one. */
  readonly unnamedModel: string | null;
}

export const ROUTES = {
  chat: plain("chat", "/chat/completions", "text"),
  completions: plain("completions", "/completions", "text"),
  embeddings: plain("embeddings", "/embeddings", "none"),
  messages: plain("messages", "/messages", "text"),
  countTokens: plain("count_tokens", "/messages/count_tokens", "none"),
  responses: plain("responses", "/responses", "text"),
  moderations: { ...plain("moderations", "/moderations", "none"), unnamedModel: "moderations" },
  rerank: { ...plain("rerank", "/rerank", "none"), sells: "searches" },
  images: images("images", "/images/generations"),
  imageEdits: images("image_edits", "/images/edits"),
  imageVariations: images("image_variations", "/images/variations"),
  speech: { ...plain("speech", "/audio/speech", "media"), answers: "any", sells: "speech" },
  transcriptions: {
    ...plain("transcriptions", "/audio/transcriptions", "text"),
    answers: "any",
    sells: "audio",
  },
  translations: { ...plain("translations", "/audio/translations", "text"), answers: "any", sells: "audio" },
} as const satisfies Record<string, Route>;

/** The routes that lead to a provider rather than to a model. */
export const DIRECT_ROUTES = {
  passed: {
    ...plain("chat", "", "text"),
    pattern: "/providers/{name}/*",
    kind: "passed",
    endpoint: ANYTHING,
    answers: "opaque",
  },
  stored: {
    ...plain("responses", "", "none"),
    pattern: "/v1/responses/{id}",
    kind: "stored",
    endpoint: ANYTHING,
    answers: "opaque",
  },
} as const satisfies Record<string, Route>;

function plain(kind: Endpoint, path: string, output: Route["output"]): Route {
  return {
    pattern: `/v1${path}`,
    upstreamPath: path,
    kind,
    endpoint: kind,
    answers: "asked",
    output,
    sells: null,
    unnamedModel: null,
  };
}

function images(kind: Route["kind"], path: string): Route {
  return {
    ...plain("images", path, "media"),
    kind,
    answers: "either",
    sells: "images",
    unnamedModel: "images",
  };
}
