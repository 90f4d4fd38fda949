// The words that catalog files and the code of the dialects share.

/** The wire languages; a catalog file's `dialect` is one of them. */
export const DIALECT_NAMES = ["openai", "anthropic", "gemini", "bedrock"] as const;

export type DialectName = (typeof DIALECT_NAMES)[number];

/** What a provider can be asked for; a catalog file lists what it has under `endpoints`. */
export const ENDPOINTS = [
  "chat",
  "completions",
  "embeddings",
  "responses",
  "messages",
  "count_tokens",
  "moderations",
  "images",
  "speech",
  "transcriptions",
  "translations",
  "rerank",
  "models",
] as const;

export type Endpoint = (typeof ENDPOINTS)[number];
