// A chat request as a Converse request. Models of several makers answer to one API; what only some of them take (thinking,
// schemas) goes into fields of their own, told from the model's name.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
import { endsInToolTurnWithoutThinking, thinkingFor } from "../anthropic/reasoning.ts";
import { capabilities, type Capabilities } from "../anthropic/models.ts";
import type { DialectRequest, DialectTarget } from "../dialect.ts";
import { isObject, readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";
import {
  applyRules,
  boundedNumber,
  COMMON_RULES,
  invalid,
  maxTokensAsked,
  reasoningEffort,
  stopSequences,
  type ParamRules,
} from "../shared/params.ts";
import { calledNames, chatMessages, toolPlan, type FunctionTool, type ToolPlan } from "../shared/tools.ts";
import { cachePoint } from "./content.ts";
import { converseTurns } from "./turns.ts";

/** What the request's members become; docs/PROVIDERS.md shows the same table. */
export const CONVERSE_RULES: ParamRules = {
  ...COMMON_RULES,
  user: "dropped",
  service_tier: "carried",
  top_k: "carried",
  additionalModelRequestFields: "carried",
  additionalModelResponseFieldPaths: "native",
  guardrailConfig: "native",
  performanceConfig: "native",
  requestMetadata: "native",
};

interface Converse {
  readonly request: Json;
  readonly target: DialectTarget;
  /** What the model takes when it is a Claude; undefined for others. */
  readonly claude: Capabilities | undefined;
  readonly plan: ToolPlan;
  readonly messages: readonly Json[];
  readonly warnings: string[];
}

/** Throws a `GatewayError` for what can't be asked of Converse. */
export function converseRequest(request: Json, target: DialectTarget): DialectRequest {
  const warnings: string[] = [];
  const native = applyRules(request, CONVERSE_RULES, warnings);
  const past = chatMessages(request);
  const turns = converseTurns(past, warnings);
  const isClaude = target.model.toLowerCase().includes("claude");
  const claude = isClaude ? capabilities(target.model, "2023-06-01") : undefined;
  const plan = toolPlan(request);
  if (plan.parallel === false)
    warnings.push("parallel_tool_calls was dropped: the provider has nothing like it.");
  const converse: Converse = { request, target, claude, plan, messages: turns.messages, warnings };
  const reasoning = reasoningFields(converse);
  const format = outputFormat(converse);
  const extra = {
    ...topK(request, claude),
    ...reasoning.fields,
    ...readObject(request, "additionalModelRequestFields"),
  };
  const inference = inferenceConfig(converse, reasoning.isOn);
  const system = [...turns.system, ...format.instructions];
  const body = {
    messages: turns.messages,
    ...(system.length === 0 ? {} : { system }),
    ...(Object.keys(inference).length === 0 ? {} : { inferenceConfig: inference }),
    ...toolConfig(plan, calledNames(past), warnings),
    ...(Object.keys(extra).length === 0 ? {} : { additionalModelRequestFields: extra }),
    ...format.config,
    ...serviceTier(request, warnings),
    ...native,
  };
  const method = request["stream"] === true ? "converse-stream" : "converse";
  return {
    path: `/model/${encodeURIComponent(target.model)}/${method}`,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    warnings: [...new Set(warnings)],
  };
}

function inferenceConfig({ request, claude, target, warnings }: Converse, isThinking: boolean): Json {
  const temperature = boundedNumber(request, "temperature", { max: 1, warnings });
  const topP = boundedNumber(request, "top_p", { max: 1, warnings });
  const stops = stopSequences(request).filter((text) => text.trim() !== "");
  const isFixed = claude?.sampling === "fixed" || isThinking;
  const isEither = claude?.sampling === "single" && temperature !== undefined;
  if (temperature !== undefined && isFixed && temperature !== 1)
    warnings.push("temperature was dropped: it can't be changed.");
  if (topP !== undefined && (isFixed || isEither)) warnings.push("top_p was dropped: it can't be changed.");
  // Without a limit the provider reserves the model's maximum, so nothing is invented here, except for thinking.
  const maxTokens =
    maxTokensAsked(request) ?? (isThinking ? (target.maxOutputTokens ?? claude?.maxOutputTokens) : undefined);
  return {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined || isFixed ? {} : { temperature }),
    ...(topP === undefined || isFixed || isEither ? {} : { topP }),
    ...(stops.length === 0 ? {} : { stopSequences: stops }),
  };
}

function topK(request: Json, claude: Capabilities | undefined): Json {
  const value = readNumber(request, "top_k");
  if (value === undefined) return {};
  return claude === undefined ? { topK: value } : { top_k: value };
}

interface Reasoning {
  readonly isOn: boolean;
  readonly fields: Json;
}

