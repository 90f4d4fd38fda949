// A chat request as an Anthropic Messages request. https://platform.claude.com/docs/en/api/messages/create
import type { DialectRequest, DialectTarget } from "../dialect.ts";
import { readObject, readString, readText, type Json } from "../json.ts";
import {
  applyRules,
  boundedNumber,
  COMMON_RULES,
  invalid,
  maxTokensAsked,
  stopSequences,
  type ParamRules,
} from "../shared/params.ts";
import { calledNames, chatMessages, toolPlan, type FunctionTool, type ToolPlan } from "../shared/tools.ts";
import { cacheControl } from "./content.ts";
import { capabilities, VERSIONS, type ApiVersion, type Capabilities } from "./models.ts";
import { endsInToolTurnWithoutThinking, thinkingFor } from "./reasoning.ts";
import { turnsOf } from "./turns.ts";

/** What the request's members become; docs/PROVIDERS.md shows the same table. */
export const MESSAGES_RULES: ParamRules = {
  ...COMMON_RULES,
  service_tier: "carried",
  metadata: "carried",
  safety_identifier: "carried",
  thinking: "native",
  top_k: "native",
  output_config: "native",
  cache_control: "native",
  container: "native",
  context_management: "native",
  mcp_servers: "native",
  inference_geo: "native",
  speed: "native",
};

/** For models nobody knows the limit of. */
const OUTPUT_TOKENS_UNKNOWN = 8192;

/** Throws a `GatewayError` for what can't be asked of a Messages API. */
export function messagesRequest(request: Json, target: DialectTarget): DialectRequest {
  const warnings: string[] = [];
  const version = apiVersion(target);
  const can = capabilities(target.model, version);
  const { top_k: topK, ...native } = applyRules(request, MESSAGES_RULES, warnings);
  const messages = chatMessages(request);
  const turns = turnsOf(messages, { systemAnywhere: version !== "2023-06-01", warnings });
  const format = responseFormat(request, can, warnings);
  const maxTokens = maxTokensAsked(request) ?? defaultMaxTokens(target, can, warnings);
  const plan = toolPlan(request);
  if (!can.schemas && plan.functions.some((tool) => tool.strict === true)) {
    warnings.push("tools[].function.strict was dropped: the model can't be held to a schema.");
  }
  const thinking = thinkingFor(request, {
    native,
    can,
    maxTokens,
    plan,
    isToolTurnWithoutThinking: endsInToolTurnWithoutThinking(turns.messages),
    warnings,
  });
  const stops = stopSequences(request).filter((text) => text.trim() !== "");
  const system = [...turns.system, ...format.instructions];
  const body = {
    ...native,
    max_tokens: maxTokens,
    ...(system.length === 0 ? {} : { system }),
    messages: turns.messages,
    ...sampling({ ...request, top_k: topK }, { can, isThinking: thinking.isOn, warnings }),
    ...(stops.length === 0 ? {} : { stop_sequences: stops }),
    ...toolMembers(plan, { can, called: calledNames(messages) }),
    ...thinking.members,
    ...outputConfig(native, thinking.effort, format.schema),
    ...endUser(request),
    ...serviceTier(request, warnings),
    ...(request["stream"] === true ? { stream: true } : {}),
  };
  return {
    ...address(target, version, request["stream"] === true),
    body: JSON.stringify(withModel(body, target)),
    warnings: [...new Set(warnings)],
  };
}

function apiVersion(target: DialectTarget): ApiVersion {
  const asked = target.options["anthropic_version"];
  return VERSIONS.find((version) => version === asked) ?? "2023-06-01";
}

/** The API version and betas that the provider is configured for. */
export function languageHeaders(target: DialectTarget): Readonly<Record<string, string>> {
  const beta = target.options["anthropic_beta"];
  return {
    "anthropic-version": apiVersion(target),
    ...(beta === undefined ? {} : { "anthropic-beta": beta }),
  };
}

/** At Vertex the model stands in the path and the version in the body; its base URL ends in the publisher. */
function isVertex(target: DialectTarget): boolean {
  return target.baseUrl.includes("/publishers/anthropic");
}

function address(
  target: DialectTarget,
  version: ApiVersion,
  stream: boolean,
): Pick<DialectRequest, "path" | "headers"> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  const beta = target.options["anthropic_beta"];
  if (beta !== undefined) headers["anthropic-beta"] = beta;
  if (!isVertex(target)) return { path: "/messages", headers: { ...headers, "anthropic-version": version } };
  const method = stream ? "streamRawPredict" : "rawPredict";
  return { path: `/models/${encodeURIComponent(target.model)}:${method}`, headers };
}

function withModel(body: Json, target: DialectTarget): Json {
  return isVertex(target)
    ? { anthropic_version: "vertex-2023-10-16", ...body }
    : { model: target.model, ...body };
}

function defaultMaxTokens(target: DialectTarget, can: Capabilities, warnings: string[]): number {
  const known = target.maxOutputTokens ?? can.maxOutputTokens;
  if (known !== undefined) return known;
  warnings.push(
    `max_tokens was set to ${OUTPUT_TOKENS_UNKNOWN}: the provider wants a limit and the model's is not known.`,
  );
  return OUTPUT_TOKENS_UNKNOWN;
}

