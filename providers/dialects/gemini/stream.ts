// A Gemini stream as chat chunks. Every event is a whole answer's shape with the new parts only; function calls come
// whole; usage is cumulative on every event; there is no end mark, so an answer is complete when every candidate has a
// finish reason.
import { GatewayError } from "../../../src/errors.ts";
import { ChunkWriter } from "../chunks.ts";
import type { DialectTarget, DialectUsage } from "../dialect.ts";
import { errorMember, providerFailure } from "../failure.ts";
import { isObject, parseProviderJson, readArray, readObject, readText, type Json } from "../json.ts";
import { interrupted, type StreamState } from "../stream.ts";
import { newCallId, signatureExtra } from "../shared/tools.ts";
import {
  answerPart,
  blockedPrompt,
  choiceIndex,
  finishReason,
  groundingOf,
  imageOf,
  usageOf,
} from "./answer.ts";

export class GenerateStream implements StreamState {
  readonly #target: DialectTarget;
  readonly #writer: ChunkWriter;
  /** By choice, the candidate that said why it ended; undefined: it goes on. */
  readonly #candidates = new Map<number, Json | undefined>();
  #usage: DialectUsage | null = null;
  #isEnded = false;

  constructor(target: DialectTarget, includeUsage: boolean) {
    this.#target = target;
    this.#writer = new ChunkWriter(target, includeUsage);
  }

  /** One event. Throws the failure it reports, or `provider_bad_response` when it can't be read. */
  event(name: string, data: string): void {
    if (data === "" || data === "[DONE]") return;
    const answer = parseProviderJson(data);
    const error = errorMember(answer);
    if (error !== undefined) throw providerFailure(error, this.#target);
    if (!isObject(answer))
      throw new GatewayError("provider_bad_response", "The provider sent an event that is no object.");
    if (name === "error") throw providerFailure(answer, this.#target);
    this.#writer.identify(readText(answer, "responseId"), readText(answer, "modelVersion"));
    this.#usage = usageOf(readObject(answer, "usageMetadata")) ?? this.#usage;
    const candidates = readArray(answer, "candidates").filter(isObject);
    for (const [position, candidate] of candidates.entries()) this.#candidate(candidate, position);
    const refusal = candidates.length === 0 ? blockedPrompt(answer) : undefined;
    if (refusal === undefined) return;
    this.#candidates.set(0, answer);
    this.#writer.finish("content_filter", 0, { refusal });
  }

  end(): void {
    if (this.#isEnded) return;
    const ends = [...this.#candidates].toSorted(([left], [right]) => left - right);
    if (ends.length === 0 || ends.some(([, end]) => end === undefined)) throw interrupted();
    // Sources, and sometimes text, come behind the reason of the end.
    for (const [choice, end] of ends)
      this.#writer.finish(finishReason(end ?? {}, this.#writer.toolCallCount(choice)), choice);
    // Clients keep choices in a list, which must not have holes.
    for (let choice = 0; choice < Math.max(...this.#candidates.keys()); choice++)
      this.#writer.finish("stop", choice);
    this.#isEnded = true;
    this.#writer.usage(this.#usage);
  }

  finished(): boolean {
    return this.#isEnded;
  }

  usage(): DialectUsage | null {
    return this.#usage;
  }

  take(): readonly Json[] {
    return this.#writer.take();
  }

  #candidate(candidate: Json, position: number): void {
    const choice = choiceIndex(candidate, position);
    const isEnd = readText(candidate, "finishReason") !== undefined;
    if (isEnd || !this.#candidates.has(choice)) this.#candidates.set(choice, isEnd ? candidate : undefined);
    for (const part of readArray(readObject(candidate, "content"), "parts")) {
      if (isObject(part)) this.#part(part, choice);
    }
    const grounding = groundingOf(candidate);
    if (grounding !== undefined) this.#writer.delta({ extra_content: { google: grounding } }, choice);
    // Those that are failures throw.
    if (isEnd) finishReason(candidate, 0);
  }

  #part(raw: Json, choice: number): void {
    const newId = (): string => newCallId(this.#target.id, choice, this.#writer.toolCallCount(choice));
    const part = answerPart(raw, newId);
    switch (part.kind) {
      case "text":
        this.#writer.text(part.text, choice);
        if (part.signature !== undefined) this.#writer.delta(signatureExtra(part.signature), choice);
        break;
      case "reasoning":
        this.#writer.reasoning(part.text, choice);
        break;
      case "call": {
        const index = this.#writer.toolCall(part, choice);
        this.#writer.toolArguments(index, part.args, choice);
        break;
      }
      case "image":
        this.#writer.delta({ images: [imageOf(part.url)] }, choice);
        break;
      case "other":
        // An empty part says nothing; anything else is kept for the client.
        if (Object.keys(part.part).length > 0) {
          this.#writer.delta({ extra_content: { google: { parts: [part.part] } } }, choice);
        }
        break;
    }
  }
}
