// The responses route: the chat model's answer in the other shape, as one object or as named events. A response can be
// fetched and continued by its id, which only the server that made it can do: what gateways call affinity.
import { GatewayError } from "../errors.ts";
import { answerChat } from "./chat-answer.ts";
import { parseChat } from "./chat-request.ts";
import { invalid, isObject } from "./json.ts";
import type { ChatAnswer, ToolCall } from "./chat-answer.ts";
import type { WireContext } from "./chat-wire.ts";
import type { JsonObject } from "./json.ts";

/** The responses that were made, newest last; the oldest are forgotten beyond a bound. */
export class ResponseMemory {
  private readonly made = new Map<string, JsonObject>();

  add(id: string, response: JsonObject): void {
    this.made.set(id, response);
    const [oldest] = this.made.keys();
    if (this.made.size > 1000 && oldest !== undefined) this.made.delete(oldest);
  }

  /** Throws `not_found` for one that was not made here. */
  get(id: string): JsonObject {
    const response = this.made.get(id);
    if (response === undefined) throw new GatewayError("not_found", `There is no response \`${id}\`.`);
    return response;
  }

  remove(id: string): void {
    this.get(id);
    this.made.delete(id);
  }
}

export interface ResponseAnswer {
  readonly answer: ChatAnswer;
  readonly response: JsonObject;
  readonly isStream: boolean;
}

/** Throws `invalid_request`, or `not_found` for an unknown `previous_response_id`. */
export function answerResponse(
  body: JsonObject,
  memory: ResponseMemory,
  context: WireContext & { readonly tokens: number | null },
): ResponseAnswer {
  const previous = body["previous_response_id"];
  if (typeof previous === "string") memory.get(previous);
  const request = parseChat(toChatBody(body));
  const answer = answerChat(request, context.tokens);
  const id = `resp_${answer.id}${typeof previous === "string" ? previous.slice(-8) : ""}`;
  const output = outputItems(answer);
  const isCut = answer.choices[0]?.finishReason === "length";
  const response = {
    id,
    object: "response",
    created_at: context.created,
    status: isCut ? "incomplete" : "completed",
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    error: null,
    model: request.model,
    previous_response_id: typeof previous === "string" ? previous : null,
    output,
    parallel_tool_calls: request.parallelToolCalls,
    tool_choice: body["tool_choice"] ?? "auto",
    tools: body["tools"] ?? [],
    metadata: body["metadata"] ?? {},
    usage: context.omitted.usage ? null : usageJson(answer),
  };
  memory.add(id, response);
  return { answer, response, isStream: request.isStream };
}

/** The same request in the chat route's words. */
function toChatBody(body: JsonObject): JsonObject {
  const { text, tools, tool_choice: choice } = body;
  const format = isObject(text) ? text["format"] : undefined;
  return {
    ...body,
    messages: [...instructions(body["instructions"]), ...toMessages(body["input"])],
    tools: Array.isArray(tools) ? tools.map((tool: unknown) => ({ function: tool })) : tools,
    tool_choice: isObject(choice) ? { function: choice } : choice,
    response_format: isObject(format) ? { type: format["type"], json_schema: format } : undefined,
    max_completion_tokens: body["max_output_tokens"],
    n: undefined,
  };
}

function instructions(value: unknown): readonly JsonObject[] {
  return typeof value === "string" ? [{ role: "system", content: value }] : [];
}

function toMessages(input: unknown): readonly JsonObject[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (!Array.isArray(input) || input.length === 0) {
    throw invalid("input", "`input` must be a string or a list with at least one item.");
  }
  const items: readonly unknown[] = input;
  return items.map((item, at) => {
    if (!isObject(item)) throw invalid(`input[${at}]`, `\`input[${at}]\` must be an object.`);
    if (item["type"] === "function_call_output") return { role: "tool", content: String(item["output"]) };
    if (item["type"] === "function_call") return { role: "assistant", tool_calls: [item] };
    return item["type"] === "reasoning" ? { role: "assistant", content: "" } : item;
  });
}

function usageJson({ usage }: ChatAnswer): object {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}

function outputItems({ id, choices }: ChatAnswer): readonly JsonObject[] {
  const [choice] = choices;
  if (choice === undefined) return [];
  if (choice.toolCalls.length > 0) return choice.toolCalls.map(callItem);
  return [messageItem(id, choice.pieces.join(""))];
}

function callItem({ id, name, arguments: text }: ToolCall): JsonObject {
  return { id: `fc_${id}`, type: "function_call", status: "completed", call_id: id, name, arguments: text };
}

function messageItem(id: string, text: string): JsonObject {
  const content = [textPart(text)];
  return { id: `msg_${id}`, type: "message", status: "completed", role: "assistant", content };
}

function textPart(text: string): JsonObject {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

/** The named events of a stream, numbered; there is no end mark besides the last event's name. */
export function responseEvents({ answer, response }: ResponseAnswer): string[] {
  const begun = { ...response, status: "in_progress", output: [], usage: null, incomplete_details: null };
  const items: readonly unknown[] = Array.isArray(response["output"]) ? response["output"] : [];
  const events = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    ...items.filter(isObject).flatMap((item, at) => itemEvents(item, at, answer)),
    { type: `response.${String(response["status"])}`, response },
  ];
  return events.map((event, at) => {
    const text = JSON.stringify(Object.assign({}, event, { sequence_number: at }));
    return `event: ${event.type}\ndata: ${text}\n\n`;
  });
}

interface ResponseEvent extends JsonObject {
  readonly type: string;
}

function itemEvents(item: JsonObject, at: number, answer: ChatAnswer): ResponseEvent[] {
  const place = { output_index: at, item_id: item["id"] };
  const isCall = item["type"] === "function_call";
  const begun = { ...item, status: "in_progress", ...(isCall ? { arguments: "" } : { content: [] }) };
  return [
    { type: "response.output_item.added", output_index: at, item: begun },
    ...(isCall ? callEvents(item, place) : textEvents(answer.choices[0]?.pieces ?? [], place)),
    { type: "response.output_item.done", output_index: at, item },
  ];
}

function callEvents(item: JsonObject, place: JsonObject): ResponseEvent[] {
  const text = String(item["arguments"]);
  const deltas = text.match(/.{1,12}/gsu) ?? [];
  const type = "response.function_call_arguments.delta";
  return [
    ...deltas.map((delta) => Object.assign({ type, delta }, place)),
    { type: "response.function_call_arguments.done", name: item["name"], arguments: text, ...place },
  ];
}

function textEvents(pieces: readonly string[], place: JsonObject): ResponseEvent[] {
  const here = { ...place, content_index: 0 };
  const text = pieces.join("");
  const type = "response.output_text.delta";
  return [
    { type: "response.content_part.added", part: textPart(""), ...here },
    ...pieces.map((delta) => Object.assign({ type, delta, logprobs: [] }, here)),
    { type: "response.output_text.done", text, logprobs: [], ...here },
    { type: "response.content_part.done", part: textPart(text), ...here },
  ];
}
