// The bound in bytes holds after every step, and who was asked for last stays.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { memoryBytes } from "../../src/cache/answer.ts";
import { MemoryTier } from "../../src/cache/memory-tier.ts";
import { answer } from "./answers.ts";

const ONE = memoryBytes(answer("x"));

function tierOf(bytesMax: number): MemoryTier {
  const tier = new MemoryTier();
  tier.resize(bytesMax);
  return tier;
}

test("the one that was not asked for longest goes first", () => {
  const tier = tierOf(2 * ONE);
  tier.put("a", answer("a"));
  tier.put("b", answer("b"));
  tier.get("a");
  tier.put("c", answer("c"));
  expect(["a", "b", "c"].filter((key) => tier.get(key) !== undefined)).toEqual(["a", "c"]);
  expect(tier.evictedCount).toBe(1);
});

test("an answer above the bound is not kept, and replaces what was there", () => {
  const tier = tierOf(2 * ONE);
  tier.put("a", answer("a"));
  tier.put("a", answer("a".repeat(3 * ONE)));
  expect(tier.get("a")).toBeUndefined();
  expect(tier.bytes).toBe(0);
});

test("the bytes are those of what is there, and within the bound, whatever happens", () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c", "d", "e"),
    bytes: fc.nat(3 * ONE),
    kind: fc.constantFrom("put", "get", "delete", "resize"),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const tier = tierOf(4 * ONE);
      let bytesMax = 4 * ONE;
      for (const { key, bytes, kind } of steps) {
        if (kind === "put") tier.put(key, answer("x".repeat(bytes)));
        else if (kind === "get") tier.get(key);
        else if (kind === "delete") tier.delete(key);
        else tier.resize((bytesMax = bytes));
        expect(tier.bytes).toBeLessThanOrEqual(bytesMax);
      }
      const held = ["a", "b", "c", "d", "e"].flatMap((key) => tier.get(key) ?? []);
      expect(tier.bytes).toBe(held.reduce((sum, each) => sum + memoryBytes(each), 0));
      expect(tier.size).toBe(held.length);
    }),
  );
});
