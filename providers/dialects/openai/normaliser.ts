// Makes every "compatible" provider's stream one that official clients accept (what breaks them, and what was seen in
// recordings, decides what is mended here). Two ways in: whole frames as bytes, for a relay that lets canonical frames
// through untouched, and parsed events, for translators that need objects. Both keep one state.
import { GatewayError } from "../../../src/errors.ts";
import { chatId } from "../chunks.ts";
import type { DialectTarget, DialectUsage } from "../dialect.ts";
import { errorMember, providerFailure } from "../failure.ts";
import {
  isObject,
  parseProviderJson,
  readArray,
  readNumber,
  readObject,
  readText,
  without,
  type Json,
} from "../json.ts";
import { newCallId } from "../shared/tools.ts";
import { interrupted, type StreamState } from "../stream.ts";
import { mendChatUsage, usageFromChat } from "../usage.ts";
import { chunkHead, FrameScanner, type ChunkHead, type FrameFacts } from "./canonical.ts";
import { emptyAnswer, normaliseFinish, normaliseText } from "./message.ts";
import { ToolCallNormaliser } from "./tool-calls.ts";

interface ChoiceState {
  readonly tools: ToolCallNormaliser;
  hasRole: boolean;
  hasDelta: boolean;
  isFinished: boolean;
}

const LOWER_S = 115;
const USAGE = new Set(["usage"]);
const TOOL_CALLS = new Set(["tool_calls"]);

export class ChatNormaliser implements StreamState {
  readonly #target: DialectTarget;
  readonly #includeUsage: boolean;
  readonly #scanner: FrameScanner;
  readonly #choices = new Map<number, ChoiceState>();
  #pending: Json[] = [];
  #head: ChunkHead | undefined;
  #id = "";
  #created = 0;
  #model = "";
  #isDone = false;
  #usage: DialectUsage | null = null;
  #reportedUsage: Json | undefined;
  /** The provider's own chunk for usage, when it had one. */
  #usageChunk: Json = {};

  constructor(target: DialectTarget, includeUsage: boolean) {
    this.#target = target;
    this.#includeUsage = includeUsage;
    this.#scanner = new FrameScanner(target.quirks?.reasoningField);
  }

  /**
   * Whether this frame (with its closing blank line) needs no change at all. Asking counts: a canonical frame's finish
   * reason is noted, so each frame is asked about once, in order.
   */
  isCanonical(frame: Uint8Array): boolean {
    return this.#scan(frame) && (this.#includeUsage || this.#scanner.usageEnd === 0);
  }

  /**
   * The bytes to keep of the frame asked about last, when it was canonical but for a `usage: null` that nobody asked
   * for; undefined for others.
   */
  withoutUsage(frame: Uint8Array): Uint8Array | undefined {
    const { usageStart, usageEnd } = this.#scanner;
    if (usageEnd === 0) return undefined;
    const kept = new Uint8Array(frame.length - (usageEnd - usageStart));
    kept.set(frame.subarray(0, usageStart));
    kept.set(frame.subarray(usageEnd), usageStart);
    return kept;
  }

  /** What the frame asked about last holds, when it was canonical. */
  get facts(): FrameFacts {
    return this.#scanner;
  }

