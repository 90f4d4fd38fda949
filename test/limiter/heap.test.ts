import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Heap, type InHeap } from "../../src/limiter/heap.ts";

interface Element extends InHeap {
  key: number;
}

test("a heap's first element is the smallest, whatever was put, moved and taken out", () => {
  const act = fc.tuple(fc.constantFrom("put", "put", "move", "remove"), fc.nat({ max: 20 }), fc.integer());
  fc.assert(
    fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
      const heap = new Heap<Element>((left, right) => left.key < right.key);
      const inside: Element[] = [];
      for (const [verb, pick, key] of acts) {
        const chosen = inside[pick % Math.max(1, inside.length)];
        if (verb === "put" || chosen === undefined) {
          const element = { key, heapIndex: -1 };
          inside.push(element);
          heap.put(element);
        } else if (verb === "move") {
          chosen.key = key;
          heap.put(chosen);
        } else {
          inside.splice(inside.indexOf(chosen), 1);
          heap.remove(chosen);
          heap.remove(chosen);
          expect(chosen.heapIndex).toBe(-1);
        }
        expect(heap.size).toBe(inside.length);
        expect(heap.first?.key).toBe(
          inside.length === 0 ? undefined : Math.min(...inside.map((each) => each.key)),
        );
      }
    }),
  );
});
