// Chat chunks as a Messages event stream. The language is strict: a message starts, its blocks start, grow and stop one
// after another, one event says why it stopped and what it used, and it stops. Chat lets tool calls overlap; one that
// begins while another is unfinished waits for it.
import type { GatewayError } from "../../../src/errors.ts";
import { tryParse } from "../../../src/json.ts";
import type { ClientContext, ClientStream } from "../dialect.ts";
import { readArray, readNumber, readObject, readString, readText, type Json } from "../json.ts";
import { sseFrame } from "../sse.ts";
import { answeredCalls, type AnsweredCall } from "../shared/answered-calls.ts";
import { Extras } from "../shared/extras.ts";
import { thinkingFromChat } from "../shared/thinking.ts";
import { messageError, messageUsage, stopReason } from "./answer.ts";
import { UNSIGNED } from "./turns.ts";

type Block =
  | { readonly kind: "text" }
  | { readonly kind: "thinking" | "redacted" }
  | { readonly kind: "tool"; readonly call: Call };

interface Call {
  readonly id: string;
  readonly name: string;
  /** Its input is free text, which goes out as the only member of an object. */
  readonly isCustom: boolean;
  /** All arguments so far. */
  text: string;
  /** How much of them has been sent. */
  sent: number;
  isClosed: boolean;
}

/** Around the text of a custom tool's input, which is JSON's own inside. */
const CUSTOM_START = '{"input":"';
const CUSTOM_END = '"}';

