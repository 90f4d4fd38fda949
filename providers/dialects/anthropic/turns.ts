// A chat conversation as Anthropic turns: system texts at the top, tool results in the user's turn before anything else
// in it, neighbours of one role merged, thinking first in the assistant's turn.
import { readString, readText, type Json } from "../json.ts";
import { unsupported } from "../shared/params.ts";
import { contentParts, type Part } from "../shared/parts.ts";
import { thinkingFromChat, type ThinkingBlock } from "../shared/thinking.ts";
import { pastCalls, safeToolId, warnOfSignatures, type PastCall } from "../shared/tools.ts";
import { cacheControl, contentBlock } from "./content.ts";

export interface Turns {
  readonly system: readonly Json[];
  readonly messages: readonly Json[];
}

interface Turn {
  readonly role: string;
  readonly content: Json[];
}

export interface TurnRules {
  /** System messages may stand between others. */
  readonly systemAnywhere: boolean;
  readonly warnings: string[];
}

/** Throws a `GatewayError` that names what can't be carried over. */
export function turnsOf(messages: readonly Json[], rules: TurnRules): Turns {
  const system: Json[] = [];
  const turns: Turn[] = [];
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`;
    const role = readString(message, "role") ?? "";
    if (message["name"] !== undefined)
      rules.warnings.push("messages[].name was dropped: turns have no names.");
    switch (role) {
      case "system":
      case "developer":
        addSystem(message, param, { system, turns, rules });
        break;
      case "user":
        addTo(turns, "user", messageBlocks(message, param));
        break;
      case "assistant":
        addTo(turns, "assistant", assistantBlocks(message, param, rules));
        break;
      case "tool":
        addTo(turns, "user", [toolResult(message, param)]);
        break;
      default:
        throw unsupported(`${param}.role`, "the role must be system, developer, user, assistant or tool");
    }
  }
  return withUser(system, turns, rules);
}

interface Collected {
  readonly system: Json[];
  readonly turns: Turn[];
  readonly rules: TurnRules;
}

function addSystem(message: Json, param: string, { system, turns, rules }: Collected): void {
  const blocks = messageBlocks(message, param);
  if (turns.length === 0) system.push(...blocks);
  else if (rules.systemAnywhere) addTo(turns, "system", blocks);
  else if (blocks.length > 0) {
    system.push(...blocks);
    rules.warnings.push(
      "A later system message was moved to the top: this API has no place for it between turns.",
    );
  }
}

/** The API wants at least one turn: instructions alone are asked as a question. */
function withUser(system: readonly Json[], turns: readonly Turn[], rules: TurnRules): Turns {
  const messages = turns.map(finishedTurn);
  if (messages.length > 0 || system.length === 0) return { system, messages };
  rules.warnings.push("The system message was sent as the user's: the API wants at least one user turn.");
  return { system: [], messages: [{ role: "user", content: system }] };
}

/** Results before the rest; and an answer to continue must not end in white space. */
function finishedTurn({ role, content }: Turn, index: number, turns: readonly Turn[]): Json {
  if (role === "user") {
    const isResult = (block: Json): boolean => block["type"] === "tool_result";
    return { role, content: [...content.filter(isResult), ...content.filter((block) => !isResult(block))] };
  }
  const last = content.at(-1);
  const text = readString(last, "text");
  if (role !== "assistant" || index !== turns.length - 1 || text === undefined) return { role, content };
  const trimmed = text.trimEnd();
  const rest = content.slice(0, -1);
  return { role, content: trimmed === "" && rest.length > 0 ? rest : [...rest, { ...last, text: trimmed }] };
}

function addTo(turns: Turn[], role: string, blocks: readonly Json[]): void {
  if (blocks.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === role) last.content.push(...blocks);
  else turns.push({ role, content: [...blocks] });
}

function blocksOf(parts: readonly Part[], param: string): Json[] {
  return parts.map((part, index) => contentBlock(part, `${param}.content[${index}]`));
}

/** A message's content; a `cache_control` of the whole message goes to its last block. */
function messageBlocks(message: Json, param: string): Json[] {
  const blocks = blocksOf(contentParts(message["content"], `${param}.content`), param);
  const last = blocks.at(-1);
  if (last !== undefined && message["cache_control"] !== undefined) {
    blocks[blocks.length - 1] = { ...last, ...cacheControl(message) };
  }
  return blocks;
}

function assistantBlocks(message: Json, param: string, rules: TurnRules): Json[] {
  if (message["audio"] !== undefined && message["audio"] !== null) {
    rules.warnings.push("messages[].audio was dropped: only the provider that made it can play it.");
  }
  if (message["function_call"] !== undefined && message["function_call"] !== null) {
    throw unsupported(`${param}.function_call`, "use tool_calls");
  }
  const { blocks, unsigned } = thinkingFromChat(message);
  if (unsigned > 0) rules.warnings.push("Thinking without a signature was dropped: it can't be replayed.");
  const calls = pastCalls(message, param);
  warnOfSignatures(calls, rules.warnings);
  const content = messageBlocks(message, param);
  const refusal = readText(message, "refusal");
  const refused = refusal === undefined || content.length > 0 ? [] : [{ type: "text", text: refusal }];
  return [...blocks.map(thinkingBlock), ...content, ...refused, ...calls.map(toolUse)];
}

function toolUse({ id, name, input, raw }: PastCall): Json {
  return { type: "tool_use", id: safeToolId(id), name, input, ...cacheControl(raw) };
}

function thinkingBlock(block: ThinkingBlock): Json {
  return block.kind === "signed"
    ? { type: "thinking", thinking: block.thinking, signature: block.signature }
    : { type: "redacted_thinking", data: block.data };
}

function toolResult(message: Json, param: string): Json {
  const id = readText(message, "tool_call_id");
  if (id === undefined)
    throw unsupported(`${param}.tool_call_id`, "a tool message must say which call it answers");
  const { content } = message;
  return {
    type: "tool_result",
    tool_use_id: safeToolId(id),
    content:
      typeof content === "string" ? content : blocksOf(contentParts(content, `${param}.content`), param),
    ...(message["is_error"] === true ? { is_error: true } : {}),
    ...cacheControl(message),
  };
}
