// The calls that a chat answer holds, in any of chat's three forms: functions, custom tools whose input is free text, and
// the one `function_call` of before there were tools. Providers send the last two unasked too, and clients of other
// languages must hear of every call.
import { isObject, readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";

/** A call, or in a stream a piece of one. */
export interface AnsweredCall {
  /** Which of the answer's calls it is. */
  readonly index: number;
  readonly id: string | undefined;
  readonly name: string;
  /** Arguments as JSON text, or the input of a custom tool as it is. */
  readonly input: string;
  readonly isCustom: boolean;
}

/** The place of a call that has none. */
const LEGACY_INDEX = -1;

/** The calls in a message, or the pieces in a delta. Where there are calls of tools, the old form only repeats one. */
export function answeredCalls(message: Json): readonly AnsweredCall[] {
  const calls = readArray(message, "tool_calls").filter(isObject).map(answeredCall);
  const legacy = readObject(message, "function_call");
  if (legacy === undefined || calls.length > 0) return calls;
  return [answeredCall({ index: LEGACY_INDEX, function: legacy }, 0)];
}

function answeredCall(call: Json, position: number): AnsweredCall {
  const custom = readObject(call, "custom");
  const definition = readObject(call, "function");
  return {
    index: readNumber(call, "index") ?? position,
    id: readText(call, "id"),
    name: readString(custom ?? definition, "name") ?? "",
    input: readString(custom, "input") ?? readString(definition, "arguments") ?? "",
    isCustom: custom !== undefined,
  };
}
