// A chat request as a Gemini generateContent request, for AI Studio and Vertex (a base URL that ends in `/publishers/google`).
// https://ai.google.dev/api/generate-content
import type { DialectRequest, DialectTarget } from "../dialect.ts";
import { readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";
import {
  applyRules,
  boundedNumber,
  COMMON_RULES,
  invalid,
  maxTokensAsked,
  stopSequences,
  unsupported,
  type ParamRules,
} from "../shared/params.ts";
import { chatMessages, toolPlan, type FunctionTool, type ToolPlan } from "../shared/tools.ts";
import { contentsOf } from "./contents.ts";
import { geminiModel, isVertex, takesJsonSchema, wantsSignatures } from "./models.ts";
import { thinkingConfig } from "./reasoning.ts";
import { openApiSchema } from "./schema.ts";

/** What the request's members become; docs/PROVIDERS.md shows the same table. */
export const GENERATE_RULES: ParamRules = {
  ...COMMON_RULES,
  n: "carried",
  seed: "carried",
  presence_penalty: "carried",
  frequency_penalty: "carried",
  logprobs: "carried",
  top_logprobs: "carried",
  top_k: "carried",
  modalities: "carried",
  web_search_options: "carried",
  extra_body: "carried",
  user: "dropped",
  service_tier: "carried",
  safety_settings: "carried",
  cached_content: "carried",
  safetySettings: "native",
  cachedContent: "native",
  labels: "native",
};

const STRICT_DROPPED = "tools[].function.strict was dropped: the model can't be held to a schema.";

/** Throws a `GatewayError` for what can't be asked of generateContent. */
export function generateRequest(request: Json, target: DialectTarget): DialectRequest {
  const warnings: string[] = [];
  const model = geminiModel(target.model);
  const native = applyRules(request, GENERATE_RULES, warnings);
  const withoutIds = isVertex(target.baseUrl);
  const { system, contents } = contentsOf(chatMessages(request), {
    withoutIds,
    signatures: wantsSignatures(model),
    baseUrl: target.baseUrl,
    warnings,
  });
  const asOpenApi = target.options["schema"] === "openapi" || !takesJsonSchema(model);
  const plan = toolPlan(request);
  if (plan.parallel === false)
    warnings.push("parallel_tool_calls was dropped: the provider has nothing like it.");
  if (plan.functions.some((tool) => tool.strict === true)) warnings.push(STRICT_DROPPED);
  const generationConfig = {
    ...generation(request, warnings),
    ...outputFormat(request, asOpenApi),
    ...thinkingConfig(request, model, warnings),
  };
  const body = {
    contents,
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }),
    ...toolMembers(request, plan, asOpenApi),
    ...(Object.keys(generationConfig).length === 0 ? {} : { generationConfig }),
    ...googleMembers(request),
    ...serviceTier(request, warnings),
    ...native,
  };
  return {
    path: modelPath(target, request["stream"] === true ? "streamGenerateContent?alt=sse" : "generateContent"),
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    warnings: [...new Set(warnings)],
  };
}

