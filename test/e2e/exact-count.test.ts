// The oracle of the fleet's tests is itself held against what an exact bucket lets in.
import { array, assert, nat, property, shuffledSubarray } from "fast-check";
import { expect, test } from "vitest";
import { ExactCount } from "./exact-count.ts";

const QUOTA = { burst: 5, perSecond: 10, slackMs: 0 };

/** Instants that a bucket of this quota has room for: each as early as it can be, and later by chance. */
const fitting = array(nat({ max: 300 }), { maxLength: 60 }).map((delaysMs) => {
  let level = QUOTA.burst;
  let atMs = 0;
  return delaysMs.map((delayMs) => {
    const waitMs = Math.max(delayMs, ((1 - level) * 1000) / QUOTA.perSecond);
    atMs += waitMs;
    level = Math.min(QUOTA.burst, level + (waitMs * QUOTA.perSecond) / 1000) - 1;
    return atMs;
  });
});

test("a burst is let in, then what is refilled, and nothing more", () => {
  const count = new ExactCount(QUOTA);
  const atMs = [0, 0, 0, 0, 0, 0, 50, 100, 100, 200];
  expect(atMs.map((at) => count.admit(at))).toEqual([
    ...Array.from({ length: 5 }, () => true),
    false,
    false,
    true,
    false,
    true,
  ]);
  expect(count).toMatchObject({ admitted: 7, refused: 3 });
});

test("what fits by the instants at which it set out is let in whatever order it arrives in", () => {
  assert(
    property(
      fitting.chain((instants) => shuffledSubarray(instants, { minLength: instants.length })),
      (arrivals) => {
        const count = new ExactCount(QUOTA);
        for (const atMs of arrivals) count.admit(atMs);
        expect(count).toMatchObject({ admitted: arrivals.length, refused: 0 });
      },
    ),
  );
});

test("one too many is refused whatever order they arrive in, late ones too", () => {
  const instants = Array.from({ length: QUOTA.burst + 2 }, (_, index) => index * 10);
  assert(
    property(shuffledSubarray(instants, { minLength: instants.length }), (arrivals) => {
      const count = new ExactCount(QUOTA);
      for (const atMs of arrivals) count.admit(atMs);
      expect(count.refused).toBeGreaterThan(0);
      expect(count.lowest).toBeGreaterThanOrEqual(0);
    }),
  );
});
