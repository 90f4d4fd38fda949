// What the memory store adds to the contract for tests and the simulator: disks that crash, fail and are copied.
import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../src/store/memory.ts";

const bytes = (value: number): Uint8Array => Uint8Array.from([value]);

describe("a memory store flushed by hand", () => {
  test("shows nothing and resolves nothing before the flush, and batches in their order", async () => {
    const store = new MemoryStore({ flushesByHand: true });
    const order: number[] = [];
    const writes = [1, 2, 3].map((value) => store.write([["a", bytes(value)]]).then(() => order.push(value)));
    await Promise.resolve();
    expect(store.get("a")).toBeUndefined();
    expect(store.inFlight).toBe(3);
    store.flush(2);
    await Promise.all(writes.slice(0, 2));
    expect(store.get("a")).toEqual(bytes(2));
    expect(order).toEqual([1, 2]);
    store.flush();
    await Promise.all(writes);
    expect(order).toEqual([1, 2, 3]);
  });

  test.each([0, 1, 2])(
    "that crashes keeps what was durable and the first %i batches in flight",
    async (committed) => {
      const store = new MemoryStore({ flushesByHand: true });
      const first = store.write([["a", bytes(0)]]);
      store.flush();
      await first;
      for (const value of [1, 2]) void store.write([["a", bytes(value)]]);
      expect(store.crash(committed).get("a")).toEqual(bytes(committed));
      await expect(store.write([["a", bytes(9)]])).rejects.toMatchObject({ code: "storage_unavailable" });
    },
  );
});

describe("a memory store's disk", () => {
  test("that is broken refuses, keeps what it has, and heals", async () => {
    const store = new MemoryStore();
    await store.write([["a", bytes(1)]]);
    store.breakWith("the disk is full");
    await expect(store.write([["a", bytes(2)]])).rejects.toThrow("the disk is full");
    expect(store.get("a")).toEqual(bytes(1));
    store.breakWith(null);
    await store.write([["a", bytes(2)]]);
    expect(store.get("a")).toEqual(bytes(2));
  });

  test("that was copied is another's: neither sees what the other writes", async () => {
    const store = new MemoryStore({ contents: new Map([["a", bytes(1)]]) });
    const copy = new MemoryStore({ contents: store.contents() });
    await copy.write([["a", bytes(2)]]);
    expect(store.get("a")).toEqual(bytes(1));
  });
});
