// The older completions route: one prompt, or several, answered with the chat model's words.
import { GatewayError } from "../errors.ts";
import { countAt, invalid, isObject, stringAt, stringsAt } from "./json.ts";
import { DONE, usageJson } from "./chat-wire.ts";
import { cut } from "./chat-answer.ts";
import { drawFrom, hash32, promptTokens, prose } from "./prose.ts";
import type { JsonObject } from "./json.ts";
import type { Choice, Usage } from "./chat-answer.ts";
import type { WireContext } from "./chat-wire.ts";

type TextChoice = Pick<Choice, "pieces" | "finishReason">;

export interface CompletionAnswer {
  readonly id: string;
  readonly model: string;
  readonly isStream: boolean;
  readonly includeUsage: boolean;
  readonly choices: readonly TextChoice[];
  readonly usage: Usage;
}

/** What the real route stops at when no limit is given. */
const TOKENS_DEFAULT = 16;

/** Throws `invalid_request` with the member at fault. */
export function answerCompletion(body: JsonObject, tokens: number | null): CompletionAnswer {
  const model = stringAt(body, "model");
  const prompts = stringsAt(body, "prompt");
  if (prompts.length === 0) throw invalid("prompt", "`prompt` must be a string or a list of strings.");
  const count = prompts.length * (countAt(body, "n", 1) ?? 1);
  if (count > 128) throw new GatewayError("invalid_request", "At most 128 choices.", { param: "n" });
  const options = body["stream_options"];
  const limits = {
    stop: stringsAt(body, "stop"),
    maxTokens: countAt(body, "max_tokens", 0) ?? tokens ?? TOKENS_DEFAULT,
  };
  const seed = hash32(`${model}\n${prompts.join("\n")}`);
  const choices = Array.from({ length: count }, (_, at) => {
    const text = model === "sim-echo" ? (prompts[at % prompts.length] ?? "") : null;
    return cut(text ?? prose(drawFrom(seed + at), Math.max(32, tokens ?? 0)), limits);
  });
  return {
    id: seed.toString(16).padStart(8, "0"),
    model,
    isStream: body["stream"] === true,
    includeUsage: isObject(options) && options["include_usage"] === true,
    choices,
    usage: {
      promptTokens: prompts.reduce((total, prompt) => total + promptTokens(prompt), 0),
      cachedTokens: 0,
      completionTokens: choices.reduce((total, choice) => total + choice.pieces.length, 0),
      reasoningTokens: 0,
    },
  };
}

export function completionJson(answer: CompletionAnswer, context: WireContext): string {
  const choices = answer.choices.map(({ pieces, finishReason }, index) =>
    textChoice(index, pieces.join(""), finishReason),
  );
  const usage = context.omitted.usage ? {} : { usage: usageJson(answer.usage) };
  return JSON.stringify({ ...head(answer, context), choices, ...usage });
}

export function completionPayloads(answer: CompletionAnswer, context: WireContext): string[] {
  const withUsage = answer.includeUsage && !context.omitted.usage;
  const toPayload = (choices: readonly object[], usage: object | null): string =>
    JSON.stringify({ ...head(answer, context), choices, ...(withUsage ? { usage } : {}) });
  const payloads = answer.choices.flatMap(({ pieces, finishReason }, index) => [
    ...pieces.map((piece) => toPayload([textChoice(index, piece, null)], null)),
    ...(context.omitted.finish ? [] : [toPayload([textChoice(index, "", finishReason)], null)]),
  ]);
  if (withUsage) payloads.push(toPayload([], usageJson(answer.usage)));
  if (!context.omitted.done) payloads.push(DONE);
  return payloads;
}

function head(answer: CompletionAnswer, context: WireContext): object {
  const { id, model } = answer;
  return { id: `cmpl-${id}`, object: "text_completion", created: context.created, model };
}

function textChoice(index: number, text: string, finishReason: string | null): object {
  return { index, text, logprobs: null, finish_reason: finishReason };
}
