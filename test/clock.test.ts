import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clockFrom } from "../src/clock.ts";

/** A clock over two that are moved by hand. */
function byHand() {
  const at = { monotonic: 1000, wall: 1_700_000_000_000 };
  const clock = clockFrom(
    () => at.monotonic,
    () => Math.floor(at.wall),
  );
  const startMs = clock.elapsedMs();
  return {
    elapsed: () => clock.elapsedMs() - startMs,
    move: (monotonicMs: number, wallMs: number): void => {
      at.monotonic += monotonicMs;
      at.wall += wallMs;
    },
  };
}

describe("elapsed time", () => {
  test("advances as both clocks do, to the fraction of a millisecond", () => {
    const { elapsed, move } = byHand();
    for (let step = 0; step < 10_000; step++) {
      move(0.3, 0.3);
      elapsed();
    }
    expect(elapsed()).toBeCloseTo(3000, 6);
  });

  test.each([
    ["a wall clock that is set forward a day", 10, 86_400_000, 10],
    ["a wall clock that is set back a day", 10, -86_400_000, 0],
    ["a machine whose monotonic clock slept", 10, 3_600_000, 10],
    ["a monotonic clock that jumped", 3_600_000, 10, 10],
  ])("%s mints nothing", (_, monotonicMs, wallMs, most) => {
    const { elapsed, move } = byHand();
    move(1000, 1000);
    expect(elapsed()).toBe(1000);
    move(monotonicMs, wallMs);
    expect(elapsed()).toBeLessThanOrEqual(1000 + most);
    move(1000, 1000);
    expect(elapsed()).toBeLessThanOrEqual(2000 + most);
    expect(elapsed()).toBeGreaterThanOrEqual(2000);
  });

  test("never goes back, and never runs ahead of the monotonic clock", () => {
    const step = fc.tuple(
      fc.double({ min: 0, max: 5000, noNaN: true }),
      fc.integer({ min: -100_000, max: 100_000 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const { elapsed, move } = byHand();
        let monotonic = 0;
        let before = 0;
        for (const [monotonicMs, wallMs] of steps) {
          move(monotonicMs, wallMs);
          monotonic += monotonicMs;
          const now = elapsed();
          expect(now).toBeGreaterThanOrEqual(before);
          expect(now).toBeLessThanOrEqual(monotonic + 1e-6);
          before = now;
        }
      }),
    );
  });
});
