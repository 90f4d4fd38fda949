// The closed list of ways in which providers differ from the language they say they speak. A catalog file states its
// provider's quirks with these words (snake_case there); the dialects read them. A new quirk is a member here, a
// sentence, and code in the dialect: never a condition on a provider's name.

/** The wire languages; a catalog file's `dialect` is one of them. */
export const DIALECT_NAMES = ["openai", "anthropic", "gemini", "bedrock"] as const;

export type DialectName = (typeof DIALECT_NAMES)[number];

/** What a provider can be asked for, besides chat; a catalog file lists them under `endpoints`. */
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

/** Where a stream tells its usage: on a last chunk without choices, on the chunk that finishes, under `x_groq`, in `choices[0]`, or cumulatively on every chunk. */
export const USAGE_PLACES = ["last_chunk", "finish_chunk", "x_groq", "choices", "every_chunk"] as const;

export interface Quirks {
  /** Members of the request body that go by another name there: `{ seed: "random_seed" }`. */
  readonly rename: Readonly<Record<string, string>>;
  /** Members of the request body that the provider rejects; they are left out, with a warning to the client. */
  readonly drop: readonly string[];
  /** Roles that go by another name there: `{ developer: "system" }`. */
  readonly roles: Readonly<Record<string, string>>;
  /** Whether message content must be a string: arrays of text parts are joined. */
  readonly flattenContent: boolean;
  /** Whether `stream_options` is understood; if not, usage is not asked for. */
  readonly streamOptions: boolean;
  readonly usageAt: (typeof USAGE_PLACES)[number];
  /** Whether `completion_tokens` leaves out the reasoning tokens, which must be added. */
  readonly addReasoning: boolean;
  /** The delta's member that holds reasoning text, when it is not `reasoning_content`. */
  readonly reasoningField: string | null;
  /** Whether tool calls in a stream come without a usable `index`, which must be assigned. */
  readonly assignToolIndex: boolean;
  /** Whether tool calls in a stream come without `type`, which must be added. */
  readonly forceToolType: boolean;
  /** Whether content in answers may be an array of parts, which must be joined. */
  readonly joinContentParts: boolean;
}

/** A provider that speaks its language as the book has it. */
export const NO_QUIRKS: Quirks = {
  rename: {},
  drop: [],
  roles: {},
  flattenContent: false,
  streamOptions: true,
  usageAt: "last_chunk",
  addReasoning: false,
  reasoningField: null,
  assignToolIndex: false,
  forceToolType: false,
  joinContentParts: false,
};
