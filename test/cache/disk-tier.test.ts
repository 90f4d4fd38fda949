// The disk's part of the cache, over both stores: what is written is found, the bound holds, and whatever goes wrong with
// the disk is a miss.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { encodeAnswer } from "../../src/cache/answer.ts";
import { DiskTier } from "../../src/cache/disk-tier.ts";
import { silentLog } from "../../src/observe/events.ts";
import { LmdbStore, openDatabase } from "../../src/store/lmdb.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { ManualClock } from "../manual-clock.ts";
import { answer } from "./answers.ts";

const DAY_MS = 86_400_000;
const NOW_MS = answer().storedMs;
const MEBIBYTE = 1024 * 1024;

interface Made {
  readonly tier: DiskTier;
  readonly store: Store;
  readonly warnings: readonly string[];
  /** The present time for it. */
  now: number;
}

function tierOver(store: Store, settings = { bytesMax: MEBIBYTE, ttlMs: DAY_MS }): Made {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const made: { now: number } = { now: NOW_MS };
  const tier = new DiskTier(store, { log, timers: new ManualClock(), wallMs: () => made.now });
  tier.configure(settings);
  return Object.assign(made, { tier, store, warnings });
}

function lmdb(): LmdbStore {
  const directory = mkdtempSync(join(tmpdir(), "sluice-cache-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return new LmdbStore(openDatabase(directory), directory);
}

/** What the index says the answers take, and how many there are. */
function indexed(store: Store): { readonly charged: number; readonly count: number } {
  const charges = [...store.entries("t/")].map(([, value]) => Number(Buffer.from(value).toString()));
  return { charged: charges.reduce((sum, each) => sum + each, 0), count: charges.length };
}

describe.each([
  ["memory", () => new MemoryStore()],
  ["LMDB", lmdb],
])("over %s", (_name, makeStore: () => Store) => {
  test("an answer is found at once, and when it is on disk, and by the next process", async () => {
    const { tier, store } = tierOver(makeStore());
    tier.put("k", answer("first"));
    expect(tier.get("k")?.body.toString()).toBe("first");
    await tier.flush();
    expect(tier.get("k")).toEqual(answer("first"));
    expect(tierOver(store).tier.get("k")).toEqual(answer("first"));
    expect(tier.get("other")).toBeNull();
    await tier.close();
  });

  test("the later answer to one question replaces the earlier, and is charged once", async () => {
    const { tier, store } = tierOver(makeStore());
    for (const [body, storedMs] of [
      ["first", 1],
      ["second", 2],
      ["third", 2],
    ] as const) {
      tier.put("k", answer(body, { storedMs: NOW_MS + storedMs }));
      await tier.flush();
    }
    expect(tier.get("k")?.body.toString()).toBe("third");
    expect(indexed(store)).toEqual({ charged: tier.bytes, count: 1 });
    await tier.close();
  });

  test("an answer that replaces the oldest when room is needed stays", async () => {
    const { tier, store } = tierOver(makeStore(), { bytesMax: 20_000, ttlMs: DAY_MS });
    for (const key of ["k", "b", "c"]) {
      tier.put(key, answer("x".repeat(3000), { storedMs: NOW_MS + key.charCodeAt(0) - 1000 }));
      await tier.flush();
    }
    tier.put("b", answer("y".repeat(15_000), { storedMs: NOW_MS }));
    await tier.flush();
    expect(tier.get("b")?.body.length).toBe(15_000);
    expect(indexed(store)).toEqual({ charged: tier.bytes, count: 1 });
    await tier.close();
  });

  test("the oldest go when the bound is reached, and the sum stays that of what is there", async () => {
    const { tier, store } = tierOver(makeStore(), { bytesMax: 100_000, ttlMs: DAY_MS });
    for (let number = 0; number < 60; number++) {
      tier.put(`k${number}`, answer("x".repeat(3000), { storedMs: NOW_MS + number }));
      if (number % 7 === 0) await tier.flush();
    }
    await tier.flush();
    expect(tier.bytes).toBeLessThanOrEqual(100_000);
    expect(tier.bytes).toBeGreaterThan(80_000);
    const { charged, count } = indexed(store);
    expect(charged).toBe(tier.bytes);
    const found = Array.from({ length: 60 }, (_, number) => tier.get(`k${number}`) !== null);
    expect(found).toEqual(Array.from({ length: 60 }, (_, number) => number >= 60 - count));
    expect(tier.evictedCount).toBe(60 - count);
    expect([...store.entries("a/")]).toHaveLength(count);
    await tier.close();
  });

  test("what is too old goes with the next write", async () => {
    const made = tierOver(makeStore());
    made.tier.put("old", answer("old"));
    await made.tier.flush();
    made.now = NOW_MS + DAY_MS + 1;
    made.tier.put("new", answer("new", { storedMs: made.now }));
    await made.tier.flush();
    expect([...made.store.entries("a/")].map(([key]) => key)).toEqual(["a/new"]);
    await made.tier.close();
  });

  test("a bound of 0 empties it, however much there is", async () => {
    const { tier, store } = tierOver(makeStore(), { bytesMax: 50 * MEBIBYTE, ttlMs: DAY_MS });
    for (let number = 0; number < 900; number++) tier.put(`k${number}`, answer("x"));
    await tier.flush();
    expect(indexed(store).count).toBe(900);
    tier.configure({ bytesMax: 0, ttlMs: DAY_MS });
    await tier.flush();
    expect(tier.bytes).toBe(0);
    expect([...store.entries("")].map(([key]) => key)).toEqual(["charged"]);
    await tier.close();
  });

  test("a damaged entry is a miss, and the next answer takes its place", async () => {
    const { tier, store } = tierOver(makeStore());
    const bytes = encodeAnswer(answer("kept"));
    bytes.writeUInt8(0xff, bytes.length - 1);
    await store.write([["a/k", bytes]]);
    expect(tier.get("k")).toBeNull();
    expect(tier.faultCount).toBe(1);
    tier.put("k", answer("again"));
    await tier.flush();
    expect(tier.get("k")?.body.toString()).toBe("again");
    await tier.close();
  });
});

test("answers are gathered for a moment, and what waits at the end is written", async () => {
  const store = new MemoryStore();
  const clock = new ManualClock();
  const tier = new DiskTier(store, { log: silentLog, timers: clock, wallMs: () => NOW_MS });
  tier.configure({ bytesMax: MEBIBYTE, ttlMs: DAY_MS });
  await tier.flush();
  tier.put("a", answer());
  clock.advance(50);
  tier.put("b", answer());
  expect(clock.pending()).toBe(1);
  clock.advance(50);
  expect(clock.pending()).toBe(0);
  await tier.flush();
  tier.put("c", answer());
  await tier.close();
  expect(indexed(store).count).toBe(3);
});

test("a sum that is wrong is put right when there is nothing left", async () => {
  const store = new MemoryStore();
  await store.write([["charged", Buffer.from("5000000")]]);
  const { tier } = tierOver(store);
  await tier.flush();
  expect(tier.bytes).toBe(0);
});

test("more than the queue holds is not kept, and is counted", async () => {
  const { tier } = tierOver(new MemoryStore({ flushesByHand: true }), {
    bytesMax: 100 * MEBIBYTE,
    ttlMs: DAY_MS,
  });
  for (let number = 0; number < 20; number++) tier.put(`k${number}`, answer("x".repeat(MEBIBYTE)));
  expect(tier.droppedCount).toBe(5);
});

test("a disk that fails is told of once, costs what waited, and is used again when it works", async () => {
  const store = new MemoryStore();
  const { tier, warnings } = tierOver(store);
  store.breakWith("No space left on device");
  for (const key of ["a", "b"]) {
    tier.put(key, answer());
    await tier.flush();
  }
  expect(warnings).toHaveLength(1);
  expect(tier.droppedCount).toBe(2);
  expect(tier.bytes).toBe(0);
  store.breakWith(null);
  tier.put("c", answer());
  await tier.flush();
  expect(tier.get("a")).toBeNull();
  expect(tier.get("c")).toEqual(answer());
});

test("the file stays near its bound, however much is written", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-cache-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const bytesMax = 4 * MEBIBYTE;
  const { tier } = tierOver(new LmdbStore(openDatabase(directory), directory), { bytesMax, ttlMs: DAY_MS });
  for (let number = 0; number < 1500; number++) {
    const body = "x".repeat(500 + ((number * 7919) % 30_000));
    tier.put(`k${String(number).padStart(42, "0")}`, answer(body, { storedMs: NOW_MS + number }));
    if (number % 20 === 0) await tier.flush();
  }
  await tier.close();
  expect(statSync(join(directory, "data.mdb")).size).toBeLessThan(2 * bytesMax);
});
