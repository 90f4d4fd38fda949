// The limiter in a fleet of two real replicas in one process: a message is a call, and time moves by hand.
import { setImmediate as nextTurn } from "node:timers/promises";
import { ALONE } from "../../src/fleet/membership.ts";
import { openReplica, type RunningReplica } from "../../src/fleet/shell.ts";
import { type Receive, type Transport, TransportError } from "../../src/fleet/transport.ts";
import { PLAIN_COUNTING } from "../../src/limiter/cost.ts";
import { Limiter } from "../../src/limiter/limiter.ts";
import type { Meters, MeterSpec } from "../../src/limiter/meters.ts";
import { refusalError } from "../../src/limiter/refusal.ts";
import type { Refusal, Reservation } from "../../src/limiter/reservation.ts";
import { silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { ManualClock } from "../manual-clock.ts";
import { type SoloLimiter, tokens, used } from "./solo-limiter.ts";

export interface Place {
  readonly limiter: Limiter;
  readonly target: Meters;
}

export class Pair {
  readonly clock = new ManualClock();
  readonly members: { readonly running: RunningReplica; readonly limiter: Limiter }[] = [];
  readonly #receivers = new Map<string, Receive>();

  async start(): Promise<void> {
    await this.#open("a");
    await this.#open("b");
    for (let turn = 0; turn < 100 && !this.#areTogether(); turn++) await this.pass(100);
  }

  #areTogether(): boolean {
    return this.members.every(({ running }) => running.replica.state.ledger.lineage !== null);
  }

  async #open(name: string): Promise<void> {
    const other = name === "a" ? "b" : "a";
    const { clock } = this;
    const running = await openReplica({
      store: new MemoryStore(),
      log: silentLog,
      clock,
      timers: clock,
      random: () => 0.5,
      instant: () => ({ bootId: "m", monotonicMs: clock.elapsedMs(), wallMs: clock.wallMs() }),
      newId: () => name.repeat(32),
      membership: { ...ALONE, name, hasPeers: true },
      connect: (receive) => {
        this.#receivers.set(name, receive);
        return Promise.resolve(this.#transportTo(other));
      },
    });
    const limiter = new Limiter({ quota: running.quota, clock, timers: clock, lineLengthMax: 100 });
    this.members.push({ running, limiter });
  }

  #transportTo(other: string): Transport {
    return {
      peers: () => [other],
      exchange: (_, message) => {
        const receive = this.#receivers.get(other);
        return receive === undefined
          ? Promise.reject(new TransportError("unreachable", "not started"))
          : receive(message);
      },
      refused: () => new Map(),
      traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
      close: () => Promise.resolve(),
    };
  }

  /** Moves time on in small steps, and lets messages and commits of each step happen. */
  async pass(ms: number, stepMs = 10): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      for (let turn = 0; turn < 8; turn++) await nextTurn();
      this.clock.advance(Math.min(stepMs, left));
    }
  }

  /** From here on neither hears the other. */
  cut(): void {
    this.#receivers.clear();
  }

  limiters(specs: readonly MeterSpec[], members = this.members): Place[] {
    const prices = { input: 1, output: 1, cachedInput: 1, cacheWrite: 1 };
    return members.map(({ limiter }) => ({
      limiter,
      target: limiter.target({ provider: "p", model: "m", specs, counting: PLAIN_COUNTING, prices }),
    }));
  }

  async reserve({ limiter, target }: Place, cost: number, withinMs: number): Promise<Reservation | Refusal> {
    const now = this.clock.elapsedMs();
    const ask = { estimate: tokens(cost), priority: 1, clientKey: "k", deadlineMs: now + withinMs } as const;
    const answer = limiter.reserve(target, ask, now);
    if (answer.kind !== "waiting") return answer;
    const outcomes: (Reservation | Refusal)[] = [];
    answer.decided((decided) => outcomes.push(decided));
    for (let step = 0; step < 1200; step++) {
      const [outcome] = outcomes;
      if (outcome !== undefined) return outcome;
      await this.pass(10);
    }
    throw new Error("never decided");
  }

  /** Starts both; the first has all units of a limit on running requests, of which none is in use. Tells the second's place. */
  async idleAtFirst(spec: MeterSpec): Promise<Place> {
    await this.start();
    const [first, second] = this.limiters([spec]);
    if (first === undefined || second === undefined) throw new Error("a pair has two members");
    await this.pass(300);
    const held: Reservation[] = [];
    for (let at = 0; at < spec.limit.capacity; at++) held.push(admitted(await this.reserve(first, 0, 5000)));
    await this.pass(1000);
    for (const reservation of held) first.limiter.settle(reservation, used(1), this.clock.elapsedMs());
    await this.pass(1000);
    const levels = this.members.map(({ running }, at) => {
      const bucket = (at === 0 ? first : second).target.buckets[0];
      return bucket === undefined ? Number.NaN : running.quota.room(bucket, this.clock.elapsedMs()).level;
    });
    if (levels[0] !== spec.limit.capacity || levels[1] !== 0)
      throw new Error(`idle places are at ${levels.join(" and ")}`);
    return second;
  }

  /** One member's limiter, as a gateway takes it; its shell writes by itself. */
  solo(at: number): Pick<SoloLimiter, "clock" | "replica" | "limiter" | "flush"> {
    const member = this.members[at];
    if (member === undefined) throw new Error("a pair has two members");
    const { running, limiter } = member;
    return { clock: this.clock, replica: running.replica, limiter, flush: () => undefined };
  }

  async close(): Promise<void> {
    for (const { running, limiter } of this.members) {
      limiter.close();
      await running.close();
    }
  }
}

export function admitted(outcome: Reservation | Refusal): Reservation {
  if (outcome.kind === "refused") throw new Error(`refused: ${refusalError(outcome).message}`);
  return outcome;
}
