// Random fleets under random faults, a few seeds of them; `npm run sim -- --seeds 10000` plays more.
import { expect, test } from "vitest";
import { chaos } from "./chaos.ts";

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])("the promise holds for seed %i", (seed) => {
  expect(chaos(seed).fault).toBe("");
});
