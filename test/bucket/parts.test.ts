// Running totals wrap, and only their differences count.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { advance, difference, MODULUS } from "../../src/bucket/parts.ts";

test("the difference of two totals is what was added, over the wrap too", () => {
  const total = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 31 }),
    fc.integer({ min: 0, max: 2 ** 31 }).map((below) => MODULUS - 1 - below),
  );
  fc.assert(
    fc.property(total, fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (before, amount) => {
      const after = advance(before, amount);
      expect(after).toBeGreaterThanOrEqual(0);
      expect(after).toBeLessThan(MODULUS);
      expect(difference(after, before)).toBe(amount);
      expect(difference(before, after)).toBe(0 - amount);
    }),
  );
});
