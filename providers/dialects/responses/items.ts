// The input items of a Responses request as chat messages. What a model said in one turn (reasoning, text, calls) is
// several items there and one message here.
import { tryParse } from "../../../src/json.ts";
import { isObject, readArray, readObject, readString, readText, type Json } from "../json.ts";
import { invalid, unsupported } from "../shared/params.ts";
import { base64ToText, textToBase64 } from "../shared/parts.ts";

/** Marks thinking that travels in a reasoning item's `encrypted_content`, which clients send back untouched. */
const CARRIED = "sluice.";

/** Signed thinking as `encrypted_content`. */
export function carriedThinking(blocks: readonly unknown[]): string {
  return CARRIED + textToBase64(JSON.stringify(blocks));
}

function thinkingIn(item: Json): readonly unknown[] {
  const content = readText(item, "encrypted_content");
  if (content === undefined || !content.startsWith(CARRIED)) return [];
  const blocks = tryParse(base64ToText(content.slice(CARRIED.length), "encrypted_content"));
  return Array.isArray(blocks) ? blocks : [];
}

/** An assistant's message while its items are being collected. */
interface Turn {
  content: unknown;
  reasoning: string;
  readonly thinking: unknown[];
  readonly calls: Json[];
}

/** `input` as messages. Throws a `GatewayError` that names the item. */
export function chatMessagesOf(input: unknown, warnings: string[]): readonly Json[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (!Array.isArray(input) || input.length === 0) throw invalid("input", "must be text or a list of items");
  const collector = new Collector(warnings);
  for (const [index, item] of input.entries()) collector.add(item, `input[${index}]`);
  return collector.messages();
}

class Collector {
  readonly #messages: Json[] = [];
  readonly #warnings: string[];
  #turn: Turn | undefined;

  constructor(warnings: string[]) {
    this.#warnings = warnings;
  }

  messages(): readonly Json[] {
    this.#close();
    return this.#messages;
  }

  add(item: unknown, param: string): void {
    if (!isObject(item)) throw invalid(param, "must be an object");
    const type = readString(item, "type") ?? "message";
    switch (type) {
      case "message":
        this.#message(item, param);
        break;
      case "function_call":
      case "custom_tool_call":
        this.#open().calls.push(toolCall(item, param));
        break;
      case "function_call_output":
      case "custom_tool_call_output":
        this.#close();
        this.#messages.push(toolMessage(item, param));
        break;
      case "reasoning":
        this.#reasoning(item);
        break;
      case "image_generation_call":
        this.#picture(item);
        break;
      case "item_reference":
        throw unsupported(param, "the model's provider keeps no items, so send them whole");
      default:
        throw unsupported(param, `items of type ${type} have no counterpart at this model's provider`);
    }
  }

  #message(item: Json, param: string): void {
    const role = readString(item, "role") ?? "";
    const content = chatContent(item["content"], `${param}.content`);
    if (role === "assistant") {
      if (this.#turn !== undefined && (this.#turn.content !== null || this.#turn.calls.length > 0))
        this.#close();
      this.#open().content = content;
      return;
    }
    if (role !== "user" && role !== "system" && role !== "developer") {
      throw invalid(`${param}.role`, "must be user, assistant, system or developer");
    }
    this.#close();
    // Fewer providers of chat know developers than systems, and to those who know both they are the same.
    this.#messages.push({ role: role === "developer" ? "system" : role, content });
  }

  /** Reasoning comes before what it led to. */
  #reasoning(item: Json): void {
    if (this.#turn !== undefined && (this.#turn.content !== null || this.#turn.calls.length > 0))
      this.#close();
    const turn = this.#open();
    const blocks = thinkingIn(item);
    turn.thinking.push(...blocks);
    const texts = [...readArray(item, "content"), ...readArray(item, "summary")];
    turn.reasoning += texts.map((part) => readString(part, "text") ?? "").join("");
    if (blocks.length === 0 && readText(item, "encrypted_content") !== undefined) {
      this.#warnings.push("encrypted_content was dropped: only the provider that made it can read it.");
    }
  }

  /** Chat has no place for pictures in what the model said. */
  #picture(item: Json): void {
    const data = readText(item, "result");
    if (data === undefined) return;
    this.#close();
    const format = readText(item, "output_format") ?? "png";
    const image = { type: "image_url", image_url: { url: `data:image/${format};base64,${data}` } };
    this.#messages.push({ role: "user", content: [image] });
    this.#warnings.push("A picture that the model made was sent as the user's.");
  }

  #open(): Turn {
    this.#turn ??= { content: null, reasoning: "", thinking: [], calls: [] };
    return this.#turn;
  }

  #close(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (turn === undefined) return;
    this.#messages.push({
      role: "assistant",
      content: turn.content,
      ...(turn.reasoning === "" || turn.thinking.length > 0 ? {} : { reasoning_content: turn.reasoning }),
      ...(turn.thinking.length === 0 ? {} : { thinking_blocks: turn.thinking }),
      ...(turn.calls.length === 0 ? {} : { tool_calls: turn.calls }),
    });
  }
}

function toolCall(item: Json, param: string): Json {
  const id = readText(item, "call_id");
  const name = readText(item, "name");
  if (id === undefined || name === undefined) throw invalid(param, "needs a call_id and a name");
  if (item["type"] === "custom_tool_call")
    return { id, type: "custom", custom: { name, input: readString(item, "input") ?? "" } };
  return { id, type: "function", function: { name, arguments: readString(item, "arguments") ?? "" } };
}

function toolMessage(item: Json, param: string): Json {
  const id = readText(item, "call_id");
  if (id === undefined) throw invalid(`${param}.call_id`, "must be a string");
  return { role: "tool", tool_call_id: id, content: chatContent(item["output"], `${param}.output`) };
}

/** Content as text when it is text alone, else as parts. */
function chatContent(content: unknown, param: string): unknown {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(param, "must be a string or a list of parts");
  const parts = content.map((part, index) => chatPart(part, `${param}[${index}]`));
  const isText = parts.every((part) => part["type"] === "text");
  return isText ? parts.map((part) => readString(part, "text") ?? "").join("") : parts;
}

function chatPart(part: unknown, param: string): Json {
  const type = readString(part, "type") ?? "";
  switch (type) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: readString(part, "text") ?? "" };
    case "refusal":
      return { type: "text", text: readString(part, "refusal") ?? "" };
    case "input_image": {
      const url = readText(part, "image_url");
      if (url === undefined) throw unsupported(param, "images are taken by image_url");
      const detail = readText(part, "detail");
      return { type: "image_url", image_url: { url, ...(detail === undefined ? {} : { detail }) } };
    }
    case "input_audio":
      return { type: "input_audio", input_audio: readObject(part, "input_audio") ?? {} };
    case "input_file": {
      const names = ["file_data", "filename", "file_id", "file_url"];
      const file = names.flatMap((name) => {
        const value = readText(part, name);
        return value === undefined ? [] : [[name, value] as const];
      });
      return { type: "file", file: Object.fromEntries(file) };
    }
    default:
      throw unsupported(param, `content of type ${type} has no counterpart at this model's provider`);
  }
}