/** Path and query of a method of the target's model. */
export function modelPath(target: DialectTarget, method: string): string {
  const name = target.model.replace(/^models\//, "");
  const resource = name.split("/").map(encodeURIComponent).join("/");
  // Tuned models are resources of their own.
  return `${name.includes("/") ? "/" : "/models/"}${resource}:${method}`;
}

function generation(request: Json, warnings: string[]): Json {
  const stops = stopSequences(request).filter((text) => text !== "");
  const config: Record<string, unknown> = {
    temperature: boundedNumber(request, "temperature", { max: 2, warnings }),
    topP: boundedNumber(request, "top_p", { max: 1, warnings }),
    topK: readNumber(request, "top_k"),
    maxOutputTokens: maxTokensAsked(request),
    stopSequences: stops.length === 0 ? undefined : stops,
    candidateCount: candidates(request),
    seed: readNumber(request, "seed"),
    presencePenalty: readNumber(request, "presence_penalty"),
    frequencyPenalty: readNumber(request, "frequency_penalty"),
    responseLogprobs: request["logprobs"] === true ? true : undefined,
    logprobs: readNumber(request, "top_logprobs"),
    responseModalities: modalities(request),
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function candidates(request: Json): number | undefined {
  const { n } = request;
  if (n === undefined || n === null || n === 1) return undefined;
  if (typeof n !== "number" || !Number.isInteger(n) || n < 1)
    throw invalid("n", "must be a whole number above 0");
  return n;
}

function modalities(request: Json): readonly string[] | undefined {
  const asked = readArray(request, "modalities");
  if (asked.every((each) => each === "text")) return undefined;
  return asked.map((each) => {
    if (each !== "text" && each !== "image")
      throw unsupported("modalities", `${String(each)} answers have no counterpart`);
    return each.toUpperCase();
  });
}

function outputFormat(request: Json, asOpenApi: boolean): Json {
  const format = readObject(request, "response_format");
  const type = readString(format, "type");
  if (type === undefined || type === "text") return {};
  if (type === "json_object") return { responseMimeType: "application/json" };
  if (type !== "json_schema")
    throw invalid("response_format.type", "must be text, json_object or json_schema");
  const param = "response_format.json_schema.schema";
  const schema = readObject(readObject(format, "json_schema"), "schema");
  if (schema === undefined) throw invalid(param, "must be an object");
  const written = asOpenApi
    ? { responseSchema: openApiSchema(schema, param) }
    : { responseJsonSchema: schema };
  return { responseMimeType: "application/json", ...written };
}

function toolMembers(request: Json, plan: ToolPlan, asOpenApi: boolean): Json {
  const declarations = plan.functions.map((tool, index) => declaration(tool, `tools[${index}]`, asOpenApi));
  const isSearching = request["web_search_options"] !== undefined && request["web_search_options"] !== null;
  const tools = [
    ...(declarations.length === 0 ? [] : [{ functionDeclarations: declarations }]),
    ...(isSearching ? [{ googleSearch: {} }] : []),
    ...plan.native,
  ];
  if (tools.length === 0) return {};
  const config = declarations.length === 0 ? undefined : callingConfig(plan);
  return { tools, ...(config === undefined ? {} : { toolConfig: { functionCallingConfig: config } }) };
}

function declaration(tool: FunctionTool, param: string, asOpenApi: boolean): Json {
  const described = {
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
  };
  const takesNothing =
    Object.keys(readObject(tool.schema, "properties") ?? {}).length === 0 &&
    tool.schema["$ref"] === undefined;
  if (asOpenApi && takesNothing) return described;
  return asOpenApi
    ? { ...described, parameters: openApiSchema(tool.schema, `${param}.function.parameters`) }
    : { ...described, parametersJsonSchema: tool.schema };
}

function callingConfig({ choice }: ToolPlan): Json | undefined {
  switch (choice?.kind) {
    case undefined:
      return undefined;
    case "auto":
      return { mode: "AUTO" };
    case "none":
      return { mode: "NONE" };
    case "required":
      return { mode: "ANY" };
    case "named":
      return { mode: "ANY", allowedFunctionNames: [choice.name] };
  }
}

/** The target's own settings, at the top level or where Google's own chat endpoint has them. */
function googleMembers(request: Json): Json {
  const google = readObject(readObject(request, "extra_body"), "google");
  const cached = readText(request, "cached_content") ?? readText(google, "cached_content");
  const ownSafety = readArray(request, "safety_settings");
  const safety = ownSafety.length > 0 ? ownSafety : readArray(google, "safety_settings");
  return {
    ...(cached === undefined ? {} : { cachedContent: cached }),
    ...(safety.length === 0 ? {} : { safetySettings: safety }),
  };
}

/** The default is left unsaid: not every model and platform knows the member. */
function serviceTier(request: Json, warnings: string[]): Json {
  const tier = readText(request, "service_tier");
  if (tier === undefined || tier === "auto" || tier === "default") return {};
  if (["flex", "priority", "standard"].includes(tier)) return { serviceTier: tier };
  warnings.push(`service_tier ${tier} was dropped: the provider has no such tier.`);
  return {};
}