/** Every maker has words of its own for it. */
function reasoningFields({ request, target, claude, plan, messages, warnings }: Converse): Reasoning {
  const effort = reasoningEffort(request);
  if (effort === undefined) return { isOn: false, fields: {} };
  if (claude !== undefined) {
    const maxTokens = maxTokensAsked(request) ?? target.maxOutputTokens ?? claude.maxOutputTokens ?? 8192;
    const isToolTurnWithoutThinking = endsInToolTurnWithoutThinking(messages.map(typedTurn));
    const facts = { native: {}, can: claude, maxTokens, plan, isToolTurnWithoutThinking, warnings };
    const thinking = thinkingFor(request, facts);
    const config = thinking.effort === undefined ? {} : { output_config: { effort: thinking.effort } };
    return { isOn: thinking.isOn, fields: { ...thinking.members, ...config } };
  }
  const level = effort === "minimal" ? "low" : effort === "xhigh" || effort === "max" ? "high" : effort;
  if (/nova-2|nova-premier-v2/.test(target.model)) {
    const config = level === "none" ? { type: "disabled" } : { type: "enabled", maxReasoningEffort: level };
    return { isOn: false, fields: { reasoningConfig: config } };
  }
  if (target.model.includes("gpt-oss")) {
    return { isOn: false, fields: { reasoning_effort: level === "none" ? "low" : level } };
  }
  warnings.push("reasoning_effort was dropped: nothing is known of how this model is told.");
  return { isOn: false, fields: {} };
}

/** A turn with its blocks' kinds as `type`, which is how the rule about thinking reads them. */
function typedTurn(message: Json): Json {
  const kinds: Readonly<Record<string, string>> = { toolResult: "tool_result", reasoningContent: "thinking" };
  const content = readArray(message, "content").map((block) => {
    const [key = ""] = isObject(block) ? Object.keys(block) : [];
    return { type: kinds[key] ?? key };
  });
  return { content };
}

interface OutputFormat {
  readonly config: Json;
  readonly instructions: readonly Json[];
}

const JSON_INSTRUCTION = "Answer with one JSON object and nothing else: no prose, no code fence.";

function outputFormat({ request, claude, warnings }: Converse): OutputFormat {
  const format = readObject(request, "response_format");
  const type = readString(format, "type");
  if (type === undefined || type === "text") return { config: {}, instructions: [] };
  if (type !== "json_schema" && type !== "json_object") {
    throw invalid("response_format.type", "must be text, json_object or json_schema");
  }
  const named = readObject(format, "json_schema");
  const schema = readObject(named, "schema");
  if (type === "json_schema" && schema === undefined) {
    throw invalid("response_format.json_schema.schema", "must be an object");
  }
  if (schema !== undefined && claude?.schemas === true) {
    const name = readText(named, "name");
    const jsonSchema = { schema: JSON.stringify(schema), ...(name === undefined ? {} : { name }) };
    return {
      config: { outputConfig: { textFormat: { type: "json_schema", structure: { jsonSchema } } } },
      instructions: [],
    };
  }
  warnings.push("response_format became an instruction: the model can't be held to it.");
  const wanted = schema === undefined ? "" : ` It must follow this JSON schema: ${JSON.stringify(schema)}`;
  return { config: {}, instructions: [{ text: JSON_INSTRUCTION + wanted }] };
}

function toolConfig(plan: ToolPlan, called: readonly string[], warnings: string[]): Json {
  const { choice } = plan;
  const isForbidden = choice?.kind === "none";
  if (isForbidden && called.length === 0) return {};
  const tools = [...plan.functions.flatMap(toolSpec), ...plan.native];
  // Calls in the conversation want their tools declared; there is no way to declare and forbid them.
  const declared =
    tools.length > 0
      ? tools
      : called.map((name) => ({ toolSpec: { name, inputSchema: { json: { type: "object" } } } }));
  if (declared.length === 0) return {};
  if (isForbidden)
    warnings.push("tool_choice none was dropped: tools of the conversation must stay declared.");
  return { toolConfig: { tools: declared, ...toolChoice(plan) } };
}

function toolChoice({ choice }: ToolPlan): Json {
  switch (choice?.kind) {
    case undefined:
    case "none":
      return {};
    case "auto":
      return { toolChoice: { auto: {} } };
    case "required":
      return { toolChoice: { any: {} } };
    case "named":
      return { toolChoice: { tool: { name: choice.name } } };
  }
}

function toolSpec(tool: FunctionTool): readonly Json[] {
  const spec = {
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
    inputSchema: { json: { type: "object", ...tool.schema } },
    ...(tool.strict === true ? { strict: true } : {}),
  };
  return [{ toolSpec: spec }, ...cachePoint(tool.raw)];
}

function serviceTier(request: Json, warnings: string[]): Json {
  const tier = readText(request, "service_tier");
  if (tier === undefined || tier === "auto") return {};
  if (["default", "flex", "priority", "reserved"].includes(tier)) return { serviceTier: { type: tier } };
  warnings.push(`service_tier ${tier} was dropped: the provider has no such tier.`);
  return {};
}
