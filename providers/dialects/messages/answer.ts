// A chat completion as a Messages answer, and errors in that language.
import type { GatewayError } from "../../../src/errors.ts";
import type { ClientContext } from "../dialect.ts";
import { isObject, readArray, readObject, readString, readText, tryParse, type Json } from "../json.ts";
import { Extras } from "../shared/extras.ts";
import { thinkingFromChat } from "../shared/thinking.ts";
import { usageFromChat } from "../usage.ts";
import { UNSIGNED } from "./turns.ts";

const STOP_REASONS: Readonly<Record<string, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  function_call: "tool_use",
  content_filter: "refusal",
};

/** Why the model stopped, in this language's words. */
export function stopReason(finish: string | undefined): string {
  return (
    (finish !== undefined && Object.hasOwn(STOP_REASONS, finish) ? STOP_REASONS[finish] : undefined) ??
    "end_turn"
  );
}

/** Counts in this language, which leaves cached tokens out of the input. */
export function messageUsage(reported: unknown, context: ClientContext): Json {
  const usage = usageFromChat(reported);
  return {
    input_tokens:
      usage === null
        ? Math.max(1, context.inputTokens)
        : Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens),
    cache_creation_input_tokens: usage?.cacheWriteTokens ?? 0,
    cache_read_input_tokens: usage?.cachedInputTokens ?? 0,
    output_tokens: usage?.outputTokens ?? 0,
  };
}

/** The first choice of the answer as a message. */
export function messageFromChat(answer: Json, context: ClientContext): Json {
  const [choice] = readArray(answer, "choices");
  const message = readObject(choice, "message") ?? {};
  const refusal = readText(message, "refusal");
  const text = readText(message, "content") ?? refusal;
  const extras = new Extras();
  extras.note(message);
  extras.noteAnswer(answer);
  return {
    id: `msg_${context.id}`,
    type: "message",
    role: "assistant",
    model: context.request["model"] ?? readString(answer, "model") ?? "",
    content: [
      ...thinkingBlocks(message),
      ...(text === undefined ? [] : [{ type: "text", text }]),
      ...readArray(message, "tool_calls").filter(isObject).map(toolUse),
    ],
    stop_reason: refusal === undefined ? stopReason(readString(choice, "finish_reason")) : "refusal",
    stop_sequence: null,
    usage: messageUsage(answer["usage"], context),
    ...extras.member,
  };
}

/** Signed thinking as it was; reasoning of others under a signature that says so. */
function thinkingBlocks(message: Json): readonly Json[] {
  const { blocks } = thinkingFromChat(message);
  const signed = blocks.map((block) =>
    block.kind === "signed"
      ? { type: "thinking", thinking: block.thinking, signature: block.signature }
      : { type: "redacted_thinking", data: block.data },
  );
  if (signed.length > 0) return signed;
  const reasoning = readText(message, "reasoning_content");
  return reasoning === undefined ? [] : [{ type: "thinking", thinking: reasoning, signature: UNSIGNED }];
}

/** Arguments that are no JSON object are kept as text, for the tool to complain about. */
function toolUse(call: Json): Json {
  const definition = readObject(call, "function");
  const text = readString(definition, "arguments") ?? "";
  const parsed = text === "" ? {} : tryParse(text);
  const input = isObject(parsed) ? parsed : { arguments: text };
  return {
    type: "tool_use",
    id: readString(call, "id") ?? "",
    name: readString(definition, "name") ?? "",
    input,
  };
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** The `error` member of an error in this language. */
export function messageError(error: GatewayError): Json {
  const byClass = error.status >= 500 ? "api_error" : "invalid_request_error";
  return { type: ERROR_TYPES[error.status] ?? byClass, message: error.message };
}
