// A Messages request (the language of Anthropic's clients, Claude Code among them) as a chat request, for providers that
// speak another language. Providers of the Messages language itself get such requests verbatim, without this.
import type { ClientRequest } from "../dialect.ts";
import { isObject, readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";
import { applyRules, invalid, unsupported, warnOfOthers, type ParamRules } from "../shared/params.ts";
import { chatTurns } from "./turns.ts";
import { asksForCitations, systemMessage } from "./parts.ts";

/** What the request's members become; docs/PROVIDERS.md shows the same table. */
export const MESSAGES_CLIENT_RULES: ParamRules = {
  model: "carried",
  messages: "carried",
  system: "carried",
  max_tokens: "carried",
  stop_sequences: "carried",
  stream: "carried",
  temperature: "native",
  top_p: "native",
  tools: "carried",
  tool_choice: "carried",
  metadata: "carried",
  thinking: "carried",
  output_config: "carried",
  service_tier: "carried",
  // The provider decides by itself what it caches.
  cache_control: "carried",
  top_k: "dropped",
  context_management: "dropped",
  inference_geo: "dropped",
  speed: "dropped",
  diagnostics: "dropped",
  // They run at the provider, which another provider can't do in its place.
  mcp_servers: "refused",
  container: "refused",
  // The provider would hold the conversation; dropped, its next request would come without what was said before.
  thread: "refused",
};

/** Longer ids are a client's bookkeeping, not a user's name, and providers refuse them. */
const USER_ID_CHARS_MAX = 64;

/** Throws a `GatewayError` for what chat completions can't carry. */
export function chatFromMessages(request: Json): ClientRequest {
  const warnings: string[] = [];
  const native = applyRules(request, MESSAGES_CLIENT_RULES, warnings);
  const turns = chatTurns(messagesOf(request), warnings);
  if (messagesOf(request).some(({ content }) => asksForCitations(content)))
    warnings.push("citations was dropped: the model's provider cites nothing.");
  const stops = readArray(request, "stop_sequences");
  const user = readText(readObject(request, "metadata"), "user_id");
  const isStream = request["stream"] === true;
  const chat = {
    model: request["model"],
    messages: [...systemMessage(request["system"], "system"), ...turns],
    ...native,
    ...(readNumber(request, "max_tokens") === undefined
      ? {}
      : { max_completion_tokens: request["max_tokens"] }),
    ...(stops.length === 0 ? {} : { stop: stops }),
    ...toolMembers(request, warnings),
    ...effort(request, warnings),
    ...responseFormat(request),
    ...(user === undefined || user.length > USER_ID_CHARS_MAX ? {} : { user }),
    ...(isStream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return { request: chat, warnings: [...new Set(warnings)] };
}

function messagesOf(request: Json): readonly Json[] {
  const { messages } = request;
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid("messages", "must be a list of messages");
  return messages.map((message, index) => {
    if (!isObject(message)) throw invalid(`messages[${index}]`, "must be an object");
    return message;
  });
}

function toolMembers(request: Json, warnings: string[]): Json {
  const tools = readArray(request, "tools").map((tool, index) => {
    warnOfOthers(tool, TOOL_MEMBERS, { place: "tools[]", warnings });
    return functionTool(tool, `tools[${index}]`);
  });
  if (tools.length === 0) return {};
  const choice = readObject(request, "tool_choice");
  const single = choice?.["disable_parallel_tool_use"] === true ? { parallel_tool_calls: false } : {};
  return { tools, ...toolChoice(choice), ...single };
}

const TOOL_MEMBERS = new Set([
  "type",
  "name",
  "description",
  "input_schema",
  "strict",
  "cache_control",
  // It only says how the arguments are streamed.
  "eager_input_streaming",
]);

function functionTool(tool: unknown, param: string): Json {
  if (!isObject(tool)) throw invalid(param, "must be an object");
  const type = readString(tool, "type") ?? "custom";
  if (type !== "custom")
    throw unsupported(param, `${type} runs at its own provider and has no counterpart at this model's`);
  const name = readText(tool, "name");
  if (name === undefined) throw invalid(`${param}.name`, "must be a string");
  const description = readText(tool, "description");
  const { cache_control: control, strict } = tool;
  return {
    type: "function",
    function: {
      name,
      ...(description === undefined ? {} : { description }),
      parameters: readObject(tool, "input_schema") ?? { type: "object", properties: {} },
      ...(strict === true ? { strict } : {}),
    },
    ...(control === undefined || control === null ? {} : { cache_control: control }),
  };
}

function toolChoice(choice: Json | undefined): Json {
  switch (readString(choice, "type") ?? "") {
    case "":
      return {};
    case "auto":
    case "none":
      return { tool_choice: readString(choice, "type") };
    case "any":
      return { tool_choice: "required" };
    case "tool":
      return { tool_choice: { type: "function", function: { name: readString(choice, "name") ?? "" } } };
    default:
      throw invalid("tool_choice.type", "must be auto, any, tool or none");
  }
}

const OUTPUT_MEMBERS = new Set(["effort", "format"]);
const EFFORTS = new Set(["low", "medium", "high", "xhigh", "max"]);

/**
 * An effort that was named, or that a budget stands for. Adaptive thinking without an effort asks for nothing: clients
 * send it with every request, and models that don't reason refuse the member.
 */
function effort(request: Json, warnings: string[]): Json {
  const config = readObject(request, "output_config");
  warnOfOthers(config, OUTPUT_MEMBERS, { place: "output_config", warnings });
  const named = readText(config, "effort");
  if (named !== undefined) {
    if (EFFORTS.has(named)) return { reasoning_effort: named };
    warnings.push(`output_config.effort ${named} was dropped: it is no effort.`);
    return {};
  }
  const thinking = readObject(request, "thinking");
  if (readString(thinking, "type") !== "enabled") return {};
  const budget = readNumber(thinking, "budget_tokens") ?? 0;
  return { reasoning_effort: budget < 4096 ? "low" : budget < 16_384 ? "medium" : "high" };
}

function responseFormat(request: Json): Json {
  const format = readObject(readObject(request, "output_config"), "format");
  const schema = readObject(format, "schema");
  if (schema === undefined) return {};
  return { response_format: { type: "json_schema", json_schema: { name: "output", schema, strict: true } } };
}
