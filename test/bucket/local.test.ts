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

test("a record that could not be written leaves the old block in force", () => {
  const bucket = bucketWith(800);
  bucket.beginRecord(60_000);
  bucket.endRecord(false);
  expect(bucket.take(801, 60_000)).toBe(false);
  expect(bucket.take(800, 60_000)).toBe(true);
});
