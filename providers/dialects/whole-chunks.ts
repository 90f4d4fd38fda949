// A whole chat answer as the chunks of a stream, for providers that answer whole where a stream was asked for: one chunk
// with all of a choice, one with the reason of its end, and usage for those who want it.
import { isObject, readArray, type Json } from "./json.ts";

export function chunksOfAnswer(answer: Json, includeUsage: boolean): readonly Json[] {
  const { choices: _choices, usage, ...about } = answer;
  const head = { ...about, object: "chat.completion.chunk" };
  const tail = includeUsage ? { usage: null } : {};
  const chunks = readArray(answer, "choices")
    .filter(isObject)
    .flatMap(({ message, finish_reason: reason, ...choice }, position) => {
      const index = choice["index"] ?? position;
      const delta = deltaOf(isObject(message) ? message : {});
      return [
        { ...head, choices: [{ ...choice, index, delta, finish_reason: null }], ...tail },
        {
          ...head,
          choices: [{ index, delta: {}, logprobs: null, finish_reason: reason ?? "stop" }],
          ...tail,
        },
      ];
    });
  return includeUsage && isObject(usage) ? [...chunks, { ...head, choices: [], usage }] : chunks;
}

/** Calls in a delta are told apart by their index. */
function deltaOf(message: Json): Json {
  const calls = readArray(message, "tool_calls").filter(isObject);
  const { tool_calls: _calls, ...rest } = message;
  return calls.length === 0
    ? rest
    : { ...rest, tool_calls: calls.map((call, index) => Object.assign({ index }, call)) };
}
