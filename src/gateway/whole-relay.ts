// Passes an answer that comes as a whole. It is collected up to a bound, so that an answer which breaks off can still
// be tried elsewhere and goes out in one write; beyond the bound it is passed on as it comes.
import { GatewayError } from "../errors.ts";
import type { Usage } from "../observe/events.ts";
import { errorInAnswer, type AnswerContext } from "./answer-error.ts";
import { convertEmbeddings, needsConversion, type EmbeddingFormat } from "./embeddings.ts";
import { endWith } from "./event-writer.ts";
import { lastUsage } from "./frames.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "./relay.ts";
import { parseUsage } from "./usage.ts";

/** Up to here an answer is collected. Chat answers stay far below; embeddings of many texts may not. */
const COLLECTED_BYTES_MAX = 4 * 1024 * 1024;
/** An answer that has to be converted must be held whole; this bounds it. */
const CONVERTED_BYTES_MAX = 128 * 1024 * 1024;
/** The usage stands at the end of an answer, behind what was generated. */
const TAIL_BYTES = 64 * 1024;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

export interface WholeOptions {
  readonly context: AnswerContext;
  /** The form in which the client wants embeddings; null: there are none. An answer in the other form is held whole. */
  readonly embeddings: EmbeddingFormat | null;
}

export class WholeRelay implements Relay {
  readonly #host: RelayHost;
  readonly #options: WholeOptions;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isPassing = false;
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
    if (this.#isPassing) this.#pass(chunk);
    else this.#collect(chunk);
  }

  end(): void {
    if (this.#isOver) return;
    if (this.#isPassing) {
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
    const bytes = lastUsage(this.#isPassing ? this.#tail : this.#lastBytes());
    return bytes === null ? null : parseUsage(bytes);
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
    this.#isPassing = true;
    this.#host.begin(null);
    for (const collected of this.#chunks.splice(0)) this.#pass(collected);
  }

  #pass(chunk: Buffer): void {
    this.#tail = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
    if (!this.#host.response.write(chunk)) this.#host.pause();
  }

  #finish(body: Buffer): void {
    const error = isObject(body)
      ? errorInAnswer(this.#options.context, body)
      : this.#badResponse("answered with something that is not a JSON object");
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

/** Whether the body begins and ends as an object does: an HTML page and an answer that was cut short don't. */
function isObject(body: Buffer): boolean {
  let start = 0;
  let end = body.length - 1;
  while (start < end && (body[start] ?? 0) <= 0x20) start++;
  while (end > start && (body[end] ?? 0) <= 0x20) end--;
  return body[start] === OPEN_BRACE && body[end] === CLOSE_BRACE && end > start;
}
