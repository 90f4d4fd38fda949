// Answers that come compressed although they were asked for plain: they are decoded whole before anything looks at
// them, or refused; never passed on half understood. It stands between an attempt and the relay that it would have
// had, to which it looks like the attempt. Decoding goes piece by piece and stops when the client is slow, so a small
// answer that unfolds into gigabytes meets the relay's bounds.
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import type { Transform } from "node:stream";
import { GatewayError } from "../../errors.ts";
import type { Usage } from "../../observe/events.ts";
import type { AnswerSink, Relay, RelayHost } from "./relay.ts";

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** What decodes a `content-encoding`; `null`: the bytes are plain; `undefined`: that encoding is not known. */
export function decoderOf(encoding: string | undefined): (() => Transform) | null | undefined {
  if (encoding === undefined || encoding === "" || encoding === "identity") return null;
  const name = encoding.toLowerCase();
  return Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
}

export class DecodingRelay implements Relay, RelayHost {
  readonly response: AnswerSink;
  readonly #host: RelayHost;
  readonly #decoder: Transform;
  readonly #relay: Relay;

  /** `makeRelay` makes the relay that gets the plain bytes, given its host. */
  constructor(host: RelayHost, decoder: Transform, provider: string, makeRelay: (host: RelayHost) => Relay) {
    this.response = host.response;
    this.#host = host;
    this.#decoder = decoder;
    this.#relay = makeRelay(this);
    decoder.on("data", (chunk: Buffer) => this.#relay.data(chunk));
    decoder.on("end", () => this.#relay.end());
    decoder.on("error", (cause) => {
      const message = `Provider \`${provider}\` sent a compressed answer that is damaged.`;
      this.fail(new GatewayError("provider_bad_response", message, { cause }));
    });
  }

  data(chunk: Buffer): void {
    this.#decoder.write(chunk);
  }

  end(): void {
    this.#decoder.end();
  }

  close(): void {
    this.#relay.close();
    this.#decoder.destroy();
  }

  lastWords(error: GatewayError): string {
    return this.#relay.lastWords?.(error) ?? "";
  }

  quiet(): string {
    return this.#relay.quiet?.() ?? "";
  }

  usage(): Usage | null {
    return this.#relay.usage();
  }

  outputTokens(): number {
    return this.#relay.outputTokens();
  }

  begin(bytes: number | null): void {
    this.#host.begin(bytes);
  }

  done(): void {
    this.#decoder.destroy();
    this.#host.done();
  }

  fail(error: GatewayError): void {
    this.#decoder.destroy();
    this.#host.fail(error);
  }

  pause(onResume?: () => void): void {
    this.#decoder.pause();
    this.#host.pause(() => {
      this.#decoder.resume();
      onResume?.();
    });
  }
}
