// The small model as far as it goes within seconds. `npm run sim:exhaustive -- --deeper 2` goes further.
import { expect, test } from "vitest";
import { search } from "./search.ts";
import { NO_BUDGET } from "./fleet.ts";
import { nameOf, SEARCHES, situationOf } from "./searches.ts";

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
