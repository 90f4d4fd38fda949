// Messages between siblings as `POST /fleet/sync` on a port of their own; the body is a sealed frame (seal.ts), and so
// is the answer's. Everything is bounded: the size and time of a message, connections, and how many are answered at
// once. What is not a sibling's message changes nothing: it is counted by reason and answered with an empty body.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { FRAME_BYTES_MAX, Gate, type GateOptions, RECEIVES_MAX } from "./gate.ts";
import { openAgent, post } from "./http-post.ts";
import { type Traffic, type Transport, TransportError, type TransportFault } from "./transport.ts";

const SYNC_PATH = "/fleet/sync";

/** How long a sibling may take to send its message. */
const RECEIVE_TIMEOUT_MS = 10_000;

export interface HttpTransportOptions extends GateOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** The addresses of the peers as they are known now, as `http://host:port`. */
  readonly peers: () => readonly string[];
  /** Whether these are all that there are; by default always. */
  readonly areAllKnown?: () => boolean;
  /** Called when it is closed, or could not listen. */
  readonly onClose?: () => void;
}

/** Listens for siblings and sends to them. Rejects when the address can't be listened on. */
export async function openHttpTransport(options: HttpTransportOptions): Promise<HttpTransport> {
  const transport = new HttpTransport(options);
  try {
    await transport.listen(options.listen);
  } catch (error) {
    await transport.close();
    throw error;
  }
  return transport;
}

export class HttpTransport implements Transport {
  readonly #gate: Gate;
  readonly #server: Server;
  readonly #peers: () => readonly string[];
  readonly #onClose: () => void;
  readonly areAllKnown: () => boolean;
  /** Addresses that turned out to lead back here. */
  readonly #self = new Set<string>();
  readonly #agent = openAgent();

  constructor(options: HttpTransportOptions) {
    this.#gate = new Gate(options);
    this.#peers = options.peers;
    this.areAllKnown = options.areAllKnown ?? (() => true);
    this.#onClose = options.onClose ?? (() => {});
    this.#server = createServer(
      { requestTimeout: RECEIVE_TIMEOUT_MS, headersTimeout: RECEIVE_TIMEOUT_MS, maxHeaderSize: 8192 },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = 4 * RECEIVES_MAX;
    this.#server.on("drop", () => this.#gate.count("busy"));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      // What is no HTTP at all; a connection that merely ends is nothing to be counted.
      if (error.code?.startsWith("HPE_") === true) this.#gate.count("malformed");
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
      else socket.destroy();
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  listen(address: { readonly host: string; readonly port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(address.port, address.host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** The port it listens on. */
  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  peers(): readonly string[] {
    const addresses = this.#peers();
    this.#gate.keep(addresses);
    for (const address of this.#self) if (!addresses.includes(address)) this.#self.delete(address);
    return this.#self.size === 0 ? addresses : addresses.filter((address) => !this.#self.has(address));
  }

  refused(): ReadonlyMap<TransportFault, number> {
    return this.#gate.refused();
  }

  traffic(): Traffic {
    return this.#gate.traffic();
  }

  async exchange(address: string, message: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      return await this.#gate.exchange(address, message, (frame) => this.#post(address, frame, timeoutMs));
    } catch (error) {
      if (error instanceof TransportError && error.fault === "self") this.#self.add(address);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#onClose();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await Promise.all([closed, this.#agent.destroy()]);
  }

  async #post(address: string, frame: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      const onStart = (): void => this.#gate.countSent(frame);
      return await post(this.#agent, new URL(SYNC_PATH, address), { frame, timeoutMs, onStart });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new TransportError("unreachable", `${address} can't be reached: ${reason}`, error);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const frame =
      request.method === "POST" && request.url === SYNC_PATH ? await readFrame(request) : "malformed";
    if (typeof frame === "string") {
      this.#gate.count(frame);
      if (frame !== "unreachable")
        response.writeHead(frame === "oversized" ? 413 : 404, { connection: "close" }).end();
      return;
    }
    const answer = await this.#gate.answer(frame);
    response.writeHead(answer.length === 0 ? 401 : 200, {
      "content-type": "application/octet-stream",
      "content-length": answer.length,
    });
    this.#gate.countSent(answer);
    response.end(answer);
  }
}

/** The body, or why there is none: larger than a frame may be, or its sender went away or was too slow. */
function readFrame(request: IncomingMessage): Promise<Uint8Array | "oversized" | "unreachable"> {
  if (Number(request.headers["content-length"] ?? 0) > FRAME_BYTES_MAX) return Promise.resolve("oversized");
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= FRAME_BYTES_MAX) chunks.push(chunk);
      else resolve("oversized");
    });
    request.once("end", () => resolve(Buffer.concat(chunks, size)));
    request.once("error", () => resolve("unreachable"));
    request.once("close", () => resolve("unreachable"));
  });
}
