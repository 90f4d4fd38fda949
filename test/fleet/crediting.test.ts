// What arrives of a calendar quota: units count in their own period, and nothing is refilled twice.
import { expect, test } from "vitest";
import type { Section } from "../../src/bucket/sections.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import { MILLI, WHOLE } from "../../src/bucket/parts.ts";
import { type Edge, NEVER, NO_EDGE, NO_GAUGE, NO_ROW, type Row } from "../../src/bucket/row.ts";
import { book, creditOf } from "../../src/fleet/crediting.ts";
import { give } from "../../src/fleet/giving.ts";
import { handOverAll } from "../../src/fleet/leaving.ts";
import { mergeMessage } from "../../src/fleet/merging.ts";
import { messageOf } from "../bucket/empty-message.ts";
import { Solo } from "./solo.ts";

const DAILY: Limit = {
  key: "k/tokens/day",
  dimension: "tokens",
  capacity: 100,
  refill: { kind: "calendar", period: "day", timezone: "UTC" },
};
const SIBLING = "b".repeat(32);

/** A replica that gave all it held to a sibling, of which this comes back; its level then. */
function levelAfter(edgeOf: (period: number, boot: number) => Partial<Edge>): number {
  const { replica } = new Solo();
  const { state } = replica;
  replica.open(DAILY);
  const holding = state.holding(DAILY.key);
  give(state, holding, { to: SIBLING, parts: WHOLE, units: 100_000 });
  const { local } = holding;
  const edge = { parts: 0, partsBefore: 0, units: 0, boot: state.me.boot, period: 0 };
  const given = new Map([[state.me.id, { ...edge, ...edgeOf(local?.period ?? 0, state.me.boot) }]]);
  const row: Row = { spent: 0, returned: 0, given, gauge: NO_GAUGE };
  const credit = creditOf(state, holding, undefined, row);
  state.ledger.place(state.ledger.member(SIBLING), holding.rows, { boot: 1, version: 1 }, row);
  if (credit !== null) book(state, credit);
  return local?.level ?? Number.NaN;
}

test("units of the present period are added", () => {
  const edge = { parts: WHOLE / 2, units: 7000 };
  expect(levelAfter((period) => ({ ...edge, period: period + 1 }))).toBeCloseTo(7, 6);
});

test("parts of an earlier period are full: nobody has refilled them for this one", () => {
  const edge = { parts: WHOLE / 2, units: 7000 };
  expect(levelAfter((period) => ({ ...edge, period }))).toBeCloseTo(50, 6);
});

test("parts of a period that is not known are empty, for they may be of this one and spent", () => {
  const edge = { parts: WHOLE / 2, partsBefore: 0.3 * WHOLE, units: 7000 };
  expect(levelAfter((period) => ({ ...edge, period }))).toBeCloseTo(20, 6);
});

test("parts of a later period wait for it", () => {
  const edge = { parts: WHOLE / 2, units: 7000 };
  expect(levelAfter((period) => ({ ...edge, period: period + 2 }))).toBe(0);
});

test("units for another life of this replica are not credited", () => {
  const edge = { parts: WHOLE / 2, units: 7000 };
  expect(levelAfter((period, boot) => ({ ...edge, period: period + 1, boot: boot - 1 }))).toBe(0);
});

test("units from a leaver wait for the parts that they rest on, when it had these from one that is not heard yet", () => {
  const { replica } = new Solo();
  const { state } = replica;
  const [leaver, founder] = [SIBLING, "d".repeat(32)];
  state.ledger.lineage = { stamp: 1, founder };
  replica.open(DAILY);
  const holding = state.holding(DAILY.key);
  const { local } = holding;
  if (local === null) throw new Error("it is open");
  local.resize(DAILY, 0, state.nowMs);
  local.level = 0;
  state.ledger.setProfile(
    state.ledger.member(leaver),
    { boot: 1, version: 1 },
    { ...NEW_PROFILE, heirs: [state.me.id], edition: 1 },
  );
  const hear = (author: string, receiver: string, boot: number): void => {
    const edge = { ...NO_EDGE, parts: WHOLE, units: 100 * MILLI, boot, period: local.period + 1 };
    const row = { ...NO_ROW, spent: 1, given: new Map([[receiver, edge]]) };
    const stamp = { boot: 1, version: 2 };
    const entries = [{ stamp, bucket: DAILY.key, row }];
    const section: Section = { author, from: NEVER, to: stamp, entries, profile: "known" };
    mergeMessage(state, { ...messageOf(author), lineage: state.ledger.lineage, sections: [section] });
  };
  hear(leaver, state.me.id, state.me.boot);
  expect([local.share, local.level]).toEqual([0, 0]);
  hear(founder, leaver, 1);
  expect([local.share, local.level]).toEqual([WHOLE, 100]);
});

