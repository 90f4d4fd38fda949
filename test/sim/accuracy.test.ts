// A few of the scenarios behind docs/ACCURACY.md, those that are played quickly; `npm run accuracy` plays all of them.
import { expect, test } from "vitest";
import { hasReached, pageOf, piecesOf, play } from "./accuracy.ts";
import { SCENARIOS } from "./scenarios.ts";

const QUICK = ["below the quota", "hot spot moves every 5 s", "30 % loss", "flapping link"];

test.each(QUICK)("a fleet reaches its target of use: %s", (name) => {
  const target = SCENARIOS.find((each) => each.name === name)?.target;
  const { use, broken } = play({ name, seed: 1 });
  expect(broken).toBe("");
  expect(use).toBeGreaterThanOrEqual(target ?? 1);
});

test("every scenario is played, large fleets first and from one seed", () => {
  const pieces = piecesOf(SCENARIOS, [1, 2]);
  expect(new Set(pieces.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  expect(pieces[0]).toEqual({ name: "even, 20 replicas", seed: 1 });
  expect(pieces.filter(({ name }) => name === "even, 20 replicas")).toHaveLength(1);
  expect(pieces.filter(({ name }) => name === "30 % loss")).toHaveLength(2);
});

test("a missed target and a broken promise are written down as such", () => {
  const good = { name: "good", machines: 2, target: 0.9, uses: [0.95, 0.9], overMost: 0, broken: "" };
  const poor = { ...good, name: "poor", uses: [0.95, 0.8] };
  const over = { ...good, name: "over", uses: [0], overMost: 2, broken: "seed 1: over by 2" };
  expect(hasReached(good)).toBe(true);
  expect(pageOf([good])).toContain("Every target is reached. No run was over its quota.");
  expect(pageOf([good, poor, over])).toContain("Missed: poor; over. **The promise broke**: over, seed 1");
});
