// Whatever happens in whatever order: an exact bucket beside the limiter agrees with every admission, nothing leaks,
// nobody is forgotten, and units don't lie idle while somebody waits for them.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Meters } from "../../src/limiter/meters.ts";
import type { Priority, Reservation, Waiting } from "../../src/limiter/reservation.ts";
import { limitSpec, SoloLimiter, tokens, used } from "./solo-limiter.ts";

/** One central bucket, computed anew from first principles: the promise that admissions are held against. */
class ExactBucket {
  readonly capacity: number;
  readonly ratePerMs: number;
  level: number;
  atMs = 0;

  constructor(capacity: number, ratePerMs: number) {
    this.capacity = capacity;
    this.ratePerMs = ratePerMs;
    this.level = capacity;
  }

  add(units: number, now: number): void {
    const refilled = Math.min(this.capacity, this.level + (now - this.atMs) * this.ratePerMs);
    this.atMs = now;
    this.level = Math.min(this.capacity, refilled + units);
  }

  take(units: number, now: number): void {
    this.add(-units, now);
    assert.ok(this.level >= -1e-3, `admitted beyond the promise: ${this.level}`);
  }
}

const TOKENS = 100;
const REQUESTS = 8;
const PLACES = 5;
const KEY_TOKENS = 60;

interface Request {
  readonly cost: number;
  readonly deadlineMs: number;
  readonly hasKey: boolean;
  readonly askedMs: number;
}

/** A limiter with four limits, an exact bucket beside each, and a record of who holds and who waits. */
class World {
  readonly solo = new SoloLimiter(20);
  readonly target: Meters;
  readonly keyed: Meters;
  readonly held: { reservation: Reservation; request: Request }[] = [];
  /** Settled, and still running at the provider. */
  readonly lingering: Reservation[] = [];
  readonly waiting = new Map<Waiting, Request>();
  running = 0;
  decided = 0;
  asked = 0;
  cancelled = 0;
  readonly exact = {
    tokens: new ExactBucket(TOKENS, TOKENS / 10_000),
    requests: new ExactBucket(REQUESTS, REQUESTS / 2000),
    key: new ExactBucket(KEY_TOKENS, KEY_TOKENS / 20_000),
  };

  constructor() {
    this.target = this.solo.target("p", [
      limitSpec("provider", "p", `tokens=${TOKENS}/10s`),
      limitSpec("provider", "p", `requests=${REQUESTS}/2s`),
      limitSpec("provider", "p", `concurrent=${PLACES}`),
    ]);
    this.keyed = this.target.with(this.solo.key([limitSpec("key", "k", `tokens=${KEY_TOKENS}/20s`)]));
  }

  reserve(cost: number, client: number, priority: Priority, withinMs: number): void {
    const hasKey = client === 0;
    const request = { cost, deadlineMs: this.solo.now + withinMs, hasKey, askedMs: this.solo.now };
    this.asked++;
    const answer = this.solo.limiter.reserve(
      hasKey ? this.keyed : this.target,
      { estimate: tokens(cost), priority, clientKey: `client-${client}`, deadlineMs: request.deadlineMs },
      this.solo.now,
    );
    if (answer.kind === "refused") this.decided++;
    else if (answer.kind === "reserved") this.#admitted(request, answer);
    else this.#wait(request, answer);
  }

