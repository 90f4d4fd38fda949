// Writes chat-completion chunks the way official clients need them: one id, time and model for the whole stream, the
// role in a choice's first delta only, tool calls counted from 0, one finish reason per choice, usage in a last chunk
// of its own and only for those who asked. Every dialect's stream writes through this.
import type { DialectTarget, DialectUsage } from "./dialect.ts";
import { isObject, type Json } from "./json.ts";
import { usageToChat } from "./usage.ts";

/** Why a chat answer ended. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

const NOTHING: readonly Json[] = [];

interface ChoiceState {
  hasRole: boolean;
  isFinished: boolean;
  toolCalls: number;
}

export class ChunkWriter {
  #id: string;
  readonly #created: number;
  #model: string;
  readonly #includeUsage: boolean;
  readonly #choices = new Map<number, ChoiceState>();
  #pending: Json[] = [];

  constructor(target: DialectTarget, includeUsage: boolean) {
    this.#id = chatId(target.id);
    this.#created = target.createdSeconds;
    this.#model = target.model;
    this.#includeUsage = includeUsage;
  }

  /** The provider's own id and model name; without effect once a chunk has been written. */
  identify(id: string | undefined, model: string | undefined): void {
    if (this.#choices.size > 0) return;
    if (id !== undefined && id !== "") this.#id = chatId(id);
    if (model !== undefined && model !== "") this.#model = model;
  }

  delta(delta: Json, choice = 0): void {
    const state = this.#choice(choice);
    const first = state.hasRole ? delta : { role: "assistant", content: "", ...delta };
    state.hasRole = true;
    this.#write(choice, first, null);
  }

  text(content: string, choice = 0): void {
    if (content !== "") this.delta({ content }, choice);
  }

  reasoning(text: string, choice = 0): void {
    if (text !== "") this.delta({ reasoning_content: text }, choice);
  }

  /** Opens a tool call and returns its index. `extra` are members beside the function. */
  toolCall(call: { readonly id: string; readonly name: string; readonly extra?: Json }, choice = 0): number {
    const index = this.#choice(choice).toolCalls++;
    const opened = { index, id: call.id, type: "function", function: { name: call.name, arguments: "" } };
    this.delta({ tool_calls: [{ ...opened, ...call.extra }] }, choice);
    return index;
  }

  toolArguments(index: number, text: string, choice = 0): void {
    if (text !== "") this.delta({ tool_calls: [{ index, function: { arguments: text } }] }, choice);
  }

  toolCallCount(choice = 0): number {
    return this.#choices.get(choice)?.toolCalls ?? 0;
  }

  /** Ends a choice; a second end of the same choice is left out. */
  finish(reason: FinishReason, choice = 0, extra?: Json): void {
    const state = this.#choice(choice);
    if (state.isFinished) return;
    state.isFinished = true;
    const delta = state.hasRole ? {} : { role: "assistant", content: "" };
    state.hasRole = true;
    this.#write(choice, { ...delta, ...extra }, reason);
  }

  hasStarted(): boolean {
    return this.#choices.size > 0;
  }

  hasFinished(choice = 0): boolean {
    return this.#choices.get(choice)?.isFinished === true;
  }

  /** The last chunk, for clients that asked for it. */
  usage(usage: DialectUsage | null): void {
    if (!this.#includeUsage || !isReported(usage)) return;
    this.#pending.push({ ...this.#head(), choices: [], usage: usageToChat(usage) });
  }

  /** The chunks written since the last call. */
  take(): readonly Json[] {
    if (this.#pending.length === 0) return NOTHING;
    const taken = this.#pending;
    this.#pending = [];
    return taken;
  }

  #choice(index: number): ChoiceState {
    let state = this.#choices.get(index);
    if (state === undefined) {
      state = { hasRole: false, isFinished: false, toolCalls: 0 };
      this.#choices.set(index, state);
    }
    return state;
  }

  #head(): Json {
    return { id: this.#id, object: "chat.completion.chunk", created: this.#created, model: this.#model };
  }

  #write(index: number, delta: Json, reason: FinishReason | null): void {
    const chunk = {
      id: this.#id,
      object: "chat.completion.chunk",
      created: this.#created,
      model: this.#model,
      choices: [{ index, delta, logprobs: null, finish_reason: reason }],
    };
    this.#pending.push(this.#includeUsage ? { ...chunk, usage: null } : chunk);
  }
}

/**
 * Whether a chunk holds something of the answer. Some providers announce one first: with the role alone, an empty text or
 * no choice at all (a filter's verdict on the prompt). What is not known to be an announcement is none.
 */
export function saysSomething(chunk: Json): boolean {
  const { choices } = chunk;
  return Array.isArray(choices) ? choices.some(choiceSays) : true;
}

function choiceSays(choice: unknown): boolean {
  if (!isObject(choice)) return true;
  const { delta, message, text, finish_reason: finish } = choice;
  if (isSomething(finish) || isSomething(message) || isSomething(text)) return true;
  if (!isObject(delta)) return isSomething(delta);
  for (const name in delta) if (name !== "role" && isSomething(delta[name])) return true;
  return false;
}

function isSomething(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/** A chat answer's id; clients' logs expect the prefix. */
export function chatId(id: string): string {
  return id.startsWith("chatcmpl-") ? id : `chatcmpl-${id}`;
}

/** No prompt has no tokens: a count of none is one that was left out, and the client is not told what nobody knows. */
function isReported(usage: DialectUsage | null): usage is DialectUsage {
  return usage !== null && usage.inputTokens > 0;
}

/** A whole chat completion around its choices. */
export function chatCompletion(
  target: DialectTarget,
  answer: {
    readonly id?: string | undefined;
    readonly model?: string | undefined;
    readonly choices: readonly Json[];
  },
  usage: DialectUsage | null,
): Json {
  return {
    id: chatId(answer.id ?? target.id),
    object: "chat.completion",
    created: target.createdSeconds,
    model: answer.model ?? target.model,
    choices: answer.choices,
    ...(isReported(usage) ? { usage: usageToChat(usage) } : {}),
  };
}
