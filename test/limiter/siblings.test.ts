// The limiter in a fleet of two real replicas: units come from the sibling that has them, also to a request that would
// not wait, and both together admit what one bucket would.
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
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
import { limitSpec, tokens, used } from "./solo-limiter.ts";

/** Two replicas in one process: a message is a call. */
class Pair {
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

  limiters(specs: readonly MeterSpec[], members = this.members): { limiter: Limiter; target: Meters }[] {
    const prices = { input: 1, output: 1, cachedInput: 1, cacheWrite: 1 };
    return members.map(({ limiter }) => ({
      limiter,
      target: limiter.target({ provider: "p", model: "m", specs, counting: PLAIN_COUNTING, prices }),
    }));
  }

  async reserve(
    { limiter, target }: { limiter: Limiter; target: Meters },
    cost: number,
    withinMs: number,
  ): Promise<Reservation | Refusal> {
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

  async close(): Promise<void> {
    for (const { running, limiter } of this.members) {
      limiter.close();
      await running.close();
    }
  }
}

let pair: Pair;
afterEach(() => pair.close());

test("a request is admitted wherever it comes, whoever holds the units, even if it has no time to wait", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "tokens=1000/100s")]);
  await pair.pass(300);
  for (let round = 0; round < 4; round++) {
    for (const place of places) {
      const outcome = await pair.reserve(place, 100, 0);
      expect(outcome.kind === "refused" ? refusalError(outcome).message : "", `round ${round}`).toBe("");
    }
  }
});

test("a bucket that nobody has touched is full: no request is refused because its holder has not spoken of it", async () => {
  pair = new Pair();
  await pair.start();
  // Only the one that did not found the fleet has opened it.
  const [, newcomer] = pair.members;
  const [place] =
    newcomer === undefined ? [] : pair.limiters([limitSpec("provider", "p", "tokens=1000/100s")], [newcomer]);
  if (place === undefined) throw new Error("a second member");
  const now = pair.clock.elapsedMs();
  const ask = { estimate: tokens(100), priority: 1, clientKey: "k", deadlineMs: now + 500 } as const;
  const asked = Array.from({ length: 12 }, () => place.limiter.reserve(place.target, ask, now));
  expect(asked.map(({ kind }) => kind)).toEqual([
    ...Array.from({ length: 10 }, () => "waiting"),
    ...Array.from({ length: 2 }, () => "refused"),
  ]);
  let admitted = 0;
  for (const each of asked)
    if (each.kind === "waiting") each.decided(({ kind }) => (admitted += Number(kind === "reserved")));
  await pair.pass(100);
  expect(admitted).toBe(10);
});

test("together they admit what one bucket would, and tell the truth about the wait", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "tokens=1000/100s")]);
  await pair.pass(300);
  let admitted = 0;
  for (let at = 0; at < 40; at++) {
    for (const place of places) {
      if ((await pair.reserve(place, 90, 0)).kind === "reserved") admitted += 90;
    }
  }
  const refilled = pair.clock.elapsedMs() / 100;
  expect(admitted).toBeLessThanOrEqual(1000 + refilled);
  expect(admitted).toBeGreaterThan(900);
  // What they know of each other is up to a second old.
  await pair.pass(1500);
  for (const place of places) {
    const refused = await pair.reserve(place, 90, 0);
    if (refused.kind === "reserved") continue;
    expect(refused.reason).toBe("no_room");
    await pair.pass(refused.retryAfterMs, 50);
    expect((await pair.reserve(place, 90, 1000)).kind).toBe("reserved");
    await pair.pass(1500);
  }
});

test("a place of a running request moves to the replica that needs it, and is never there twice", async () => {
  pair = new Pair();
  await pair.start();
  const places = pair.limiters([limitSpec("provider", "p", "concurrent=4")]);
  await pair.pass(300);
  const held: [Limiter, Reservation][] = [];
  for (let at = 0; at < 4; at++) {
    const place = places[at % 2];
    if (place === undefined) break;
    const outcome = await pair.reserve(place, 0, 5000);
    if (outcome.kind === "reserved") held.push([place.limiter, outcome]);
  }
  expect(held).toHaveLength(4);
  for (const place of places) expect((await pair.reserve(place, 0, 500)).kind).toBe("refused");
  for (const [limiter, reservation] of held) limiter.settle(reservation, used(1), pair.clock.elapsedMs());
  const [first] = places;
  if (first === undefined) return;
  for (let at = 0; at < 4; at++) expect((await pair.reserve(first, 0, 5000)).kind).toBe("reserved");
});
