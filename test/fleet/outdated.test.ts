// Who is of an earlier era than what others have forgotten: its rows are not taken, and it begins again; one that leaves
// only waits for its end.
import { expect, test } from "vitest";
import { encodeMessage } from "../../src/bucket/message.ts";
import { NO_ROW } from "../../src/bucket/row.ts";
import { isAcquainted } from "../../src/fleet/farewell.ts";
import { messageOf } from "../bucket/empty-message.ts";
import { Solo } from "./solo.ts";

test.each([
  ["the others have forgotten more than it has carried out", "d".repeat(32), 6, 0],
  ["its rows were taken over, by one whose farewells it has followed", `${"0".repeat(31)}1`, 0, 7],
])("one that leaves takes and tells nothing more when %s", (_, gone, forgotten, ownEra) => {
  const solo = new Solo();
  const { state } = solo.replica;
  const sender = "b".repeat(32);
  state.isLeaving = true;
  state.publishProfile({ ...state.me.profile, heirs: [sender], edition: 1, era: ownEra });
  const message = { ...messageOf(sender), lineage: state.ledger.lineage, era: 7 };
  const farewells = [{ gone, by: sender, edition: 7 }];
  const stranger = [{ gone: "e".repeat(32), by: sender, edition: 8 }];
  for (const said of [
    { forgotten, farewells },
    { farewells: stranger, serial: 2 },
  ]) {
    const bytes = encodeMessage({ ...message, ...said });
    expect(solo.replica.receive(bytes, 0, null)).toMatchObject({ report: { rule: "outdated" } });
  }
  expect(state.ledger.farewells()).toEqual([]);
  expect(isAcquainted(state)).toBe(false);
});

test.each([
  [4, "outdated", false],
  [5, "concurrent", true],
] as const)("rows of era %i, where era 5 is forgotten, are %s", (era, rule, isTaken) => {
  const solo = new Solo();
  const { state } = solo.replica;
  state.ledger.forgotten = 5;
  state.publishProfile({ ...state.me.profile, era: 5 });
  const author = "b".repeat(32);
  const stamp = { boot: 1, version: 1 };
  const entries = [{ stamp, bucket: "p/requests", row: NO_ROW }];
  const section = { author, from: { boot: 0, version: 0 }, to: stamp, entries, profile: null };
  const { lineage } = state.ledger;
  const bytes = encodeMessage({ ...messageOf(author), lineage, era, sections: [section] });
  expect(solo.replica.receive(bytes, 0, null)).toMatchObject({ kind: "taken", report: { rule } });
  expect(state.ledger.members.has(author)).toBe(isTaken);
});

test.each([
  ["goes on when it is of the later era itself", 5, false],
  ["begins again when the other is of the later era", 4, true],
] as const)("one whose rows a sibling took over, as it took over that one's, %s", (_, ownEra, isNew) => {
  const solo = new Solo();
  const { state } = solo.replica;
  const { id } = state.me;
  state.publishProfile({ ...state.me.profile, era: ownEra });
  const sender = "b".repeat(32);
  const farewells = [{ gone: id, by: sender, edition: 5 }];
  const bytes = encodeMessage({ ...messageOf(sender), lineage: state.ledger.lineage, era: 5, farewells });
  solo.replica.receive(bytes, 0, null);
  // It would look for its fleet, as one that was never there.
  expect(state.mustJoin).toBe(isNew);
});

test("one that had left and comes back begins again when the others have forgotten more than it has carried out", () => {
  const solo = new Solo();
  const { state } = solo.replica;
  const sender = "b".repeat(32);
  state.publishProfile({ ...state.me.profile, heirs: [sender], edition: 1 });
  const said = { ...messageOf(sender), lineage: state.ledger.lineage, era: 7, forgotten: 6 };
  solo.replica.receive(encodeMessage(said), 0, null);
  expect([state.mustJoin, state.me.hasLeft]).toEqual([true, false]);
});
