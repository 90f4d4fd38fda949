// Who succeeds whom is a function of what is known, wherever it is known: never of the order in which it was heard.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger } from "../../src/bucket/ledger.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import { NEVER } from "../../src/bucket/row.ts";
import { type Claim, isNamed, type Standing, successionOf } from "../../src/bucket/succession.ts";

const IDS = ["a", "b", "c", "d", "e"];
const id = fc.constantFrom(...IDS);

/** What every replica may have said, also against reason: leaving to each other, claiming each other, in circles. */
const standings: fc.Arbitrary<Standing[]> = fc.tuple(
  ...IDS.map((own) =>
    fc
      .record({
        heirs: fc.array(id, { maxLength: 3 }),
        claimed: fc.array(id, { maxLength: 3 }),
        heard: fc.nat({ max: 2 }),
        by: fc.option(id, { freq: 9 }),
      })
      .map(({ heirs, claimed, by, heard }): Standing => {
        const claims = new Map(
          claimed.filter((victim) => victim !== own).map((victim) => [victim, claimAt(1)]),
        );
        const farewell = by === null || by === own ? null : { by };
        return member(own, {
          heirs: heirs.filter((heir) => heir !== own),
          claims,
          farewell,
          version: heard,
        });
      }),
  ),
);

function member(own: string, said: Partial<Standing> = {}): Standing {
  return { id: own, boot: 1, version: 0, heirs: [], claims: new Map(), farewell: null, ...said };
}

/** A claim by one who knew its victim up to a version. */
function claimAt(version: number): Claim {
  return { edition: 1, known: { boot: 1, version } };
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
  const claims = new Map([["c", claimAt(0)]]);
  const claimed = successionOf([member("b", { claims }), member("a", { claims }), member("c")]);
  expect(claimed.get("c")).toBe("a");
  const left = successionOf([member("b"), member("a", { claims }), member("c", { heirs: ["b"] })]);
  expect(left.get("c")).toBe("b");
});

test("whoever stays and holds what a leaver had goes on holding it, whatever else becomes known", () => {
  const ORDER = ["a", "b", "c", "d", "e", "f"];
  const wishes = fc.array(fc.constantFrom(...ORDER), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.tuple(...ORDER.map((own) => wishes.map((list) => list.filter((heir) => heir !== own)))),
      fc.array(fc.nat({ max: 6 }), { minLength: 6, maxLength: 6 }),
      fc.subarray(ORDER, { maxLength: 5 }),
      (named, heard, leavers) => {
        const said = (index: number, count: number): Standing =>
          member(ORDER[index] ?? "", { heirs: (named[index] ?? []).slice(0, count) });
        const all = leavers.map((id) => said(ORDER.indexOf(id), 6));
        // Somewhere only some of the leavers were heard, and of some of them not yet the names that they added.
        const some = leavers.map((id) => said(ORDER.indexOf(id), heard[ORDER.indexOf(id)] ?? 0));
        const [inAll, inSome] = [successionOf(all), successionOf(some)];
        for (const id of leavers) {
          const holder = inSome.get(id) ?? id;
          if (!leavers.includes(holder)) expect(inAll.get(id)).toBe(holder);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("of two that leave and name each other first, both name the next in the end", () => {
  const both = successionOf([member("a", { heirs: ["b", "c"] }), member("b", { heirs: ["a", "c"] })]);
  expect([both.get("a"), both.get("b")]).toEqual(["c", "c"]);
});

test("claims of one whose rows were taken over stand until its successor's own word holds them", () => {
  const ledger = new Ledger();
  const stampOf = (version: number): { boot: number; version: number } => ({ boot: 1, version });
  const claims = new Map([["c", { edition: 1, known: NEVER }]]);
  ledger.setProfile(ledger.member("b"), stampOf(1), { ...NEW_PROFILE, heirs: ["a"], claims, edition: 1 });
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
    const claims = new Map([[victim, { edition: version, known: NEVER }]]);
    ledger.setProfile(ledger.member("a"), { boot: 1, version }, { ...NEW_PROFILE, claims });
  }
  expect([...ledger.succession]).toEqual([["c", "a"]]);
});

test("a claim counts where as much is known of the one who is gone as the claimant knew", () => {
  const claims = new Map([["c", claimAt(5)]]);
  const after = (version: number) => successionOf([member("a", { claims }), member("c", { version })]);
  expect(after(4).size).toBe(0);
  expect(after(5).get("c")).toBe("a");
});

test("whoever hears of a claim first and of its victim later ends where the others are", () => {
  const heard = (order: readonly ("claim" | "victim")[]): Ledger => {
    const ledger = new Ledger();
    for (const what of order) {
      if (what === "victim") ledger.know(ledger.member("c"), { boot: 1, version: 5 });
      else {
        const profile = { ...NEW_PROFILE, claims: new Map([["c", claimAt(5)]]), edition: 1 };
        ledger.setProfile(ledger.member("a"), { boot: 1, version: 1 }, profile);
      }
    }
    return ledger;
  };
  const late = heard(["claim"]);
  expect([late.succession.size, late.canJudge(late.member("a"))]).toEqual([0, false]);
  for (const ledger of [heard(["claim", "victim"]), heard(["victim", "claim"])]) {
    expect(ledger.succession.get("c")).toBe("a");
    expect(ledger.canJudge(ledger.member("a"))).toBe(true);
  }
});

test("a leaver's word decides alone where one that it named stays", () => {
  const claims = new Map([["c", claimAt(0)]]);
  const back = member("d", { claims });
  const left = member("c", { heirs: ["b"] });
  expect(isNamed(left, [member("b"), left, back])).toBe(true);
  const both = [member("b", { heirs: ["c"] }), left, back];
  expect(isNamed(left, both)).toBe(false);
  expect(successionOf(both).get("c")).toBe("d");
});
