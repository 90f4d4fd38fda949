// Running totals wrap, and only their differences count.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  advance,
  advanceUnits,
  difference,
  differenceOfUnits,
  inSteps,
  MODULUS,
} from "../../src/bucket/parts.ts";

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

test("totals of units carry their steps: any sequence of gives and debts adds up exactly, over the wrap too", () => {
  const amount = fc.double({ min: -1e7, max: 1e7, noNaN: true });
  fc.assert(
    fc.property(fc.boolean(), fc.array(amount, { maxLength: 30 }), (isAtWrap, amounts) => {
      const begin = { units: isAtWrap ? MODULUS - 1 : 0, fine: 0 };
      let total = begin;
      let moved = 0n;
      for (const given of amounts.map(inSteps)) {
        total = advanceUnits(total, given);
        moved += BigInt(given * 2 ** 28);
        expect(total.fine).toBeGreaterThanOrEqual(0);
        expect(total.fine).toBeLessThan(2 ** 28);
        expect(total.units).toBe(Math.floor(total.units));
      }
      const found = BigInt(difference(total.units, begin.units)) * 2n ** 28n + BigInt(total.fine);
      expect(found).toBe(moved);
      expect(differenceOfUnits(total, begin)).toBeCloseTo(Number(moved) / 2 ** 28, 5);
    }),
  );
});

test("what is given is rounded down, by less than a millionth of a milli-unit", () => {
  fc.assert(
    fc.property(fc.double({ min: -1e10, max: 1e10, noNaN: true }), (milliUnits) => {
      expect(inSteps(milliUnits)).toBeLessThanOrEqual(milliUnits);
      expect(inSteps(milliUnits)).toBeGreaterThan(milliUnits - 1e-6);
    }),
  );
});