interface SamplingRules {
  readonly can: Capabilities;
  readonly isThinking: boolean;
  readonly warnings: string[];
}

function sampling(request: Json, { can, isThinking, warnings }: SamplingRules): Json {
  const temperature = boundedNumber(request, "temperature", { max: 1, warnings });
  const topP = boundedNumber(request, "top_p", { max: 1, warnings });
  const topK = request["top_k"];
  const kept: Record<string, unknown> = {};
  const drop = (name: string, why: string): void => void warnings.push(`${name} was dropped: ${why}.`);
  const fixed = can.sampling === "fixed" || can.sampling === "refused";
  const why = fixed ? "the model takes none" : "it can't be changed while the model thinks";
  if (temperature !== undefined) {
    if (!fixed && !isThinking) kept["temperature"] = temperature;
    else if (temperature !== 1) drop("temperature", why);
  }
  if (topP !== undefined) {
    const isEnough = isThinking ? topP >= 0.95 : true;
    if (can.sampling === "single" && kept["temperature"] !== undefined)
      drop("top_p", "the model takes it or temperature");
    else if (!fixed && isEnough) kept["top_p"] = topP;
    else if (topP < 0.99) drop("top_p", why);
  }
  if (topK !== undefined) {
    if (!fixed && !isThinking) kept["top_k"] = topK;
    else drop("top_k", why);
  }
  return kept;
}

interface ToolRules {
  readonly can: Capabilities;
  readonly called: readonly string[];
}

function toolMembers(plan: ToolPlan, { can, called }: ToolRules): Json {
  const tools = [...plan.functions.map((tool) => toolMember(tool, can)), ...plan.native];
  if (tools.length === 0) {
    // Calls in the conversation want their tools declared, and nothing else may be called.
    if (called.length === 0) return {};
    const declared = called.map((name) => ({ name, input_schema: { type: "object" } }));
    return { tools: declared, tool_choice: { type: "none" } };
  }
  const single = plan.parallel === false ? { disable_parallel_tool_use: true } : {};
  const { choice } = plan;
  switch (choice?.kind) {
    case undefined:
      return plan.parallel === false ? { tools, tool_choice: { type: "auto", ...single } } : { tools };
    case "auto":
      return { tools, tool_choice: { type: "auto", ...single } };
    case "none":
      return { tools, tool_choice: { type: "none" } };
    case "required":
      return { tools, tool_choice: { type: "any", ...single } };
    case "named":
      return { tools, tool_choice: { type: "tool", name: choice.name, ...single } };
  }
}

function toolMember(tool: FunctionTool, can: Capabilities): Json {
  return {
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
    input_schema: { type: "object", ...tool.schema },
    ...(tool.strict === true && can.schemas ? { strict: true } : {}),
    ...cacheControl(tool.raw),
  };
}

interface ResponseFormat {
  readonly schema: Json | undefined;
  readonly instructions: readonly Json[];
}

const JSON_INSTRUCTION = "Answer with one JSON object and nothing else: no prose, no code fence.";

function responseFormat(request: Json, can: Capabilities, warnings: string[]): ResponseFormat {
  const format = readObject(request, "response_format");
  const type = readString(format, "type");
  if (type === undefined || type === "text") return { schema: undefined, instructions: [] };
  if (type !== "json_schema" && type !== "json_object") {
    throw invalid("response_format.type", "must be text, json_object or json_schema");
  }
  const schema = readObject(readObject(format, "json_schema"), "schema");
  if (type === "json_schema" && schema === undefined) {
    throw invalid("response_format.json_schema.schema", "must be an object");
  }
  if (schema !== undefined && can.schemas) return { schema, instructions: [] };
  warnings.push("response_format became an instruction: the model can't be held to it.");
  const wanted = schema === undefined ? "" : ` It must follow this JSON schema: ${JSON.stringify(schema)}`;
  return { schema: undefined, instructions: [{ type: "text", text: JSON_INSTRUCTION + wanted }] };
}

function outputConfig(native: Json, effort: string | undefined, schema: Json | undefined): Json {
  const given = readObject(native, "output_config");
  const config = {
    ...(effort === undefined ? {} : { effort }),
    ...(schema === undefined ? {} : { format: { type: "json_schema", schema } }),
    ...given,
  };
  return Object.keys(config).length === 0 ? {} : { output_config: config };
}

/** Whom the answer is for, under chat's several names for it. */
function endUser(request: Json): Json {
  const given = readObject(request, "metadata");
  const id =
    readText(given, "user_id") ?? readText(request, "user") ?? readText(request, "safety_identifier");
  return id === undefined ? {} : { metadata: { user_id: id } };
}

const TIERS: Readonly<Record<string, string>> = {
  auto: "auto",
  default: "standard_only",
  standard_only: "standard_only",
};

function serviceTier(request: Json, warnings: string[]): Json {
  const tier = readText(request, "service_tier");
  if (tier === undefined) return {};
  if (Object.hasOwn(TIERS, tier)) return { service_tier: TIERS[tier] };
  warnings.push(`service_tier ${tier} was dropped: the provider has no such tier.`);
  return {};
}
