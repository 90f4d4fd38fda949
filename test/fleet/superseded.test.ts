// Who must not speak, and who must not admit: a process in whose place another one runs from a copy of its disk, one that
// has just joined and would lose that with a crash, and one that has not seen what all others have carried out.
import { describe, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { decodeMessage } from "../../src/bucket/message.ts";
import { systemInstant } from "../../src/clock.ts";
import { give } from "../../src/fleet/giving.ts";
import { load, PREFIX } from "../../src/fleet/journal.ts";
import { ALONE } from "../../src/fleet/membership.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Solo } from "./solo.ts";
import { join, supersede } from "../../src/fleet/renewal.ts";

const SIBLING = "b".repeat(32);
const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.01 },
};

/** A replica that has something to tell, and knows what some others have heard. */
function talkative(): Solo {
  const solo = new Solo();
  const { replica } = solo;
  replica.open(LIMIT);
  solo.flush();
  for (const peer of [SIBLING, replica.id]) replica.exchange.links.vectors.set(peer, new Map());
  return solo;
}

/** How many sections its answer has for one that knows nothing. */
function told(replica: Replica, to: string): number {
  return decodeMessage(replica.answer(to)).sections.length;
}

describe("a process that is superseded", () => {
  test("tells nobody anything any more but the one that runs in its place", () => {
    const { replica } = talkative();
    expect([told(replica, SIBLING), told(replica, replica.id)]).toEqual([1, 1]);
    supersede(replica.state, replica.state.me.boot + 1);
    expect([told(replica, SIBLING), told(replica, replica.id)]).toEqual([0, 1]);
  });

  test("sends no notice to all", () => {
    const { replica } = talkative();
    expect(replica.notice()).not.toBeNull();
    replica.state.publishProfile({ ...replica.state.me.profile, name: "another" });
    supersede(replica.state, replica.state.me.boot + 1);
    expect(replica.notice()).toBeNull();
  });

  test("admits nothing any more", () => {
    const solo = talkative();
    const { replica } = solo;
    const bucket = replica.open(LIMIT);
    expect(replica.take([bucket], [1], solo.nowMs)).toBeNull();
    supersede(replica.state, replica.state.me.boot + 1);
    expect(replica.take([bucket], [1], solo.nowMs)).toMatchObject({ waitMs: Infinity });
  });

  test("does not serve when it was so while it asked its siblings, and they have answered", () => {
    const serves = (isSuperseded: boolean): boolean => {
      const before = new Solo();
      before.flush();
      const replica = new Replica({
        loaded: load(new MemoryStore({ contents: before.disk }).entries(PREFIX)),
        newId: "",
        nowMs: 0,
        instant: { ...systemInstant(), bootId: "m", monotonicMs: 0, wallMs: before.wallMs },
        membership: { ...ALONE, hasPeers: true, bootGraceMs: 1000 },
      });
      expect(replica.isInService).toBe(false);
      if (isSuperseded) supersede(replica.state, replica.state.me.boot + 1);
      replica.tick(1100, before.wallMs + 1100);
      return replica.isInService;
    };
    expect(serves(false)).toBe(true);
    expect(serves(true)).toBe(false);
  });
});

test("one that has left says nothing of itself while a row of it is not durable yet", () => {
  const solo = talkative();
  const { replica } = solo;
  const { state } = replica;
  state.publishProfile({ ...state.me.profile, heirs: [SIBLING], edition: 1 });
  expect(told(replica, SIBLING)).toBe(1);
  give(state, state.holding(LIMIT.key), { to: SIBLING, parts: 1, units: 0 });
  expect(told(replica, SIBLING)).toBe(0);
  expect(replica.notice()).toBeNull();
  solo.flush();
  expect(told(replica, SIBLING)).toBe(1);
});

describe("one that is a member but not acquainted", () => {
  test("tells nothing when it has just joined, before that is on its disk", () => {
    const solo = talkative();
    const { replica } = solo;
    join(replica.state, { stamp: 1, founder: SIBLING }, { era: 3, forgotten: 0 });
    expect(told(replica, SIBLING)).toBe(0);
    expect(replica.notice()).toBeNull();
    solo.flush();
    expect(told(replica, SIBLING)).toBe(1);
    expect(replica.notice()).not.toBeNull();
  });

  test("tells nothing while others have forgotten what it has not seen", () => {
    const { replica } = talkative();
    const { state } = replica;
    state.ledger.forgotten = 5;
    state.publishProfile({ ...state.me.profile, era: 4 });
    expect(told(replica, SIBLING)).toBe(0);
    expect(replica.notice()).toBeNull();
    state.publishProfile({ ...state.me.profile, era: 5 });
    expect(told(replica, SIBLING)).toBe(1);
    expect(replica.notice()).not.toBeNull();
  });
});
