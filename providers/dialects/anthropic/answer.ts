// An Anthropic message as a chat completion.
import { chatCompletion, type FinishReason } from "../chunks.ts";
import type { DialectAnswer, DialectTarget, DialectUsage } from "../dialect.ts";
import { errorMember, providerFailure, unexpectedAnswer } from "../failure.ts";
import { isObject, readArray, readObject, readString, readText, type Json } from "../json.ts";
import { thinkingToChat, type ThinkingBlock } from "../shared/thinking.ts";
import { NO_USAGE, readCount } from "../usage.ts";

const FINISH: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

/** Why the model stopped, in chat's words; one that nobody knows yet is a stop. */
export function finishReason(stopReason: string | undefined): FinishReason {
  return (
    (stopReason !== undefined && Object.hasOwn(FINISH, stopReason) ? FINISH[stopReason] : undefined) ?? "stop"
  );
}

/**
 * Counts reported so far. Reports are cumulative and may leave a count out, or restate it as 0 or null, so the largest
 * value of each counts. Input is given without its cached parts.
 */
export class MessageUsage {
  #input = 0;
  #cached = 0;
  #written = 0;
  #output = 0;
  #reasoning = 0;
  #isKnown = false;

  report(usage: Json | undefined): void {
    if (usage === undefined) return;
    this.#isKnown = true;
    this.#input = Math.max(this.#input, readCount(usage, "input_tokens") ?? 0);
    this.#cached = Math.max(this.#cached, readCount(usage, "cache_read_input_tokens") ?? 0);
    this.#written = Math.max(this.#written, readCount(usage, "cache_creation_input_tokens") ?? 0);
    this.#output = Math.max(this.#output, readCount(usage, "output_tokens") ?? 0);
    const details = readObject(usage, "output_tokens_details");
    this.#reasoning = Math.max(this.#reasoning, readCount(details, "thinking_tokens") ?? 0);
  }

  get total(): DialectUsage | null {
    if (!this.#isKnown) return null;
    return {
      ...NO_USAGE,
      inputTokens: this.#input + this.#cached + this.#written,
      outputTokens: this.#output,
      cachedInputTokens: this.#cached,
      cacheWriteTokens: this.#written,
      reasoningTokens: Math.min(this.#reasoning, this.#output),
    };
  }
}

/** Throws the failure that the answer reports, or `provider_bad_response` for another shape. */
export function messageAnswer(answer: unknown, target: DialectTarget): DialectAnswer {
  const error = errorMember(answer);
  if (error !== undefined) throw providerFailure(error, target);
  if (!isObject(answer) || !Array.isArray(answer["content"])) throw unexpectedAnswer(answer, target);
  const usage = new MessageUsage();
  usage.report(readObject(answer, "usage"));
  const message = messageOf(readArray(answer, "content").filter(isObject), keptAbout(answer));
  const refusal = readText(readObject(answer, "stop_details"), "explanation");
  const choice = {
    index: 0,
    message: refusal === undefined ? message : { ...message, refusal },
    logprobs: null,
    finish_reason: finishReason(readString(answer, "stop_reason")),
  };
  const about = { id: readText(answer, "id"), model: readText(answer, "model"), choices: [choice] };
  return { body: chatCompletion(target, about, usage.total), usage: usage.total };
}

function messageOf(blocks: readonly Json[], kept: Json): Json {
  const thinking = blocks.flatMap((block) => thinkingBlock(block) ?? []);
  const reasoning = thinking.map((block) => (block.kind === "signed" ? block.thinking : "")).join("");
  const texts = blocks.filter((block) => block["type"] === "text");
  const calls = blocks.filter((block) => block["type"] === "tool_use").map(toolCall);
  const others = blocks.filter((block) => !KNOWN_BLOCKS.has(readString(block, "type") ?? ""));
  const citations = texts.flatMap((block) => readArray(block, "citations"));
  return {
    role: "assistant",
    content: texts.length === 0 ? null : texts.map((block) => readString(block, "text") ?? "").join(""),
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(thinking.length === 0 ? {} : { thinking_blocks: thinkingToChat(thinking) }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...extraContent({
      ...(others.length === 0 ? {} : { blocks: others }),
      ...(citations.length === 0 ? {} : { citations }),
      ...kept,
    }),
  };
}

const KNOWN_BLOCKS = new Set(["text", "thinking", "redacted_thinking", "tool_use"]);

/** What chat has no member for: results of the provider's own tools, citations, and what goes on in the next request. */
export function extraContent(extra: Json): Json {
  return Object.keys(extra).length === 0 ? {} : { extra_content: { anthropic: extra } };
}

/** What a message, or an event that changes it, says of things that requests ask for in the provider's own words. */
export function keptAbout(message: Json): Json {
  const container = readObject(message, "container");
  const management = readObject(message, "context_management");
  return {
    ...(container === undefined ? {} : { container }),
    ...(management === undefined ? {} : { context_management: management }),
  };
}

/** A block of thinking, or undefined for another. */
export function thinkingBlock(block: Json): ThinkingBlock | undefined {
  const type = readString(block, "type");
  if (type === "redacted_thinking") return { kind: "redacted", data: readString(block, "data") ?? "" };
  if (type !== "thinking") return undefined;
  return {
    kind: "signed",
    thinking: readString(block, "thinking") ?? "",
    signature: readString(block, "signature") ?? "",
  };
}

function toolCall(block: Json): Json {
  const args = JSON.stringify(block["input"] ?? {});
  return {
    id: readString(block, "id") ?? "",
    type: "function",
    function: { name: readString(block, "name") ?? "", arguments: args },
  };
}
