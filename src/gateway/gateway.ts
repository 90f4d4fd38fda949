// What http/ and cli/ see of the gateway: requests go in, the snapshot in force can be swapped, and what is running
// can be ended.
import { GatewayError } from "../errors.ts";
import { Roster } from "../roster.ts";
import { serveCached } from "./cached.ts";
import type { Downstream } from "./downstream.ts";
import { Exchange } from "./exchange.ts";
import type { RequestFacts } from "./request/request.ts";
import type { Runtime, Snapshot } from "./runtime.ts";
import { conclude, serve, unexpected, type ServeParts } from "./serve.ts";

export interface Gateway {
  /** The snapshot in force; read it once per request. */
  readonly runtime: Runtime;
  /** Serves one request to its end. Never throws and never rejects: every failure goes to `downstream.fail`. */
  serve(request: RequestFacts, downstream: Downstream): void;
}

export class LiveGateway implements Gateway {
  #runtime: Snapshot;
  readonly #parts: ServeParts;
  readonly #running = new Roster<Exchange>();
  /** Called when the last running request has ended, while a drain waits for that. */
  #onIdle: (() => void) | null = null;

  constructor(runtime: Snapshot, parts: ServeParts) {
    this.#runtime = runtime;
    this.#parts = parts;
  }

  get runtime(): Snapshot {
    return this.#runtime;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Puts a new snapshot in force. Requests that are running keep theirs. */
  swap(runtime: Snapshot): void {
    this.#runtime = runtime;
  }

  serve(request: RequestFacts, downstream: Downstream): void {
    const exchange = new Exchange(request, downstream, this.#runtime);
    this.#running.add(exchange);
    // Both handlers end the request for good; what they throw would be a fault of the process, not of the request.
    const { cache } = exchange.runtime;
    const life = cache === null ? serve(exchange, this.#parts) : serveCached(exchange, this.#parts, cache);
    void life.then(
      (error) => this.#ended(exchange, error),
      (cause: unknown) => this.#ended(exchange, unexpected(cause, request.id, this.#parts)),
    );
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    if (this.#running.size === 0) return;
    const before = this.#onIdle;
    await new Promise<void>((resolve) => {
      this.#onIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  /** Ends what no client waits for: nothing of it would be missed. */
  stopShadows(): void {
    this.#parts.shadows.stop();
  }

  /** Ends everything that runs; each client is told. */
  abortAll(): void {
    const error = new GatewayError("shutting_down", "The gateway is stopping.");
    for (const exchange of this.#running.list()) exchange.stop(error);
  }

  #ended(exchange: Exchange, error: GatewayError | null): void {
    conclude(exchange, error, this.#parts);
    this.#running.delete(exchange);
    if (this.#running.size > 0) return;
    this.#onIdle?.();
    this.#onIdle = null;
  }
}
