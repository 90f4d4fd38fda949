// A TCP proxy in the path between two processes that can delay and cut. A cut direction holds its bytes back, as a
// network that drops packets does to TCP: nothing is lost or reset, everything comes late, when the cut heals or never.
import { connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "forward" | "backward";

export interface Faults {
  /** Added to every chunk, in milliseconds. */
  readonly delayMs: number;
  readonly cut: readonly Direction[];
}

export const NO_FAULTS: Faults = { delayMs: 0, cut: [] };

interface Pipe {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  /** Chunks that are delayed or held back, oldest first. */
  readonly held: Buffer[];
}

export class TcpProxy {
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  readonly #sockets = new Set<Socket>();
  readonly #target: () => { readonly host: string; readonly port: number };
  #faults: Faults = NO_FAULTS;

  constructor(target: () => { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  /** Begins to listen on a port of 127.0.0.1 that the system chooses. */
  static async start(target: () => { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
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
    const { host, port } = this.#target();
    const upstream = connect({ host, port, noDelay: true });
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
    const pipe: Pipe = { direction, from, to, held: [] };
    this.#pipes.add(pipe);
    from.on("data", (chunk) => {
      pipe.held.push(chunk);
      if (this.#faults.delayMs === 0) this.#pump(pipe);
      else setTimeout(() => this.#pump(pipe), this.#faults.delayMs);
    });
    return pipe;
  }

  #pump({ direction, from, to, held }: Pipe): void {
    if (this.#faults.cut.includes(direction)) {
      from.pause();
      return;
    }
    from.resume();
    for (const chunk of held.splice(0)) if (!to.destroyed) to.write(chunk);
  }
}
