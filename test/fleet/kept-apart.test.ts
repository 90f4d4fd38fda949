// What must not be lost sight of between two writes, two starts or two holders: rows that are not on disk yet, what a
// burnt replica can't know, debt, what is set apart for later, and which fleet it is of.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { encodeMessage } from "../../src/bucket/message.ts";
import { difference, MILLI, WHOLE } from "../../src/bucket/parts.ts";
import { NO_EDGE, NO_GAUGE, NO_ROW } from "../../src/bucket/row.ts";
import { give, givableParts, giveFrom } from "../../src/fleet/giving.ts";
import { goOnAsNewcomer } from "../../src/fleet/recovery.ts";
import { messageOf } from "../bucket/empty-message.ts";
import { Solo } from "./solo.ts";
import { burn, startOver } from "../../src/fleet/renewal.ts";

const SIBLING = "b".repeat(32);
const ID = `${"0".repeat(31)}1`;

function limitOf(key: string): Limit {
  return { key, dimension: "tokens", capacity: 100, refill: { kind: "continuous", unitsPerMs: 0.01 } };
}

test("a member does not count as saved while rows of its wait for a later write", () => {
  const { replica, nowMs, wallMs } = new Solo();
  const { state, journal } = replica;
  replica.open(limitOf("a"));
  const sibling = state.ledger.member(SIBLING);
  sibling.boot = 7;
  sibling.version = 3;
  const instant = { bootId: "m", monotonicMs: nowMs, wallMs };
  state.unsaved.add(state.holding("b"));
  expect(journal.collect(nowMs, instant)).not.toBeNull();
  journal.written();
  expect(sibling.saved).toEqual({ boot: 0, version: 0 });
  state.markDirty(state.holding("b"));
  journal.collect(nowMs, instant);
  journal.written();
  expect(sibling.saved).toEqual({ boot: 7, version: 3 });
});

test("a founder whose levels were burnt finds no bucket full that it opens afterwards", () => {
  const level = (isBurnt: boolean): number => {
    const { replica, nowMs } = new Solo();
    if (isBurnt) burn(replica.state);
    return replica.room(replica.open(limitOf("never used")), nowMs).level;
  };
  expect(level(false)).toBe(100);
  expect(level(true)).toBe(0);
});

test("debt goes along with the share of who gives it away", () => {
  const { replica, nowMs } = new Solo();
  const { state } = replica;
  const bucket = replica.open(limitOf("a"));
  replica.settle(bucket, 0, 140, nowMs);
  const sibling = state.ledger.member(SIBLING);
  sibling.heardMs = nowMs;
  sibling.boot = 1;
  const holding = state.holding("a");
  const row = { ...NO_ROW, gauge: { ...NO_GAUGE, waiting: 60, waitingMs: 500, demand: 60, cost: 60 } };
  state.ledger.place(sibling, holding.rows, { boot: 1, version: 1 }, row).heardMs = nowMs;
  expect(giveFrom(state, holding)).toBe(true);
  const edge = holding.given.get(SIBLING) ?? NO_EDGE;
  const part = edge.parts / WHOLE;
  expect(part).toBeGreaterThan(0.25);
  expect(difference(edge.units, 0) / MILLI).toBeCloseTo(-40 * part, 1);
  expect(holding.local?.level).toBeCloseTo(-40 * (1 - part), 1);
});

test("parts that are set apart for a later period are not given away in this one", () => {
  const { replica } = new Solo();
  const { state } = replica;
  replica.open(limitOf("a"));
  const { local } = state.holding("a");
  if (local === null) throw new Error("it is open");
  local.aheadParts = WHOLE / 4;
  expect(givableParts(local, WHOLE)).toBe(0.75 * WHOLE);
});

test.each([true, false])(
  "who gives way to an older fleet goes on with nothing (bucket is open: %s)",
  (isOpen) => {
    const solo = new Solo();
    const limit = limitOf("a");
    expect(solo.replica.room(solo.replica.open(limit), 0)).toMatchObject({ level: 100, capacity: 100 });
    solo.flush();
    solo.kill(1000);
    const { replica, nowMs } = solo;
    if (isOpen) replica.open(limit);
    startOver(replica.state, { stamp: 1, founder: SIBLING });
    expect(replica.state.holding("a").local?.level ?? 0).toBe(0);
    // Nor is it full when it holds all of the bucket again.
    startOver(replica.state, { stamp: 0, founder: replica.id });
    expect(replica.room(replica.open(limit), nowMs)).toMatchObject({ level: 0, capacity: 100 });
  },
);

test.each([
  ["keeps its name while it has given nothing", false, [], true],
  ["has another name when it has given something", true, [], false],
  ["has another name when it was taken over", false, [{ gone: ID, by: SIBLING, edition: 1 }], false],
])(
  "one whom its fleet has forgotten looks for it, never founds another, and %s",
  (_, gives, told, isKept) => {
    const solo = new Solo();
    const { replica } = solo;
    expect(replica.id).toBe(ID);
    replica.state.newId = () => "7".repeat(32);
    replica.open(limitOf("a"));
    if (gives) give(replica.state, replica.state.holding("a"), { to: SIBLING, parts: 1, units: 0 });
    goOnAsNewcomer(replica.state, told);
    for (let second = 0; second < 60; second++) solo.advance(1000);
    expect(replica.id === ID).toBe(isKept);
    expect(replica.state.ledger.lineage).toBeNull();
  },
);

test("who leaves gives away with its units what is open here, though nobody has touched it", () => {
  const solo = new Solo();
  const { state, membership } = solo.replica;
  solo.replica.open(limitOf("a"));
  solo.flush();
  const sibling = state.ledger.member(SIBLING);
  sibling.boot = 7;
  sibling.version = 1;
  sibling.heardMs = solo.nowMs;
  sibling.isAware = true;
  membership.leave();
  expect(state.holding("a").given.get(SIBLING)).toMatchObject({ parts: WHOLE, units: 100 * MILLI });
});

test("who leaves leaves nothing to one that was only introduced: it may never be heard under that name", () => {
  const solo = new Solo();
  const { state, membership } = solo.replica;
  solo.replica.open(limitOf("a"));
  solo.flush();
  const bytes = encodeMessage({ ...messageOf(SIBLING), lineage: null });
  expect(solo.replica.receive(bytes, solo.nowMs, null)).toMatchObject({ report: { rule: "newcomer" } });
  membership.leave();
  expect(state.holding("a").given.size).toBe(0);
});

test("a share that a claim brings refills from when the claim is durable on, not since the last tick", () => {
  const { replica, wallMs } = new Solo();
  const { state, journal, membership } = replica;
  const bucket = replica.open(limitOf("a"));
  state.ledger.lineage = { stamp: 1, founder: SIBLING };
  state.ledger.member(SIBLING).boot = 7;
  state.reshare(state.holding("a"));
  expect(membership.evict(SIBLING)).toBe(true);
  replica.tick(1000, wallMs + 1000);
  journal.collect(1000, { bootId: "m", monotonicMs: 1000, wallMs: wallMs + 1000 });
  journal.written(1500);
  expect(replica.room(bucket, 1500).capacity).toBe(100);
  expect(replica.room(bucket, 1500).level).toBe(0);
  expect(replica.room(bucket, 1600).level).toBeCloseTo(1, 9);
});
