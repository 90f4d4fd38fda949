// A provider that takes forms: Node's own server, which reads bodies in chunks as well as of known length, and shows them as
// they arrive.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";

export class FormRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #pieces: Buffer[] = [];
  #wake: () => void = () => undefined;
  #isEnded = false;
  #isClosed = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    request.on("end", () => this.#changed(() => (this.#isEnded = true)));
    request.on("error", () => undefined);
    request.on("close", () => this.#changed(() => (this.#isClosed = true)));
  }

  /** Begins to read; until then nothing is taken from the connection. */
  read(): this {
    this.request.on("data", (piece: Buffer) => this.#changed(() => this.#pieces.push(piece)));
    return this;
  }

  get body(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** Resolves with the whole body; rejects when the connection closes before that. */
  async whole(): Promise<Buffer> {
    while (!this.#isEnded) {
      if (this.#isClosed) throw new Error("The gateway closed before the body was whole.");
      await this.#change();
    }
    return this.body;
  }

  /** Resolves when this many bytes have come. */
  async bytes(count: number): Promise<void> {
    while (this.body.length < count) await this.#change();
  }

  /** Resolves when the gateway has closed before the body was whole. */
  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#change();
  }

  answer(status: number, body: unknown): void {
    this.response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  #changed(change: () => unknown): void {
    change();
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

export interface FormUpstream {
  readonly port: number;
  readonly requests: readonly FormRequest[];
  /** Resolves with the request of this number (from 0) once its head has arrived. */
  request(index: number): Promise<FormRequest>;
}

export async function formUpstream(
  script: (request: FormRequest, index: number) => void = (request) => void request.read(),
): Promise<FormUpstream> {
  const requests: FormRequest[] = [];
  let wake = (): void => undefined;
  const server = createServer((request, response) => {
    const form = new FormRequest(request, response);
    const index = requests.push(form) - 1;
    script(form, index);
    wake();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    requests,
    async request(index) {
      for (;;) {
        const found = requests[index];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
