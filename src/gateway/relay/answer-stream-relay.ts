// Relays an event stream that has to be read and written anew. It follows the same course as the relay that passes
// bytes through: nothing goes out before the model is at work, a failure before that leaves another target to try, one
// after it ends the stream without its end mark.
import { GatewayError } from "../../errors.ts";
import type { Usage } from "../../observe/events.ts";
import type { AnswerContext } from "./answer-error.ts";
import type { AnswerStream } from "./answer-stream.ts";
import { EventWriter } from "./event-writer.ts";
import { COMMENT, type Relay, type RelayHost } from "./relay.ts";

export class AnswerStreamRelay implements Relay {
  readonly #host: RelayHost;
  readonly #context: AnswerContext;
  readonly #stream: AnswerStream;
  readonly #writer: EventWriter;
  #isBegun = false;
  #isOver = false;

  constructor(host: RelayHost, context: AnswerContext, stream: AnswerStream) {
    this.#host = host;
    this.#context = context;
    this.#stream = stream;
    this.#writer = new EventWriter(host);
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    const text = this.#stream.push(chunk);
    if (this.#stream.failure() !== null) this.#fail(text);
    else if (this.#stream.finished()) this.#finish(text);
    else if (!this.#isBegun && !this.#stream.hasBegun()) this.#hold(text);
    else if (text.length > 0) this.#send(text);
    else if (this.#isBegun) this.#send(this.#stream.ping());
  }

  end(): void {
    if (!this.#isOver) this.#finish("");
  }

  close(): void {
    this.#isOver = true;
    if (this.#isBegun) this.#writer.flush();
  }

  quiet(): string {
    const ping = this.#stream.ping();
    return ping === "" ? COMMENT : ping;
  }

  usage(): Usage | null {
    return this.#stream.usage();
  }

  outputTokens(): number {
    return this.#stream.outputTokens();
  }

  lastWords(error: GatewayError): string {
    return this.#stream.lastWords(error);
  }

  /** What announces the answer waits for the answer, as long as it is not too much. */
  #hold(text: string | Buffer): void {
    if (text.length === 0 || this.#writer.hold(bytesOf(text))) return;
    this.#begin();
    this.#writer.flush();
  }

  #send(text: string | Buffer): void {
    if (text.length === 0) return;
    this.#begin();
    this.#writer.write(bytesOf(text));
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#host.begin(null);
  }

  #finish(last: string | Buffer): void {
    const rest = this.#stream.end();
    if (this.#stream.failure() !== null) {
      this.#fail(last);
      return;
    }
    this.#isOver = true;
    this.#begin();
    if (last.length > 0) this.#writer.write(bytesOf(last));
    this.#writer.end(bytesOf(rest));
    this.#host.done();
  }

  /** What was read before the failure still goes out if the answer had begun; the host adds the error. */
  #fail(last: string | Buffer): void {
    this.#isOver = true;
    if (this.#isBegun && last.length > 0) this.#writer.write(bytesOf(last));
    const failure = this.#stream.failure();
    if (failure?.code === "provider_rate_limited") this.#tellLimits(failure);
    if (failure === null || (!this.#isBegun && failure.code === "stream_interrupted")) {
      this.#host.fail(this.#notBegun(failure));
    } else {
      this.#host.fail(failure);
    }
  }

  /** A refusal for want of room means the same wherever it stands. */
  #tellLimits({ retryAfterMs }: GatewayError): void {
    const { headers, limits } = this.#context;
    limits.refused({ headers, body: null, waitMs: retryAfterMs ?? null });
  }

  #notBegun(cause: unknown): GatewayError {
    const message = `Provider \`${this.#context.provider}\` ended the stream before it had begun.`;
    return new GatewayError("provider_bad_response", message, { cause });
  }
}

function bytesOf(text: string | Buffer): Buffer {
  return typeof text === "string" ? Buffer.from(text) : text;
}
