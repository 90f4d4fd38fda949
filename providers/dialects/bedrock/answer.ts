// A Converse answer as a chat completion, and what its stream shares with it.
import { GatewayError } from "../../../src/errors.ts";
import { chatCompletion, type FinishReason } from "../chunks.ts";
import type { DialectAnswer, DialectTarget, DialectUsage } from "../dialect.ts";
import { errorMember, providerFailure, unexpectedAnswer } from "../failure.ts";
import { isObject, readArray, readObject, readString, type Json } from "../json.ts";
import { thinkingToChat, type ThinkingBlock } from "../shared/thinking.ts";
import { NO_USAGE, readCount } from "../usage.ts";

const FINISH: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  guardrail_intervened: "content_filter",
  content_filtered: "content_filter",
};

/** Why the model stopped, in chat's words. Throws `provider_bad_response` when it stopped because it broke. */
export function finishReason(stopReason: string | undefined): FinishReason {
  if (stopReason?.startsWith("malformed_") === true) {
    throw new GatewayError("provider_bad_response", `The model's answer ended with ${stopReason}.`);
  }
  return (
    (stopReason !== undefined && Object.hasOwn(FINISH, stopReason) ? FINISH[stopReason] : undefined) ?? "stop"
  );
}

/** Input is reported without what was read from or written to the cache. */
export function converseUsage(usage: Json | undefined): DialectUsage | null {
  if (usage === undefined) return null;
  const cached =
    readCount(usage, "cacheReadInputTokens") ?? readCount(usage, "cacheReadInputTokenCount") ?? 0;
  const written =
    readCount(usage, "cacheWriteInputTokens") ?? readCount(usage, "cacheWriteInputTokenCount") ?? 0;
  return {
    ...NO_USAGE,
    inputTokens: (readCount(usage, "inputTokens") ?? 0) + cached + written,
    outputTokens: readCount(usage, "outputTokens") ?? 0,
    cachedInputTokens: cached,
    cacheWriteTokens: written,
  };
}

/** Throws the failure that the answer reports, or `provider_bad_response` for another shape. */
export function converseAnswer(answer: unknown, target: DialectTarget): DialectAnswer {
  const error = errorMember(answer);
  if (error !== undefined) throw providerFailure(error, target);
  const message = readObject(readObject(answer, "output"), "message");
  if (!isObject(answer) || message === undefined) throw unexpectedAnswer(answer, target);
  const usage = converseUsage(readObject(answer, "usage"));
  const choice = {
    index: 0,
    message: messageOf(readArray(message, "content").filter(isObject), askedFor(answer)),
    logprobs: null,
    finish_reason: finishReason(readString(answer, "stopReason")),
  };
  return { body: chatCompletion(target, { choices: [choice] }, usage), usage };
}

function messageOf(blocks: readonly Json[], asked: Json): Json {
  const thinking = blocks.flatMap((block) => thinkingOf(readObject(block, "reasoningContent")) ?? []);
  const reasoning = thinking.map((block) => (block.kind === "signed" ? block.thinking : "")).join("");
  const texts = blocks.flatMap((block) => textOf(block) ?? []);
  const calls = blocks.flatMap((block) =>
    isServerTool(block) ? [] : (toolCall(readObject(block, "toolUse")) ?? []),
  );
  const others = blocks.filter(
    (block) => isServerTool(block) || Object.keys(block).every((key) => !KNOWN.has(key)),
  );
  return {
    role: "assistant",
    content: texts.length === 0 ? null : texts.join(""),
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(thinking.length === 0 ? {} : { thinking_blocks: thinkingToChat(thinking) }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...extraContent({ ...(others.length === 0 ? {} : { blocks: others }), ...asked }),
  };
}

const KNOWN = new Set(["text", "toolUse", "reasoningContent"]);

/** Whether a block is a call of a tool that the provider runs itself: nothing for the client to do. */
export function isServerTool(block: Json): boolean {
  return readString(readObject(block, "toolUse"), "type") === "server_tool_use";
}

/** What chat has no member for. */
export function extraContent(extra: Json): Json {
  return Object.keys(extra).length === 0 ? {} : { extra_content: { bedrock: extra } };
}

/** What an answer, or an event of a stream, holds because the request asked for it in the provider's own words. */
export function askedFor(answer: Json): Json {
  const fields = readObject(answer, "additionalModelResponseFields");
  const trace = readObject(answer, "trace");
  return {
    ...(fields === undefined ? {} : { additional_model_response_fields: fields }),
    ...(trace === undefined ? {} : { trace }),
  };
}

/** Text, also where it stands inside citations. */
function textOf(block: Json): string | undefined {
  const text = readString(block, "text");
  const cited = readObject(block, "citationsContent");
  if (text !== undefined || cited === undefined) return text;
  return readArray(cited, "content")
    .map((part) => readString(part, "text") ?? "")
    .join("");
}

function thinkingOf(reasoning: Json | undefined): ThinkingBlock | undefined {
  if (reasoning === undefined) return undefined;
  const redacted = readString(reasoning, "redactedContent");
  if (redacted !== undefined) return { kind: "redacted", data: redacted };
  const text = readObject(reasoning, "reasoningText");
  return {
    kind: "signed",
    thinking: readString(text, "text") ?? "",
    signature: readString(text, "signature") ?? "",
  };
}

function toolCall(use: Json | undefined): Json | undefined {
  if (use === undefined) return undefined;
  const args = JSON.stringify(use["input"] ?? {});
  const definition = { name: readString(use, "name") ?? "", arguments: args };
  return { id: readString(use, "toolUseId") ?? "", type: "function", function: definition };
}
