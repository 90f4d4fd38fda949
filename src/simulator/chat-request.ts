// A chat request as far as the pretend model understands it. Members that it does not know are accepted and ignored,
// as real servers that are newer than this one would.
import { countAt, invalid, isObject, stringAt, stringsAt } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { promptTokens } from "./prose.ts";

export interface Message {
  readonly role: string;
  /** The text parts, joined. */
  readonly text: string;
}

export interface Tool {
  readonly name: string;
  /** JSON Schema of its arguments. */
  readonly parameters: unknown;
}

export type ToolChoice =
  | { readonly kind: "auto" | "none" | "required" }
  | { readonly kind: "named"; readonly name: string };

export type AnswerFormat =
  | { readonly kind: "text" | "json" }
  | { readonly kind: "schema"; readonly schema: unknown };

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  readonly parallelToolCalls: boolean;
  readonly format: AnswerFormat;
  readonly choices: number;
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  readonly isStream: boolean;
  readonly includeUsage: boolean;
  readonly logprobs: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** Images are charged alike whatever their size, as small ones are by real servers. */
const IMAGE_TOKENS = 85;
/** What each message costs beside its text: the marks round it. */
const MESSAGE_TOKENS = 4;
const REPLY_TOKENS = 3;
const CHOICES_MAX = 128;
/** A prompt's beginning is cached from this length on, in steps of `CACHE_STEP`. */
const CACHED_FROM_TOKENS = 1024;
const CACHE_STEP = 128;

/** Throws `invalid_request` with the path of what is wrong. */
export function parseChat(body: JsonObject): ChatRequest {
  const messages = parseMessages(body["messages"]);
  const tools = parseTools(body["tools"]);
  const choices = countAt(body, "n", 1) ?? 1;
  if (choices > CHOICES_MAX) throw invalid("n", `\`n\` is at most ${CHOICES_MAX}.`);
  const options = body["stream_options"];
  const tokens = messages.map((message) => message.tokens);
  const toolTokens = tools.length === 0 ? 0 : promptTokens(JSON.stringify(body["tools"]));
  const prompt = sum(tokens) + toolTokens + REPLY_TOKENS;
  return {
    model: stringAt(body, "model"),
    messages,
    tools,
    toolChoice: parseToolChoice(body["tool_choice"], tools),
    parallelToolCalls: body["parallel_tool_calls"] !== false,
    format: parseFormat(body["response_format"]),
    choices,
    maxTokens: countAt(body, "max_completion_tokens", 1) ?? countAt(body, "max_tokens", 1),
    stop: stringsAt(body, "stop"),
    isStream: body["stream"] === true,
    includeUsage: isObject(options) && options["include_usage"] === true,
    logprobs: body["logprobs"] === true,
    promptTokens: prompt,
    cachedTokens: prompt < CACHED_FROM_TOKENS ? 0 : cached(prompt - (tokens.at(-1) ?? 0)),
  };
}

/** All but the last message may have been seen before. */
function cached(prefixTokens: number): number {
  return Math.floor(prefixTokens / CACHE_STEP) * CACHE_STEP;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

interface CountedMessage extends Message {
  readonly tokens: number;
}

function parseMessages(value: unknown): readonly CountedMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid("messages", "`messages` must be a list with at least one message.");
  }
  const list: readonly unknown[] = value;
  return list.map((message, at) => parseMessage(message, `messages[${at}]`));
}

function parseMessage(value: unknown, path: string): CountedMessage {
  if (!isObject(value)) throw invalid(path, `\`${path}\` must be an object.`);
  const { role, content, tool_calls: calls } = value;
  if (typeof role !== "string") throw invalid(`${path}.role`, `\`${path}.role\` must be a string.`);
  const { text, images } = parseContent(content, `${path}.content`);
  const callTokens = Array.isArray(calls) ? promptTokens(JSON.stringify(calls)) : 0;
  return {
    role,
    text,
    tokens: promptTokens(text) + images * IMAGE_TOKENS + callTokens + MESSAGE_TOKENS,
  };
}

function parseContent(content: unknown, path: string): { text: string; images: number } {
  if (content === undefined || content === null) return { text: "", images: 0 };
  if (typeof content === "string") return { text: content, images: 0 };
  if (!Array.isArray(content)) throw invalid(path, `\`${path}\` must be a string or a list of parts.`);
  const texts: string[] = [];
  let images = 0;
  const parts: readonly unknown[] = content;
  for (const [at, part] of parts.entries()) {
    if (!isObject(part) || typeof part["type"] !== "string") {
      throw invalid(`${path}[${at}]`, `\`${path}[${at}]\` must be an object with a \`type\`.`);
    }
    if (typeof part["text"] === "string") texts.push(part["text"]);
    else if (part["type"].includes("image")) images += 1;
  }
  return { text: texts.join("\n"), images };
}

function parseTools(value: unknown): readonly Tool[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid("tools", "`tools` must be a list.");
  const list: readonly unknown[] = value;
  return list.map((tool, at) => {
    const definition = isObject(tool) ? tool["function"] : undefined;
    if (!isObject(definition) || typeof definition["name"] !== "string") {
      throw invalid(`tools[${at}].function.name`, `\`tools[${at}].function.name\` must be a string.`);
    }
    return { name: definition["name"], parameters: definition["parameters"] ?? {} };
  });
}

function parseToolChoice(value: unknown, tools: readonly Tool[]): ToolChoice {
  if (value === undefined || value === null) return { kind: "auto" };
  if (value === "auto" || value === "none" || value === "required") return { kind: value };
  const named = isObject(value) && isObject(value["function"]) ? value["function"]["name"] : undefined;
  const tool = tools.find(({ name }) => name === named);
  if (tool === undefined) throw invalid("tool_choice", "`tool_choice` names no tool of this request.");
  return { kind: "named", name: tool.name };
}

function parseFormat(value: unknown): AnswerFormat {
  if (value === undefined || value === null) return { kind: "text" };
  const type = isObject(value) ? value["type"] : undefined;
  if (type === "text") return { kind: "text" };
  if (type === "json_object") return { kind: "json" };
  const wrapper = isObject(value) ? value["json_schema"] : undefined;
  if (type === "json_schema" && isObject(wrapper)) return { kind: "schema", schema: wrapper["schema"] ?? {} };
  throw invalid("response_format", "`response_format` must be text, json_object or json_schema.");
}
