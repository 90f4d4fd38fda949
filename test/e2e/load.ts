// An open load: requests set out at a steady rate whatever becomes of them, each to the next gateway in turn that takes
// any, and every one of them is accounted for.
import { Agent, request } from "node:http";
import type { Station } from "./fleet-processes.ts";

/** A request that got neither an answer nor a truthful refusal. */
export interface Loss {
  readonly station: string;
  /** Which of the processes that ran there, from 1. */
  readonly life: number;
  /** Another status, or how its connection broke. */
  readonly outcome: string;
  readonly isBroken: boolean;
  /** How long it took, in milliseconds. */
  readonly afterMs: number;
}

export interface Tally {
  sent: number;
  /** Answered with 200. */
  served: number;
  /** Answered with 429: refused truthfully. */
  refused: number;
  /** Anything else. */
  readonly lost: Loss[];
}

const BODY = JSON.stringify({ model: "shared/sim-echo", messages: [{ role: "user", content: "hello" }] });

/** How long one request may take before it counts as lost, in milliseconds; on a busy machine some take long. */
const DEADLINE_MS = 120_000;
/** Per gateway; what is more waits here. A machine that falls behind is not to be buried under connections. */
const CONNECTIONS_MAX = 64;
const TURN_MS = 5;

export class Load {
  readonly tally: Tally = { sent: 0, served: 0, refused: 0, lost: [] };
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  readonly #pending = new Set<Promise<void>>();
  readonly #open: () => readonly Station[];
  readonly #served = new Map<Station, number>();
  /** Requests whose last byte is not yet handed to the system, and who waits for that. */
  readonly #unsent = new Map<Station, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `open`: the gateways that take requests at this moment. */
  constructor(open: () => readonly Station[]) {
    this.#open = open;
  }

  /** Sends `perSecond` requests per second until `stop`. */
  start(perSecond: number): void {
    const startedMs = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const wanted = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
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

  /** How many requests were answered with 200 there. */
  servedBy(station: Station): number {
    return this.#served.get(station) ?? 0;
  }

  /** Whether all that was sent there so far is with the system at least. */
  isSent(station: Station): boolean {
    return (this.#unsent.get(station) ?? 0) === 0;
  }

  #fire(number: number): void {
    const open = this.#open();
    const station = open[number % Math.max(1, open.length)];
    if (station === undefined) return;
    this.tally.sent += 1;
    const done = this.#account(station).finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }

  async #account(station: Station): Promise<void> {
    const { life, name } = station;
    this.#unsent.set(station, (this.#unsent.get(station) ?? 0) + 1);
    const startedMs = performance.now();
    const outcome = await this.#send(station);
    if (outcome === 200) {
      this.tally.served += 1;
      this.#served.set(station, this.servedBy(station) + 1);
    } else if (outcome === 429) this.tally.refused += 1;
    else {
      const isBroken = typeof outcome === "string";
      const afterMs = Math.round(performance.now() - startedMs);
      this.tally.lost.push({ station: name, life, outcome: String(outcome), isBroken, afterMs });
    }
  }

  /** The answer's status, or why there is none. */
  #send(station: Station): Promise<number | string> {
    let isUnsent = true;
    const sentOff = (): void => {
      if (isUnsent) this.#unsent.set(station, (this.#unsent.get(station) ?? 0) - 1);
      isUnsent = false;
    };
    return new Promise((resolve) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: station.port,
          path: "/v1/chat/completions",
          method: "POST",
          agent: this.#agent,
          timeout: DEADLINE_MS,
          headers: { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) },
        },
        (response) => {
          response.resume();
          response.once("end", () => resolve(response.statusCode ?? 0));
          response.once("error", (error) => resolve(error.message));
        },
      );
      sent.once("finish", sentOff);
      sent.once("close", sentOff);
      sent.once("timeout", () => sent.destroy(new Error("no answer in time")));
      sent.once("error", (error) => resolve(error.message));
      sent.end(BODY);
    });
  }
}
