// Relays an answer that comes as a whole and has to be read before it goes out: collected up to a bound, converted, and
// written in one piece. What can't be converted is a failure of the provider, and another target may be tried.
import { GatewayError } from "../../errors.ts";
import type { Usage } from "../../observe/events.ts";
import { errorInAnswer, type AnswerContext } from "./answer-error.ts";
import { endWith } from "./event-writer.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "./relay.ts";

/** An answer in the client's language, with what it used as far as it says. */
export interface ConvertedAnswer {
  readonly body: Buffer;
  readonly usage: Usage | null;
}

/** Throws a `GatewayError` for what is no answer. */
export type Conversion = (body: Buffer) => ConvertedAnswer;

/** The longest answer that is converted; it may hold generated images. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export class AnswerWholeRelay implements Relay {
  readonly #host: RelayHost;
  readonly #context: AnswerContext;
  readonly #convert: Conversion;
  readonly #isJudged: boolean;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isOver = false;
  #usage: Usage | null = null;

  /** `isJudged`: an answer that is an error, whatever its status, has failed. */
  constructor(host: RelayHost, context: AnswerContext, convert: Conversion, isJudged = true) {
    this.#host = host;
    this.#context = context;
    this.#convert = convert;
    this.#isJudged = isJudged;
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) {
      this.#fail(this.#badResponse(`answered with more than ${ANSWER_BYTES_MAX >> 20} MiB`));
    }
  }

  end(): void {
    if (this.#isOver) return;
    const answer = this.#answer(Buffer.concat(this.#chunks, this.#bytes));
    if (answer instanceof GatewayError) {
      this.#fail(answer);
      return;
    }
    this.#isOver = true;
    this.#usage = answer.usage;
    this.#host.begin(answer.body.length);
    endWith(this.#host.response, answer.body);
    this.#host.done();
  }

  close(): void {
    this.#isOver = true;
    this.#chunks.length = 0;
  }

  usage(): Usage | null {
    return this.#usage;
  }

  outputTokens(): number {
    return Math.ceil(this.#bytes / BYTES_PER_TOKEN);
  }

  #answer(body: Buffer): ConvertedAnswer | GatewayError {
    const error = this.#isJudged ? errorInAnswer(this.#context, body) : null;
    if (error !== null) return error;
    try {
      return this.#convert(body);
    } catch (cause) {
      if (cause instanceof GatewayError) return cause;
      if (cause instanceof SyntaxError)
        return this.#badResponse("answered with something that is not JSON", cause);
      throw cause;
    }
  }

  #badResponse(what: string, cause?: unknown): GatewayError {
    return new GatewayError("provider_bad_response", `Provider \`${this.#context.provider}\` ${what}.`, {
      cause,
    });
  }

  #fail(error: GatewayError): void {
    this.#isOver = true;
    this.#chunks.length = 0;
    this.#host.fail(error);
  }
}
