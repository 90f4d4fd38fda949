// What a Gemini model takes, told from its name (`gemini-2.5-flash-lite`, `gemini-3.1-pro-preview`). A name without a
// version is taken for a new model.

export interface GeminiModel {
  /** Major and minor as one number to compare: 2.5 is 205. */
  readonly version: number;
  /** The larger models can't switch thinking off and know fewer levels. */
  readonly isPro: boolean;
}

/** Whether a base URL is Vertex's rather than AI Studio's. */
export function isVertex(baseUrl: string): boolean {
  return baseUrl.includes("/publishers/google");
}

const NEWEST = 9900;

export function geminiModel(name: string): GeminiModel {
  const match = /gemini-(\d{1,2})(?:\.(\d{1,2}))?/.exec(name.toLowerCase());
  const version = match === null ? NEWEST : Number(match[1]) * 100 + Number(match[2] ?? 0);
  return { version, isPro: name.toLowerCase().includes("-pro") };
}

/** How thinking is asked for: not at all, by a budget in tokens, or by a level. */
export function thinkingKind(model: GeminiModel): "none" | "budget" | "level" {
  if (model.version < 205) return "none";
  return model.version < 300 ? "budget" : "level";
}

/** Function calls of the current turn must come back with the signature of the thought behind them. */
export function wantsSignatures(model: GeminiModel): boolean {
  return model.version >= 300;
}

/** Schemas may be written in JSON Schema; before, only in a subset of OpenAPI 3.0. */
export function takesJsonSchema(model: GeminiModel): boolean {
  return model.version >= 200;
}
