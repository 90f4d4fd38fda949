import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { didYouMean, editDistance, nearest } from "../../src/config/suggest.ts";

describe("the edit distance", () => {
  test.each([
    ["", "", 0],
    ["", "abc", 3],
    ["limits", "limts", 1],
    ["limits", "limtis", 1],
    ["kitten", "sitting", 3],
  ])("from %j to %j is %i", (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
  });

  test("is the same both ways, and zero only for the same word", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (from, to) => {
        const distance = editDistance(from, to);
        expect(editDistance(to, from)).toBe(distance);
        expect(distance === 0).toBe(from === to);
        expect(distance).toBeLessThanOrEqual(Math.max(from.length, to.length));
        expect(distance).toBeGreaterThanOrEqual(Math.abs(from.length - to.length));
      }),
    );
  });
});

describe("the word that was meant", () => {
  test.each([
    ["lstien", "listen"],
    ["Listen", "listen"],
    ["timeout", "timeouts"],
    ["completely-else", undefined],
    ["x", undefined],
    ["q".repeat(100_000), undefined],
  ])("by %.20s is %s", (word, meant) => {
    expect(nearest(word, ["listen", "timeouts", "queue"])).toBe(meant);
  });

  test("is suggested as a question", () => {
    expect(didYouMean("lstien", ["listen"])).toBe('; did you mean "listen"?');
    expect(didYouMean("else", ["listen"])).toBe("");
  });
});
