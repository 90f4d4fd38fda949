// The roster holds exactly who came and did not leave, whatever the order.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Roster, type Seated } from "../src/roster.ts";

test("a roster is a set: it holds who was added and not deleted", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const members: Seated[] = Array.from({ length: 10 }, () => ({ seat: -1 }));
      const roster = new Roster<Seated>();
      const model = new Set<Seated>();
      for (const [isComing, index] of steps) {
        const member = members[index];
        if (member === undefined) continue;
        if (isComing && !model.has(member)) {
          roster.add(member);
          model.add(member);
        } else if (!isComing) {
          roster.delete(member);
          model.delete(member);
        }
        expect(roster.size).toBe(model.size);
        expect(new Set(roster.list())).toEqual(model);
      }
    }),
  );
});

test("members may leave while the list is walked through", () => {
  const roster = new Roster<Seated>();
  for (let i = 0; i < 5; i++) roster.add({ seat: -1 });
  for (const member of roster.list()) roster.delete(member);
  expect(roster.size).toBe(0);
});
