// A chat answer in its wire form: one JSON object, or the payloads of a stream. What official clients need of a stream
// is kept exactly: one id, `created` and `model` throughout, the role in the first delta only, one finish reason per
// choice, tool deltas with an index from 0, and usage on a last chunk without choices when it was asked for.
import { hash32 } from "./prose.ts";
import type { ChatRequest } from "./chat-request.ts";
import type { ChatAnswer, Choice, ToolCall, Usage } from "./chat-answer.ts";

/** What a fault leaves out of an answer that is otherwise right. */
export interface Omissions {
  readonly usage: boolean;
  readonly done: boolean;
  readonly toolIndex: boolean;
  readonly finish: boolean;
}

export const NOTHING_OMITTED: Omissions = { usage: false, done: false, toolIndex: false, finish: false };

export interface WireContext {
  /** Seconds since the epoch. */
  readonly created: number;
  readonly omitted: Omissions;
}

/** The end of a stream. */
export const DONE = "[DONE]";

export function usageJson(usage: Usage): object {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

export function chatJson(request: ChatRequest, answer: ChatAnswer, context: WireContext): string {
  return JSON.stringify({
    id: `chatcmpl-${answer.id}`,
    object: "chat.completion",
    created: context.created,
    model: request.model,
    choices: answer.choices.map((choice, index) => choiceJson(request, choice, index)),
    ...(context.omitted.usage ? {} : { usage: usageJson(answer.usage) }),
    system_fingerprint: "fp_simulator",
  });
}

function choiceJson(request: ChatRequest, choice: Choice, index: number): object {
  const calls = choice.toolCalls.map(callJson);
  return {
    index,
    message: {
      role: "assistant",
      content: calls.length > 0 ? null : choice.pieces.join(""),
      refusal: null,
      ...(choice.reasoning.length > 0 ? { reasoning_content: choice.reasoning.join("") } : {}),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
    logprobs: logprobsJson(request, choice.pieces),
    finish_reason: choice.finishReason,
  };
}

function callJson(call: ToolCall): object {
  return { id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } };
}

/** Made up, but the same for the same piece, and never above zero. */
function logprobsJson(request: ChatRequest, pieces: readonly string[]): object | null {
  if (!request.logprobs) return null;
  const content = pieces.map((token) => ({
    token,
    logprob: -(hash32(token) % 3000) / 1000,
    bytes: [...Buffer.from(token)],
    top_logprobs: [],
  }));
  return { content, refusal: null };
}

/** The payloads of the stream, the last one `[DONE]`. The first piece of each choice follows its role. */
export function chatPayloads(request: ChatRequest, answer: ChatAnswer, context: WireContext): string[] {
  const { omitted } = context;
  const withUsage = request.includeUsage && !omitted.usage;
  const head = {
    id: `chatcmpl-${answer.id}`,
    object: "chat.completion.chunk",
    created: context.created,
    model: request.model,
    system_fingerprint: "fp_simulator",
  };
  const toPayload = (choices: readonly object[], usage: object | null): string =>
    JSON.stringify({ ...head, choices, ...(withUsage ? { usage } : {}) });
  const payloads = interleaved(answer.choices.map((choice, at) => deltas(request, choice, at, omitted))).map(
    (choice) => toPayload([choice], null),
  );
  if (withUsage) payloads.push(toPayload([], usageJson(answer.usage)));
  if (!omitted.done) payloads.push(DONE);
  return payloads;
}

/** Takes from the lists in turn, as the choices of one answer arrive side by side. */
function interleaved<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
}

function deltas(request: ChatRequest, choice: Choice, index: number, omitted: Omissions): object[] {
  const toDelta = (delta: object, pieces: readonly string[]): object => ({
    index,
    delta,
    logprobs: logprobsJson(request, pieces),
    finish_reason: null,
  });
  const role = { role: "assistant", content: choice.toolCalls.length > 0 ? null : "", refusal: null };
  const all = [
    toDelta(role, []),
    ...choice.reasoning.map((piece) => toDelta({ reasoning_content: piece }, [])),
    ...choice.pieces.map((piece) => toDelta({ content: piece }, [piece])),
    ...choice.toolCalls
      .flatMap((call, at) => callDeltas(call, omitted.toolIndex ? undefined : at))
      .map((call) => toDelta({ tool_calls: [call] }, [])),
  ];
  if (!omitted.finish) {
    all.push({ index, delta: {}, logprobs: null, finish_reason: choice.finishReason });
  }
  return all;
}

/** Name and id first, then the arguments in pieces of at most 12 characters. */
function callDeltas(call: ToolCall, index: number | undefined): object[] {
  const parts = call.arguments.match(/.{1,12}/gsu) ?? [];
  return [
    { index, id: call.id, type: "function", function: { name: call.name, arguments: "" } },
    ...parts.map((part) => ({ index, function: { arguments: part } })),
  ];
}
