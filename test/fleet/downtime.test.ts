// How much of the time between two processes may refill a bucket.
import { expect, test } from "vitest";
import type { Instant } from "../../src/bucket/record.ts";
import { elapsedSince } from "../../src/fleet/journal.ts";

const THEN: Instant = { bootId: "one", monotonicMs: 1000, wallMs: 1_700_000_000_000 };
const DAY_MS = 86_400_000;

function after(monotonicMs: number, wallMs: number, bootId = "one"): Instant {
  return { bootId, monotonicMs: THEN.monotonicMs + monotonicMs, wallMs: THEN.wallMs + wallMs };
}

test.each([
  ["both clocks agree", after(5000, 5000), 5000],
  ["the wall clock was set forward a day", after(5000, DAY_MS), 5000],
  ["the wall clock was set back a day", after(5000, -DAY_MS), 0],
  ["the monotonic clock ran on in a machine whose wall clock stood", after(DAY_MS, 5000), 5000],
  ["the machine was started anew", after(5000, 5000, "two"), 0],
  ["the monotonic clock began afresh", after(-500, 5000), 0],
])("when %s, the slower clock counts, or none", (_, now, elapsedMs) => {
  expect(elapsedSince(THEN, now)).toBe(elapsedMs);
});

test("a machine that doesn't tell its starts is never trusted", () => {
  const unknown = { ...THEN, bootId: "" };
  expect(elapsedSince(unknown, { ...after(5000, 5000), bootId: "" })).toBe(0);
});
