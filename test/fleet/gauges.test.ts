// What a replica shows of its buckets while nobody waits: now and then, and at the end what is so.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { Solo } from "./solo.ts";

const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.00099 },
};

test("a bucket that comes to rest has been shown full, however seldom it was shown before", () => {
  const solo = new Solo();
  const bucket = solo.replica.open(LIMIT);
  solo.flush();
  const shown = (): number | undefined =>
    solo.replica.state.holding(LIMIT.key).rows.entries.get(solo.replica.id)?.row.gauge.level;
  const versions = new Set<number>();
  for (let taken = 0; taken < 10; taken++) {
    solo.replica.take([bucket], [1], solo.nowMs);
    solo.flush();
    solo.advance(100);
    versions.add(solo.replica.state.holding(LIMIT.key).rows.entries.get(solo.replica.id)?.version ?? 0);
  }
  expect(versions.size).toBeLessThanOrEqual(4);
  for (let tick = 0; tick < 300; tick++) {
    solo.advance(100);
    solo.flush();
  }
  expect(solo.replica.state.active).toEqual([]);
  expect(shown()).toBe(100);
});
