// How much of the time between two processes may refill a bucket.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import type { Instant } from "../../src/bucket/record.ts";
import { elapsedSince, load, PREFIX } from "../../src/fleet/journal.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Solo } from "./solo.ts";

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

const MINUTE: Limit = {
  key: "p/requests/min",
  dimension: "requests",
  capacity: 60,
  refill: { kind: "continuous", unitsPerMs: 0.001 },
};

/** A process that starts from this disk at this time, and whose own clock reads `nowMs` then. */
function startFrom(disk: Solo["disk"], nowMs: number, instant: Instant): Replica {
  const loaded = load(new MemoryStore({ contents: disk }).entries(PREFIX));
  return new Replica({ loaded, newId: "0".repeat(32), nowMs, instant });
}

/** The disk of a replica that took all of a bucket and stopped, and the time then. */
function emptied(): { readonly disk: Solo["disk"]; readonly instant: Instant } {
  const solo = new Solo();
  let bucket = solo.replica.open(MINUTE);
  solo.flush();
  for (let taken = 0; taken < MINUTE.capacity; taken++) {
    while (solo.replica.take([bucket], [1], solo.nowMs) !== null) solo.flush();
  }
  bucket = solo.replica.open(MINUTE);
  expect(solo.replica.room(bucket, solo.nowMs).level).toBe(0);
  solo.replica.rest(solo.nowMs);
  solo.flush();
  return { disk: solo.disk, instant: { bootId: "m", monotonicMs: solo.nowMs, wallMs: solo.wallMs } };
}

test.each([0, 5000, 1e9])(
  "a process whose clock reads %d ms at its start refills nothing for that",
  (nowMs) => {
    const { disk, instant } = emptied();
    const replica = startFrom(disk, nowMs, instant);
    const bucket = replica.open(MINUTE);
    expect(replica.room(bucket, nowMs).level).toBeCloseTo(0, 6);
    expect(replica.room(bucket, nowMs + 2000).level).toBeCloseTo(2, 6);
  },
);

test("processes that start from copies of one disk at different times draw different boots", () => {
  const { disk, instant } = emptied();
  const boots = [1, 2, 3].map((ms) => {
    const { state } = startFrom(new Map(disk), 0, { ...instant, wallMs: instant.wallMs + ms });
    return state.me.boot;
  });
  expect(new Set(boots).size).toBe(3);
});

test.each([
  ["the wall clock was set back a day", -DAY_MS],
  ["no time has passed", 0],
  ["time has passed", 5],
])("a process has a later boot than the one before it when %s", (_, ms) => {
  const solo = new Solo();
  solo.flush();
  const { boot } = solo.replica.state.me;
  solo.wallMs += ms;
  solo.kill(0);
  expect(solo.replica.state.me.boot).toBeGreaterThan(boot);
});
