// A provider that answers by script, byte by byte if need be: a bare TCP server that reads one whole request after the
// other and hands each to the next script.
import { createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** One request as it arrived. */
export class UpstreamRequest {
  readonly head: string;
  readonly body: string;
  readonly socket: Socket;
  #isClosed = false;
  readonly #closed = Promise.withResolvers<void>();

  constructor(head: string, body: string, socket: Socket) {
    this.head = head;
    this.body = body;
    this.socket = socket;
    socket.once("close", () => {
      this.#isClosed = true;
      this.#closed.resolve();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the gateway has closed this connection. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  header(name: string): string | undefined {
    return new RegExp(`^${name}: (.*)$`, "im").exec(this.head)?.[1]?.trim();
  }

  json(): Record<string, unknown> {
    return JSON.parse(this.body);
  }

  write(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** A whole answer with a body of known length. */
  answer(status: number, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): void {
    const all = {
      "content-type": "application/json",
      ...headers,
      "content-length": String(Buffer.byteLength(body)),
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`);
    this.socket.write(body);
  }

  /** The head of an event stream; `chunk` and `endChunks` follow. */
  streamHead(headers: Readonly<Record<string, string>> = {}): this {
    const all = { "content-type": "text/event-stream", ...headers, "transfer-encoding": "chunked" };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.write(`HTTP/1.1 200 OK\r\n${lines.join("")}\r\n`);
  }

  chunk(text: string | Buffer): this {
    return this.write(
      Buffer.concat([
        Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n`),
        Buffer.from(text),
        Buffer.from("\r\n"),
      ]),
    );
  }

  endChunks(): this {
    return this.write("0\r\n\r\n");
  }

  /** Ends the connection as a crash does. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

export type Script = (request: UpstreamRequest) => void;

export interface ScriptedUpstream {
  readonly port: number;
  /** What arrived so far, in order. */
  readonly requests: readonly UpstreamRequest[];
  /** Resolves with the request of this number (from 0) once it has arrived whole. */
  request(index: number): Promise<UpstreamRequest>;
}

/** Starts a provider that answers its requests with these scripts in turn; the last one repeats. */
export async function scriptedUpstream(...scripts: readonly Script[]): Promise<ScriptedUpstream> {
  const requests: UpstreamRequest[] = [];
  const waiting: { index: number; resolve: (request: UpstreamRequest) => void }[] = [];
  const arrive = (request: UpstreamRequest): void => {
    const index = requests.push(request) - 1;
    for (const waiter of waiting) if (waiter.index === index) waiter.resolve(request);
    (scripts[index] ?? scripts.at(-1))?.(request);
  };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket.setMaxListeners(0));
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    readRequests(socket, arrive);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    requests,
    request(index) {
      const known = requests[index];
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve) => {
        waiting.push({ index, resolve });
      });
    },
  };
}

function readRequests(socket: Socket, arrive: (request: UpstreamRequest) => void): void {
  let received = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const head = received.toString("latin1", 0, headEnd);
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
      const end = headEnd + 4 + length;
      if (received.length < end) return;
      const body = received.toString("utf8", headEnd + 4, end);
      received = received.subarray(end);
      arrive(new UpstreamRequest(head, body, socket));
    }
  });
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise<unknown>((resolve) => {
    server.close(resolve);
  });
  return typeof address === "object" && address !== null ? address.port : 0;
}

export const USAGE = {
  prompt_tokens: 12,
  completion_tokens: 5,
  total_tokens: 17,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
};

/** A chat answer as a whole. */
export function answerBody(content = "Hello", extra: object = {}): string {
  return JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: USAGE,
    ...extra,
  });
}

const CHUNK = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m" };

function frame(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** One content event. `usage: null` is what providers add when usage was asked for. */
export function contentFrame(content: string, usage?: null): string {
  return frame({
    ...CHUNK,
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
    ...(usage === null && { usage }),
  });
}

export const FINISH_FRAME = frame({
  ...CHUNK,
  choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
  usage: null,
});
export const USAGE_FRAME = frame({ ...CHUNK, choices: [], usage: USAGE });
export const DONE_FRAME = "data: [DONE]\n\n";

/** Answers as a provider in good health does. */
export const whole: Script = (request) => request.answer(200, answerBody());
export const stream: Script = (request) => {
  request.streamHead().chunk(contentFrame("Hel", null)).chunk(contentFrame("lo", null)).chunk(FINISH_FRAME);
  request.chunk(USAGE_FRAME).chunk(DONE_FRAME).endChunks();
};
export const good: Script = (request) => (request.body.includes('"stream":true') ? stream : whole)(request);
