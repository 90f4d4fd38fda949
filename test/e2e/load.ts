// An open load: requests set out at a steady rate whatever becomes of them, each to the next live gateway in turn,
// and every one of them is accounted for.
import { Agent, request } from "node:http";

export interface Tally {
  sent: number;
  /** Answered with 200. */
  served: number;
  /** Answered with 429: refused truthfully. */
  refused: number;
  /** Anything else: an error, another status, a connection that broke. By port and by what it was. */
  readonly lost: Map<string, number>;
}

const BODY = JSON.stringify({ model: "shared/sim-echo", messages: [{ role: "user", content: "hello" }] });

/** How long one request may take before it counts as lost, in milliseconds; on a busy machine some take long. */
const DEADLINE_MS = 60_000;
const TURN_MS = 5;

export class Load {
  readonly tally: Tally = { sent: 0, served: 0, refused: 0, lost: new Map() };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 });
  readonly #pending = new Set<Promise<void>>();
  readonly #ports: () => readonly number[];
  #timer: NodeJS.Timeout | undefined;
  /** The longest that this process did not get to run when it had to, in milliseconds. */
  stoodStillMs = 0;

  /** `ports`: where the gateways that take requests at this moment listen. */
  constructor(ports: () => readonly number[]) {
    this.#ports = ports;
  }

  /** Sends `perSecond` requests per second until `stop`. */
  start(perSecond: number): void {
    const startedMs = performance.now();
    let due = 0;
    let turnMs = startedMs;
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.stoodStillMs = Math.max(this.stoodStillMs, now - turnMs - TURN_MS);
      turnMs = now;
      const wanted = Math.floor(((now - startedMs) / 1000) * perSecond);
      for (; due < wanted; due++) this.#fire(due);
    }, TURN_MS);
  }

  /** Stops sending and resolves when every request has ended. */
  async stop(): Promise<Tally> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#agent.destroy();
    return this.tally;
  }

  #fire(number: number): void {
    const ports = this.#ports();
    const port = ports[number % Math.max(1, ports.length)];
    if (port === undefined) return;
    this.tally.sent += 1;
    const done = this.#account(port).finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  async #account(port: number): Promise<void> {
    const outcome = await this.#send(port);
    if (outcome === "200") this.tally.served += 1;
    else if (outcome === "429") this.tally.refused += 1;
    else this.#lose(`${port} ${outcome}`);
  }

  #lose(what: string): void {
    this.tally.lost.set(what, (this.tally.lost.get(what) ?? 0) + 1);
  }

  #send(port: number): Promise<string> {
    return new Promise((resolve) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port,
          path: "/v1/chat/completions",
          method: "POST",
          agent: this.#agent,
          timeout: DEADLINE_MS,
          headers: { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) },
        },
        (response) => {
          response.resume();
          response.once("end", () => resolve(String(response.statusCode)));
          response.once("error", (error) => resolve(error.message));
        },
      );
      sent.once("timeout", () => sent.destroy(new Error("no answer in time")));
      sent.once("error", (error) => resolve(error.message));
      sent.end(BODY);
    });
  }
}
