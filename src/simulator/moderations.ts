// Moderations of the pretend model: what contains the word "forbidden" is flagged, nothing else.
import { stringsAt } from "./json.ts";
import { hash32, promptTokens } from "./prose.ts";
import type { JsonObject } from "./json.ts";

const CATEGORIES = ["harassment", "hate", "self-harm", "sexual", "violence"] as const;

export interface Moderation {
  readonly json: string;
  readonly tokens: number;
}

/** Throws `invalid_request` when `input` is neither a string nor a list of strings. */
export function answerModeration(body: JsonObject): Moderation {
  const inputs = stringsAt(body, "input");
  const model = typeof body["model"] === "string" ? body["model"] : "sim-moderation";
  const results = inputs.map((input) => {
    const flagged = /\bforbidden\b/i.test(input);
    const isHit = (category: string): boolean => flagged && category === "violence";
    return {
      flagged,
      categories: Object.fromEntries(CATEGORIES.map((category) => [category, isHit(category)])),
      category_scores: Object.fromEntries(
        CATEGORIES.map((category) => [category, isHit(category) ? 0.99 : 0.01]),
      ),
    };
  });
  const id = `modr-${hash32(inputs.join("\n")).toString(16).padStart(8, "0")}`;
  const tokens = inputs.reduce((total, input) => total + promptTokens(input), 0);
  return { json: JSON.stringify({ id, model, results }), tokens };
}