  #scan(frame: Uint8Array): boolean {
    const scanner = this.#scanner;
    if (this.#head === undefined || !scanner.scan(frame, this.#head)) {
      scanner.usageEnd = 0;
      return false;
    }
    const choice = this.#choices.get(scanner.choice);
    const isEndAfterTools =
      scanner.finish !== 0 &&
      choice !== undefined &&
      choice.tools.count > 0 &&
      (scanner.finish === LOWER_S || choice.tools.hasEmpty());
    if (choice === undefined || !choice.hasRole || choice.isFinished || isEndAfterTools) {
      scanner.usageEnd = 0;
      return false;
    }
    if (scanner.finish !== 0) choice.isFinished = true;
    return true;
  }

  /** One event of the stream; returns it as it was. Throws a `GatewayError` when the provider reports a failure. */
  event(name: string, data: string): Json | undefined {
    if (this.#isDone || data === "") return undefined;
    if (data === "[DONE]") {
      this.#isDone = true;
      this.#close();
      return undefined;
    }
    const chunk = parseProviderJson(data);
    if (name === "error") throw providerFailure(errorMember(chunk) ?? chunk, this.#target);
    if (!isObject(chunk))
      throw new GatewayError("provider_bad_response", "The provider sent an event that is no chunk.");
    const error = errorMember(chunk) ?? wordsAlone(chunk);
    if (error !== undefined && !this.#isComplete(chunk)) throw providerFailure(error, this.#target);
    this.#chunk(chunk);
    return chunk;
  }

  end(): void {
    if (this.#isDone) return;
    const choices = [...this.#choices.values()];
    if (choices.length === 0 || choices.some((choice) => !choice.isFinished)) throw interrupted();
    this.#isDone = true;
    this.#close();
  }

  finished(): boolean {
    return this.#isDone;
  }

  usage(): DialectUsage | null {
    return this.#usage;
  }

  take(): readonly Json[] {
    const taken = this.#pending;
    if (taken.length > 0) this.#pending = [];
    return taken;
  }

  /** An error that comes with the usage of an answer which has ended already takes nothing from that answer. */
  #isComplete(chunk: Json): boolean {
    if (this.#choices.size === 0 || readObject(chunk, "usage") === undefined) return false;
    return [...this.#choices.values()].every((choice) => choice.isFinished);
  }

  #chunk(chunk: Json): void {
    const choices = readArray(chunk, "choices").filter(isObject);
    const hasUsage = this.#noteUsage(chunk, choices);
    if (choices.length === 0) {
      if (!hasUsage) this.#withoutChoices(chunk);
      return;
    }
    this.#identify(chunk);
    const normalised = choices.flatMap((choice) => this.#choice(choice));
    if (normalised.length > 0) this.#pending.push(this.#around(chunk, normalised));
  }

  /** A filter's verdict before the first choice, mostly: passed on, but an empty id is nobody's id. */
  #withoutChoices(chunk: Json): void {
    const listed = chunk["choices"];
    if (!Array.isArray(listed) || listed.length > 0) return;
    if (readText(chunk, "id") !== undefined) this.#identify(chunk);
    this.#pending.push(this.#head === undefined ? chunk : this.#around(chunk, []));
  }

  #identify(chunk: Json): void {
    if (this.#head !== undefined) return;
    this.#id = readText(chunk, "id") ?? chatId(this.#target.id);
    const created = readNumber(chunk, "created") ?? 0;
    this.#created = created > 0 ? created : this.#target.createdSeconds;
    this.#model = readText(chunk, "model") ?? this.#target.model;
    this.#head = chunkHead(this.#id, this.#created, this.#model);
  }

  /** A chunk with these choices; members that need no change keep their place. */
  #around(chunk: Json, choices: readonly Json[]): Json {
    const { usage: _usage, error: _error, x_groq: groq, ...others } = chunk;
    const stream = {
      id: this.#id,
      object: "chat.completion.chunk",
      created: this.#created,
      model: this.#model,
    };
    return {
      ...others,
      ...stream,
      choices,
      ...(isObject(groq) ? { x_groq: without(groq, USAGE) } : {}),
      ...(this.#includeUsage && chunk["usage"] !== undefined ? { usage: null } : {}),
    };
  }

  #noteUsage(chunk: Json, choices: readonly Json[]): boolean {
    const reported =
      readObject(chunk, "usage") ??
      readObject(readObject(chunk, "x_groq"), "usage") ??
      choices.map((choice) => readObject(choice, "usage")).find((usage) => usage !== undefined);
    const usage = usageFromChat(reported, this.#target.quirks?.addReasoning);
    if (reported === undefined || usage === null) return reported !== undefined;
    this.#usage = usage;
    this.#reportedUsage = reported;
    this.#usageChunk = choices.length === 0 ? chunk : {};
    return true;
  }

  #state(index: number): ChoiceState {
    let state = this.#choices.get(index);
    if (state === undefined) {
      const newId = (call: number): string => newCallId(this.#target.id, index, call);
      state = { tools: new ToolCallNormaliser(newId), hasRole: false, hasDelta: false, isFinished: false };
      this.#choices.set(index, state);
    }
    return state;
  }

  /** The choice as clients need it; none when nothing is left of it. */
  #choice(choice: Json): readonly Json[] {
    const index = choiceIndex(choice);
    const state = this.#state(index);
    const delta = this.#delta(reportedDelta(choice, state), state);
    const finish = normaliseFinish(choice["finish_reason"], state.tools.count, this.#target);
    const isRepeated = finish !== null && state.isFinished;
    if (isRepeated && Object.keys(delta).length === 0) return [];
    const { usage: _usage, message: _message, ...others } = choice;
    if (finish === null || isRepeated) return [{ ...others, index, delta, finish_reason: null }];
    state.isFinished = true;
    return [{ ...others, index, delta: withFilledCalls(delta, state), finish_reason: finish }];
  }

  #delta(reported: Json, state: ChoiceState): Json {
    const { role, ...rest } = reported;
    const isFirst = !state.hasRole;
    state.hasRole = true;
    const opened = role === "assistant" ? reported : { role: "assistant", content: "", ...rest };
    const delta = normaliseText(isFirst ? opened : rest, this.#target.quirks?.reasoningField);
    const calls = delta["tool_calls"];
    if (calls === undefined) return delta;
    const tools = Array.isArray(calls) ? calls.flatMap((call) => state.tools.normalise(call) ?? []) : [];
    return tools.length === 0 ? without(delta, TOOL_CALLS) : { ...delta, tool_calls: tools };
  }

  /** What the provider left out at the end: finish reasons, and usage in a chunk of its own. */
  #close(): void {
    if (this.#choices.size === 0) throw emptyAnswer();
    // Clients keep choices in a list, which must not have holes.
    for (let index = 0; index <= Math.max(...this.#choices.keys()); index++) {
      const state = this.#state(index);
      if (state.isFinished) continue;
      const reason = state.tools.count > 0 ? "tool_calls" : "stop";
      const delta = withFilledCalls(this.#delta({}, state), state);
      state.isFinished = true;
      this.#pending.push(this.#around({}, [{ index, delta, logprobs: null, finish_reason: reason }]));
    }
    if (!this.#includeUsage || this.#usage === null || this.#reportedUsage === undefined) return;
    const usage = mendChatUsage(this.#reportedUsage, this.#usage);
    this.#pending.push({ ...this.#usageChunk, ...this.#around(this.#usageChunk, []), usage });
  }
}

/** What an event without choices says when it is nothing but words: why it failed. */
function wordsAlone(chunk: Json): Json | undefined {
  if (Array.isArray(chunk["choices"]) || isObject(chunk["usage"])) return undefined;
  return readText(chunk, "message") === undefined && readText(chunk, "detail") === undefined
    ? undefined
    : chunk;
}

/**
 * What is new in a choice. Some providers send the whole message instead of a delta; after deltas it repeats what they
 * said, and only calls that none of them had are new.
 */
function reportedDelta(choice: Json, state: ChoiceState): Json {
  const delta = readObject(choice, "delta");
  const message = readObject(choice, "message");
  if (delta !== undefined || message === undefined) {
    state.hasDelta ||= delta !== undefined;
    return delta ?? {};
  }
  if (!state.hasDelta) return message;
  const calls = message["tool_calls"];
  return state.tools.count > 0 || calls === undefined ? {} : { tool_calls: calls };
}

/** Clients parse a call's arguments: one that ends without any has an empty object. */
function withFilledCalls(delta: Json, { tools }: ChoiceState): Json {
  const filled = tools.fillEmpty();
  return filled.length === 0
    ? delta
    : { ...delta, tool_calls: [...readArray(delta, "tool_calls"), ...filled] };
}

/** The choice a chunk speaks of. Clients take at most 128; anything else can only mean the first. */
function choiceIndex(choice: Json): number {
  const index = readNumber(choice, "index") ?? 0;
  return Number.isInteger(index) && index >= 0 && index < 128 ? index : 0;
}
