// Who succeeds whom is a function of what is known, wherever it is known: never of the order in which it was heard.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Standing, successionOf } from "../../src/bucket/succession.ts";

const IDS = ["a", "b", "c", "d", "e"];
const id = fc.constantFrom(...IDS);

/** What every replica may have said, also against reason: leaving to each other, claiming each other, in circles. */
const standings: fc.Arbitrary<Standing[]> = fc.tuple(
  ...IDS.map((own) =>
    fc
      .record({
        heir: fc.option(id, { nil: "" }),
        claimed: fc.array(id, { maxLength: 3 }),
        by: fc.option(id, { freq: 9 }),
      })
      .map(({ heir, claimed, by }): Standing => {
        const claims = new Map(claimed.filter((victim) => victim !== own).map((victim) => [victim, 1]));
        const farewell = by === null || by === own ? null : { by };
        return { id: own, heir: heir === own ? "" : heir, claims, farewell };
      }),
  ),
);

function member(own: string, said: Partial<Standing> = {}): Standing {
  return { id: own, heir: "", claims: new Map(), farewell: null, ...said };
}

test("the order in which members were heard of does not matter", () => {
  fc.assert(
    fc.property(standings, fc.array(fc.nat(), { minLength: 5, maxLength: 5 }), (members, ranks) => {
      const shuffled = members
        .map((each, index) => ({ each, rank: ranks[index] ?? 0 }))
        .sort((left, right) => left.rank - right.rank)
        .map(({ each }) => each);
      expect(new Map(successionOf(shuffled))).toEqual(new Map(successionOf(members)));
    }),
  );
});

test("every chain ends with somebody who is not gone, and circles are broken", () => {
  fc.assert(
    fc.property(standings, (members) => {
      const succession = successionOf(members);
      for (const [gone, holder] of succession) {
        expect(holder).not.toBe(gone);
        expect(succession.has(holder)).toBe(false);
      }
      expect(succession.size).toBeLessThan(members.length);
    }),
  );
});

test("of two claims the lower id's counts, and a leaver's own word before any claim", () => {
  const claims = new Map([["c", 1]]);
  const claimed = successionOf([member("b", { claims }), member("a", { claims }), member("c")]);
  expect(claimed.get("c")).toBe("a");
  const left = successionOf([member("b"), member("a", { claims }), member("c", { heir: "b" })]);
  expect(left.get("c")).toBe("b");
});