test("a leaver's parts that are set apart for a later period are not handed over as parts of this one", () => {
  const { replica } = new Solo();
  const { state } = replica;
  replica.open(DAILY);
  const holding = state.holding(DAILY.key);
  state.publish(holding);
  const { local } = holding;
  if (local === null) throw new Error("it is open");
  local.aheadParts = WHOLE / 4;
  local.aheadUnits = 3;
  local.aheadPeriod = local.period + 1;
  handOverAll(state, SIBLING);
  // What it holds of this period goes as parts of the later one: a receiver that missed the first edge could not tell which
  // of them were refilled for that one already.
  const edge = holding.given.get(SIBLING);
  expect(edge).toMatchObject({ parts: WHOLE, partsBefore: 0, units: 3 * MILLI, period: local.period + 2 });
});

test("parts that the giver had given to one that is gone are no news, and units that were under way still come", () => {
  const { replica } = new Solo();
  const { state } = replica;
  replica.open(DAILY);
  const holding = state.holding(DAILY.key);
  const { boot } = state.me;
  const rowOf = (edge: Pick<Edge, "parts" | "partsBefore" | "units">): Row => {
    const given = new Map([[state.me.id, { ...edge, boot, period: 1 }]]);
    return { spent: 0, returned: 0, given, gauge: NO_GAUGE };
  };
  const before = rowOf({ parts: WHOLE / 4, partsBefore: 0, units: 7000 });
  // A quarter was given to the one whose rows this replica took over, and an eighth to this one meanwhile.
  const after = rowOf({ parts: 0.625 * WHOLE, partsBefore: WHOLE / 4, units: 9000 });
  expect(creditOf(state, holding, before, after)).toMatchObject({
    parts: WHOLE / 8,
    partsOfEdge: WHOLE / 8,
    units: 2000,
  });
  const nothingMore = rowOf({ parts: WHOLE / 2, partsBefore: WHOLE / 4, units: 7000 });
  expect(creditOf(state, holding, before, nothingMore)).toBeNull();
});

test("an edge that a giver whose disk was set back has begun earlier is another one: its units count from its beginning", () => {
  const { replica } = new Solo();
  const { state } = replica;
  replica.open(DAILY);
  const { boot } = state.me;
  const rowOf = (edge: Pick<Edge, "parts" | "partsBefore" | "units">): Row => {
    const given = new Map([[state.me.id, { ...edge, boot, period: 1 }]]);
    return { spent: 0, returned: 0, given, gauge: NO_GAUGE };
  };
  const before = rowOf({ parts: WHOLE / 2, partsBefore: WHOLE / 4, units: 7000 });
  const after = rowOf({ parts: 0.625 * WHOLE, partsBefore: WHOLE / 8, units: 9000 });
  const credit = creditOf(state, state.holding(DAILY.key), before, after);
  expect(credit).toMatchObject({ parts: WHOLE / 8, partsOfEdge: WHOLE / 2, units: 9000 });
});

test("units for a receiver that was started anew go on an edge of their own", () => {
  const { replica } = new Solo();
  const { state } = replica;
  replica.open(DAILY);
  const holding = state.holding(DAILY.key);
  const receiver = state.ledger.member(SIBLING);
  receiver.boot = 5;
  give(state, holding, { to: SIBLING, parts: WHOLE / 4, units: 10_000 });
  receiver.boot = 6;
  give(state, holding, { to: SIBLING, parts: WHOLE / 8, units: 3000 });
  expect(holding.given.get(SIBLING)).toMatchObject({
    boot: 6,
    parts: WHOLE / 4 + WHOLE / 8,
    partsBefore: WHOLE / 4,
    units: 3000,
  });
});

test("a message that tells of a disk set back credits no units that were given to it before", () => {
  const solo = new Solo();
  solo.flush();
  const { boot } = solo.replica.state.me;
  solo.kill(0);
  const { state } = solo.replica;
  solo.replica.open({ ...DAILY, refill: { kind: "continuous", unitsPerMs: 1e-9 } });
  const { id } = state.me;
  const to = { boot, version: 9 };
  const section = (author: string, receiver: string, parts: number): Section => {
    const given = new Map([[receiver, { ...NO_EDGE, parts, units: 50_000, boot }]]);
    const entries = [{ stamp: to, bucket: DAILY.key, row: { ...NO_ROW, given } }];
    return { author, from: NEVER, to, entries, profile: null };
  };
  mergeMessage(state, {
    ...messageOf(SIBLING),
    boot,
    lineage: state.ledger.lineage,
    sections: [section(id, SIBLING, WHOLE), section(SIBLING, id, WHOLE / 2)],
  });
  const { local } = state.holding(DAILY.key);
  expect(local?.share).toBe(WHOLE / 2);
  expect(local?.level).toBe(0);
});
