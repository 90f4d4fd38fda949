// The connections to one provider endpoint. undici's Pool looks through all of its clients for a free one, which
// costs 45 µs per request at 5,000 open streams; here each client carries one request at a time and the free ones
// lie on a stack, so finding one costs nothing and the warmest is used first. Clients that lose their connection
// while they are free are forgotten, and there are never more clients than requests running at once.
import { buildConnector, Client } from "undici";

export interface OriginOptions {
  /** For messages: the provider's name in the configuration. */
  readonly provider: string;
  /** Scheme, host and port. */
  readonly url: string;
}

/** How long a connection may lie unused before it is closed, in milliseconds; a provider's `keep-alive` hint shortens it. */
const KEEP_ALIVE_MS = 30_000;

export class Origin {
  readonly provider: string;
  readonly #url: URL;
  /** One for all connections: they share TLS sessions, so that a new one need not shake hands in full. */
  readonly #connect = buildConnector({ allowH2: false, timeout: 0 });
  readonly #free: Client[] = [];
  #isClosed = false;

  constructor(options: OriginOptions) {
    this.provider = options.provider;
    this.#url = new URL(options.url);
  }

  /** A client that carries nothing now. Give it back with `release`, or drop it with `discard`. */
  acquire(): Client {
    return this.#free.pop() ?? this.#open();
  }

  /** The client's request ended cleanly: its connection can be used again. */
  release(client: Client): void {
    if (this.#isClosed) this.discard(client);
    else this.#free.push(client);
  }

  /** Closes the client's connection at once, whatever is under way on it. */
  discard(client: Client): void {
    // The callback form: nothing waits for the end of the close, and it can't fail.
    client.destroy(null, () => undefined);
  }

  get freeCount(): number {
    return this.#free.length;
  }

  /** Closes the free connections now and the others as their requests end. */
  close(): void {
    this.#isClosed = true;
    for (const client of this.#free.splice(0)) this.discard(client);
  }

  #open(): Client {
    const client = new Client(this.#url, {
      connect: this.#connect,
      // HTTP/2 is refused: one request per connection is what the stack of free clients is built on.
      allowH2: false,
      pipelining: 1,
      // All deadlines are kept by `Watch`.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
    });
    client.on("disconnect", () => this.#forget(client));
    return client;
  }

  #forget(client: Client): void {
    const at = this.#free.indexOf(client);
    if (at === -1) return;
    this.#free.splice(at, 1);
    this.discard(client);
  }
}
