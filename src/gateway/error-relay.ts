// Takes an answer that is no answer: a failed status, or a success of the wrong kind. Its body is read up to a bound and
// turned into the error that it means; nothing of it is passed on as it is.
import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { errorInAnswer } from "./answer-error.ts";
import type { Relay, RelayHost } from "./relay.ts";

/** What is read of an error's body; the rest says nothing more. */
const ERROR_BYTES_MAX = 64 * 1024;

export interface FailedAnswer {
  readonly provider: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export class ErrorRelay implements Relay {
  readonly #host: RelayHost;
  readonly #answer: FailedAnswer;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(host: RelayHost, answer: FailedAnswer) {
    this.#host = host;
    this.#answer = answer;
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
    this.#host.fail(errorOf(this.#answer, body));
  }

  usage(): null {
    return null;
  }

  outputTokens(): number {
    return 0;
  }
}

function errorOf({ provider, status, headers }: FailedAnswer, body: Buffer): GatewayError {
  const told = errorInAnswer(body, provider);
  if (status >= 300)
    return told ?? new GatewayError("provider_error", `Provider \`${provider}\` answered ${status}.`);
  const type = (headers["content-type"] ?? "no type").replaceAll(/[^\x20-\x7e]/g, "").slice(0, 100);
  return (
    told ??
    new GatewayError(
      "provider_bad_response",
      `Provider \`${provider}\` answered with content of the wrong type (${type}).`,
    )
  );
}
