// Who succeeds whom is a function of what is known, wherever it is known: never of the order in which it was heard.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger } from "../../src/bucket/ledger.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
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

test("claims of one whose rows were taken over stand until its successor's own word holds them", () => {
  const ledger = new Ledger();
  const stampOf = (version: number): { boot: number; version: number } => ({ boot: 1, version });
  const claims = new Map([["c", 1]]);
  ledger.setProfile(ledger.member("b"), stampOf(1), { ...NEW_PROFILE, heir: "a", claims, edition: 1 });
  ledger.member("c");
  ledger.dropRows({ gone: "b", by: "a", edition: 2 });
  expect(ledger.succession.get("c")).toBe("a");
  const farewells = new Map([["b", 2]]);
  ledger.setProfile(ledger.member("a"), stampOf(1), { ...NEW_PROFILE, claims, farewells, edition: 2 });
  expect(ledger.succession.get("c")).toBe("a");
  expect(ledger.member("b").claims.size).toBe(0);
});

test("as many other claims are other claims", () => {
  const ledger = new Ledger();
  for (const [version, victim] of ["b", "c"].entries()) {
    const claims = new Map([[victim, version]]);
    ledger.setProfile(ledger.member("a"), { boot: 1, version }, { ...NEW_PROFILE, claims });
  }
  expect([...ledger.succession]).toEqual([["c", "a"]]);
});
