// Chat chunks as a Responses event stream: named, numbered events that add items, grow their parts and say when each is
// done, so that clients never see a delta for something that was not announced. Items may be open side by side.
import type { GatewayError } from "../../../src/errors.ts";
import type { ClientContext, ClientStream } from "../dialect.ts";
import { isObject, readArray, readNumber, readObject, readText, type Json } from "../json.ts";
import { answeredCalls, type AnsweredCall } from "../shared/answered-calls.ts";
import { newCallId } from "../shared/tools.ts";
import { sseFrame } from "../sse.ts";
import {
  annotationOf,
  callItemOf,
  endingOf,
  pictureItem,
  reasoningItem,
  responseError,
  responseExtras,
  responseObject,
  responseUsage,
  type Ending,
} from "./answer.ts";

interface ReasoningItem {
  readonly kind: "reasoning";
  readonly id: string;
  readonly index: number;
  readonly texts: string[];
  readonly blocks: Json[];
  hasPart: boolean;
}

interface MessagePart {
  readonly kind: "output_text" | "refusal";
  readonly index: number;
  readonly texts: string[];
  readonly annotations: unknown[];
  readonly logprobs: unknown[];
}

interface MessageItem {
  readonly kind: "message";
  readonly id: string;
  readonly index: number;
  readonly parts: MessagePart[];
}

interface CallItem {
  readonly kind: "call";
  readonly id: string;
  readonly index: number;
  readonly callId: string;
  readonly name: string;
  readonly isCustom: boolean;
  readonly texts: string[];
}

