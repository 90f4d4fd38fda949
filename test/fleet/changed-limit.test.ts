// A limit that changes while a replica runs.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { Solo } from "./solo.ts";

const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.01 },
};
const FASTER: Limit = { ...LIMIT, refill: { kind: "continuous", unitsPerMs: 0.1 } };

test("a faster refill holds from the change on, not from when the replica last looked at its clock", () => {
  const solo = new Solo();
  const bucket = solo.replica.open(LIMIT);
  solo.flush();
  for (let block = 0; block < 10; block++) {
    while (solo.replica.take([bucket], [10], solo.nowMs) === null);
    solo.flush();
  }
  expect(solo.replica.room(bucket, solo.nowMs).level).toBeCloseTo(0, 6);
  solo.advance(100);
  solo.replica.open(FASTER, solo.nowMs + 90);
  expect(solo.replica.room(bucket, solo.nowMs + 100).level).toBeCloseTo(190 * 0.01 + 10 * 0.1, 6);
});
