// The members of a request that the gateway reads, and how single ones are read out of the scanned bytes with their
// types checked. Nothing is parsed that is not asked for.
import { GatewayError } from "../../errors.ts";
import type { Scan } from "./json-scan.ts";
import { MemberTable } from "./member-table.ts";
import type { Span } from "./request.ts";

/** The member that a route cannot do without, and what it may be. */
export interface RequiredMember {
  readonly name: "messages" | "prompt" | "input" | "query";
  readonly kind: "array" | "string or array";
}

const MODEL_CHARS_MAX = 256;
/** Most answers one request may ask for; official clients cap it there too. */
const N_MAX = 128;

/** The members that are read, then those that are known only so that no string is made of their names. */
export const MEMBERS = new MemberTable([
  "model",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "n",
  "user",
  "prompt_cache_key",
  "encoding_format",
  "metadata",
  "tools",
  "functions",
  "messages",
  "prompt",
  "input",
  "query",
  "dimensions",
  "temperature",
  "top_p",
  "top_k",
  "stop",
  "stop_sequences",
  "seed",
  "system",
  "instructions",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "reasoning_effort",
  "reasoning",
  "thinking",
  "verbosity",
  "text",
  "store",
  "service_tier",
  "safety_identifier",
  "logprobs",
  "top_logprobs",
  "previous_response_id",
  "logit_bias",
  "presence_penalty",
  "frequency_penalty",
]);

/** Where the members that are read stand in the table. */
export const AT = {
  model: MEMBERS.indexOf("model"),
  stream: MEMBERS.indexOf("stream"),
  streamOptions: MEMBERS.indexOf("stream_options"),
  maxTokens: MEMBERS.indexOf("max_tokens"),
  maxCompletionTokens: MEMBERS.indexOf("max_completion_tokens"),
  maxOutputTokens: MEMBERS.indexOf("max_output_tokens"),
  n: MEMBERS.indexOf("n"),
  user: MEMBERS.indexOf("user"),
  promptCacheKey: MEMBERS.indexOf("prompt_cache_key"),
  encodingFormat: MEMBERS.indexOf("encoding_format"),
  tools: MEMBERS.indexOf("tools"),
  functions: MEMBERS.indexOf("functions"),
  previousResponse: MEMBERS.indexOf("previous_response_id"),
} as const;

const QUOTE = 0x22;
const ZERO = 0x30;
const OPEN_ARRAY = 0x5b;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_F = 0x66;
const OPEN_OBJECT = 0x7b;

/** Reads single members of a scanned body. A member that is `null` counts as absent, as it does for providers. */
export class Members {
  readonly #body: Buffer;
  readonly #spans: readonly number[];

  constructor(body: Buffer, scan: Scan) {
    this.#body = body;
    this.#spans = scan.spans;
  }

  start(index: number): number {
    return this.#spans[2 * index] ?? 0;
  }

  end(index: number): number {
    return this.#spans[2 * index + 1] ?? 0;
  }

  /** Where the value is written, be it null; null when the member is absent. */
  span(index: number): Span | null {
    const end = this.end(index);
    return end === 0 ? null : { start: this.start(index), end };
  }

  /** The first byte of the value; 0 when the member is absent or null. */
  #first(index: number): number {
    const start = this.start(index);
    if (start === 0) return 0;
    const byte = this.#body[start] ?? 0;
    return byte === LOWER_N ? 0 : byte;
  }

  string(index: number): string | null {
    const first = this.#first(index);
    if (first === 0) return null;
    if (first !== QUOTE) throw wrongType(nameOf(index), "a string");
    const start = this.start(index) + 1;
    const end = this.end(index) - 1;
    const text = this.#body.toString("utf8", start, end);
    if (!text.includes("\\")) return text;
    return String(JSON.parse(`"${text}"`));
  }

  isText(index: number): boolean {
    return this.#first(index) === QUOTE;
  }

  boolean(index: number): boolean | null {
    const first = this.#first(index);
    if (first === 0) return null;
    if (first === LOWER_T) return true;
    if (first === LOWER_F) return false;
    throw wrongType(nameOf(index), "a boolean");
  }

  /** A whole number of at least 0, written in digits. */
  count(index: number): number | null {
    const first = this.#first(index);
    if (first === 0) return null;
    let value = 0;
    for (let at = this.start(index); at < this.end(index); at++) {
      const digit = (this.#body[at] ?? 0) - ZERO;
      value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
    }
    if (Number.isSafeInteger(value)) return value;
    throw wrongType(nameOf(index), "a whole number of at least 0");
  }

  /** The JSON text of an object. */
  object(index: number): string | null {
    const first = this.#first(index);
    if (first === 0) return null;
    if (first !== OPEN_OBJECT) throw wrongType(nameOf(index), "an object");
    return this.#body.toString("utf8", this.start(index), this.end(index));
  }

  /** Whether it is an array with something in it. */
  isFilled(index: number): boolean {
    return this.#first(index) === OPEN_ARRAY && this.end(index) - this.start(index) > "[]".length;
  }

  /** `unnamed`: what a request without a model asks for; null: it has to name one. */
  model(unnamed: string | null): string {
    const model = this.string(AT.model) ?? unnamed;
    if (model === null)
      throw new GatewayError("invalid_request", "The request names no model.", { param: "model" });
    checkModel(model);
    return model;
  }

  /** `n`. */
  choices(): number {
    const n = this.count(AT.n) ?? 1;
    if (n >= 1 && n <= N_MAX) return n;
    throw new GatewayError("invalid_request", `\`n\` must be from 1 to ${N_MAX}.`, { param: "n" });
  }

  require(member: RequiredMember): void {
    const first = this.#first(MEMBERS.indexOf(member.name));
    if (first === OPEN_ARRAY || (first === QUOTE && member.kind === "string or array")) return;
    if (first !== 0) throw wrongType(member.name, `a${member.kind === "array" ? "n" : ""} ${member.kind}`);
    const message = `The request has no \`${member.name}\`.`;
    throw new GatewayError("invalid_request", message, { param: member.name });
  }
}

/** Throws `invalid_request` for a name that no model has. */
export function checkModel(model: string): void {
  if (model !== "" && model.length <= MODEL_CHARS_MAX) return;
  const message = `\`model\` must have 1 to ${MODEL_CHARS_MAX} characters.`;
  throw new GatewayError("invalid_request", message, { param: "model" });
}

function nameOf(index: number): string {
  return MEMBERS.names[index] ?? "";
}

export function wrongType(param: string, expected: string): GatewayError {
  return new GatewayError("invalid_request", `\`${param}\` must be ${expected}.`, { param });
}