export class ResponsesStream implements ClientStream {
  readonly #context: ClientContext;
  readonly #calls = new Map<number, CallItem>();
  /** Finished items by their place in the output. */
  readonly #output: Json[] = [];
  readonly #extras = responseExtras();
  #out = "";
  #sequence = 0;
  #items = 0;
  #isStarted = false;
  #reasoning: ReasoningItem | undefined;
  #message: MessageItem | undefined;
  #finish: string | undefined;
  #usage: Json | undefined;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  push(chunk: Json): string {
    this.#start();
    this.#usage = readObject(chunk, "usage") ?? this.#usage;
    this.#extras.noteAnswer(chunk);
    for (const choice of readArray(chunk, "choices")) {
      if ((readNumber(choice, "index") ?? 0) !== 0) continue;
      this.#delta(readObject(choice, "delta") ?? {}, choice);
      this.#finish = readText(choice, "finish_reason") ?? this.#finish;
    }
    return this.#take();
  }

  end(): string {
    this.#start();
    const ending = endingOf(this.#finish);
    this.#closeAll(ending.status === "completed" ? "completed" : "incomplete");
    this.#event(`response.${ending.status}`, { response: this.#response(ending) });
    return this.#take();
  }

  fail(error: GatewayError): string {
    this.#start();
    this.#closeAll("incomplete");
    const reported = responseError(error);
    this.#event("error", { ...reported, param: error.param });
    const ending: Ending = { status: "failed", error: reported };
    this.#event("response.failed", { response: this.#response(ending) });
    return this.#take();
  }

  ping(): string {
    return ": ping\n\n";
  }

  #take(): string {
    const out = this.#out;
    this.#out = "";
    return out;
  }

  #event(type: string, members: Json): void {
    this.#out += sseFrame(JSON.stringify({ type, sequence_number: this.#sequence++, ...members }), type);
  }

  #response(ending: Ending): Json {
    const usage = responseUsage(this.#usage);
    const output = this.#output.filter(isObject);
    return responseObject(this.#context, { output, ending, usage, extras: this.#extras });
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const response = this.#response({ status: "in_progress" });
    this.#event("response.created", { response });
    this.#event("response.in_progress", { response });
  }

  #delta(delta: Json, choice: unknown): void {
    this.#extras.note(delta);
    const reasoning = readText(delta, "reasoning_content");
    if (reasoning !== undefined) this.#growReasoning(reasoning);
    const blocks = readArray(delta, "thinking_blocks").filter(isObject);
    if (blocks.length > 0) this.#openReasoning().blocks.push(...blocks);
    const text = readText(delta, "content");
    if (text !== undefined) this.#growText(text, readArray(readObject(choice, "logprobs"), "content"));
    const refusal = readText(delta, "refusal");
    if (refusal !== undefined) this.#growRefusal(refusal);
    for (const annotation of readArray(delta, "annotations")) this.#annotate(annotationOf(annotation));
    for (const image of readArray(delta, "images")) this.#picture(image);
    for (const call of answeredCalls(delta)) this.#growCall(call);
  }

  #openReasoning(): ReasoningItem {
    if (this.#reasoning !== undefined) return this.#reasoning;
    const index = this.#items++;
    const id = `rs_${this.#context.id}_${index}`;
    const item: ReasoningItem = { kind: "reasoning", id, index, texts: [], blocks: [], hasPart: false };
    this.#reasoning = item;
    this.#event("response.output_item.added", { output_index: index, item: reasoningItem(id, "", []) });
    return item;
  }

  #growReasoning(text: string): void {
    const item = this.#openReasoning();
    const place = { item_id: item.id, output_index: item.index, summary_index: 0 };
    if (!item.hasPart) {
      item.hasPart = true;
      this.#event("response.reasoning_summary_part.added", {
        ...place,
        part: { type: "summary_text", text: "" },
      });
    }
    item.texts.push(text);
    this.#event("response.reasoning_summary_text.delta", { ...place, delta: text });
  }

  #closeReasoning(): void {
    const item = this.#reasoning;
    if (item === undefined) return;
    this.#reasoning = undefined;
    const text = item.texts.join("");
    if (item.hasPart) {
      const place = { item_id: item.id, output_index: item.index, summary_index: 0 };
      this.#event("response.reasoning_summary_text.done", { ...place, text });
      this.#event("response.reasoning_summary_part.done", { ...place, part: { type: "summary_text", text } });
    }
    this.#done(item.index, reasoningItem(item.id, text, item.blocks));
  }

  #openMessage(): MessageItem {
    if (this.#message !== undefined) return this.#message;
    this.#closeReasoning();
    const index = this.#items++;
    const id = `msg_${this.#context.id}_${index}`;
    this.#message = { kind: "message", id, index, parts: [] };
    this.#event("response.output_item.added", {
      output_index: index,
      item: messageItem(id, "in_progress", []),
    });
    return this.#message;
  }

  /** The part of this kind; a message has one of each at most. */
  #openPart(item: MessageItem, kind: MessagePart["kind"]): MessagePart {
    const known = item.parts.find((part) => part.kind === kind);
    if (known !== undefined) return known;
    const part: MessagePart = { kind, index: item.parts.length, texts: [], annotations: [], logprobs: [] };
    item.parts.push(part);
    this.#event("response.content_part.added", { ...placeOf(item, part), part: contentOf(part) });
    return part;
  }

  #growText(text: string, logprobs: readonly unknown[]): void {
    const item = this.#openMessage();
    const part = this.#openPart(item, "output_text");
    part.texts.push(text);
    part.logprobs.push(...logprobs);
    this.#event("response.output_text.delta", { ...placeOf(item, part), delta: text, logprobs });
  }

  #growRefusal(refusal: string): void {
    const item = this.#openMessage();
    const part = this.#openPart(item, "refusal");
    part.texts.push(refusal);
    this.#event("response.refusal.delta", { ...placeOf(item, part), delta: refusal });
  }

  #annotate(annotation: unknown): void {
    const item = this.#openMessage();
    const part = this.#openPart(item, "output_text");
    const place = { ...placeOf(item, part), annotation_index: part.annotations.length };
    part.annotations.push(annotation);
    this.#event("response.output_text.annotation.added", { ...place, annotation });
  }

  #closeMessage(status: string): void {
    const item = this.#message;
    if (item === undefined) return;
    this.#message = undefined;
    for (const part of item.parts) {
      const text = part.texts.join("");
      const place = placeOf(item, part);
      if (part.kind === "refusal") this.#event("response.refusal.done", { ...place, refusal: text });
      else this.#event("response.output_text.done", { ...place, text, logprobs: part.logprobs });
      this.#event("response.content_part.done", { ...place, part: contentOf(part) });
    }
    this.#done(item.index, messageItem(item.id, status, item.parts.map(contentOf)));
  }

  /** Pictures come whole. */
  #picture(image: unknown): void {
    const index = this.#items;
    const [item] = pictureItem(`ig_${this.#context.id}_${index}`, image, this.#extras);
    if (item === undefined) return;
    this.#items++;
    const begun = { ...item, status: "in_progress", result: null };
    this.#event("response.output_item.added", { output_index: index, item: begun });
    const place = { item_id: item["id"], output_index: index };
    this.#event("response.image_generation_call.completed", place);
    this.#done(index, item);
  }

  #growCall(piece: AnsweredCall): void {
    const call = this.#calls.get(piece.index) ?? this.#openCall(piece);
    if (piece.input === "") return;
    call.texts.push(piece.input);
    const place = { item_id: call.id, output_index: call.index };
    const type = call.isCustom ? "custom_tool_call_input" : "function_call_arguments";
    this.#event(`response.${type}.delta`, { ...place, delta: piece.input });
  }

  #openCall({ index: position, id, name, isCustom }: AnsweredCall): CallItem {
    this.#closeReasoning();
    const index = this.#items++;
    const callId = id ?? newCallId(this.#context.id, 0, this.#calls.size);
    const itemId = `fc_${this.#context.id}_${index}`;
    const call: CallItem = { kind: "call", id: itemId, index, callId, name, isCustom, texts: [] };
    this.#calls.set(position, call);
    const item = callItemOf({ ...call, input: "", status: "in_progress" });
    this.#event("response.output_item.added", { output_index: index, item });
    return call;
  }

  #closeCall(call: CallItem, status: string): void {
    const input = call.texts.join("");
    const place = { item_id: call.id, output_index: call.index };
    if (call.isCustom) this.#event("response.custom_tool_call_input.done", { ...place, input });
    else {
      const { name } = call;
      this.#event("response.function_call_arguments.done", { ...place, name, arguments: input });
    }
    this.#done(call.index, callItemOf({ ...call, input, status }));
  }

  #done(index: number, item: Json): void {
    this.#output[index] = item;
    this.#event("response.output_item.done", { output_index: index, item });
  }

  /** What was cut off says so: clients must not run half a call. */
  #closeAll(status: string): void {
    this.#closeReasoning();
    this.#closeMessage(status);
    for (const call of this.#calls.values()) this.#closeCall(call, status);
    this.#calls.clear();
  }
}

function placeOf(item: MessageItem, part: MessagePart): Json {
  return { item_id: item.id, output_index: item.index, content_index: part.index };
}

function contentOf(part: MessagePart): Json {
  const text = part.texts.join("");
  if (part.kind === "refusal") return { type: "refusal", refusal: text };
  return { type: "output_text", text, annotations: [...part.annotations], logprobs: [...part.logprobs] };
}

function messageItem(id: string, status: string, content: readonly Json[]): Json {
  return { id, type: "message", status, role: "assistant", content };
}
