// What every Store must do, as one suite. An implementation's whole test is `storeContract(name, make)`.
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import type { Batch, Store } from "../../../src/store/store.ts";

export interface StoreUnderTest {
  readonly store: Store;
  /** Closes it and opens it again on the same disk. */
  reopen(): Promise<Store>;
  dispose(): Promise<void>;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function contents(store: Store, prefix = ""): (readonly [string, number[]])[] {
  return [...store.entries(prefix)].map(([key, value]) => [key, [...value]] as const);
}

export function storeContract(name: string, make: () => StoreUnderTest): void {
  describe(`${name} keeps the store's contract:`, () => {
    let made: StoreUnderTest[] = [];
    afterEach(async () => {
      for (const each of made) await each.dispose();
      made = [];
    });
    function fresh(): StoreUnderTest {
      const each = make();
      made.push(each);
      return each;
    }

    test("a new store is empty", () => {
      const { store } = fresh();
      expect(contents(store)).toEqual([]);
      expect(store.get("a")).toBeUndefined();
    });

    test("a written batch is there when the promise resolves, and after reopening", async () => {
      const made = fresh();
      await made.store.write([
        ["b", bytes(2, 0, 255)],
        ["a", bytes()],
      ]);
      const expected = [
        ["a", []],
        ["b", [2, 0, 255]],
      ];
      expect(contents(made.store)).toEqual(expected);
      expect(contents(await made.reopen())).toEqual(expected);
    });

    test("null removes a key, also one that isn't there; the later of two changes wins", async () => {
      const { store } = fresh();
      await store.write([
        ["a", bytes(1)],
        ["b", bytes(1)],
      ]);
      await store.write([
        ["a", null],
        ["nothing", null],
        ["b", null],
        ["b", bytes(3)],
      ]);
      expect(contents(store)).toEqual([["b", [3]]]);
    });

    test("entries are those under the prefix, in the order of their bytes", async () => {
      const { store } = fresh();
      const keys = ["p", "p/", "p/1", "p/10", "p/2", "p0", "o", "q", "p/~", "p/ ", "P/1"];
      await store.write(keys.map((key) => [key, bytes(1)] as const));
      expect(contents(store, "p/").map(([key]) => key)).toEqual(["p/", "p/ ", "p/1", "p/10", "p/2", "p/~"]);
      expect(contents(store).map(([key]) => key)).toEqual([...keys].sort());
      expect(contents(store, "x")).toEqual([]);
    });

    test("an iteration sees one snapshot, whatever is written meanwhile", async () => {
      const { store } = fresh();
      await store.write([
        ["a", bytes(1)],
        ["b", bytes(1)],
      ]);
      const iterator = store.entries("")[Symbol.iterator]();
      const first: unknown = iterator.next().value;
      const written = store.write([["b", bytes(2)]]);
      const second: unknown = iterator.next().value;
      expect([first, second]).toEqual([
        ["a", expect.objectContaining({ 0: 1 })],
        ["b", expect.objectContaining({ 0: 1 })],
      ]);
      await written;
      expect(store.get("b")?.[0]).toBe(2);
    });

    test("what get returned is the caller's own", async () => {
      const { store } = fresh();
      await store.write([["a", bytes(1)]]);
      store.get("a")?.fill(9);
      expect(store.get("a")?.[0]).toBe(1);
    });

    test("many batches at once are all written, in order", async () => {
      const { store } = fresh();
      const order: number[] = [];
      const writes = Array.from({ length: 200 }, (_, index) =>
        store.write([["last", bytes(index)]]).then(() => order.push(index)),
      );
      await Promise.all(writes);
      expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index));
      expect(store.get("last")?.[0]).toBe(199);
    });

    test("a large value, a long key and an empty batch are fine", async () => {
      const { store } = fresh();
      const large = new Uint8Array(300_000).fill(7);
      await store.write([["k".repeat(500), large]]);
      await store.write([]);
      expect(Buffer.compare(store.get("k".repeat(500)) ?? bytes(), large)).toBe(0);
    });

    test.each(["", "k".repeat(501), "ä", "a\nb", "a\0"])("the key %j is a programming error", (key) => {
      const { store } = fresh();
      expect(() => store.write([[key, bytes(1)]])).toThrow("Invariant broken");
    });

    test("close waits for writes under way, and refuses later ones", async () => {
      const made = fresh();
      const written = made.store.write([["a", bytes(1)]]);
      await made.store.close();
      await written;
      const refused: unknown = await made.store.write([["b", bytes(1)]]).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(GatewayError);
      expect(refused).toMatchObject({ code: "storage_unavailable" });
      expect(contents(await made.reopen())).toEqual([["a", [1]]]);
    });

    test("is a map, for any sequence of batches", async () => {
      const key = fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom("a", "b", "/", "~", " ") });
      const change = fc.tuple(key, fc.option(fc.uint8Array({ maxLength: 8 })));
      const plan = fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(plan, async (batches: Batch[]) => {
          const each = make();
          const model = new Map<string, number[]>();
          const writes = batches.map((batch) => each.store.write(batch));
          for (const [key, value] of batches.flat()) {
            if (value === null) model.delete(key);
            else model.set(key, [...value]);
          }
          await Promise.all(writes);
          const found = contents(each.store);
          await each.dispose();
          expect(found).toEqual([...model].sort(([left], [right]) => (left < right ? -1 : 1)));
        }),
        { numRuns: 25 },
      );
    });
  });
}
