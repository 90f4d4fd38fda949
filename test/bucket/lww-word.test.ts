// What a replica says that it has heard is understood as it is, or not at all; and those who are gone take no place in it.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { heardFrom, isSameBefore, wordOf } from "../../src/bucket/lww-word.ts";

const authors = fc.constantFrom("a", "b", "c", "d", "e");
const stamps = fc.nat({ max: 9 });
const heard = fc.array(fc.tuple(authors, stamps)).map((list) => new Map(list));

describe("a word", () => {
  test("means to everybody what its speaker has heard, or nothing", () => {
    fc.assert(
      fc.property(heard, heard, stamps, (said, own, since) => {
        const understood = heardFrom(wordOf(said, since), own);
        expect(understood === null || new Map(understood)).toEqual(understood === null || said);
      }),
    );
  });

  test("is understood by those who have heard the same of all that are not named", () => {
    fc.assert(
      fc.property(heard, heard, stamps, (said, own, since) => {
        const isSame = isSameBefore(since, said, own);
        expect(heardFrom(wordOf(said, since), own) !== null).toBe(isSame);
      }),
    );
  });

  test("that names everybody is understood by all", () => {
    fc.assert(
      fc.property(heard, heard, (said, own) => {
        expect(heardFrom(wordOf(said, 0), own)).toEqual(said);
      }),
    );
  });

  test("names who has written since, and nobody else", () => {
    const said = new Map([
      ["gone", 3],
      ["left", 4],
      ["here", 5],
    ]);
    expect([...wordOf(said, 5).recent.keys()]).toEqual(["here"]);
  });
});
