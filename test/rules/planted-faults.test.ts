// The planted faults (test/mutants) must fit the source: whoever changes what a fault is planted in changes the fault
// with it, so that `npm run mutants` goes on showing that a test guards the place.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants/mutants.ts";
import { misfitOf } from "../mutants/planting.ts";

test.each(MUTANTS)("can be planted: $fault", (mutant) => {
  expect(misfitOf(mutant)).toBe("");
});

test("no two planted faults have one name", () => {
  expect(new Set(MUTANTS.map(({ fault }) => fault)).size).toBe(MUTANTS.length);
});

test("every planted fault that the documentation names is planted", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/BUCKET.md"), "utf8");
  const table = text.slice(text.indexOf("| planted fault, for one |")).split("\n\n")[0] ?? "";
  const named = [...table.matchAll(/\| ([^|]+) \|$/gmu)].slice(2).map((match) => match[1] ?? "");
  const planted = new Set(MUTANTS.map(({ fault }) => fault));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((fault) => !planted.has(fault))).toEqual([]);
});
