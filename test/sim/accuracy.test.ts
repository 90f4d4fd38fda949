// A few of the scenarios behind docs/ACCURACY.md, those that are played quickly; `npm run accuracy` plays all of them.
import { expect, test } from "vitest";
import { accuracyOf, hasReached, pageOf } from "./accuracy.ts";
import { SCENARIOS } from "./scenarios.ts";

const QUICK = ["below the quota", "hot spot moves every 5 s", "30 % loss", "flapping link"];

test.each(QUICK)("a fleet reaches its target of use: %s", (name) => {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario is named ${name}`);
  const accuracy = accuracyOf(scenario, [1]);
  expect(accuracy.broken).toBe("");
  expect(accuracy.uses.map((use) => use >= scenario.target)).toEqual([true]);
});

test("a missed target and a broken promise are written down as such", () => {
  const good = { name: "good", machines: 2, target: 0.9, uses: [0.95, 0.9], overMost: 0, broken: "" };
  const poor = { ...good, name: "poor", uses: [0.95, 0.8] };
  const over = { ...good, name: "over", uses: [0], overMost: 2, broken: "seed 1: over by 2" };
  expect(hasReached(good)).toBe(true);
  expect(pageOf([good])).toContain("Every target is reached. No run was over its quota.");
  expect(pageOf([good, poor, over])).toContain("Missed: poor; over. **The promise broke**: over, seed 1");
});
