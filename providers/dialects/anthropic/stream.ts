// An Anthropic event stream as chat chunks. Blocks come one after another, each started, filled and stopped; usage comes
// at the start and, cumulative, at the end. Blocks are told apart by the index of their events, so a provider that
// interleaves them, or starts the message twice, loses nothing.
import { GatewayError } from "../../../src/errors.ts";
import { tryParse } from "../../../src/json.ts";
import { ChunkWriter } from "../chunks.ts";
import type { DialectTarget, DialectUsage } from "../dialect.ts";
import { providerFailure } from "../failure.ts";
import {
  isObject,
  parseProviderJson,
  readNumber,
  readObject,
  readString,
  readText,
  type Json,
} from "../json.ts";
import { thinkingToChat } from "../shared/thinking.ts";
import { interrupted, type StreamState } from "../stream.ts";
import { extraContent, finishReason, keptAbout, MessageUsage, thinkingBlock } from "./answer.ts";

type OpenBlock =
  | { readonly kind: "text"; citations: unknown[] }
  | { readonly kind: "tool"; readonly call: number; readonly input: unknown; hasArguments: boolean }
  | { readonly kind: "thinking"; readonly texts: string[]; signature: string }
  | { readonly kind: "other"; block: Json; input: string };

export class MessageStream implements StreamState {
  readonly #target: DialectTarget;
  readonly #writer: ChunkWriter;
  readonly #usage = new MessageUsage();
  readonly #blocks = new Map<number, OpenBlock>();
  #stopReason: string | undefined;
  #refusal: string | undefined;
  #isStopped = false;
  #isAtWork = false;

  constructor(target: DialectTarget, includeUsage: boolean) {
    this.#target = target;
    this.#writer = new ChunkWriter(target, includeUsage);
  }

  /** One event. Throws the failure it reports, or `provider_bad_response` when it can't be read. */
  event(name: string, data: string): void {
    if (this.#isStopped || data === "") return;
    const event = parseProviderJson(data);
    if (!isObject(event))
      throw new GatewayError("provider_bad_response", "The provider sent an event that is no object.");
    const type = readString(event, "type") ?? name;
    switch (type) {
      case "message_start":
        this.#start(readObject(event, "message") ?? {});
        break;
      case "content_block_start":
        this.#open(readNumber(event, "index") ?? 0, readObject(event, "content_block") ?? {});
        break;
      case "content_block_delta":
        this.#delta(readNumber(event, "index") ?? 0, readObject(event, "delta") ?? {});
        break;
      case "content_block_stop":
        this.#close(readNumber(event, "index") ?? 0);
        break;
      case "message_delta":
        this.#change(event, readObject(event, "delta") ?? {});
        break;
      case "message_stop":
        this.#stop();
        break;
      case "error":
        throw providerFailure(readObject(event, "error") ?? event, this.#target);
      default:
        // Pings, and events of versions to come.
        break;
    }
  }

  end(): void {
    if (this.#isStopped) return;
    // Everything but the last event has come: nothing of the answer is missing.
    if (this.#stopReason === undefined) throw interrupted();
    this.#stop();
  }

  finished(): boolean {
    return this.#isStopped;
  }

  /** Thinking that is not shown begins a block and says no more for a long time. */
  isAtWork(): boolean {
    return this.#isAtWork;
  }

  usage(): DialectUsage | null {
    return this.#usage.total;
  }

  take(): readonly Json[] {
    return this.#writer.take();
  }

  #start(message: Json): void {
    this.#writer.identify(readText(message, "id"), readText(message, "model"));
    this.#usage.report(readObject(message, "usage"));
    // The role goes out now, so that a client sees the answer begin; a second start has nothing new to say.
    if (!this.#writer.hasStarted()) this.#writer.delta({});
  }

  #change(event: Json, delta: Json): void {
    this.#usage.report(readObject(event, "usage"));
    this.#stopReason = readText(delta, "stop_reason") ?? this.#stopReason;
    this.#refusal = readText(readObject(delta, "stop_details"), "explanation") ?? this.#refusal;
    const kept = { ...keptAbout(event), ...keptAbout(delta) };
    if (Object.keys(kept).length > 0) this.#writer.delta(extraContent(kept));
  }

  #open(index: number, block: Json): void {
    this.#isAtWork = true;
    this.#close(index);
    switch (readString(block, "type") ?? "") {
      case "text":
        this.#blocks.set(index, { kind: "text", citations: [] });
        this.#writer.text(readString(block, "text") ?? "");
        break;
      case "tool_use":
        this.#blocks.set(index, {
          kind: "tool",
          call: this.#openCall(block),
          input: block["input"],
          hasArguments: false,
        });
        break;
      case "thinking":
        this.#openThinking(index, block);
        break;
      case "redacted_thinking":
        this.#thinking(block);
        break;
      default:
        this.#blocks.set(index, { kind: "other", block, input: "" });
    }
  }

