// Reserve ahead, against one exact bucket that survives everything: whatever is taken, returned and flushed, and
// whenever the process dies, a take that the replica admits is one that the exact bucket admits too.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Solo } from "./solo.ts";

const LIMITS: readonly Limit[] = [
  {
    key: "p/requests/s",
    dimension: "requests",
    capacity: 10,
    refill: { kind: "continuous", unitsPerMs: 0.01 },
  },
  {
    key: "p/tokens/min",
    dimension: "tokens",
    capacity: 500,
    refill: { kind: "continuous", unitsPerMs: 0.5 },
  },
  {
    key: "p/requests/min",
    dimension: "requests",
    capacity: 3,
    refill: { kind: "continuous", unitsPerMs: 3 / 60_000 },
  },
];

type Step =
  | { readonly kind: "take"; readonly cost: number }
  | { readonly kind: "settle"; readonly actual: number }
  | { readonly kind: "wait"; readonly queued: number }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "flush"; readonly cut: "no" | "before" | "after" }
  | { readonly kind: "kill"; readonly downMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("take" as const),
      cost: fc.double({ min: 0.1, max: 6, noNaN: true }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      actual: fc.double({ min: 0, max: 6, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      queued: fc.double({ min: 0, max: 1000, noNaN: true }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 3000 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("flush" as const), cut: fc.constant("no" as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("flush" as const),
      cut: fc.constantFrom("before" as const, "after" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("kill" as const), downMs: fc.integer({ min: 0, max: 5000 }) }),
  },
);

/** Runs the steps; the exact bucket's level must never fall below zero. */
function check(limit: Limit, steps: readonly Step[]): void {
  const solo = new Solo();
  let bucket = solo.replica.open(limit);
  solo.flush();
  const rate = limit.refill.kind === "continuous" ? limit.refill.unitsPerMs : 0;
  let exact = limit.capacity;
  let exactAt = 0;
  let running: number[] = [];
  const restart = (downMs: number): void => {
    solo.kill(downMs);
    bucket = solo.replica.open(limit);
    running = [];
    solo.flush();
  };
  for (const next of steps) {
    exact = Math.min(limit.capacity, exact + (solo.nowMs - exactAt) * rate);
    exactAt = solo.nowMs;
    switch (next.kind) {
      case "take":
        if (solo.replica.take([bucket], [next.cost], solo.nowMs) !== null) break;
        exact -= next.cost;
        running.push(next.cost);
        expect(exact).toBeGreaterThanOrEqual(-1e-5);
        break;
      case "settle": {
        const taken = running.shift();
        if (taken === undefined) break;
        const actual = Math.min(next.actual, taken);
        solo.replica.settle(bucket, taken, actual, solo.nowMs);
        exact = Math.min(limit.capacity, exact + taken - actual);
        break;
      }
      case "wait": {
        const { queued } = next;
        const oldest = queued === 0 ? null : { cost: Math.min(1, queued), sinceMs: solo.nowMs };
        bucket.queued = queued;
        solo.replica.wait(bucket, oldest, solo.nowMs);
        break;
      }
      case "advance":
        solo.advance(next.ms);
        break;
      case "flush":
        solo.flush(next.cut);
        if (next.cut !== "no") restart(0);
        break;
      case "kill":
        restart(next.downMs);
        break;
    }
    solo.replica.check();
  }
}

/** Takes as the first one after a start may have to: the block that covers it is asked for, and written. */
function takeDurably(solo: Solo, bucket: Bucket, cost: number): void {
  if (solo.replica.take([bucket], [cost], solo.nowMs) === null) return;
  solo.flush();
  expect(solo.replica.take([bucket], [cost], solo.nowMs)).toBeNull();
  solo.flush();
}

/** Bursts of takes on a bucket that is never short, each flushed at once, then a kill. */
function checkBurnt(
  bursts: readonly { readonly ms: number; readonly takes: number; readonly cost: number }[],
): void {
  const limit: Limit = { ...LIMITS[1]!, capacity: 100_000 };
  const solo = new Solo();
  let bucket = solo.replica.open(limit);
  solo.flush();
  let recent = 0;
  let costMax = 0;
  for (const { ms, takes, cost } of bursts) {
    for (let left = ms; left > 0; left -= 100) {
      solo.advance(Math.min(100, left));
      solo.flush();
    }
    recent *= Math.exp(-ms / 500);
    for (let take = 0; take < takes; take++) {
      takeDurably(solo, bucket, cost);
      solo.flush();
      recent += cost;
    }
    costMax = Math.max(costMax, cost);
  }
  const { level } = solo.replica.room(bucket, solo.nowMs);
  solo.kill(0);
  bucket = solo.replica.open(limit);
  const burnt = level - solo.replica.room(bucket, solo.nowMs).level;
  expect(burnt).toBeLessThanOrEqual(2 * (recent / 4 + 2 * costMax + 0.01 * limit.capacity) + 1e-6);
  expect(burnt).toBeGreaterThanOrEqual(-1e-6);
}

describe("reserve ahead", () => {
  test.each(LIMITS)("never admits what an exact bucket would not: $key", (limit) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => check(limit, steps)),
      { numRuns: 2000 },
    );
  });

  test("a first take after a long idle time waits for no disk", () => {
    const solo = new Solo();
    const bucket = solo.replica.open(LIMITS[1]!);
    takeDurably(solo, bucket, 50);
    for (let second = 0; second < 600; second++) solo.advance(1000);
    expect(solo.replica.take([bucket], [50], solo.nowMs)).toBeNull();
  });

  test("a cost above the block is refused until a block that covers it is durable, and then told", () => {
    const solo = new Solo();
    const bucket = solo.replica.open(LIMITS[1]!);
    solo.flush();
    const told: unknown[] = [];
    solo.replica.onRoom((room) => told.push(room));
    expect(solo.replica.take([bucket], [400], solo.nowMs)).toMatchObject({ reason: "durability" });
    solo.flush();
    expect(told).toEqual([bucket]);
    expect(solo.replica.take([bucket], [400], solo.nowMs)).toBeNull();
  });

  test("a block that could not be written is not spent from", () => {
    const solo = new Solo();
    const bucket = solo.replica.open(LIMITS[1]!);
    solo.flush();
    expect(solo.replica.take([bucket], [400], solo.nowMs)).toMatchObject({ reason: "durability" });
    const { journal } = solo.replica;
    const instant = { bootId: "m", monotonicMs: solo.nowMs, wallMs: solo.wallMs };
    expect(journal.collect(solo.nowMs, instant)).not.toBeNull();
    journal.failed();
    expect(solo.replica.take([bucket], [400], solo.nowMs)).toMatchObject({ reason: "durability" });
    solo.flush();
    expect(solo.replica.take([bucket], [400], solo.nowMs)).toBeNull();
  });

  test("a clean stop burns nothing, a kill burns at most the block", () => {
    const solo = new Solo();
    const limit = LIMITS[1]!;
    let bucket = solo.replica.open(limit);
    takeDurably(solo, bucket, 20);
    solo.replica.rest(solo.nowMs);
    solo.flush();
    solo.kill(0);
    bucket = solo.replica.open(limit);
    expect(solo.replica.room(bucket, solo.nowMs).level).toBeCloseTo(480);
    solo.flush();
    solo.kill(0);
    bucket = solo.replica.open(limit);
    expect(solo.replica.room(bucket, solo.nowMs).level).toBeCloseTo(475);
  });

  test("what a kill burns follows what was spent in the last eighth of a second or so, however much is there", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ms: fc.integer({ min: 0, max: 700 }), takes: fc.nat(12), cost: fc.nat(30) }), {
          minLength: 1,
          maxLength: 30,
        }),
        checkBurnt,
      ),
      { numRuns: 500 },
    );
  });

  test.each([1, 2, 3, 5, 7])(
    "a kill burns at most one request of a bucket for %i per day, and none where that is all",
    (capacity) => {
      const ofDays: Limit["refill"] = { kind: "calendar", period: "day", timezone: "UTC" };
      const evenly: Limit["refill"] = { kind: "continuous", unitsPerMs: capacity / 86_400_000 };
      for (const refill of [ofDays, evenly]) {
        const limit: Limit = { key: "p/requests/day", dimension: "requests", capacity, refill };
        for (let taken = 0; taken <= capacity; taken++) {
          const solo = new Solo();
          let bucket = solo.replica.open(limit);
          solo.flush();
          for (let take = 0; take < taken; take++) {
            takeDurably(solo, bucket, 1);
            solo.advance(take * 300);
            solo.flush();
          }
          solo.kill(0);
          bucket = solo.replica.open(limit);
          const { level } = solo.replica.room(bucket, solo.nowMs);
          expect(level).toBeLessThanOrEqual(capacity - taken + 0.01);
          expect(level).toBeGreaterThanOrEqual(Math.max(0, capacity - taken - (capacity === 1 ? 0 : 1)));
        }
      }
    },
  );

  test("running requests leak no slot when the process dies", () => {
    const solo = new Solo();
    const limit: Limit = {
      key: "p/concurrent",
      dimension: "concurrent",
      capacity: 3,
      refill: { kind: "held" },
    };
    let bucket = solo.replica.open(limit);
    for (let run = 0; run < 3; run++) expect(solo.replica.take([bucket], [1], 0)).toBeNull();
    expect(solo.replica.take([bucket], [1], 0)).toMatchObject({ reason: "level" });
    solo.flush();
    solo.kill(0);
    bucket = solo.replica.open(limit);
    for (let run = 0; run < 3; run++) expect(solo.replica.take([bucket], [1], 0)).toBeNull();
    expect(solo.replica.take([bucket], [1], 0)).not.toBeNull();
    solo.replica.settle(bucket, 1, 0, 0);
    expect(solo.replica.take([bucket], [1], 0)).toBeNull();
  });

  test("all buckets of a request are taken from, or none", () => {
    const solo = new Solo();
    const [first, second] = LIMITS.map((limit) => solo.replica.open(limit));
    solo.flush();
    expect(solo.replica.take([second!, first!], [4, 11], 0)).toMatchObject({ reason: "never" });
    expect(solo.replica.room(second!, 0).level).toBe(500);
  });
});
