// What happens to each member of a chat request in another language, as a table: carried by code, copied as it is
// because the language has it too, dropped with a warning, or refused because the answer's shape would be wrong without
// it. A value that asks for what happens anyway (`n: 1`, `logprobs: false`) is never worth a warning or a refusal.
import { GatewayError } from "../../../src/errors.ts";
import { isObject, type Json } from "../json.ts";

/** `native` members are the target language's own, which clients may send beside chat's. */
export type ParamRule = "carried" | "native" | "dropped" | "refused";

/** The rule for each member by name; a member without one is dropped. */
export type ParamRules = Readonly<Record<string, ParamRule>>;

/** What every language but chat's own refuses or drops. Dialects override single rows. */
export const COMMON_RULES: ParamRules = {
  model: "carried",
  messages: "carried",
  stream: "carried",
  stream_options: "carried",
  max_tokens: "carried",
  max_completion_tokens: "carried",
  stop: "carried",
  temperature: "carried",
  top_p: "carried",
  tools: "carried",
  tool_choice: "carried",
  parallel_tool_calls: "carried",
  reasoning_effort: "carried",
  response_format: "carried",
  user: "carried",
  // The answer would have another shape than the one asked for.
  n: "refused",
  logprobs: "refused",
  top_logprobs: "refused",
  modalities: "refused",
  audio: "refused",
  functions: "refused",
  function_call: "refused",
  web_search_options: "refused",
  // Hints, and settings of the provider's own house.
  seed: "dropped",
  presence_penalty: "dropped",
  frequency_penalty: "dropped",
  logit_bias: "dropped",
  prediction: "dropped",
  verbosity: "dropped",
  store: "dropped",
  metadata: "dropped",
  service_tier: "dropped",
  prompt_cache_key: "dropped",
  prompt_cache_retention: "dropped",
  safety_identifier: "dropped",
};

/** Values that ask for nothing special. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  logprobs: [false],
  top_logprobs: [0],
  presence_penalty: [0],
  frequency_penalty: [0],
  store: [false],
  service_tier: ["auto", "default"],
  verbosity: ["medium"],
  function_call: ["none"],
};

/**
 * Applies the rules to a request's members; returns those that are native. Adds a warning for each member dropped and
 * throws `unsupported_parameter` for one refused.
 */
export function applyRules(request: Json, rules: ParamRules, warnings: string[]): Json {
  const native: [string, unknown][] = [];
  for (const [name, value] of Object.entries(request)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === "carried" || isNeutral(name, value)) continue;
    if (rule === "native") native.push([name, value]);
    else if (rule === "refused") throw unsupported(name, "the model's provider has nothing like it");
    else warnings.push(`${name} was dropped: the model's provider has nothing like it.`);
  }
  return Object.fromEntries(native);
}

function isNeutral(name: string, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (name === "modalities") return Array.isArray(value) && value.every((each) => each === "text");
  if (name === "functions") return Array.isArray(value) && value.length === 0;
  if (name === "logit_bias" || name === "metadata") return isObject(value) && Object.keys(value).length === 0;
  return Object.hasOwn(NEUTRAL, name) && NEUTRAL[name]?.includes(value) === true;
}

/** Warns of members of a nested object that are not among those known. */
export function warnOfOthers(
  object: unknown,
  known: ReadonlySet<string>,
  { place, warnings }: { readonly place: string; readonly warnings: string[] },
): void {
  if (!isObject(object)) return;
  for (const [name, value] of Object.entries(object)) {
    if (known.has(name) || value === undefined || value === null || value === false) continue;
    warnings.push(`${place}.${name} was dropped: the model's provider has nothing like it.`);
  }
}

/** The error for what a language cannot express; `why` completes "NAME is not supported: …". */
export function unsupported(param: string, why: string): GatewayError {
  return new GatewayError("unsupported_parameter", `${param} is not supported here: ${why}.`, { param });
}

/** The error for a request that is wrong in any language. */
export function invalid(param: string, why: string): GatewayError {
  return new GatewayError("invalid_request", `${param} ${why}.`, { param });
}

/** The largest answer asked for, in tokens, under either of its names. Throws `invalid_request` for nonsense. */
export function maxTokensAsked(request: Json): number | undefined {
  for (const name of ["max_completion_tokens", "max_tokens"]) {
    const value = request[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      throw invalid(name, "must be a whole number above 0");
    }
    return value;
  }
  return undefined;
}

/** A number within bounds, or undefined. Throws `invalid_request` for another type; a value outside is moved inside. */
export function boundedNumber(
  request: Json,
  name: string,
  bounds: { readonly max: number; readonly warnings: string[] },
): number | undefined {
  const value = request[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw invalid(name, "must be a number of at least 0");
  }
  if (value <= bounds.max) return value;
  bounds.warnings.push(`${name} was lowered to ${bounds.max}, the most that the model's provider takes.`);
  return bounds.max;
}

/** The stop sequences as a list without empty ones. Throws `invalid_request` for another type. */
export function stopSequences(request: Json): readonly string[] {
  const { stop } = request;
  if (stop === undefined || stop === null) return [];
  const listed: readonly unknown[] = Array.isArray(stop) ? stop : [stop];
  return listed.map((text, index) => {
    if (typeof text !== "string") throw invalid(`stop[${index}]`, "must be a string");
    return text;
  });
}

/** The effort asked for, or undefined. Throws `invalid_request` for a word that means none. */
export function reasoningEffort(request: Json): Effort | undefined {
  const value = request["reasoning_effort"];
  if (value === undefined || value === null) return undefined;
  const known = EFFORTS.find((effort) => effort === value);
  if (known === undefined) throw invalid("reasoning_effort", `must be one of ${EFFORTS.join(", ")}`);
  return known;
}

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;
export type Effort = (typeof EFFORTS)[number];
