// The turns of a Messages request as chat messages: each tool result becomes a message of its own, in front of what else
// the user says in that turn; thinking stays beside the assistant's text.
import { isObject, readArray, readString, readText, type Json } from "../json.ts";
import { invalid } from "../shared/params.ts";
import { thinkingToChat, type ThinkingBlock } from "../shared/thinking.ts";
import { chatContent, chatParts, systemMessage } from "./parts.ts";

/**
 * The signature on thinking that no provider signed: clients of this language discard thinking without one, and send it
 * back. It tells a provider's own thinking from text that only reads like it.
 */
export const UNSIGNED = "sluice-unsigned";

/** Throws a `GatewayError` that names what can't be carried over. */
export function chatTurns(messages: readonly Json[], warnings: string[]): readonly Json[] {
  return messages.flatMap((message, index) => {
    const param = `messages[${index}]`;
    switch (readString(message, "role") ?? "") {
      case "user":
        return userMessages(message, param);
      case "assistant":
        return assistantMessage(message, param, warnings);
      case "system":
        return systemMessage(message["content"], `${param}.content`);
      default:
        throw invalid(`${param}.role`, "must be user, assistant or system");
    }
  });
}

function userMessages(message: Json, param: string): readonly Json[] {
  const { content } = message;
  if (typeof content === "string") return [{ role: "user", content }];
  if (!Array.isArray(content)) throw invalid(`${param}.content`, "must be a string or a list of blocks");
  const results: Json[] = [];
  const parts: Json[] = [];
  for (const [index, block] of content.entries()) {
    const place = `${param}.content[${index}]`;
    if (readString(block, "type") === "tool_result" && isObject(block))
      results.push(toolMessage(block, place));
    else parts.push(...chatParts(block, place));
  }
  return parts.length === 0 ? results : [...results, { role: "user", content: userContent(parts) }];
}

/** Plain text needs no parts. */
function userContent(parts: readonly Json[]): string | readonly Json[] {
  const [only] = parts;
  const isPlain = parts.length === 1 && only !== undefined && only["cache_control"] === undefined;
  return (isPlain ? readString(only, "text") : undefined) ?? parts;
}

function toolMessage(block: Json, param: string): Json {
  const id = readText(block, "tool_use_id");
  if (id === undefined) throw invalid(`${param}.tool_use_id`, "must be a string");
  const { content, cache_control: control } = block;
  return {
    role: "tool",
    tool_call_id: id,
    content: content === undefined || content === null ? "" : chatContent(content, `${param}.content`),
    ...(block["is_error"] === true ? { is_error: true } : {}),
    ...(control === undefined || control === null ? {} : { cache_control: control }),
  };
}

function assistantMessage(message: Json, param: string, warnings: string[]): readonly Json[] {
  const { content } = message;
  if (typeof content === "string") return [{ role: "assistant", content }];
  if (!Array.isArray(content)) throw invalid(`${param}.content`, "must be a string or a list of blocks");
  const texts: string[] = [];
  const calls: Json[] = [];
  const thinking: ThinkingBlock[] = [];
  let reasoning = "";
  for (const [index, block] of content.entries()) {
    if (!isObject(block)) throw invalid(`${param}.content[${index}]`, "must be an object");
    const type = readString(block, "type") ?? "";
    if (type === "text") texts.push(readString(block, "text") ?? "");
    else if (type === "tool_use") calls.push(toolCall(block, `${param}.content[${index}]`));
    else if (type === "redacted_thinking")
      thinking.push({ kind: "redacted", data: readString(block, "data") ?? "" });
    else if (type !== "thinking")
      warnings.push(`A block of type ${type} was dropped: it belongs to its provider's own tools.`);
    else if (readString(block, "signature") === UNSIGNED) reasoning += readString(block, "thinking") ?? "";
    else thinking.push(signedBlock(block));
  }
  return [
    {
      role: "assistant",
      content: texts.length === 0 ? null : texts.join(""),
      ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
      ...(thinking.length === 0 ? {} : { thinking_blocks: thinkingToChat(thinking) }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    },
  ];
}

function signedBlock(block: Json): ThinkingBlock {
  return {
    kind: "signed",
    thinking: readString(block, "thinking") ?? "",
    signature: readString(block, "signature") ?? "",
  };
}

function toolCall(block: Json, param: string): Json {
  const id = readText(block, "id");
  const name = readText(block, "name");
  if (id === undefined || name === undefined) throw invalid(param, "needs an id and a name");
  return { id, type: "function", function: { name, arguments: JSON.stringify(block["input"] ?? {}) } };
}

/**
 * A Messages request without thinking that no provider signed, for a provider of that language: it would refuse the
 * whole request. The same object when there is none.
 */
export function withoutUnsignedThinking(request: Json): Json {
  const messages = readArray(request, "messages");
  const isUnsigned = (block: unknown): boolean => readString(block, "signature") === UNSIGNED;
  if (!messages.some((message) => readArray(message, "content").some(isUnsigned))) return request;
  const cleaned = messages.map((message) => {
    const blocks = readArray(message, "content");
    return blocks.some(isUnsigned) && isObject(message)
      ? withContent(
          message,
          blocks.filter((block) => !isUnsigned(block)),
        )
      : message;
  });
  return { ...request, messages: cleaned };
}

function withContent(message: Json, content: readonly unknown[]): Json {
  return { ...message, content };
}