  #openCall(block: Json): number {
    const id = readText(block, "id") ?? `toolu_${this.#writer.toolCallCount()}`;
    return this.#writer.toolCall({ id, name: readString(block, "name") ?? "" });
  }

  #openThinking(index: number, block: Json): void {
    const text = readString(block, "thinking") ?? "";
    this.#blocks.set(index, {
      kind: "thinking",
      texts: [text],
      signature: readString(block, "signature") ?? "",
    });
    this.#writer.reasoning(text);
  }

  #delta(index: number, delta: Json): void {
    const block = this.#blocks.get(index);
    switch (readString(delta, "type") ?? "") {
      case "text_delta":
        this.#writer.text(readString(delta, "text") ?? "");
        break;
      case "input_json_delta":
        this.#input(block, readString(delta, "partial_json") ?? "");
        break;
      case "thinking_delta":
        this.#writer.reasoning(readString(delta, "thinking") ?? "");
        if (block?.kind === "thinking") block.texts.push(readString(delta, "thinking") ?? "");
        break;
      case "signature_delta":
        if (block?.kind === "thinking") block.signature += readString(delta, "signature") ?? "";
        break;
      case "citations_delta":
        if (block?.kind === "text") block.citations.push(delta["citation"]);
        break;
      default:
        // A block of a kind that is not known here is kept whole, so what is added to it is, too.
        if (block?.kind === "other") block.block = grown(block.block, delta);
        break;
    }
  }

  #input(block: OpenBlock | undefined, text: string): void {
    if (block === undefined && text !== "") {
      throw new GatewayError(
        "provider_bad_response",
        "The provider sent arguments of a tool call that it never began.",
      );
    }
    if (block?.kind === "other") block.input += text;
    if (block?.kind !== "tool" || text === "") return;
    block.hasArguments = true;
    this.#writer.toolArguments(block.call, text);
  }

  #close(index: number): void {
    const block = this.#blocks.get(index);
    if (block === undefined) return;
    this.#blocks.delete(index);
    switch (block.kind) {
      case "text":
        if (block.citations.length > 0) this.#writer.delta(extraContent({ citations: block.citations }));
        break;
      case "tool":
        // Clients parse the arguments: a call without any still has an empty object.
        if (!block.hasArguments) this.#writer.toolArguments(block.call, JSON.stringify(block.input ?? {}));
        break;
      case "thinking":
        this.#thinking({ type: "thinking", thinking: block.texts.join(""), signature: block.signature });
        break;
      case "other":
        this.#writer.delta(extraContent({ blocks: [withInput(block.block, block.input)] }));
        break;
    }
  }

  /** A whole block, for the client to send back. */
  #thinking(block: Json): void {
    const thinking = thinkingBlock(block);
    if (thinking !== undefined) this.#writer.delta({ thinking_blocks: thinkingToChat([thinking]) });
  }

  #stop(): void {
    for (const index of this.#blocks.keys()) this.#close(index);
    this.#isStopped = true;
    const refusal = this.#refusal === undefined ? {} : { refusal: this.#refusal };
    this.#writer.finish(finishReason(this.#stopReason), 0, refusal);
    this.#writer.usage(this.#usage.total);
  }
}

/** A block with a delta in it: texts go on where they are, anything else takes the place of what was there. */
function grown(block: Json, delta: Json): Json {
  const members = Object.entries(delta).flatMap(([name, value]) => {
    if (name === "type") return [];
    const before = block[name];
    return [[name, typeof value === "string" && typeof before === "string" ? before + value : value]];
  });
  return { ...block, ...Object.fromEntries(members) };
}

/** A block of the provider's own tools, with the input that was streamed into it. */
function withInput(block: Json, input: string): Json {
  if (input === "") return block;
  const parsed = tryParse(input);
  return { ...block, input: parsed === undefined ? input : parsed };
}