  #wait(request: Request, waiting: Waiting): void {
    this.waiting.set(waiting, request);
    waiting.decided((outcome) => {
      assert.ok(this.waiting.delete(waiting), "decided once, and not after leaving");
      // A timer may ring up to a millisecond late; whatever the deadline, a commit may take a second, and a provider that is
      // about to let go of a call half a second more.
      assert.ok(this.solo.now <= Math.max(request.deadlineMs, request.askedMs + 1500) + 1, "decided in time");
      if (outcome.kind === "reserved") this.#admitted(request, outcome);
      else this.decided++;
    });
  }

  #admitted(request: Request, reservation: Reservation): void {
    const { now } = this.solo;
    this.exact.tokens.take(Math.min(request.cost, TOKENS), now);
    this.exact.requests.take(1, now);
    if (request.hasKey) this.exact.key.take(Math.min(request.cost, KEY_TOKENS), now);
    this.running++;
    assert.ok(this.running <= PLACES);
    this.held.push({ reservation, request });
    this.decided++;
  }

  /** `lingers`: the provider still counts the request as running. */
  end(pick: number, actual: number | null, lingers = false): void {
    const [entry] = this.held.splice(pick % Math.max(1, this.held.length), 1);
    if (entry === undefined) return;
    const { reservation, request } = entry;
    const { now } = this.solo;
    // The exact buckets first: a settlement may admit others at once.
    if (!lingers) this.running--;
    this.exact.tokens.add(Math.min(request.cost, TOKENS) - (actual ?? 0), now);
    if (request.hasKey) this.exact.key.add(Math.min(request.cost, KEY_TOKENS) - (actual ?? 0), now);
    if (actual === null) this.exact.requests.add(1, now);
    if (lingers) this.lingering.push(reservation);
    if (actual === null) this.solo.limiter.giveBack(reservation, now);
    else if (lingers) this.solo.limiter.settleUse(reservation, used(actual), now);
    else this.solo.limiter.settle(reservation, used(actual), now);
    assert.throws(() => this.solo.limiter.settle(reservation, used(1), now), /settled once/);
  }

  free(pick: number): void {
    const [reservation] = this.lingering.splice(pick % Math.max(1, this.lingering.length), 1);
    if (reservation === undefined) return;
    this.running--;
    this.solo.limiter.freeSlots(reservation, this.solo.now);
    assert.throws(() => this.solo.limiter.freeSlots(reservation, this.solo.now), /freed once/);
  }

  cancel(pick: number): void {
    const [waiting] = [...this.waiting.keys()].slice(pick % Math.max(1, this.waiting.size));
    if (waiting === undefined) return;
    this.waiting.delete(waiting);
    this.cancelled++;
    waiting.cancel();
    waiting.cancel();
  }

  /** After every step. */
  check(): void {
    this.solo.flush();
    assert.equal(this.solo.limiter.waiting, this.waiting.size);
    assert.equal(this.decided + this.cancelled + this.waiting.size, this.asked);
    const inLines = this.keyed.lines.reduce((sum, line) => sum + line.size, 0);
    assert.equal(inLines + (this.keyed.pauses[0]?.size ?? 0), this.waiting.size);
    this.#checkNobodyWaitsForNothing();
    this.solo.replica.check();
  }

  #checkNobodyWaitsForNothing(): void {
    const { now, replica } = this.solo;
    if ((this.keyed.pauses[0]?.untilMs ?? 0) > now) return;
    for (const line of this.keyed.lines) {
      const { head, bucket } = line;
      if (head === null || bucket === null) continue;
      const isShort = replica.waitMs(bucket, line.costOf(head), now) > 0;
      // Timers have whole milliseconds.
      assert.ok(isShort || line.wakeMs < now + 1, "nobody waits for units that are here");
    }
  }

  /** Ends everything, and lets everybody's deadline pass. */
  finish(): void {
    for (let round = 0; round < 400 && this.held.length + this.waiting.size > 0; round++) {
      while (this.lingering.length > 0) this.free(0);
      while (this.held.length > 0) this.end(0, 5);
      this.solo.advance(1000);
    }
    while (this.lingering.length > 0) this.free(0);
    this.solo.advance(600_000, 20_000);
  }
}

const priority = fc.constantFrom<Priority>(0, 1, 2);
const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.tuple(
      fc.constant("reserve" as const),
      fc.integer({ min: 0, max: 130 }),
      fc.nat({ max: 3 }),
      priority,
      fc.constantFrom(0, 50, 1000, 5000, 30_000),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constant("settle" as const), fc.nat(), fc.integer({ min: 0, max: 150 })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant("linger" as const), fc.nat(), fc.integer({ min: 0, max: 150 })),
  },
  { weight: 3, arbitrary: fc.tuple(fc.constant("free" as const), fc.nat()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("giveBack" as const), fc.nat()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("cancel" as const), fc.nat()) },
  { weight: 6, arbitrary: fc.tuple(fc.constant("advance" as const), fc.integer({ min: 1, max: 4000 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("pause" as const), fc.integer({ min: 1, max: 3000 })) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(world: World, action: Step): void {
  switch (action[0]) {
    case "reserve":
      world.reserve(action[1], action[2], action[3], action[4]);
      return;
    case "settle":
      world.end(action[1], action[2]);
      return;
    case "linger":
      world.end(action[1], action[2], true);
      return;
    case "free":
      world.free(action[1]);
      return;
    case "giveBack":
      world.end(action[1], null);
      return;
    case "cancel":
      world.cancel(action[1]);
      return;
    case "advance":
      world.solo.advance(action[1], 50);
      return;
    case "pause":
      world.solo.limiter.pause(world.keyed, "provider", world.solo.now + action[1]);
      return;
  }
}

describe("the limiter, in any sequence of events,", () => {
  test("admits what one exact bucket per limit would, decides everybody once, and leaks nothing", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 100 }), (steps) => {
        const world = new World();
        for (const action of steps) {
          perform(world, action);
          world.check();
        }
        world.finish();
        world.check();
        expect(world.waiting.size).toBe(0);
        expect(world.solo.clock.pending()).toBe(0);
        const full = world.keyed.meters.map(({ limit }) => limit.capacity);
        expect(world.keyed.meters.map((_, index) => world.solo.level(world.keyed, index))).toEqual(full);
      }),
      { numRuns: 300 },
    );
  });
});
