// A TCP proxy in the path between two processes that can delay and cut; how late each chunk is, it draws. A cut direction holds its bytes back, as a
// network that drops packets does to TCP: nothing is lost or reset, everything comes late, when the cut heals or never.
import { connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "forward" | "backward";

export interface Faults {
  /** Added to a chunk on average, in milliseconds: each is late by up to twice that, and none overtakes another. */
  readonly delayMs: number;
  readonly cut: readonly Direction[];
}

export const NO_FAULTS: Faults = { delayMs: 0, cut: [] };

interface Pipe {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  /** Chunks that are delayed or held back, oldest first, and when each is due. */
  readonly held: { readonly chunk: Buffer; readonly dueMs: number }[];
}

export class TcpProxy {
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  readonly #sockets = new Set<Socket>();
  readonly #targetPort: number;
  readonly #random: () => number;
  #faults: Faults = NO_FAULTS;

  constructor(targetPort: number, random: () => number) {
    this.#targetPort = targetPort;
    this.#random = random;
    this.#server = createServer((client) => this.#join(client));
  }

  /** Begins to listen on a port of 127.0.0.1 that the system chooses, on the way to this port; `random` in [0, 1). */
  static async start(targetPort: number, random: () => number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, random);
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /** Changes the faults of all connections, present and future. What was held back goes on when its direction heals. */
  set(faults: Faults): void {
    this.#faults = faults;
    for (const pipe of this.#pipes) this.#pump(pipe);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #join(client: Socket): void {
    const upstream = connect({ host: "127.0.0.1", port: this.#targetPort, noDelay: true });
    client.setNoDelay(true);
    const pipes = [this.#pipe("forward", client, upstream), this.#pipe("backward", upstream, client)];
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      // An end on either side ends both: what matters here is HTTP, which never half-closes.
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        this.#sockets.delete(socket);
        for (const pipe of pipes) this.#pipes.delete(pipe);
        client.destroy();
        upstream.destroy();
      });
    }
  }

  #pipe(direction: Direction, from: Socket, to: Socket): Pipe {
    const held: Pipe["held"] = [];
    const pipe: Pipe = { direction, from, to, held };
    this.#pipes.add(pipe);
    from.on("data", (chunk) => {
      const delayMs = this.#faults.delayMs * 2 * this.#random();
      const dueMs = Math.max(performance.now() + delayMs, held.at(-1)?.dueMs ?? 0);
      held.push({ chunk, dueMs });
      this.#pump(pipe);
    });
    return pipe;
  }

  #pump(pipe: Pipe): void {
    const { direction, from, to, held } = pipe;
    if (this.#faults.cut.includes(direction)) {
      from.pause();
      return;
    }
    from.resume();
    const now = performance.now();
    const early = held.findIndex(({ dueMs }) => dueMs > now);
    for (const { chunk } of held.splice(0, early === -1 ? held.length : early)) {
      if (!to.destroyed) to.write(chunk);
    }
    const [next] = held;
    if (next !== undefined) setTimeout(() => this.#pump(pipe), next.dueMs - now);
  }
}
