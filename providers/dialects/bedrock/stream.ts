// A Converse stream as chat chunks. The stop reason and the usage come apart and in either order, so the stream is over
// when both are there, or at its end; exceptions come as frames of a stream that began with 200.
import { GatewayError } from "../../../src/errors.ts";
import { tryParse } from "../../../src/json.ts";
import { ChunkWriter, type FinishReason } from "../chunks.ts";
import type { DialectTarget, DialectUsage } from "../dialect.ts";
import { providerFailure } from "../failure.ts";
import {
  isObject,
  parseProviderJson,
  readArray,
  readNumber,
  readObject,
  readString,
  readText,
  without,
  type Json,
} from "../json.ts";
import { thinkingToChat } from "../shared/thinking.ts";
import { interrupted, type StreamState } from "../stream.ts";
import { askedFor, converseUsage, extraContent, finishReason, isServerTool } from "./answer.ts";
import type { StreamFrame } from "./event-stream.ts";

/** Exceptions have the status they would have had before the stream began. */
const EXCEPTION_STATUS: Readonly<Record<string, number>> = {
  throttlingException: 429,
  validationException: 400,
  internalServerException: 500,
  modelStreamErrorException: 500,
  serviceUnavailableException: 503,
  modelTimeoutException: 504,
};

/** What deltas hold that has a place in chat. */
const KNOWN_DELTAS = new Set(["text", "toolUse", "reasoningContent"]);

type OpenBlock =
  | { readonly kind: "tool"; readonly call: number; hasArguments: boolean }
  | { readonly kind: "reasoning"; readonly texts: string[]; signature: string; redacted: string }
  /** What chat has no member for: how it began, and what has come since. */
  | { readonly kind: "other"; readonly start: Json; input: string; readonly deltas: Json[] };

export class ConverseStream implements StreamState {
  readonly #target: DialectTarget;
  readonly #writer: ChunkWriter;
  readonly #blocks = new Map<number, OpenBlock>();
  /** The finish waits for what may come behind it. */
  #reason: FinishReason = "stop";
  #isStopped = false;
  #isEnded = false;
  #isAtWork = false;
  #usage: DialectUsage | null = null;

  constructor(target: DialectTarget, includeUsage: boolean) {
    this.#target = target;
    this.#writer = new ChunkWriter(target, includeUsage);
  }

  /** One frame. Throws the exception it holds, or `provider_bad_response` when it can't be read. */
  frame({ headers, payload }: StreamFrame): void {
    const type = headers.get(":message-type") ?? "event";
    if (type !== "event") throw this.#exception(headers, payload);
    const body = payload === "" ? {} : parseProviderJson(payload);
    if (!isObject(body))
      throw new GatewayError("provider_bad_response", "The provider sent an event that is no object.");
    this.#event(headers.get(":event-type") ?? "", body);
  }

  end(): void {
    if (!this.#isStopped) throw interrupted();
    this.#finish();
  }

  finished(): boolean {
    return this.#isEnded;
  }

  isAtWork(): boolean {
    return this.#isAtWork;
  }

  usage(): DialectUsage | null {
    return this.#usage;
  }

  take(): readonly Json[] {
    return this.#writer.take();
  }

  #exception(headers: StreamFrame["headers"], payload: string): GatewayError {
    const name = headers.get(":exception-type") ?? headers.get(":error-code") ?? "exception";
    const body: unknown = payload.startsWith("{") ? parseProviderJson(payload) : undefined;
    const message =
      readText(body, "message") ?? readText(body, "Message") ?? headers.get(":error-message") ?? name;
    const status = Object.hasOwn(EXCEPTION_STATUS, name) ? EXCEPTION_STATUS[name] : 500;
    return providerFailure({ message, type: name, code: status }, this.#target);
  }

  #event(type: string, body: Json): void {
    const index = readNumber(body, "contentBlockIndex") ?? 0;
    switch (type) {
      case "messageStart":
        if (!this.#writer.hasStarted()) this.#writer.delta({});
        break;
      case "contentBlockStart":
        this.#open(index, readObject(body, "start") ?? {});
        break;
      case "contentBlockDelta":
        this.#delta(index, readObject(body, "delta") ?? {});
        break;
      case "contentBlockStop":
        this.#close(index);
        break;
      case "messageStop":
        for (const open of this.#blocks.keys()) this.#close(open);
        this.#reason = finishReason(readText(body, "stopReason"));
        this.#askedFor(body);
        this.#isStopped = true;
        break;
      case "metadata":
        this.#askedFor(body);
        this.#usage = converseUsage(readObject(body, "usage")) ?? this.#usage;
        break;
      case "chunk":
        this.#wrapped(readString(body, "bytes") ?? "");
        break;
      default:
        break;
    }
    if (this.#isStopped && this.#usage !== null) this.#finish();
  }

  /** InvokeModel's streams hold the same events as base64, each named by its only member. */
  #wrapped(bytes: string): void {
    const event = parseProviderJson(textOfBase64(bytes));
    const [entry] = isObject(event) ? Object.entries(event) : [];
    const [name, body] = entry ?? ["", {}];
    if (isObject(body)) this.#event(name, body);
  }

  #askedFor(body: Json): void {
    const asked = askedFor(body);
    if (Object.keys(asked).length > 0) this.#writer.delta(extraContent(asked));
  }

  #open(index: number, start: Json): void {
    this.#isAtWork = true;
    const use = readObject(start, "toolUse");
    if (use === undefined || isServerTool(start)) {
      if (Object.keys(start).length > 0)
        this.#blocks.set(index, { kind: "other", start, input: "", deltas: [] });
      return;
    }
    const id = readText(use, "toolUseId") ?? `tooluse_${this.#writer.toolCallCount()}`;
    const call = this.#writer.toolCall({ id, name: readString(use, "name") ?? "" });
    this.#blocks.set(index, { kind: "tool", call, hasArguments: false });
  }

