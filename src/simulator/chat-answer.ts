// What the pretend model says to a chat request: a function of the request alone. An echo, JSON, a tool call or some
// prose; cut at `stop` and at `max_tokens` as a real model would be. Its length in tokens is known before the first
// is sent, so the simulator's quota can count exactly.
import { instanceOf } from "./instance.ts";
import { drawFrom, hash32, pieces, prose } from "./prose.ts";
import type { Draw } from "./prose.ts";
import type { ChatRequest, Tool } from "./chat-request.ts";

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON, as text. */
  readonly arguments: string;
}

export interface Choice {
  /** The answer's text, one piece per token; empty for a tool call. */
  readonly pieces: readonly string[];
  readonly reasoning: readonly string[];
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: "stop" | "length" | "tool_calls";
}

export interface Usage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
}

export interface ChatAnswer {
  readonly id: string;
  readonly choices: readonly Choice[];
  readonly usage: Usage;
}

/** Models that behave in their own way; every other name is answered in prose. */
export const MODELS = {
  "sim-chat": "answers in prose seeded by the request",
  "sim-echo": "repeats the last user message",
  "sim-reason": "thinks first: sends `reasoning_content` and counts `reasoning_tokens`",
  "sim-embed": "for embeddings: 256 numbers between −1 and 1, of length 1",
} as const;

/** Answers are 20 to 60 words long unless the caller of `answerChat` says otherwise. */
const WORDS_MIN = 20;
const WORDS_SPREAD = 41;

/** `tokens` (null: seeded) sets how many tokens of prose each choice has. */
export function answerChat(request: ChatRequest, tokens: number | null): ChatAnswer {
  const seed = hash32(`${request.model}\n${JSON.stringify(request.messages)}`);
  const choices = Array.from({ length: request.choices }, (_, at) =>
    answerChoice(request, drawFrom(seed + at * 0x9e37_79b9), tokens),
  );
  const reasoningTokens = sum(choices.map((choice) => choice.reasoning.length));
  return {
    id: seed.toString(16).padStart(8, "0"),
    choices,
    usage: {
      promptTokens: request.promptTokens,
      cachedTokens: request.cachedTokens,
      completionTokens: sum(choices.map(outputTokens)) + reasoningTokens,
      reasoningTokens,
    },
  };
}

function outputTokens(choice: Choice): number {
  return choice.pieces.length + sum(choice.toolCalls.map((call) => pieces(call.arguments).length + 1));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function answerChoice(request: ChatRequest, draw: Draw, tokens: number | null): Choice {
  const called = calledTools(request);
  const reasoning = request.model === "sim-reason" ? pieces(prose(draw, 8)) : [];
  if (called.length > 0) {
    const toolCalls = called.map((tool) => toToolCall(tool, draw));
    return { pieces: [], reasoning, toolCalls, finishReason: "tool_calls" };
  }
  return { reasoning, toolCalls: [], ...cut(text(request, draw, tokens), request) };
}

function text(request: ChatRequest, draw: Draw, tokens: number | null): string {
  if (request.format.kind === "schema") return JSON.stringify(instanceOf(request.format.schema, draw));
  if (request.format.kind === "json") return JSON.stringify({ answer: prose(draw, 12) });
  if (request.model === "sim-echo") return lastText(request, "user");
  if (tokens !== null) return pieces(prose(draw, tokens)).slice(0, tokens).join("");
  return prose(draw, WORDS_MIN + draw(WORDS_SPREAD));
}

function lastText(request: ChatRequest, role: string): string {
  return request.messages.findLast((message) => message.role === role)?.text ?? "";
}

/** Cuts at the first stop sequence, then at the token limit. */
export function cut(
  answer: string,
  limits: { readonly stop: readonly string[]; readonly maxTokens: number | null },
): Pick<Choice, "pieces" | "finishReason"> {
  const ends = limits.stop.map((stop) => answer.indexOf(stop)).filter((at) => at >= 0);
  const all = pieces(ends.length === 0 ? answer : answer.slice(0, Math.min(...ends)));
  if (limits.maxTokens === null || all.length <= limits.maxTokens)
    return { pieces: all, finishReason: "stop" };
  return { pieces: all.slice(0, limits.maxTokens), finishReason: "length" };
}

/**
 * The tools to call. A forced choice always calls. Otherwise the last message has to be the user's, and to speak of a
 * tool: of its name or of a longer word in it (`weather` for `get_weather`). Several are called when it speaks of several.
 */
function calledTools(request: ChatRequest): readonly Tool[] {
  const { tools, toolChoice } = request;
  if (toolChoice.kind === "none" || tools.length === 0) return [];
  if (toolChoice.kind === "named") return tools.filter((tool) => tool.name === toolChoice.name).slice(0, 1);
  const last = request.messages.at(-1);
  const isAsked = last?.role === "user";
  const prompt = isAsked ? last.text.toLowerCase() : "";
  const wanted = tools.filter((tool) => nameWords(tool.name).some((part) => prompt.includes(part)));
  if (wanted.length > 0) return request.parallelToolCalls ? wanted : wanted.slice(0, 1);
  return toolChoice.kind === "required" ? tools.slice(0, 1) : [];
}

function nameWords(name: string): readonly string[] {
  const words = name.split(/[^\p{L}\p{N}]+|(?<=\p{Ll})(?=\p{Lu})/u).filter((part) => part.length >= 4);
  return [name, ...words].map((part) => part.toLowerCase());
}

function toToolCall(tool: Tool, draw: Draw): ToolCall {
  const id = `call_${draw(2 ** 32)
    .toString(16)
    .padStart(8, "0")}${draw(2 ** 32)
    .toString(16)
    .padStart(8, "0")}`;
  const parameters = instanceOf(tool.parameters, draw);
  return { id, name: tool.name, arguments: JSON.stringify(typeof parameters === "string" ? {} : parameters) };
}
