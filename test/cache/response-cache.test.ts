// The cache as a whole, by a clock that moves when the test says so.
import { expect, test } from "vitest";
import { ResponseCache, type CacheSettings } from "../../src/cache/response-cache.ts";
import { silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { ManualClock } from "../manual-clock.ts";
import { answer } from "./answers.ts";

const SETTINGS: CacheSettings = {
  ttlMs: 60_000,
  memoryBytesMax: 10_000,
  diskBytesMax: 1_000_000,
  answerBytesMax: 5000,
};

function cacheOf(settings: Partial<CacheSettings> = {}, store = new MemoryStore()) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const cache = new ResponseCache({
    wallMs: () => clock.wallMs(),
    log: { ...silentLog, warn: (message) => void warnings.push(message) },
    timers: clock,
    openDisk: () => store,
  });
  cache.configure({ ...SETTINGS, ...settings });
  const keep = (key: string, body = key): void => cache.keep(key, answer(body, { storedMs: clock.wallMs() }));
  const find = (key: string, maxAgeMs = Infinity): string | undefined =>
    cache.find(key, maxAgeMs)?.answer.body.toString();
  const sample = (name: string, label: string): number | undefined =>
    [...cache.samples()].find((each) => each.name === name && Object.values(each.labels).includes(label))
      ?.value;
  return { cache, clock, warnings, keep, find, sample, store };
}

test("an answer is given until it is as old as it may be, and tells its age", () => {
  const { cache, clock, keep, find } = cacheOf();
  keep("k");
  clock.advance(59_000);
  expect(cache.find("k", Infinity)?.ageMs).toBe(59_000);
  expect(find("k", 60_000)).toBe("k");
  expect(find("k", 59_000)).toBeUndefined();
  clock.advance(1000);
  expect(find("k")).toBeUndefined();
});

test("an age of 0 is never young enough", () => {
  const { keep, find } = cacheOf();
  keep("k");
  expect(find("k", 0)).toBeUndefined();
});

test("an answer from the future is not given, beyond what clocks jitter", () => {
  const { cache, clock } = cacheOf();
  cache.keep("k", answer("x", { storedMs: clock.wallMs() + 6000 }));
  expect(cache.find("k", Infinity)).toBeNull();
  clock.advance(2000);
  expect(cache.find("k", Infinity)?.ageMs).toBe(0);
});

test("what memory has no room for comes from the disk, and is in memory then", async () => {
  const { cache, keep, find, sample, store } = cacheOf({ memoryBytesMax: 2000 });
  keep("a");
  keep("b");
  keep("c");
  await cache.flush();
  expect(sample("sluice_cache_evictions_total", "memory")).toBe(1);
  expect(find("a")).toBe("a");
  await store.write([["a/a", null]]);
  expect(find("a")).toBe("a");
});

test("an answer above the bound is not kept", () => {
  const { keep, find } = cacheOf();
  keep("k", "x".repeat(5001));
  expect(find("k")).toBeUndefined();
  keep("k", "x".repeat(5000));
  expect(find("k")).toBeDefined();
});

test("a shorter time to live counts for what is kept already, and 0 forgets all of it", async () => {
  const { cache, clock, keep, find, store } = cacheOf();
  keep("k");
  await cache.flush();
  clock.advance(10_000);
  cache.configure({ ...SETTINGS, ttlMs: 5000 });
  expect(find("k")).toBeUndefined();
  cache.configure(SETTINGS);
  expect(find("k")).toBe("k");
  cache.configure({ ...SETTINGS, ttlMs: 0 });
  await cache.flush();
  expect(find("k")).toBeUndefined();
  expect([...store.entries("a/")]).toEqual([]);
  keep("k");
  cache.configure(SETTINGS);
  expect(find("k")).toBeUndefined();
});

test("without a disk there is memory, and the log says so", () => {
  const warnings: string[] = [];
  const cache = new ResponseCache({
    wallMs: () => answer().storedMs,
    log: { ...silentLog, warn: (message) => void warnings.push(message) },
    timers: new ManualClock(),
    openDisk: () => {
      throw new Error("no disk");
    },
  });
  cache.configure(SETTINGS);
  cache.keep("k", answer());
  expect(cache.find("k", Infinity)).not.toBeNull();
  expect(warnings).toHaveLength(1);
});

test("a cache that is off opens no store", () => {
  const cache = new ResponseCache({
    wallMs: () => 0,
    log: silentLog,
    timers: new ManualClock(),
    openDisk: () => {
      throw new Error("opened");
    },
  });
  expect(() => cache.configure({ ...SETTINGS, ttlMs: 0 })).not.toThrow();
  expect([...cache.samples()].every(({ value }) => value === 0)).toBe(true);
});

test("answers under way take no more room than those that are kept", () => {
  const { cache } = cacheOf({ memoryBytesMax: 50_000 });
  expect(cache.takeRoom(50_000)).toBe(true);
  expect(cache.takeRoom(1)).toBe(false);
  cache.giveRoom(10);
  expect(cache.takeRoom(10)).toBe(true);
});