  #delta(index: number, delta: Json): void {
    const block = this.#blocks.get(index);
    if (block?.kind === "other") {
      const piece = readString(readObject(delta, "toolUse"), "input");
      if (piece === undefined) block.deltas.push(delta);
      else block.input += piece;
      return;
    }
    this.#writer.text(readString(delta, "text") ?? "");
    const input = readString(readObject(delta, "toolUse"), "input") ?? "";
    if (input !== "") this.#input(index, input);
    const reasoning = readObject(delta, "reasoningContent");
    if (reasoning !== undefined) this.#reasoning(index, reasoning);
    // Citations, and what nobody knows yet.
    const others = without(delta, KNOWN_DELTAS);
    if (Object.keys(others).length > 0) this.#writer.delta(extraContent({ blocks: [others] }));
  }

  #input(index: number, text: string): void {
    const block = this.#blocks.get(index);
    if (block?.kind !== "tool") {
      throw new GatewayError(
        "provider_bad_response",
        "The provider sent arguments of a tool call that it never began.",
      );
    }
    block.hasArguments = true;
    this.#writer.toolArguments(block.call, text);
  }

  /** Reasoning blocks are not started: the first delta opens them. */
  #reasoning(index: number, reasoning: Json): void {
    this.#isAtWork = true;
    const known = this.#blocks.get(index);
    const block =
      known?.kind === "reasoning"
        ? known
        : { kind: "reasoning" as const, texts: [], signature: "", redacted: "" };
    if (known === undefined) this.#blocks.set(index, block);
    const text = readString(reasoning, "text") ?? "";
    block.texts.push(text);
    block.signature += readString(reasoning, "signature") ?? "";
    block.redacted += readString(reasoning, "redactedContent") ?? "";
    this.#writer.reasoning(text);
  }

  #close(index: number): void {
    const block = this.#blocks.get(index);
    this.#blocks.delete(index);
    if (block?.kind === "tool" && !block.hasArguments) this.#writer.toolArguments(block.call, "{}");
    if (block?.kind === "other") this.#writer.delta(extraContent({ blocks: [wholeBlock(block)] }));
    if (block?.kind !== "reasoning") return;
    const { texts, signature, redacted } = block;
    const whole =
      redacted === ""
        ? { kind: "signed" as const, thinking: texts.join(""), signature }
        : { kind: "redacted" as const, data: redacted };
    this.#writer.delta({ thinking_blocks: thinkingToChat([whole]) });
  }

  #finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#writer.finish(this.#reason);
    this.#writer.usage(this.#usage);
  }
}

/** A block in the form that it has in whole answers. */
function wholeBlock({ start, input, deltas }: Extract<OpenBlock, { kind: "other" }>): Json {
  const whole: Record<string, unknown> = { ...start };
  const use = readObject(start, "toolUse");
  if (use !== undefined) whole["toolUse"] = { ...use, input: input === "" ? {} : (tryParse(input) ?? input) };
  for (const [key, value] of deltas.flatMap((delta) => Object.entries(delta))) {
    const known = readObject(whole, key);
    whole[key] = Array.isArray(value)
      ? { ...known, content: [...readArray(known, "content"), ...value] }
      : isObject(value)
        ? { ...known, ...value }
        : value;
  }
  return whole;
}

/** What isn't base64 is no text, and so no event. */
function textOfBase64(bytes: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0)));
  } catch {
    return "";
  }
}
