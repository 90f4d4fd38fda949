// The small model as far as it goes within seconds. `npm run sim:exhaustive -- --deeper 2` goes further.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { search } from "./search.ts";
import { NO_BUDGET } from "./fleet.ts";
import { nameOf, type Search, SEARCHES, situationOf } from "./searches.ts";

test.each(SEARCHES.map((one) => [nameOf(one), one] as const))(
  "no sequence of steps breaks anything: %s",
  (_, one) => {
    const { states, admittedMost, fault } = search(situationOf(one), {
      depth: one.depth,
      statesMax: Infinity,
      healed: 8,
    });
    expect(fault).toBeNull();
    // It is worth something only if much happens, and if there was something to be had.
    expect(states).toBeGreaterThan(1000);
    expect(admittedMost).toBeGreaterThan(0);
  },
  120_000,
);

test("every kind of fault is in some search", () => {
  const searched = new Set(SEARCHES.flatMap(({ faults }) => Object.keys(faults)));
  expect([...searched].sort()).toEqual(Object.keys(NO_BUDGET).sort());
});

test("docs/BUCKET.md says how many searches there are, who acts in them, and how deep they go", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/BUCKET.md"), "utf8");
  const ofAll = SEARCHES.filter(({ active }) => active === undefined);
  const ofTwo = SEARCHES.filter(({ active }) => active !== undefined);
  const depths = (searches: readonly Search[]): string => {
    const steps = searches.map(({ depth }) => depth);
    return `${Math.min(...steps)} to ${Math.max(...steps)} steps`;
  };
  expect(page).toContain(
    `Of ${SEARCHES.length} searches ${ofAll.length} move all three, ${depths(ofAll)} deep, and ${ofTwo.length} only two of them, ${depths(ofTwo)} deep`,
  );
});
