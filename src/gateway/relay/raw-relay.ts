// Passes an answer that is neither JSON nor an event stream: audio, subtitles, plain text. Nothing can be looked into, so it
// has begun with its first byte, and it is whole when HTTP says so.
import type { IncomingHttpHeaders } from "node:http";
import { decoderOf } from "./decoder.ts";
import { BYTES_PER_TOKEN, type Relay, type RelayHost } from "./relay.ts";

export class RawRelay implements Relay {
  readonly #host: RelayHost;
  /** The body's length as the provider announced it; null: it did not. */
  readonly #announcedBytes: number | null;
  #isBegun = false;
  #isOver = false;
  #bytes = 0;

  constructor(host: RelayHost, announcedBytes: number | null) {
    this.#host = host;
    this.#announcedBytes = announcedBytes;
  }

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#begin();
    this.#bytes += chunk.length;
    if (!this.#host.response.write(chunk)) this.#host.pause();
  }

  end(): void {
    if (this.#isOver) return;
    this.#begin();
    this.#isOver = true;
    this.#host.response.end();
    this.#host.done();
  }

  close(): void {
    this.#isOver = true;
  }

  usage(): null {
    return null;
  }

  outputTokens(): number {
    return Math.ceil(this.#bytes / BYTES_PER_TOKEN);
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#host.begin(this.#announcedBytes);
  }
}

/** The length that an answer says it has; null: none, or of bytes that are decoded on the way. */
export function announcedBytes(headers: IncomingHttpHeaders): number | null {
  const length = Number(headers["content-length"] ?? Number.NaN);
  return decoderOf(headers["content-encoding"]) === null && Number.isSafeInteger(length) ? length : null;
}
