// Who should hold how much: the same for everyone who computes it, no more than there is, and of use where it goes.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { entitlementsOf, lineOf, type Party } from "../../src/bucket/entitlement.ts";
import { WHOLE } from "../../src/bucket/parts.ts";

const CAPACITY = 100;

function party(id: string, said: Partial<Party> = {}): Party {
  return { id, share: 0, waiting: 0, waitingMs: 0, demand: 0, cost: 1, ...said };
}

const parties: fc.Arbitrary<Party[]> = fc
  .array(
    fc.record({
      share: fc.integer({ min: 0, max: WHOLE / 8 }),
      waiting: fc.constantFrom(0, 1, 7, 50),
      waitingMs: fc.constantFrom(0, 1, 5, 900),
      demand: fc.constantFrom(0, 0.2, 5, 80),
      cost: fc.constantFrom(0, 1, 7),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((all) => all.map((each, index) => ({ ...each, id: `r${index}` })));

test("what is divided is what there is", () => {
  fc.assert(
    fc.property(parties, fc.boolean(), (all, isWhole) => {
      const entitled = entitlementsOf(all, CAPACITY, isWhole);
      if (entitled === null) return;
      const sum = [...entitled.values()].reduce((total, parts) => total + parts, 0);
      expect(sum).toBe(all.reduce((total, { share }) => total + share, 0));
      expect(Math.min(...entitled.values())).toBeGreaterThanOrEqual(0);
    }),
  );
});

test("the order in which parties are known does not matter", () => {
  fc.assert(
    fc.property(parties, (all) => {
      const backwards = entitlementsOf(all.toReversed(), CAPACITY);
      expect(new Map(backwards ?? [])).toEqual(new Map(entitlementsOf(all, CAPACITY) ?? []));
    }),
  );
});

test("a round of giving ends: who holds what it is entitled to is entitled to the same again", () => {
  fc.assert(
    fc.property(parties, (all) => {
      const entitled = entitlementsOf(all, CAPACITY);
      if (entitled === null) return;
      const after = all.map((each) => ({ ...each, share: entitled.get(each.id) ?? 0 }));
      expect(entitlementsOf(after, CAPACITY)).toEqual(entitled);
    }),
  );
});

test("nothing moves while nobody waits", () => {
  expect(
    entitlementsOf([party("a", { share: WHOLE, demand: 5 }), party("b", { demand: 9 })], CAPACITY),
  ).toBeNull();
});

test("the rest goes where the request at the head of the line fits", () => {
  const waits = { waiting: 50, waitingMs: 10, cost: 5 };
  const entitled = entitlementsOf(
    [
      party("oldest", { share: WHOLE, ...waits, waitingMs: 20, demand: 10 }),
      // Its portion could not hold what it waits for: it would fill up and overflow.
      party("stuck", { ...waits, waiting: 60, demand: 30 }),
      party("small", { demand: 10 }),
    ],
    CAPACITY,
  );
  expect(entitled?.get("stuck")).toBe(0);
  expect(entitled?.get("oldest")).toBe(0.5 * WHOLE);
  expect(entitled?.get("small")).toBe(0.5 * WHOLE);
});

test("who is owed stands before everybody who waits, however long", () => {
  const line = lineOf([party("a", { waiting: 5, waitingMs: 9000, share: WHOLE }), party("b", { share: -3 })]);
  expect(line.map(({ id }) => id)).toEqual(["b", "a"]);
});
