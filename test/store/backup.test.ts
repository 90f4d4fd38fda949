// Backups: what comes back is what was there, a file that is not whole changes nothing, and a restored gateway admits
// nothing twice.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { openReplica, type RunningReplica } from "../../src/fleet/shell.ts";
import { silentLog } from "../../src/observe/events.ts";
import { backUp, readBackup, restore, writeBackup } from "../../src/store/backup.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { openStore } from "../../src/store/open.ts";
import { isStoreKey, type Store } from "../../src/store/store.ts";

const WALL_MS = Date.UTC(2026, 10, 21, 8, 55, 7);
const DAY_MS = 86_400_000;

let folder: string;
let directory: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-backup-"));
  directory = join(folder, "data");
  file = join(folder, "copy");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function open(): Promise<Store> {
  const { store } = await openStore({ directory, log: silentLog, wallMs: WALL_MS });
  return store;
}

function restoreHere(keepsLevels = false) {
  return restore({ directory, file, wallMs: WALL_MS, keepsLevels });
}

describe("a backup", () => {
  test("is taken while the store is open, and brings back what was durable then", async () => {
    const store = await open();
    await store.write([["a", Buffer.from("1")]]);
    expect(await backUp(directory, file)).toBe(2);
    await store.write([
      ["a", Buffer.from("2")],
      ["b", Buffer.from("2")],
    ]);
    await store.close();
    const { setAside } = await restoreHere();
    expect(setAside).toBe(join(directory, "data.mdb.replaced-20261121-085507"));
    const restored = await open();
    expect(restored.get("a")?.toString()).toBe("1");
    expect(restored.get("b")).toBeUndefined();
    await restored.close();
    expect(readdirSync(directory).toSorted()).toEqual([
      "data.mdb",
      "data.mdb.replaced-20261121-085507",
      "lock.mdb",
    ]);
  });

  test("that can't be written says where, and not that the data folder is at fault", async () => {
    await (await open()).close();
    const nowhere = join(folder, "nowhere", "copy");
    await expect(backUp(directory, nowhere)).rejects.toThrow(
      /^The backup can't be written to .*nowhere\/copy: ENOENT[^.]*\.part'\.$/,
    );
  });

  test("comes back where there is no store", async () => {
    await (await open()).close();
    await backUp(directory, file);
    rmSync(directory, { recursive: true });
    expect((await restoreHere()).setAside).toBeNull();
    await (await open()).close();
  });

  test("is not put under a gateway that runs", async () => {
    const store = await open();
    await backUp(directory, file);
    await expect(restoreHere()).rejects.toThrow("in use by another running process");
    await store.close();
  });

  test("of a directory without a store, or from a file that is not there, is an error", async () => {
    await expect(backUp(directory, file)).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(restoreHere()).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  test("cut anywhere, or with any byte changed, is refused and changes nothing", async () => {
    const store = await open();
    await store.write([["a", Buffer.from("1")]]);
    await backUp(directory, file);
    await store.close();
    const whole = readFileSync(file);
    const before = readFileSync(join(directory, "data.mdb"));
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      for (const bad of [whole.subarray(0, at), changed]) {
        writeFileSync(file, bad);
        expect(() => readBackup(file)).toThrow("not a whole backup");
      }
    }
    await expect(restoreHere()).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(readFileSync(join(directory, "data.mdb")).equals(before)).toBe(true);
  });

  test("holds any entries", () => {
    const key = fc
      .string({ minLength: 1, maxLength: 40 })
      .filter((text) => isStoreKey(text) && !text.startsWith("store/"));
    fc.assert(
      fc.property(
        fc.dictionary(key, fc.uint8Array({ maxLength: 50 }), { noNullPrototype: true }),
        (entries) => {
          writeBackup(new MemoryStore({ contents: new Map(Object.entries(entries)) }), file);
          const found = readBackup(file).map(([key, value]) => [key, [...(value ?? [])]] as const);
          expect(new Map(found)).toEqual(
            new Map(Object.entries(entries).map(([key, value]) => [key, [...value]])),
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

const PER_MINUTE: Limit = {
  key: "p/tokens/min",
  dimension: "tokens",
  capacity: 600,
  refill: { kind: "continuous", unitsPerMs: 0.01 },
};
const PER_DAY: Limit = {
  key: "k/usd/day",
  dimension: "usd",
  capacity: 1000,
  refill: { kind: "calendar", period: "day", timezone: "UTC" },
};
const RUNNING: Limit = {
  key: "p/concurrent",
  dimension: "concurrent",
  capacity: 4,
  refill: { kind: "held" },
};

/** A replica on the directory's store at this time, counted from the first start. */
async function startAt(atMs: number): Promise<RunningReplica & { readonly store: Store }> {
  const store = await open();
  const clock = { elapsedMs: () => atMs, wallMs: () => WALL_MS + atMs };
  const running = await openReplica({
    store,
    log: silentLog,
    clock,
    timers: { after: () => () => {} },
    instant: () => ({ bootId: "m", monotonicMs: atMs, wallMs: WALL_MS + atMs }),
  });
  return Object.assign(running, { store });
}

/** How many units each limit would admit at this time, one by one. */
async function admits(running: RunningReplica, atMs: number): Promise<number[]> {
  const admitted: number[] = [];
  for (const limit of [PER_MINUTE, PER_DAY, RUNNING]) {
    const bucket = running.quota.open(limit);
    let units = 0;
    for (let shortage = null; shortage === null;) {
      await running.flush();
      shortage = running.quota.take([bucket], [1], atMs);
      if (shortage?.reason === "durability") shortage = null;
      else if (shortage === null) units++;
    }
    admitted.push(units);
  }
  return admitted;
}

async function stop(running: RunningReplica & { readonly store: Store }): Promise<void> {
  await running.close();
  await running.store.close();
}

describe("a restored gateway", () => {
  async function backUpThenSpend(): Promise<void> {
    const first = await startAt(0);
    for (const limit of [PER_MINUTE, PER_DAY, RUNNING]) first.quota.open(limit);
    await first.flush();
    await backUp(directory, file);
    expect(await admits(first, 0)).toEqual([600, 1000, 4]);
    await stop(first);
  }

  test("starts with empty buckets, which refill at their rates; places of running requests are free", async () => {
    await backUpThenSpend();
    await restoreHere();
    const second = await startAt(0);
    expect(await admits(second, 0)).toEqual([0, 0, 4]);
    await stop(second);
    // The mark is gone, the next start is an ordinary one.
    const third = await startAt(30_000);
    expect(third.store.get("store/past-unknown")).toBeUndefined();
    expect(await admits(third, 30_000)).toEqual([300, 0, 4]);
    await stop(third);
  });

  test("does not refill the present day from a copy of an earlier one, but the next day", async () => {
    await backUpThenSpend();
    await restoreHere();
    const sameDay = await startAt(DAY_MS);
    const [, usd] = await admits(sameDay, DAY_MS);
    expect(usd).toBe(0);
    await stop(sameDay);
    const nextDay = await startAt(2 * DAY_MS);
    const [, refilled] = await admits(nextDay, 2 * DAY_MS);
    expect(refilled).toBe(1000);
    await stop(nextDay);
  });

  test("starts from the copy's levels when that is asked for", async () => {
    await backUpThenSpend();
    await restoreHere(true);
    const second = await startAt(0);
    const [tokens = 0, usd = 0] = await admits(second, 0);
    expect(tokens).toBeGreaterThan(0);
    expect(usd).toBeGreaterThan(0);
    await stop(second);
  });

  test("whose store was damaged and set aside starts with empty buckets too", async () => {
    await backUpThenSpend();
    writeFileSync(join(directory, "data.mdb"), "hello ".repeat(5000));
    const second = await startAt(0);
    expect(await admits(second, 0)).toEqual([0, 0, 4]);
    await stop(second);
  });
});
