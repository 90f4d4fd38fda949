// A Gemini answer as a chat completion, and what its stream shares with it: parts, finish reasons, usage.
import { GatewayError } from "../../../src/errors.ts";
import { chatCompletion, type FinishReason } from "../chunks.ts";
import type { DialectAnswer, DialectTarget, DialectUsage } from "../dialect.ts";
import { errorMember, providerFailure, unexpectedAnswer } from "../failure.ts";
import { isObject, readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";
import { idWithSignature, newCallId, signatureExtra } from "../shared/tools.ts";
import { NO_USAGE, readCount } from "../usage.ts";

const FINISH: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  FINISH_REASON_UNSPECIFIED: "stop",
  MAX_TOKENS: "length",
  // The answer goes on in another request, which has no counterpart in chat.
  CONTINUATION: "length",
  SAFETY: "content_filter",
  RECITATION: "content_filter",
  LANGUAGE: "content_filter",
  BLOCKLIST: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  SPII: "content_filter",
  NO_IMAGE: "content_filter",
  MODEL_ARMOR: "content_filter",
};

/** Reasons that mean the model or the request broke, which must not look like an answer's end. */
const FAILURES = new Set([
  "MALFORMED_FUNCTION_CALL",
  "MALFORMED_RESPONSE",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
  "MISSING_THOUGHT_SIGNATURE",
  "OTHER",
]);

/** A finish reason in chat's words. Throws `provider_bad_response` for those that are failures. */
export function finishReason(candidate: Json, toolCalls: number): FinishReason {
  const reason = readText(candidate, "finishReason") ?? "STOP";
  if (FAILURES.has(reason)) {
    const why = readText(candidate, "finishMessage");
    const because = why === undefined ? "" : `: ${why.slice(0, 300)}`;
    throw new GatewayError("provider_bad_response", `The model's answer ended with ${reason}${because}.`);
  }
  if (reason.startsWith("IMAGE_")) return "content_filter";
  const known = (Object.hasOwn(FINISH, reason) ? FINISH[reason] : undefined) ?? "stop";
  return known === "stop" && toolCalls > 0 ? "tool_calls" : known;
}

/** Thoughts are counted beside the answer, and results of built-in tools beside the prompt. */
export function usageOf(metadata: Json | undefined): DialectUsage | null {
  if (metadata === undefined) return null;
  const thoughts = readCount(metadata, "thoughtsTokenCount") ?? 0;
  return {
    ...NO_USAGE,
    inputTokens:
      (readCount(metadata, "promptTokenCount") ?? 0) + (readCount(metadata, "toolUsePromptTokenCount") ?? 0),
    outputTokens: (readCount(metadata, "candidatesTokenCount") ?? 0) + thoughts,
    cachedInputTokens: readCount(metadata, "cachedContentTokenCount") ?? 0,
    reasoningTokens: thoughts,
  };
}

/** One part of an answer, in chat's terms. */
export type AnswerPart =
  | { readonly kind: "text"; readonly text: string; readonly signature: string | undefined }
  | { readonly kind: "reasoning"; readonly text: string }
  | {
      readonly kind: "call";
      readonly id: string;
      readonly name: string;
      readonly args: string;
      readonly extra: Json;
    }
  | { readonly kind: "image"; readonly url: string }
  | { readonly kind: "other"; readonly part: Json };

/** `newId` makes ids for calls of models that give none. */
export function answerPart(part: Json, newId: () => string): AnswerPart {
  const signature = readText(part, "thoughtSignature");
  const call = readObject(part, "functionCall");
  if (call !== undefined) {
    const id = readText(call, "id") ?? newId();
    return {
      kind: "call",
      id: signature === undefined ? id : idWithSignature(id, signature),
      name: readString(call, "name") ?? "",
      args: JSON.stringify(call["args"] ?? {}),
      extra: signature === undefined ? {} : signatureExtra(signature),
    };
  }
  const text = readString(part, "text");
  if (text !== undefined) {
    return part["thought"] === true ? { kind: "reasoning", text } : { kind: "text", text, signature };
  }
  const media = readObject(part, "inlineData");
  const type = readString(media, "mimeType") ?? "";
  const data = readString(media, "data");
  if (data !== undefined && type.startsWith("image/"))
    return { kind: "image", url: `data:${type};base64,${data}` };
  return { kind: "other", part };
}

/** Sources and citations of an answer, which chat has no member for. */
export function groundingOf(candidate: Json): Json | undefined {
  const grounding = readObject(candidate, "groundingMetadata");
  const citations = readObject(candidate, "citationMetadata");
  const pages = readObject(candidate, "urlContextMetadata");
  if (grounding === undefined && citations === undefined && pages === undefined) return undefined;
  return {
    ...(grounding === undefined ? {} : { grounding_metadata: grounding }),
    ...(citations === undefined ? {} : { citation_metadata: citations }),
    ...(pages === undefined ? {} : { url_context_metadata: pages }),
  };
}

