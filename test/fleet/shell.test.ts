// The shell on a store: what it makes durable, and what it does when the store refuses or is damaged.
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Timers } from "../../src/clock.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { openReplica, type RunningReplica } from "../../src/fleet/shell.ts";
import { type Log, silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Instant } from "../../src/bucket/record.ts";
import { ManualClock } from "../manual-clock.ts";

const LIMIT: Limit = {
  key: "p/tokens/min",
  dimension: "tokens",
  capacity: 600,
  refill: { kind: "continuous", unitsPerMs: 0.01 },
};

const noTimers: Timers = { after: () => () => {} };

function start(store: MemoryStore, nowMs = 0, log: Log = silentLog): Promise<RunningReplica> {
  return openReplica({
    store,
    log,
    clock: { elapsedMs: () => nowMs, wallMs: () => 1_700_000_000_000 },
    timers: noTimers,
    instant: () => ({ bootId: "m", monotonicMs: nowMs, wallMs: 1_700_000_000_000 + nowMs }),
  });
}

function level(running: RunningReplica): number {
  return running.quota.room(running.quota.open(LIMIT), 0).level;
}

describe("a running replica", () => {
  test("keeps its identity and its levels over a clean stop", async () => {
    const store = new MemoryStore();
    const first = await start(store);
    const bucket = first.quota.open(LIMIT);
    await first.flush();
    expect(first.quota.take([bucket], [5], 0)).toBeNull();
    await first.close();
    const second = await start(store);
    expect(second.replica.id).toBe(first.replica.id);
    expect(level(second)).toBe(595);
    await second.close();
  });

  test("goes on with what is reserved when the store refuses, and says so", async () => {
    const store = new MemoryStore();
    const running = await start(store);
    const bucket = running.quota.open(LIMIT);
    await running.flush();
    store.breakWith("the disk is full");
    expect(running.quota.take([bucket], [6], 0)).toBeNull();
    await expect(running.flush()).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(running.quota.take([bucket], [1], 0)).toMatchObject({ reason: "durability" });
    store.breakWith(null);
    await running.flush();
    expect(running.quota.take([bucket], [1], 0)).toBeNull();
    await running.close();
  });

  test("knows that its store can't be kept before anybody needs a write of it, and when it can be again", async () => {
    const store = new MemoryStore();
    const clock = new ManualClock();
    const instant = (): Instant => ({ bootId: "m", monotonicMs: 0, wallMs: clock.wallMs() });
    const running = await openReplica({ store, log: silentLog, clock, timers: clock, instant });
    const isFailingAfter = async (fault: string | null): Promise<boolean> => {
      store.breakWith(fault);
      clock.advance(1100);
      await nextTurn();
      await nextTurn();
      return running.quota.isDiskFailing;
    };
    expect(await isFailingAfter(null)).toBe(false);
    expect(await isFailingAfter("data.mdb was removed while it was in use")).toBe(true);
    expect(await isFailingAfter(null)).toBe(false);
    await running.close();
  });

  test("that can't write at its start is an error, and leaves nothing that goes on", async () => {
    const store = new MemoryStore();
    store.breakWith("the disk is full");
    const clock = new ManualClock();
    const instant = (): Instant => ({ bootId: "m", monotonicMs: 0, wallMs: clock.wallMs() });
    const opening = openReplica({ store, log: silentLog, clock, timers: clock, instant });
    await expect(opening).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(clock.pending()).toBe(0);
  });

  test("whose siblings can't be listened for leaves nothing that goes on either", async () => {
    const clock = new ManualClock();
    const opening = openReplica({
      store: new MemoryStore(),
      log: silentLog,
      clock,
      timers: clock,
      instant: () => ({ bootId: "m", monotonicMs: 0, wallMs: clock.wallMs() }),
      connect: () => Promise.reject(new Error("the port is taken")),
    });
    await expect(opening).rejects.toThrow("the port is taken");
    expect(clock.pending()).toBe(0);
  });

  test("sets damaged records aside, starts as a new replica, and starts empty", async () => {
    const store = new MemoryStore();
    const first = await start(store);
    first.quota.open(LIMIT);
    await first.close();
    const [key, bytes] = [...store.entries("fleet/bucket/")][0] ?? ["", new Uint8Array()];
    bytes[9] = (bytes[9] ?? 0) ^ 1;
    await store.write([[key, bytes]]);
    const second = await start(store);
    expect(second.replica.id).not.toBe(first.replica.id);
    expect(level(second)).toBe(0);
    expect([...store.entries("aside/")].length).toBeGreaterThan(1);
    await second.close();
  });
});

describe("a replica that was closed", () => {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => void errors.push(message) };

  test("writes no more, whoever asks for it, and logs nothing", async () => {
    const store = new MemoryStore();
    const running = await start(store, 0, log);
    const bucket = running.quota.open(LIMIT);
    await running.close();
    await store.close();
    // A sibling's message that came in just before may still give something, and have its answer wait for the disk.
    running.quota.settle(bucket, 5, 0, 0);
    running.quota.open({ ...LIMIT, key: "later" });
    await expect(running.flush()).rejects.toMatchObject({ code: "storage_unavailable" });
    await nextTurn();
    expect(errors).toEqual([]);
  });

  test("has ended its last write, and begins none behind it", async () => {
    const store = new MemoryStore({ flushesByHand: true });
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    };
    const opening = start(store, 0, log);
    await turns();
    store.flush();
    const running = await opening;
    running.board.set("key", Uint8Array.of(1));
    let isClosed = false;
    const closing = running.close().then(() => (isClosed = true));
    // What the board shares is still being written when this replica writes once more, and again has something to write.
    await turns();
    store.flush(1);
    await turns();
    running.quota.open(LIMIT);
    await turns();
    running.quota.open({ ...LIMIT, key: "later" });
    store.flush(1);
    await turns();
    expect([isClosed, store.inFlight]).toEqual([false, 1]);
    store.flush();
    await closing;
    await store.close();
    await turns();
    expect(errors).toEqual([]);
  });
});
