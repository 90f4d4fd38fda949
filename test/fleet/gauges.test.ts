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

test("of thousands of buckets in use each is shown about twice per second, and none costs a tick much", () => {
  const solo = new Solo();
  const { state } = solo.replica;
  const limits = Array.from({ length: 4500 }, (_, index) => ({ ...LIMIT, key: `p-${index}/requests` }));
  const buckets = limits.map((limit) => solo.replica.open(limit));
  while (solo.replica.journal.hasWork) solo.flush();
  const versions = (): (number | undefined)[] =>
    limits.map(({ key }) => state.holding(key).rows.entries.get(solo.replica.id)?.version);
  let before = versions();
  for (let second = 0; second < 3; second++) {
    for (let tick = 0; tick < 10; tick++) {
      for (const bucket of buckets) solo.replica.take([bucket], [0.01], solo.nowMs);
      const { version } = state.me;
      solo.advance(100);
      expect(state.me.version - version).toBeLessThanOrEqual(2002);
    }
    const after = versions();
    expect(after.filter((version, index) => version === before[index])).toEqual([]);
    before = after;
  }
  const demands = limits.map(({ key }) => state.holding(key).demand);
  expect(Math.max(...demands) - Math.min(...demands)).toBeLessThan(0.02);
});

test("a bucket that nobody has used is not spoken of, and is full all the same", () => {
  const solo = new Solo();
  const bucket = solo.replica.open(LIMIT);
  solo.flush();
  solo.advance(1000);
  const { rows } = solo.replica.state.holding(LIMIT.key);
  expect(rows.entries.size).toBe(0);
  expect(solo.replica.room(bucket, solo.nowMs).fleetLevel).toBe(100);
  solo.replica.take([bucket], [1], solo.nowMs);
  solo.advance(1000);
  expect(rows.entries.size).toBe(1);
});
