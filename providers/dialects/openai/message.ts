// What a message or a delta of a compatible provider needs before clients can read it: content as text, reasoning under
// the name that clients know, finish reasons from the closed list.
import { GatewayError, type ErrorCode } from "../../../src/errors.ts";
import type { DialectTarget } from "../dialect.ts";
import { isObject, readArray, readString, readText, type Json } from "../json.ts";

/** Providers' words for finish reasons, in lower case → ours; a word that is in neither column passes as it is. */
const FINISH_REASONS: Readonly<Record<string, string>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_calls",
  content_filter: "content_filter",
  function_call: "function_call",
  eos: "stop",
  eos_token: "stop",
  end_turn: "stop",
  stop_sequence: "stop",
  complete: "stop",
  max_tokens: "length",
  model_length: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  tool_call: "tool_calls",
  sensitive: "content_filter",
  safety: "content_filter",
  refusal: "content_filter",
  error_toxic: "content_filter",
};

/** Finish reasons that are failures: they must not look like an answer's end. */
const FAILURES: Readonly<Record<string, ErrorCode>> = {
  error: "provider_error",
  network_error: "provider_error",
  abort: "provider_error",
  aborted: "provider_error",
  insufficient_system_resource: "provider_overloaded",
  function_call_filter: "provider_bad_response",
};

/**
 * A finish reason from the closed list, or null while there is none. A "stop" after tool calls is `tool_calls`.
 * Throws when the provider calls a failure a finish reason.
 */
export function normaliseFinish(reason: unknown, toolCalls: number, target: DialectTarget): string | null {
  if (typeof reason !== "string" || reason === "") return null;
  // Some add details behind a colon.
  const word = (reason.split(":", 1)[0] ?? "").toLowerCase();
  const failure = Object.hasOwn(FAILURES, word) ? FAILURES[word] : undefined;
  if (failure !== undefined) {
    const provider = target.provider ?? "upstream";
    throw new GatewayError(
      failure,
      `Provider \`${provider}\` ended the answer with ${reason.slice(0, 200)}.`,
    );
  }
  const known = Object.hasOwn(FINISH_REASONS, word) ? (FINISH_REASONS[word] ?? reason) : reason;
  return known === "stop" && toolCalls > 0 ? "tool_calls" : known;
}

/**
 * The members of a message or delta with content and reasoning as text. Parts that are neither stay beside them as
 * `content_parts`.
 */
export function normaliseText(message: Json, reasoningField?: string): Json {
  const parts = partsOf(message["content"]);
  const foreign = reasoningOf(message, reasoningField);
  if (parts === undefined && foreign === undefined) return message;
  const flat = parts === undefined ? undefined : flatten(parts);
  const reasoning = `${foreign ?? ""}${flat?.reasoning ?? ""}`;
  return {
    ...message,
    ...(flat === undefined ? {} : { content: flat.text }),
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(flat === undefined || flat.others.length === 0 ? {} : { content_parts: flat.others }),
  };
}

/** Content that is no text, as parts; a single value is a part too. Clients join content with `+`, so nothing else may pass. */
function partsOf(content: unknown): readonly unknown[] | undefined {
  if (typeof content === "string" || content === null || content === undefined) return undefined;
  return Array.isArray(content) ? content : [content];
}

function reasoningOf(message: Json, field: string | undefined): string | undefined {
  if (readText(message, "reasoning_content") !== undefined) return undefined;
  return (field === undefined ? undefined : readText(message, field)) ?? readText(message, "reasoning");
}

interface FlatContent {
  readonly text: string;
  readonly reasoning: string;
  readonly others: readonly unknown[];
}

function flatten(parts: readonly unknown[]): FlatContent {
  let text = "";
  let reasoning = "";
  const others: unknown[] = [];
  for (const part of parts) {
    const type = readString(part, "type");
    if (typeof part === "string") text += part;
    else if (type === "thinking" || type === "reasoning") reasoning += partText(part, type);
    else if (isObject(part) && (type === "text" || type === undefined))
      text += readString(part, "text") ?? "";
    else others.push(part);
  }
  return { text, reasoning, others };
}

/** Thinking comes as text or as a list of text parts. */
function partText(part: unknown, type: string): string {
  const text = readString(part, type) ?? readString(part, "text");
  if (text !== undefined) return text;
  return readArray(part, type)
    .map((inner) => readString(inner, "text") ?? "")
    .join("");
}

/** The failure of an answer or stream without a single choice. */
export function emptyAnswer(): GatewayError {
  return new GatewayError("provider_bad_response", "The provider's answer holds no choices.");
}
