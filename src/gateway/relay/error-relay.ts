// Takes an answer that is no answer: a failed status, or a success of the wrong kind. Its body is read up to a bound and
// turned into the error that it means; nothing of it is passed on as it is.
import { GatewayError } from "../../errors.ts";
import { errorInAnswer, errorOf, ERROR_BYTES_MAX, type AnswerContext } from "./answer-error.ts";
import type { Relay, RelayHost } from "./relay.ts";

/** The status of an answer to a request for a range of bytes, which is never made. */
export const PARTIAL = 206;

export class ErrorRelay implements Relay {
  readonly #host: RelayHost;
  readonly #context: AnswerContext;
  readonly #chunks: Buffer[] = [];
  readonly #keepsBody: boolean;
  #bytes = 0;
  #isOver = false;

  /** `keepsBody`: the client speaks the provider's language and gets the answer as it is. */
  constructor(host: RelayHost, context: AnswerContext, keepsBody = false) {
    this.#host = host;
    this.#context = context;
    this.#keepsBody = keepsBody;
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= ERROR_BYTES_MAX) this.end();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const body = Buffer.concat(this.#chunks).subarray(0, ERROR_BYTES_MAX);
    this.#host.fail(this.#meaning(body));
  }

  close(): void {
    this.#isOver = true;
  }

  usage(): null {
    return null;
  }

  outputTokens(): number {
    return 0;
  }

  #meaning(body: Buffer): GatewayError {
    const { status } = this.#context;
    if (status >= 400) return this.#failure(body);
    if (status >= 300) return this.#redirect();
    return status === PARTIAL ? this.#partial() : this.#wrongKind(body);
  }

  /** No API redirects; whoever follows would send the key elsewhere. */
  #redirect(): GatewayError {
    const { provider, status } = this.#context;
    const message = `Provider \`${provider}\` answered with a redirect (${status}), which is not followed: its base URL is wrong.`;
    return new GatewayError("provider_bad_response", message);
  }

  /** What the provider's key is refused for is between it and the gateway: the client's own key is another. */
  #failure(body: Buffer): GatewayError {
    const error = errorOf(this.#context, body);
    const text = body.toString("utf8").trim();
    if (!this.#keepsBody || error.code === "provider_auth" || !text.startsWith("{")) return error;
    return error.with({ answer: { status: this.#context.status, body: text } });
  }

  /** A part of something was not asked for, whatever it looks like. */
  #partial(): GatewayError {
    const message = `Provider \`${this.#context.provider}\` answered with a part of an answer (${PARTIAL}).`;
    return new GatewayError("provider_bad_response", message);
  }

  /** A success with content that was not asked for: an error in disguise, or a page of somebody else's. */
  #wrongKind(body: Buffer): GatewayError {
    const told = errorInAnswer(this.#context, body);
    if (told !== null) return told;
    const { provider, headers } = this.#context;
    const kind = [headers["content-type"] ?? "none", headers["content-encoding"] ?? ""].join(" ");
    const shown = kind
      .replaceAll(/[^\x20-\x7e]/g, "")
      .trim()
      .slice(0, 100);
    const message = `Provider \`${provider}\` answered with content of the wrong type (${shown}).`;
    return new GatewayError("provider_bad_response", message);
  }
}
