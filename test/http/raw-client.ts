// A client that sends exact bytes, for requests that no well-behaved library would send, and reads answers by their
// framing. Everything it waits for has a deadline.
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const DEADLINE_MS = 10_000;

export class RawClient {
  readonly socket: Socket;
  /** `#room[#from, #to)` has been received and not been handed out. It grows by doubling. */
  #room = Buffer.alloc(4096);
  #from = 0;
  #to = 0;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(port: number, host = "127.0.0.1") {
    this.socket = connect({ port, host, noDelay: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#append(chunk);
      this.#wake();
    });
    // A reset is a way of closing; what was received before it counts.
    this.socket.on("error", () => this.#close());
    this.socket.on("close", () => this.#close());
  }

  get #received(): Buffer {
    return this.#room.subarray(this.#from, this.#to);
  }

  #append(chunk: Buffer): void {
    if (this.#to + chunk.length > this.#room.length) {
      const rest = this.#received;
      this.#room = Buffer.alloc(2 * (rest.length + chunk.length));
      this.#to = rest.copy(this.#room);
      this.#from = 0;
    }
    this.#to += chunk.copy(this.#room, this.#to);
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** The next whole answer on the connection. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const parsed = parseAnswer(this.#received, this.#isClosed);
      if (parsed !== undefined) {
        this.#from += parsed.length;
        return parsed.answer;
      }
      if (this.#isClosed) throw new Error(`Closed before a whole answer: ${this.#shown()}`);
      await this.#change();
    }
  }

  /** All that comes until the server closes. */
  async untilClosed(): Promise<string> {
    while (!this.#isClosed) await this.#change();
    return this.#received.toString();
  }

  /** Waits until the text has been received. */
  async until(text: string): Promise<void> {
    while (!this.#received.includes(text)) {
      if (this.#isClosed) throw new Error(`Closed before ${text}: ${this.#shown()}`);
      await this.#change();
    }
  }

  #shown(): string {
    return this.#received.toString("utf8", 0, 2000);
  }

  close(): void {
    this.socket.destroy();
  }

  #close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async #change(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`Nothing came; so far: ${this.#shown()}`)), DEADLINE_MS);
    this.#wake = resolve;
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

function parseAnswer(bytes: Buffer, isClosed: boolean): { answer: RawAnswer; length: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
  );
  const start = headEnd + 4;
  if (status < 200) return { answer: { status, headers, body: "" }, length: start };
  const contentLength = headers["content-length"];
  if (contentLength !== undefined) {
    const end = start + Number(contentLength);
    return bytes.length < end
      ? undefined
      : { answer: { status, headers, body: bytes.toString("utf8", start, end) }, length: end };
  }
  if (headers["transfer-encoding"] === "chunked") return parseChunks(bytes, start, { status, headers });
  if (status === 204 || status === 304) return { answer: { status, headers, body: "" }, length: start };
  return isClosed
    ? { answer: { status, headers, body: bytes.toString("utf8", start) }, length: bytes.length }
    : undefined;
}

function parseChunks(
  bytes: Buffer,
  start: number,
  head: Omit<RawAnswer, "body">,
): { answer: RawAnswer; length: number } | undefined {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { answer: { ...head, body: Buffer.concat(parts).toString() }, length: end };
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}

/** A whole HTTP/1.1 request as bytes. */
export function requestBytes(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer = "",
): Buffer {
  const lines = Object.entries({ host: "localhost", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const length = body.length > 0 ? `content-length: ${Buffer.byteLength(body)}\r\n` : "";
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join("")}${length}\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

/** A JSON request to a busy route. */
export function jsonRequest(
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  path = "/v1/chat/completions",
): Buffer {
  const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return requestBytes("POST", path, { "content-type": "application/json", ...headers }, text);
}
