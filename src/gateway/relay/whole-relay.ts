// Passes an answer that comes as a whole. It is collected up to a bound, so that an answer which breaks off can still
// be tried elsewhere and goes out in one write; beyond the bound it is passed on as it comes, checked on its way, and
// torn off where it turns out to be no JSON, so that no client takes it for whole.
import { GatewayError } from "../../errors.ts";
import { tryParse } from "../../json.ts";
import type { Usage } from "../../observe/events.ts";
import { errorInAnswer, type AnswerContext } from "./answer-error.ts";
import { convertEmbeddings, needsConversion, type EmbeddingFormat } from "../sending/embeddings.ts";
import { endWith } from "./event-writer.ts";
import { lastUsage } from "./frames.ts";
import { JsonCheck } from "./json-check.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "./relay.ts";
import { parseUsage, soldIn } from "./usage.ts";

/** Up to here an answer is collected. Chat answers stay far below; embeddings of many texts may not. */
const COLLECTED_BYTES_MAX = 4 * 1024 * 1024;
/** An answer that has to be converted must be held whole; this bounds it. */
const CONVERTED_BYTES_MAX = 128 * 1024 * 1024;
/** The usage stands at the end of an answer, behind what was generated. */
const TAIL_BYTES = 64 * 1024;

const NO_JSON = "answered with something that is not a JSON object";

export interface WholeOptions {
  readonly context: AnswerContext;
  /** Whether the answer may say what was sold otherwise than by tokens. */
  readonly isSoldByUnits: boolean;
  /** The form in which the client wants embeddings; null: there are none. An answer in the other form is held whole. */
  readonly embeddings: EmbeddingFormat | null;
}

export class WholeRelay implements Relay {
  readonly #host: RelayHost;
  readonly #options: WholeOptions;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** Looks at what is passed on without being collected; null: nothing is. */
  #passing: JsonCheck | null = null;
  #isOver = false;
  /** The end of what was passed on. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(host: RelayHost, options: WholeOptions) {
    this.#host = host;
    this.#options = options;
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#bytes += chunk.length;
    if (this.#passing === null) this.#collect(chunk);
    else this.#pass(this.#passing, chunk);
  }

  end(): void {
    if (this.#isOver) return;
    if (this.#passing !== null) {
      if (!this.#passing.isWhole) {
        this.#fail("answered with JSON that breaks off");
        return;
      }
      this.#isOver = true;
      this.#host.response.end();
      this.#host.done();
      return;
    }
    const body = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#bytes);
    this.#finish(body ?? this.#tail);
  }

  close(): void {
    this.#isOver = true;
  }

  usage(): Usage | null {
    const bytes = lastUsage(this.#passing === null ? this.#lastBytes() : this.#tail);
    if (bytes !== null) return parseUsage(bytes);
    return this.#options.isSoldByUnits && this.#passing === null ? soldIn(this.#lastBytes()) : null;
  }

  outputTokens(): number {
    return Math.ceil(this.#bytes / BYTES_PER_TOKEN);
  }

  #collect(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (this.#bytes <= COLLECTED_BYTES_MAX) return;
    if (this.#needsConversion(this.#chunks[0] ?? chunk)) {
      if (this.#bytes > CONVERTED_BYTES_MAX)
        this.#fail(`answered with more than ${CONVERTED_BYTES_MAX >> 20} MiB`);
      return;
    }
    const check = new JsonCheck();
    if (!this.#chunks.every((collected) => check.push(collected))) {
      this.#fail(NO_JSON);
      return;
    }
    this.#passing = check;
    this.#host.begin(null);
    for (const collected of this.#chunks.splice(0)) this.#write(collected);
  }

  #pass(check: JsonCheck, chunk: Buffer): void {
    if (check.push(chunk)) this.#write(chunk);
    else this.#fail("answered with something that is not JSON any more");
  }

  #write(chunk: Buffer): void {
    this.#tail = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
    if (!this.#host.response.write(chunk)) this.#host.pause();
  }

  #finish(body: Buffer): void {
    const error = isObject(body) ? errorInAnswer(this.#options.context, body) : this.#badResponse(NO_JSON);
    const answer = error ?? this.#converted(body);
    this.#isOver = true;
    if (answer instanceof GatewayError) {
      this.#host.fail(answer);
      return;
    }
    this.#host.begin(answer.length);
    endWith(this.#host.response, answer);
    this.#host.done();
  }

  #needsConversion(bytes: Buffer): boolean {
    const { embeddings } = this.#options;
    return embeddings !== null && needsConversion(bytes, embeddings);
  }

  #converted(body: Buffer): Buffer | GatewayError {
    const { embeddings } = this.#options;
    if (embeddings === null || !needsConversion(body, embeddings)) return body;
    return (
      convertEmbeddings(body, embeddings) ?? this.#badResponse("answered with embeddings that can't be read")
    );
  }

  /** The last bytes collected; usually a whole answer is one chunk. */
  #lastBytes(): Buffer {
    const last = this.#chunks.at(-1) ?? this.#tail;
    return this.#chunks.length < 2 || last.length >= TAIL_BYTES
      ? last
      : Buffer.concat(this.#chunks).subarray(-TAIL_BYTES);
  }

  #badResponse(what: string): GatewayError {
    return new GatewayError(
      "provider_bad_response",
      `Provider \`${this.#options.context.provider}\` ${what}.`,
    );
  }

  #fail(what: string): void {
    this.#isOver = true;
    this.#host.fail(this.#badResponse(what));
  }
}

/** Whether the body is one whole JSON object: a page of HTML, a list and an answer that was cut short are not. */
function isObject(body: Buffer): boolean {
  // JSON is as whole read as Latin-1, which is cheaper.
  const answer = tryParse(body.toString("latin1"));
  return typeof answer === "object" && answer !== null && !Array.isArray(answer);
}