export class MessagesStream implements ClientStream {
  readonly #context: ClientContext;
  readonly #calls = new Map<number, Call>();
  readonly #extras = new Extras();
  #out = "";
  #isStarted = false;
  #index = -1;
  #block: Block | undefined;
  #finish: string | undefined;
  #usage: Json | undefined;
  #characters = 0;
  #deferredText = "";
  #isRefused = false;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  push(chunk: Json): string {
    this.#start();
    this.#usage = readObject(chunk, "usage") ?? this.#usage;
    this.#extras.noteAnswer(chunk);
    for (const choice of readArray(chunk, "choices")) {
      if ((readNumber(choice, "index") ?? 0) !== 0) continue;
      this.#delta(readObject(choice, "delta") ?? {});
      this.#finish = readText(choice, "finish_reason") ?? this.#finish;
    }
    return this.#take();
  }

  end(): string {
    this.#start();
    this.#closeBlock();
    for (const call of this.#calls.values()) if (!call.isClosed) this.#wholeCall(call);
    if (this.#deferredText !== "") this.#text(this.#deferredText);
    this.#closeBlock();
    const usage = messageUsage(this.#usage, this.#context);
    // Where the provider reported nothing, the client still wants a count.
    const counted = this.#usage === undefined ? { output_tokens: Math.ceil(this.#characters / 4) } : {};
    const reason = this.#isRefused ? "refusal" : stopReason(this.#finish, this.#calls.size);
    const delta = { stop_reason: reason, stop_sequence: null };
    const counts = { ...usage, ...counted };
    this.#event({ type: "message_delta", delta, usage: counts, ...this.#extras.member });
    this.#event({ type: "message_stop" });
    return this.#take();
  }

  fail(error: GatewayError): string {
    this.#event({ type: "error", error: messageError(error) });
    return this.#take();
  }

  ping(): string {
    return sseFrame('{"type":"ping"}', "ping");
  }

  #take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }

  #event(event: Json): void {
    this.#out += sseFrame(JSON.stringify(event), readString(event, "type") ?? "");
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const message = {
      id: `msg_${this.#context.id}`,
      type: "message",
      role: "assistant",
      model: this.#context.request["model"] ?? "",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: messageUsage(undefined, this.#context),
    };
    this.#event({ type: "message_start", message });
  }

  #delta(delta: Json): void {
    this.#extras.note(delta);
    const reasoning = readText(delta, "reasoning_content");
    if (reasoning !== undefined) this.#thinking(reasoning);
    if (delta["thinking_blocks"] !== undefined) this.#thinkingBlocks(delta);
    const refusal = readText(delta, "refusal");
    if (refusal !== undefined) this.#isRefused = true;
    const text = readText(delta, "content") ?? refusal;
    if (text !== undefined) this.#text(text);
    for (const call of answeredCalls(delta)) this.#toolCall(call);
  }

  #text(text: string): void {
    const block = this.#block;
    if (block?.kind === "tool" && tryParse(block.call.text) === undefined) {
      // A call can't be continued once its block has stopped, so text in the middle of one comes after it.
      this.#deferredText += text;
      return;
    }
    if (this.#block?.kind !== "text") this.#open({ kind: "text" }, { type: "text", text: "" });
    this.#grow({ type: "text_delta", text });
    this.#characters += text.length;
  }

  #thinking(thinking: string): void {
    if (this.#block?.kind !== "thinking") {
      this.#open({ kind: "thinking" }, { type: "thinking", thinking: "", signature: "" });
    }
    this.#grow({ type: "thinking_delta", thinking });
    this.#characters += thinking.length;
  }

  /** Whole blocks, whose text has usually gone out already. */
  #thinkingBlocks(delta: Json): void {
    for (const block of thinkingFromChat(delta).blocks) {
      if (block.kind === "redacted") {
        this.#open({ kind: "redacted" }, { type: "redacted_thinking", data: block.data });
        this.#stopBlock();
        continue;
      }
      if (this.#block?.kind !== "thinking" && block.thinking !== "") this.#thinking(block.thinking);
      if (this.#block?.kind !== "thinking") {
        this.#open({ kind: "thinking" }, { type: "thinking", thinking: "", signature: "" });
      }
      this.#grow({ type: "signature_delta", signature: block.signature });
      this.#stopBlock();
    }
  }

  #toolCall({ index, id, name, input, isCustom }: AnsweredCall): void {
    let call = this.#calls.get(index);
    if (call === undefined) {
      const newId = `toolu_${this.#context.id}_${this.#calls.size}`;
      const text = isCustom ? CUSTOM_START : "";
      call = { id: id ?? newId, name, isCustom, text, sent: 0, isClosed: false };
      this.#calls.set(index, call);
    }
    call.text += call.isCustom ? JSON.stringify(input).slice(1, -1) : input;
    this.#characters += input.length;
    if (!call.isClosed && this.#mayOpen(call)) this.#sendArguments(call);
  }

  /** Opens the call's block unless another call is unfinished: then this one waits. */
  #mayOpen(call: Call): boolean {
    const block = this.#block;
    if (block?.kind !== "tool") {
      this.#openCall(call);
      return true;
    }
    if (block.call === call) return true;
    if (tryParse(block.call.text) === undefined) return false;
    this.#openCall(call);
    return true;
  }

  #openCall(call: Call): void {
    this.#open({ kind: "tool", call }, { type: "tool_use", id: call.id, name: call.name, input: {} });
  }

  #sendArguments(call: Call): void {
    const text = call.text.slice(call.sent);
    call.sent = call.text.length;
    if (text !== "") this.#grow({ type: "input_json_delta", partial_json: text });
  }

  /** A call that had to wait until the end. */
  #wholeCall(call: Call): void {
    this.#openCall(call);
    this.#sendArguments(call);
    this.#closeBlock();
  }

  #open(block: Block, content: Json): void {
    this.#closeBlock();
    this.#index++;
    this.#block = block;
    this.#event({ type: "content_block_start", index: this.#index, content_block: content });
  }

  #grow(delta: Json): void {
    this.#event({ type: "content_block_delta", index: this.#index, delta });
  }

  #closeBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    // Clients discard thinking without a signature, and the whole answer with it.
    if (block.kind === "thinking") this.#grow({ type: "signature_delta", signature: UNSIGNED });
    if (block.kind === "tool") {
      block.call.isClosed = true;
      if (block.call.isCustom) block.call.text += CUSTOM_END;
      this.#sendArguments(block.call);
    }
    this.#stopBlock();
  }

  #stopBlock(): void {
    this.#block = undefined;
    this.#event({ type: "content_block_stop", index: this.#index });
  }
}
