// A whole chat answer of a "compatible" provider, mended like its streams are. Members nobody knows pass through.
import { chatId } from "../chunks.ts";
import type { DialectAnswer, DialectTarget } from "../dialect.ts";
import { errorMember, providerFailure, unexpectedAnswer } from "../failure.ts";
import { isObject, readArray, readNumber, readObject, readText, type Json } from "../json.ts";
import { newCallId } from "../shared/tools.ts";
import { mendChatUsage, usageFromChat } from "../usage.ts";
import { normaliseFinish, normaliseText } from "./message.ts";
import { normaliseToolCalls } from "./tool-calls.ts";

/** Throws the failure that the answer reports, or `provider_bad_response` when it is no answer at all. */
export function chatAnswer(answer: unknown, target: DialectTarget): DialectAnswer {
  const error = errorMember(answer);
  if (error !== undefined) throw providerFailure(error, target);
  const choices = readArray(answer, "choices").filter(isObject);
  if (!isObject(answer) || choices.length === 0) throw unexpectedAnswer(answer, target);
  const usage = usageFromChat(answer["usage"], target.quirks?.addReasoning);
  const reported = readObject(answer, "usage");
  const body = {
    ...answer,
    id: readText(answer, "id") ?? chatId(target.id),
    object: "chat.completion",
    created: readNumber(answer, "created") ?? target.createdSeconds,
    model: readText(answer, "model") ?? target.model,
    choices: choices.map((choice, index) => chatChoice(choice, index, target)),
    ...(usage === null || reported === undefined ? {} : { usage: mendChatUsage(reported, usage) }),
  };
  return { body, usage };
}

function chatChoice(choice: Json, position: number, target: DialectTarget): Json {
  const index = readNumber(choice, "index") ?? position;
  const reported = readObject(choice, "message") ?? {};
  const newId = (call: number): string => newCallId(target.id, index, call);
  const calls = normaliseToolCalls(readArray(reported, "tool_calls"), newId);
  const message = normaliseText(reported, target.quirks?.reasoningField);
  const finish = normaliseFinish(choice["finish_reason"], calls.length, target);
  return {
    ...choice,
    index,
    message: {
      ...message,
      role: "assistant",
      content: message["content"] ?? null,
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    },
    finish_reason: finish ?? (calls.length > 0 ? "tool_calls" : "stop"),
  };
}
