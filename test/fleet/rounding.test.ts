// Nothing is lost when parts move: whoever gives what to whom, however often, the levels of a calendar quota add up to
// what was there, no level is above its capacity, and there is never more than the whole.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { creditOf, book } from "../../src/fleet/crediting.ts";
import { giveFrom, giveParked } from "../../src/fleet/giving.ts";
import type { Holding, OpenBucket } from "../../src/fleet/holding.ts";
import { handOverAll } from "../../src/fleet/leaving.ts";
import { Solo } from "./solo.ts";

const KEY = "key/a/requests/day";
const DAY_MS = 86_400_000;

function daily(capacity: number): Limit {
  return {
    key: KEY,
    dimension: "requests",
    capacity,
    refill: { kind: "calendar", period: "day", timezone: "UTC" },
  };
}

/** Three replicas that hear everything at once. */
class Trio {
  readonly solos: readonly Solo[] = ["1", "2", "3"].map((digit) => new Solo(digit));
  readonly capacity: number;
  gives = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    const lineage = { stamp: 1, founder: this.solos[0]?.replica.id ?? "" };
    for (const { replica } of this.solos) {
      replica.state.ledger.lineage = lineage;
      for (const { replica: other } of this.solos)
        replica.state.ledger.member(other.id).boot = other.state.me.boot;
      replica.open(daily(capacity));
      // Only the founder's was full.
      if (replica.id !== lineage.founder) this.localOf(replica.state.holding(KEY)).level = 0;
      replica.state.reshare(replica.state.holding(KEY));
    }
  }

  localOf(holding: Holding): OpenBucket {
    if (holding.local === null) throw new Error("it is open");
    return holding.local;
  }

  local(index: number): OpenBucket {
    return this.localOf(this.solo(index).replica.state.holding(KEY));
  }

  solo(index: number): Solo {
    const solo = this.solos[index];
    if (solo === undefined) throw new Error("there is none");
    return solo;
  }

  /** Everybody hears everybody's row. */
  tell(): void {
    for (const { replica: author } of this.solos) {
      const row = author.state.rowOf(author.state.holding(KEY));
      author.state.me.version += 1;
      const { boot, version } = author.state.me;
      for (const { replica: reader } of this.solos) {
        const { state } = reader;
        const holding = state.holding(KEY);
        const member = state.ledger.member(author.id);
        member.heardMs = state.nowMs;
        const known = holding.rows.entries.get(author.id)?.row;
        const credit = reader === author ? null : creditOf(state, holding, known, row);
        state.ledger.place(member, holding.rows, { boot, version }, row).heardMs = state.nowMs;
        if (credit !== null) book(state, credit);
        else state.reshare(holding);
      }
    }
  }

  /** One waits for so many units, and the others give what is due. */
  ask(index: number, cost: number, demand: number): void {
    const { state } = this.solo(index).replica;
    const holding = state.holding(KEY);
    holding.waiting = { cost, sinceMs: state.nowMs };
    holding.demand = demand;
    holding.cost = cost;
    this.tell();
    for (const { replica } of this.solos) {
      if (replica.state === state) continue;
      if (giveFrom(replica.state, replica.state.holding(KEY))) this.gives += 1;
      this.tell();
    }
    holding.waiting = null;
    this.tell();
  }

  leave(index: number, heir: number): void {
    handOverAll(this.solo(index).replica.state, this.solo(heir).replica.id);
    this.gives += 1;
    this.tell();
  }

  nextDay(): void {
    for (const solo of this.solos) solo.advance(DAY_MS);
  }

  get levels(): number {
    return this.solos.reduce((sum, _, index) => sum + this.local(index).level, 0);
  }

  get shares(): number {
    return this.solos.reduce((sum, _, index) => sum + this.local(index).share, 0);
  }
}

const WHO = fc.nat({ max: 2 });
const STEPS = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        who: WHO,
        part: fc.double({ min: 0.001, max: 1, noNaN: true }),
        demand: fc.double({ min: 0, max: 50, noNaN: true }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("take" as const),
        who: WHO,
        part: fc.double({ min: 0, max: 0.4, noNaN: true }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), who: WHO, heir: WHO }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("day" as const) }) },
  ),
  { minLength: 5, maxLength: 60 },
);
const CAPACITIES = fc.oneof(
  fc.constantFrom(1, 3, 7, 10, 20, 50, 1000, 1_000_000, 10_000_000),
  fc.integer({ min: 1, max: 10_000_000 }),
);

test("nothing of a calendar quota is lost however often it moves, and there is never more than the whole", () => {
  let gives = 0;
  fc.assert(
    fc.property(CAPACITIES, STEPS, (capacity, steps) => {
      const trio = new Trio(capacity);
      let left = capacity;
      for (const step of steps) {
        if (step.kind === "ask")
          trio.ask(step.who, Math.max(1, Math.floor(step.part * capacity)), step.demand);
        else if (step.kind === "leave") {
          if (step.who !== step.heir) trio.leave(step.who, step.heir);
        } else if (step.kind === "day") {
          trio.nextDay();
          left = capacity;
        } else {
          const cost = Math.floor(step.part * Math.max(0, trio.local(step.who).level));
          trio.local(step.who).owe(cost, trio.solo(step.who).nowMs);
          left -= cost;
        }
        for (let index = 0; index < 3; index++) {
          const { level, capacity: most } = trio.local(index);
          expect(level).toBeLessThanOrEqual(most);
          expect(trio.local(index).share).toBeGreaterThanOrEqual(0);
        }
        expect(trio.shares).toBe(WHOLE);
        // A double holds sixteen digits.
        expect(trio.levels).toBeLessThanOrEqual(left + capacity * 1e-15);
        expect(left - trio.levels).toBeLessThanOrEqual(1e-7);
      }
      gives += trio.gives;
    }),
    { numRuns: 300 },
  );
  expect(gives).toBeGreaterThan(1000);
});

test.each([1, 10, 1000, 1_000_003, 10_000_000])(
  "a thousand gives of a full quota of %i lose less than a millionth of a unit",
  (capacity) => {
    const trio = new Trio(capacity);
    for (let turn = 0; trio.gives < 1000; turn++) {
      const index = turn % 3;
      trio.ask(index, Math.max(1, Math.floor((capacity * ((turn * 7) % 10)) / 10)), 1 + (turn % 11) / 3);
    }
    expect(capacity - trio.levels).toBeLessThan(1e-6);
    expect(trio.levels).toBeLessThanOrEqual(capacity * (1 + 1e-15));
  },
);

test("what goes through a replica that knows no limit of it arrives whole", () => {
  const trio = new Trio(10);
  const [giver, relay, heir] = [0, 1, 2].map((index) => trio.solo(index).replica.state);
  if (giver === undefined || relay === undefined || heir === undefined) throw new Error("there are three");
  relay.holding(KEY).local = null;
  const level = 10 / 3;
  trio.local(0).level = level;
  handOverAll(giver, relay.me.id);
  trio.tell();
  expect(relay.holding(KEY).parked?.level.level).toBeCloseTo(level, 9);
  giveParked(relay, relay.holding(KEY), heir.me.id, WHOLE);
  trio.tell();
  expect(trio.local(2).level).toBeCloseTo(level, 9);
  expect(trio.local(2).level).toBeLessThanOrEqual(level);
});
