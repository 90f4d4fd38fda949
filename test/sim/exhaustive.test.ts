// Every sequence of two steps from every beginning, and of three from where one unit too many would show at once.
// `npm run sim:exhaustive -- --depth 4` goes further.
import { expect, test } from "vitest";
import { BEGINNINGS, searchAll } from "./exhaustive.ts";

test.each(Object.entries(BEGINNINGS))("no sequence of two steps breaks anything when %s", (_, begin) => {
  const { states, fault } = searchAll(begin, 2);
  expect(fault).toBeNull();
  expect(states).toBe(601);
});

test("no sequence of three steps admits a fourth unit of three", () => {
  const begin = BEGINNINGS["one unit is left, with the founder, and two wait for it"];
  if (begin === undefined) throw new Error("no such beginning");
  const { admittedMost, fault } = searchAll(begin, 3);
  expect(fault).toBeNull();
  // The search is worth something only if the last unit was really there to be had.
  expect(admittedMost).toBe(3);
}, 120_000);
