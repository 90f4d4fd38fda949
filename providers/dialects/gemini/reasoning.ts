// Reasoning effort as Gemini thinking: a budget in tokens for 2.5, a level from 3 on. Google's own chat endpoint maps
// efforts to the same budgets and levels. https://ai.google.dev/gemini-api/docs/thinking
import { readObject, type Json } from "../json.ts";
import { reasoningEffort, type Effort } from "../shared/params.ts";
import { thinkingKind, type GeminiModel } from "./models.ts";

const BUDGET_TOKENS: Readonly<Record<Exclude<Effort, "none">, number>> = {
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 24_576,
  max: 24_576,
};

/** The smallest budget of models that can't stop thinking. */
const BUDGET_TOKENS_PRO_MIN = 128;

/** The `thinkingConfig` member of the generation config, if there is anything to say. */
export function thinkingConfig(request: Json, model: GeminiModel, warnings: string[]): Json {
  const google = readObject(readObject(request, "extra_body"), "google");
  const given = readObject(google, "thinking_config") ?? readObject(google, "thinkingConfig");
  if (given !== undefined) return { thinkingConfig: camelCased(given) };
  const effort = reasoningEffort(request);
  if (effort === undefined) return {};
  switch (thinkingKind(model)) {
    case "none":
      if (effort !== "none") warnings.push("reasoning_effort was dropped: the model does not think.");
      return {};
    case "budget":
      return { thinkingConfig: budget(effort, model, warnings) };
    case "level":
      return { thinkingConfig: level(effort, model, warnings) };
  }
}

function budget(effort: Effort, model: GeminiModel, warnings: string[]): Json {
  if (effort !== "none") return { thinkingBudget: BUDGET_TOKENS[effort], includeThoughts: true };
  if (!model.isPro) return { thinkingBudget: 0 };
  warnings.push("reasoning_effort none became the least effort: the model can't stop thinking.");
  return { thinkingBudget: BUDGET_TOKENS_PRO_MIN };
}

function level(effort: Effort, model: GeminiModel, warnings: string[]): Json {
  if (effort === "none" || effort === "minimal") {
    if (effort === "none" && model.isPro) {
      warnings.push("reasoning_effort none became the least effort: the model can't stop thinking.");
    }
    const least = { thinkingLevel: model.isPro ? "low" : "minimal" };
    return effort === "none" ? least : { ...least, includeThoughts: true };
  }
  // The first model with levels knew no middle.
  const isWithoutMiddle = model.isPro && model.version < 301;
  const named = effort === "low" || (effort === "medium" && !isWithoutMiddle) ? effort : "high";
  return { thinkingLevel: named, includeThoughts: true };
}

/** `thinking_budget` → `thinkingBudget`. */
function camelCased(members: Json): Json {
  const camel = (key: string): string =>
    key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(members).map(([key, value]) => [camel(key), value]));
}
