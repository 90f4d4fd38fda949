// A chat completion as a Messages answer, and errors in that language.
import type { GatewayError } from "../../../src/errors.ts";
import { tryParse } from "../../../src/json.ts";
import type { ClientContext } from "../dialect.ts";
import { isObject, readArray, readObject, readString, readText, type Json } from "../json.ts";
import { answeredCalls, type AnsweredCall } from "../shared/answered-calls.ts";
import { Extras } from "../shared/extras.ts";
import { thinkingFromChat } from "../shared/thinking.ts";
import { newCallId } from "../shared/tools.ts";
import { usageFromChat } from "../usage.ts";
import { UNSIGNED } from "./turns.ts";

const STOP_REASONS: Readonly<Record<string, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
  function_call: "tool_use",
  content_filter: "refusal",
};

/** Why the model stopped, in this language's words; with calls it has stopped for them. */
export function stopReason(finish: string | undefined, calls: number): string {
  const known =
    finish !== undefined && Object.hasOwn(STOP_REASONS, finish) ? STOP_REASONS[finish] : undefined;
  const reason = known ?? "end_turn";
  return reason === "end_turn" && calls > 0 ? "tool_use" : reason;
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
  const calls = answeredCalls(message);
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
      ...calls.map((call) => toolUse(call, context)),
    ],
    stop_reason:
      refusal === undefined ? stopReason(readString(choice, "finish_reason"), calls.length) : "refusal",
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
function toolUse({ index, id, name, input, isCustom }: AnsweredCall, context: ClientContext): Json {
  const parsed = input === "" ? {} : tryParse(input);
  return {
    type: "tool_use",
    id: id ?? newCallId(context.id, 0, Math.max(0, index)),
    name,
    input: isCustom ? { input } : isObject(parsed) ? parsed : { arguments: input },
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
