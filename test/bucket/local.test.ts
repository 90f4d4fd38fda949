// The local bucket alone: what a crash at any moment may give back is never more than what is left.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { LocalBucket } from "../../src/bucket/local.ts";
import { WHOLE } from "../../src/bucket/parts.ts";

const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 1000,
  refill: { kind: "continuous", unitsPerMs: 0.001 },
};

/** A full bucket with a durable block of at least `block` units. */
function bucketWith(block: number): LocalBucket {
  const bucket = new LocalBucket(LIMIT, 0);
  bucket.resize(LIMIT, WHOLE, 0);
  bucket.level = LIMIT.capacity;
  bucket.blockWanted = block;
  bucket.beginRecord(0);
  bucket.endRecord(true);
  return bucket;
}

test("while a record is being written, the block of the new one binds as well as that of the old", () => {
  const bucket = bucketWith(800);
  // Long unused: the next block is smaller. Which of the two a crash would find is not known.
  const { block, level } = bucket.beginRecord(60_000);
  expect(block).toBeLessThan(800);
  expect(bucket.take(block + 1, 60_000)).toBe(false);
  expect(bucket.take(block, 60_000)).toBe(true);
  const restored = new LocalBucket(LIMIT, 60_000);
  restored.resize(LIMIT, WHOLE, 60_000);
  restored.restore({ level, atMs: 60_000, block }, 60_000);
  expect(restored.level).toBeLessThanOrEqual(bucket.level + 1e-9);
});

test.each([
  { commitMs: 1, lastsMs: 125 },
  { commitMs: 40, lastsMs: 320 },
  { commitMs: 200, lastsMs: 500 },
])(
  "a block lasts for $lastsMs ms at the present pace where a commit takes $commitMs",
  ({ commitMs, lastsMs }) => {
    const bucket = bucketWith(800);
    const { allowance } = bucket;
    for (let request = 0; request < 100; request++) bucket.take(1, 0);
    const floor = 0.01 * LIMIT.capacity;
    expect(bucket.beginRecord(0, commitMs).block).toBe(floor + 100 * (lastsMs / 500));
    expect(bucket.allowance).toBe(allowance - 100);
  },
);

test("a line is reserved for up to six times what was spent lately and the floor, however long it is", () => {
  const bucket = bucketWith(20);
  bucket.queued = 500;
  for (let request = 0; request < 20; request++) bucket.take(1, 0);
  expect(bucket.beginRecord(0).block).toBe(10 + 6 * 20);
});

test("what waits for the block of another bucket is reserved here with the next record, and not again", () => {
  const bucket = bucketWith(10);
  expect(bucket.expect(1, 8)).toBe(false);
  expect(bucket.expect(2000, 1)).toBe(false);
  for (let request = 0; request < 10; request++) bucket.take(1, 0);
  expect(bucket.expect(1, 30)).toBe(true);
  expect(bucket.beginRecord(0).block).toBe(30);
  expect(bucket.expect(1, 30)).toBe(false);
  bucket.endRecord(true);
  expect(bucket.beginRecord(0).block).toBe(10 + 10 / 4);
});

test("a record that could not be written leaves the old block in force", () => {
  const bucket = bucketWith(800);
  bucket.beginRecord(60_000);
  bucket.endRecord(false);
  expect(bucket.take(801, 60_000)).toBe(false);
  expect(bucket.take(800, 60_000)).toBe(true);
});

test("debt outlives the process, and is paid by refill before anything else is taken", () => {
  const bucket = bucketWith(800);
  expect(bucket.take(800, 0)).toBe(true);
  bucket.owe(300, 0);
  bucket.isAtRest = true;
  const record = bucket.beginRecord(0);
  const restored = new LocalBucket(LIMIT, 0);
  restored.resize(LIMIT, WHOLE, 0);
  restored.restore(record, 0);
  expect(restored.level).toBe(-100);
  // 0.001 units per millisecond: 100 s pay for the debt, and only then something is there again.
  restored.refill(100_000);
  expect(restored.take(0.5, 100_000)).toBe(false);
});

test("the time that a process was down refills once", () => {
  const restored = new LocalBucket(LIMIT, 50_000);
  restored.resize(LIMIT, WHOLE, 0);
  restored.restore({ level: 0, atMs: 0, block: 0 }, 50_000);
  expect(restored.level).toBeCloseTo(50, 6);
  restored.refill(60_000);
  expect(restored.level).toBeCloseTo(60, 6);
});

test("a share below zero holds, mints and admits nothing", () => {
  const bucket = new LocalBucket(LIMIT, 0);
  bucket.resize(LIMIT, -WHOLE / 2, 0);
  bucket.refill(1_000_000);
  expect(bucket.level).toBe(0);
  expect(bucket.take(1, 1_000_000)).toBe(false);
});

test("parts that arrive bring no units by themselves", () => {
  const bucket = new LocalBucket(LIMIT, 0);
  bucket.resize(LIMIT, WHOLE / 4, 0);
  bucket.resize(LIMIT, WHOLE, 0);
  expect(bucket.level).toBe(0);
});

const DAILY: Limit = { ...LIMIT, refill: { kind: "calendar", period: "day", timezone: "UTC" } };

test("debt outlives a calendar boundary: a day begins with so much less", () => {
  const bucket = new LocalBucket(DAILY, 0);
  bucket.resize(DAILY, WHOLE, 0);
  bucket.enterPeriod(7, 0);
  bucket.owe(1300, 0);
  bucket.enterPeriod(8, 0);
  expect(bucket.level).toBe(700);
});

test("parts set apart for a later period bring the units that came with them, and are full only in one after that", () => {
  for (const [period, level] of [
    [8, 500 + 100],
    [9, 1000],
  ] as const) {
    const bucket = new LocalBucket(DAILY, 0);
    bucket.period = 7;
    Object.assign(bucket, { aheadParts: WHOLE / 2, aheadUnits: 100, aheadPeriod: 8 });
    bucket.resize(DAILY, WHOLE, 0);
    bucket.enterPeriod(period, 0);
    expect(bucket.level).toBe(level);
  }
});

test("a share that shrinks keeps no more units than it can hold", () => {
  const bucket = bucketWith(1);
  bucket.resize(LIMIT, WHOLE / 4, 0);
  expect(bucket.level).toBe(250);
  bucket.resize(LIMIT, WHOLE, 0);
  expect(bucket.level).toBe(250);
});