/** The failure of a prompt that the provider's filter stopped, as the text of a refusal. */
export function blockedPrompt(answer: Json): string | undefined {
  const reason = readText(readObject(answer, "promptFeedback"), "blockReason");
  return reason === undefined ? undefined : `The provider blocked the prompt: ${reason}.`;
}

/** A candidate's position among the choices. */
export function choiceIndex(candidate: Json, position: number): number {
  const index = readNumber(candidate, "index") ?? position;
  return Number.isInteger(index) && index >= 0 && index < 128 ? index : position;
}

/** Throws the failure that the answer reports, or `provider_bad_response` for another shape. */
export function generateAnswer(answer: unknown, target: DialectTarget): DialectAnswer {
  const error = errorMember(answer);
  if (error !== undefined) throw providerFailure(error, target);
  if (!isObject(answer)) throw unexpectedAnswer(answer, target);
  const usage = usageOf(readObject(answer, "usageMetadata"));
  const candidates = readArray(answer, "candidates").filter(isObject).filter(saysAnything);
  const refusal = candidates.length === 0 ? blockedPrompt(answer) : undefined;
  if (candidates.length === 0 && refusal === undefined) throw unexpectedAnswer(answer, target);
  const choices =
    refusal === undefined
      ? candidates.map((candidate, index) => choiceOf(candidate, index, target))
      : [refused(refusal)];
  const about = { id: readText(answer, "responseId"), model: readText(answer, "modelVersion"), choices };
  return { body: chatCompletion(target, about, usage), usage };
}

function refused(refusal: string): Json {
  const message = { role: "assistant", content: null, refusal };
  return { index: 0, message, logprobs: null, finish_reason: "content_filter" };
}

/** One without a part and without an end is no answer, whatever else it has. */
function saysAnything(candidate: Json): boolean {
  const parts = readArray(readObject(candidate, "content"), "parts");
  return parts.length > 0 || readText(candidate, "finishReason") !== undefined;
}

function choiceOf(candidate: Json, position: number, target: DialectTarget): Json {
  const index = choiceIndex(candidate, position);
  let calls = 0;
  const newId = (): string => newCallId(target.id, index, calls);
  const parts = readArray(readObject(candidate, "content"), "parts").filter(isObject);
  const read = parts.map((part) => {
    const each = answerPart(part, newId);
    if (each.kind === "call") calls++;
    return each;
  });
  return {
    index,
    message: messageOf(read, candidate),
    logprobs: logprobsOf(candidate),
    finish_reason: finishReason(candidate, calls),
  };
}

function messageOf(parts: readonly AnswerPart[], candidate: Json): Json {
  const joined = (kind: "text" | "reasoning"): string =>
    parts.map((part) => (part.kind === kind ? part.text : "")).join("");
  const text = joined("text");
  const reasoning = joined("reasoning");
  const calls = parts.flatMap((part) => (part.kind === "call" ? [toolCall(part)] : []));
  const images = parts.flatMap((part) => (part.kind === "image" ? [imageOf(part.url)] : []));
  const others = parts.flatMap((part) => (part.kind === "other" ? [part.part] : []));
  const signature = parts.findLast((part) => part.kind === "text" && part.signature !== undefined);
  const google = {
    ...(others.length === 0 ? {} : { parts: others }),
    ...(signature?.kind === "text" ? { thought_signature: signature.signature } : {}),
    ...groundingOf(candidate),
  };
  return {
    role: "assistant",
    content: text === "" && (calls.length > 0 || images.length > 0) ? null : text,
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(images.length === 0 ? {} : { images }),
    ...(Object.keys(google).length === 0 ? {} : { extra_content: { google } }),
  };
}

function toolCall(call: Extract<AnswerPart, { kind: "call" }>): Json {
  return {
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.args },
    ...call.extra,
  };
}

/** An image the model made, as several gateways give it. */
export function imageOf(url: string): Json {
  return { type: "image_url", image_url: { url } };
}

/** `logprobsResult` as chat's `logprobs`. */
export function logprobsOf(candidate: Json): Json | null {
  const result = readObject(candidate, "logprobsResult");
  const chosen = readArray(result, "chosenCandidates");
  if (chosen.length === 0) return null;
  const top = readArray(result, "topCandidates");
  return {
    content: chosen.map((token, index) =>
      Object.assign(tokenOf(token), { top_logprobs: readArray(top[index], "candidates").map(tokenOf) }),
    ),
    refusal: null,
  };
}

function tokenOf(token: unknown): { token: string; logprob: number; bytes: number[] } {
  const text = readString(token, "token") ?? "";
  return {
    token: text,
    logprob: readNumber(token, "logProbability") ?? 0,
    bytes: [...new TextEncoder().encode(text)],
  };
}
