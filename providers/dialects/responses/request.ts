// A Responses request as a chat request, for providers that have no Responses API. Everything that needs a server with a
// memory (earlier responses, conversations, background work, hosted tools) is refused; the client's own loop works.
// https://platform.openai.com/docs/api-reference/responses/create
import type { ClientRequest } from "../dialect.ts";
import { isObject, readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";
import { applyRules, invalid, unsupported, type ParamRules } from "../shared/params.ts";
import { chatMessagesOf } from "./items.ts";

/** What the request's members become; docs/PROVIDERS.md shows the same table. */
export const RESPONSES_RULES: ParamRules = {
  model: "carried",
  input: "carried",
  instructions: "carried",
  tools: "carried",
  tool_choice: "carried",
  max_output_tokens: "carried",
  reasoning: "carried",
  text: "carried",
  stream: "carried",
  top_logprobs: "carried",
  include: "carried",
  // They only shape what the client gets back.
  metadata: "carried",
  stream_options: "carried",
  truncation: "carried",
  store: "carried",
  background: "carried",
  temperature: "native",
  top_p: "native",
  parallel_tool_calls: "native",
  user: "native",
  safety_identifier: "native",
  prompt_cache_key: "native",
  prompt_cache_retention: "native",
  service_tier: "native",
  max_tool_calls: "dropped",
  previous_response_id: "refused",
  conversation: "refused",
  prompt: "refused",
};

/** Throws a `GatewayError` for what chat completions can't carry. */
export function chatFromResponses(request: Json): ClientRequest {
  const warnings: string[] = [];
  const native = applyRules(request, RESPONSES_RULES, warnings);
  if (request["background"] === true)
    throw unsupported("background", "the model's provider answers at once or not at all");
  if (request["store"] === true) warnings.push("store was dropped: the model's provider keeps no responses.");
  if (request["truncation"] === "auto")
    warnings.push("truncation was dropped: the provider does not shorten inputs.");
  const instructions = readText(request, "instructions");
  const system = instructions === undefined ? [] : [{ role: "system", content: instructions }];
  const maxTokens = readNumber(request, "max_output_tokens");
  const effort = readText(readObject(request, "reasoning"), "effort");
  const verbosity = readText(readObject(request, "text"), "verbosity");
  const chat = {
    model: request["model"],
    messages: [...system, ...chatMessagesOf(request["input"], warnings)],
    ...native,
    ...(maxTokens === undefined ? {} : { max_completion_tokens: maxTokens }),
    ...(effort === undefined ? {} : { reasoning_effort: effort }),
    ...(verbosity === undefined ? {} : { verbosity }),
    ...toolMembers(request),
    ...responseFormat(request),
    ...logprobs(request, warnings),
    ...(request["stream"] === true ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return { request: chat, warnings: [...new Set(warnings)] };
}

function toolMembers(request: Json): Json {
  const tools = readArray(request, "tools").map((tool, index) => functionTool(tool, `tools[${index}]`));
  return tools.length === 0 ? {} : { tools, ...toolChoice(request) };
}

function functionTool(tool: unknown, param: string): Json {
  if (!isObject(tool)) throw invalid(param, "must be an object");
  const type = readString(tool, "type") ?? "";
  if (type !== "function")
    throw unsupported(param, `${type} runs at its own provider and has no counterpart at this model's`);
  const name = readText(tool, "name");
  if (name === undefined) throw invalid(`${param}.name`, "must be a string");
  const description = readText(tool, "description");
  const parameters = readObject(tool, "parameters");
  return {
    type: "function",
    function: {
      name,
      ...(description === undefined ? {} : { description }),
      ...(parameters === undefined ? {} : { parameters }),
      ...(tool["strict"] === true ? { strict: true } : {}),
    },
  };
}

function toolChoice(request: Json): Json {
  const choice = request["tool_choice"];
  if (choice === undefined || choice === null) return {};
  if (typeof choice === "string") return { tool_choice: choice };
  const name = readText(choice, "name");
  switch (readString(choice, "type") ?? "") {
    case "function":
      return { tool_choice: { type: "function", function: { name: name ?? "" } } };
    case "allowed_tools": {
      const tools = readArray(choice, "tools").map((tool) => chosenFunction(readText(tool, "name")));
      const allowed = { mode: readString(choice, "mode") ?? "auto", tools };
      return { tool_choice: { type: "allowed_tools", allowed_tools: allowed } };
    }
    default:
      throw unsupported("tool_choice", "only functions can be chosen");
  }
}

function chosenFunction(name = ""): Json {
  return { type: "function", function: { name } };
}

function responseFormat(request: Json): Json {
  const format = readObject(readObject(request, "text"), "format");
  const type = readText(format, "type");
  if (type === undefined || type === "text") return {};
  if (type !== "json_schema") return { response_format: { type } };
  const { type: _type, ...schema } = format ?? {};
  return { response_format: { type, json_schema: schema } };
}

const LOGPROBS = "message.output_text.logprobs";
/** Reasoning is always given back in a form that can be sent again. */
const ALWAYS_INCLUDED = "reasoning.encrypted_content";

function logprobs(request: Json, warnings: string[]): Json {
  const include = readArray(request, "include");
  for (const each of include) {
    if (each !== LOGPROBS && each !== ALWAYS_INCLUDED)
      warnings.push(`include ${String(each)} was dropped: there is no such output.`);
  }
  const top = readNumber(request, "top_logprobs") ?? 0;
  if (top === 0 && !include.includes(LOGPROBS)) return {};
  return { logprobs: true, ...(top === 0 ? {} : { top_logprobs: top }) };
}
