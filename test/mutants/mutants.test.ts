// What `npm run mutants` tells: which faults do not fit, which were chosen, what was found.
import { describe, expect, test } from "vitest";
import { chosen, type Finding, progressOf, tableOf } from "./findings.ts";
import { firstFailure, misfitOf } from "./planting.ts";
import type { Mutant } from "./suites.ts";

const HERE: Mutant = {
  fault: "a debt is forgotten",
  file: "test/mutants/suites.ts",
  find: "export const SUITE_NAMES",
  replace: "",
  by: "laws",
};
const OTHER: Mutant = { ...HERE, fault: "a give is forgotten", file: "package.json" };

describe("a fault does not fit", () => {
  test.each([
    ["when its text has gone from the source", { ...HERE, find: "it was here once" }, "no more"],
    ["when its text stands there twice", { ...HERE, find: "by" }, "times"],
    ["when it changes nothing", { ...HERE, replace: HERE.find }, "changes nothing"],
  ])("%s", (_, mutant, why) => {
    expect(misfitOf(mutant)).toContain(why);
    expect(misfitOf(HERE)).toBe("");
  });
});

test.each([
  [[], [HERE, OTHER]],
  [["debt forgotten"], [HERE]],
  [
    ["Debt", "give"],
    [HERE, OTHER],
  ],
  [["package forgotten"], [OTHER]],
  [["debt package"], []],
])("the words %j choose the faults in which all of one wish stand", (wishes, expected) => {
  expect(chosen([HERE, OTHER], wishes)).toEqual(expected);
});

test.each([
  [" RUN  v5\n FAIL  test/fleet/a.test.ts > x > y\n FAIL  test/b.test.ts", "fleet/a.test.ts > x > y"],
  ["25 of 400 seeds\nseed 7 failed: over by 1\n  replay", "seed 7 failed: over by 1"],
  ["Segmentation fault", ""],
])("of %j the first failure is told", (output, first) => {
  expect(firstFailure(output)).toBe(first);
});

describe("of what was found", () => {
  const findings = new Map<Mutant, Finding>([
    [OTHER, { by: null, tookMs: 2000 }],
    [HERE, { by: { suite: "laws", outcome: { kind: "failed", test: "a | b" } }, tookMs: 1000 }],
  ]);

  test("progress names the fault that is through and counts the survivors", () => {
    expect(progressOf(HERE, findings, 3)).toBe("[2/3, 1 survived] laws, 1 s: a debt is forgotten");
    expect(progressOf(OTHER, findings, 3)).toContain("SURVIVED");
  });

  test("the table stands in the order of the list, and says what survived and what was not tried", () => {
    const untried = { ...HERE, fault: "not yet" };
    expect(tableOf([HERE, OTHER, untried], findings).split("\n").slice(2)).toEqual([
      "| a debt is forgotten | laws | a / b | 1 |",
      "| a give is forgotten | **nothing: it survived** |  | 2 |",
      "",
      "1 caught, 1 survived",
      "1 not tried",
    ]);
  });
});
