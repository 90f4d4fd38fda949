// Reads along while answers of the Responses language pass from a provider of that language to its client: what they
// used, whether they failed, and when a stream is over. Failures come inside a 200: as a response whose status says so,
// or as an `error` event that another event may follow. A stream that breaks off has not told its client how it ended,
// so the events that would have told it are written here, numbered as the next ones.
import { GatewayError } from "../../../src/errors.ts";
import type { DialectTarget, DialectUsage, DialectStream } from "../dialect.ts";
import { errorMember, providerFailure, unexpectedAnswer } from "../failure.ts";
import { isObject, parseProviderJson, readNumber, readObject, readText, type Json } from "../json.ts";
import { sseFrame, SseParser } from "../sse.ts";
import { dialectStream, interrupted, type StreamState } from "../stream.ts";
import { readCount } from "../usage.ts";
import { responseError } from "./answer.ts";

/** What a whole response used. Throws the failure that it reports instead. */
export function responseUsed(answer: unknown, target: DialectTarget): DialectUsage | null {
  const error = errorMember(answer);
  if (readText(answer, "object") !== "response") {
    if (error !== undefined) throw providerFailure(error, target);
    if (!isObject(answer) || !Array.isArray(answer["output"])) throw unexpectedAnswer(answer, target);
  }
  return usageIn(answer);
}

function usageIn(answer: unknown): DialectUsage | null {
  const usage = readObject(answer, "usage");
  const inputTokens = readCount(usage, "input_tokens");
  if (inputTokens === undefined) return null;
  const input = readObject(usage, "input_tokens_details");
  const output = readObject(usage, "output_tokens_details");
  return {
    inputTokens,
    outputTokens: readCount(usage, "output_tokens") ?? 0,
    cachedInputTokens: readCount(input, "cached_tokens") ?? 0,
    cacheWriteTokens: readCount(input, "cache_write_tokens") ?? 0,
    reasoningTokens: readCount(output, "reasoning_tokens") ?? 0,
  };
}

const NOTHING: readonly Json[] = [];

/** Events that only say that there is going to be an answer. */
const ANNOUNCEMENTS = new Set(["response.created", "response.queued", "response.in_progress"]);

/** Follows a stream; it yields no chunks. */
export function watchResponse(target: DialectTarget): DialectStream {
  const watch = new ResponseWatch(target);
  const parser = new SseParser((name, data) => watch.event(name, data));
  return { ...dialectStream(parser, watch), lastWords: (error) => watch.lastWords(error) };
}

class ResponseWatch implements StreamState {
  readonly #target: DialectTarget;
  #usage: DialectUsage | null = null;
  #isOver = false;
  #isAtWork = false;
  /** The response as the provider showed it last. */
  #response: Json | undefined;
  #sequence = 0;
  /** What an `error` event in the middle of the stream has told the client. */
  #told: GatewayError | null = null;

  constructor(target: DialectTarget) {
    this.#target = target;
  }

  /** One event. Throws the failure it reports, or `provider_bad_response` when it can't be read. */
  event(name: string, data: string): void {
    if (this.#isOver || data.trim() === "") return;
    // An end mark is none of this language's: clients that know it from chat would take the answer for whole.
    if (data === "[DONE]") throw interrupted();
    const event = parseProviderJson(data);
    if (!isObject(event))
      throw new GatewayError("provider_bad_response", "The provider sent an event that is no object.");
    const type = readText(event, "type") ?? name;
    this.#sequence = (readNumber(event, "sequence_number") ?? this.#sequence) + 1;
    this.#response = readObject(event, "response") ?? this.#response;
    if (type === "error") this.#failed(providerFailure(readObject(event, "error") ?? event, this.#target));
    this.#isAtWork ||= type.startsWith("response.") && !ANNOUNCEMENTS.has(type);
    if (type !== "response.completed" && type !== "response.incomplete" && type !== "response.failed") return;
    this.#usage = usageIn(this.#response);
    if (type === "response.failed")
      throw providerFailure(readObject(this.#response, "error") ?? {}, this.#target);
    this.#isOver = true;
  }

  end(): void {
    if (!this.#isOver) throw this.#told ?? interrupted();
  }

  finished(): boolean {
    return this.#isOver;
  }

  isAtWork(): boolean {
    return this.#isAtWork;
  }

  usage(): DialectUsage | null {
    return this.#usage;
  }

  take(): readonly Json[] {
    return NOTHING;
  }

  /** The events that end the stream for this error, which the provider has not told. */
  lastWords(error: GatewayError): string {
    const reported = responseError(this.#told ?? error);
    let sequence = this.#sequence;
    const event = (type: string, members: Json): string =>
      sseFrame(JSON.stringify({ type, sequence_number: sequence++, ...members }), type);
    const words = this.#told === null ? event("error", { ...reported, param: error.param }) : "";
    if (this.#response === undefined) return words;
    return (
      words + event("response.failed", { response: { ...this.#response, status: "failed", error: reported } })
    );
  }

  /** Behind the beginning `response.failed` may follow, which ends the stream. */
  #failed(error: GatewayError): void {
    if (!this.#isAtWork) throw error;
    this.#told = error;
  }
}
