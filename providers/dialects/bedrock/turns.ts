// A chat conversation as Converse messages: user and assistant in turn, results of tools in the user's, text beside
// documents, nothing empty.
import { isObject, readString, readText, type Json } from "../json.ts";
import { unsupported } from "../shared/params.ts";
import { contentParts } from "../shared/parts.ts";
import { thinkingFromChat, type ThinkingBlock } from "../shared/thinking.ts";
import { pastCalls, safeToolId, warnOfSignatures, type PastCall } from "../shared/tools.ts";
import { cachePoint, converseBlocks } from "./content.ts";

export interface ConverseTurns {
  readonly system: readonly Json[];
  readonly messages: readonly Json[];
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: Json[];
}

/** Throws a `GatewayError` that names what can't be carried over. */
export function converseTurns(messages: readonly Json[], warnings: string[]): ConverseTurns {
  const system: Json[] = [];
  const turns: Turn[] = [];
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`;
    if (message["name"] !== undefined) warnings.push("messages[].name was dropped: turns have no names.");
    switch (readString(message, "role") ?? "") {
      case "system":
      case "developer":
        if (turns.length > 0)
          warnings.push(
            "A later system message was moved to the top: there is no place for it between turns.",
          );
        system.push(...messageBlocks(message, param));
        break;
      case "user":
        addTo(turns, "user", messageBlocks(message, param));
        break;
      case "assistant":
        addTo(turns, "assistant", assistantBlocks(message, param, warnings));
        break;
      case "tool":
        addTo(turns, "user", toolResult(message, param));
        break;
      default:
        throw unsupported(`${param}.role`, "the role must be system, developer, user, assistant or tool");
    }
  }
  return withUser(system, turns, warnings);
}

function withUser(system: readonly Json[], turns: readonly Turn[], warnings: string[]): ConverseTurns {
  const messages = turns.map(finishedTurn);
  if (messages.length > 0 || system.length === 0) return { system, messages };
  warnings.push("The system message was sent as the user's: the API wants at least one user turn.");
  return { system: [], messages: [{ role: "user", content: system }] };
}

/** Results first; text beside documents, which may not stand alone. */
function finishedTurn({ role, content }: Turn): Json {
  if (role === "assistant") return { role, content };
  const isResult = (block: Json): boolean => block["toolResult"] !== undefined;
  const results = content.filter(isResult);
  const others = content.filter((block) => !isResult(block));
  const document = others.find((block) => block["document"] !== undefined);
  const isAlone = document !== undefined && !others.some((block) => block["text"] !== undefined);
  const name = isObject(document?.["document"]) ? readText(document["document"], "name") : undefined;
  return { role, content: [...results, ...others, ...(isAlone ? [{ text: name ?? "document" }] : [])] };
}

function addTo(turns: Turn[], role: Turn["role"], blocks: readonly Json[]): void {
  if (blocks.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === role) last.content.push(...blocks);
  else turns.push({ role, content: [...blocks] });
}

/** Text of white space alone is refused, so it is left out. */
function messageBlocks(message: Json, param: string): Json[] {
  const parts = contentParts(message["content"], `${param}.content`);
  const blocks = parts
    .filter((part) => part.kind !== "text" || part.text.trim() !== "")
    .flatMap((part, index) => converseBlocks(part, `${param}.content[${index}]`));
  return blocks.length === 0 ? blocks : [...blocks, ...cachePoint(message)];
}

function assistantBlocks(message: Json, param: string, warnings: string[]): Json[] {
  const { blocks, unsigned } = thinkingFromChat(message);
  if (unsigned > 0) warnings.push("Thinking without a signature was dropped: it can't be replayed.");
  const calls = pastCalls(message, param);
  warnOfSignatures(calls, warnings);
  const content = messageBlocks(message, param);
  const refusal = readText(message, "refusal");
  const refused = refusal === undefined || content.length > 0 ? [] : [{ text: refusal }];
  return [...blocks.map(reasoningBlock), ...content, ...refused, ...calls.map(toolUse)];
}

function reasoningBlock(block: ThinkingBlock): Json {
  return block.kind === "signed"
    ? { reasoningContent: { reasoningText: { text: block.thinking, signature: block.signature } } }
    : { reasoningContent: { redactedContent: block.data } };
}

function toolUse({ id, name, input }: PastCall): Json {
  return { toolUse: { toolUseId: safeToolId(id), name, input } };
}

function toolResult(message: Json, param: string): readonly Json[] {
  const id = readText(message, "tool_call_id");
  if (id === undefined)
    throw unsupported(`${param}.tool_call_id`, "a tool message must say which call it answers");
  const parts = contentParts(message["content"], `${param}.content`);
  const content = parts.flatMap((part, index) =>
    converseBlocks({ ...part, raw: {} }, `${param}.content[${index}]`),
  );
  const status = message["is_error"] === true ? { status: "error" } : {};
  // A result must say something, even that there was nothing.
  const said = content.length === 0 ? [{ text: "(empty)" }] : content;
  return [{ toolResult: { toolUseId: safeToolId(id), content: said, ...status } }, ...cachePoint(message)];
}
