// What siblings tell each other when one of them is about to leave.
import { expect, test } from "vitest";
import { decodeMessage, encodeMessage, type Message } from "../../src/bucket/message.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { NEVER } from "../../src/bucket/row.ts";
import { give, isReachable } from "../../src/fleet/giving.ts";
import { messageOf } from "../bucket/empty-message.ts";
import { Solo } from "./solo.ts";

const SIBLING = "b".repeat(32);
const LIMIT = {
  key: "a",
  dimension: "tokens",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.01 },
} as const;

/** A replica that has heard from its sibling. */
function pair(said: Partial<Message> = {}): Solo {
  const solo = new Solo();
  const { replica } = solo;
  replica.open(LIMIT);
  solo.flush();
  hear(solo, { serial: 1, ...said });
  return solo;
}

function hear({ replica, nowMs }: Solo, said: Partial<Message>): void {
  const { lineage } = replica.state.ledger;
  const stamp = { boot: 1, version: said.serial ?? 1 };
  const profile = "known" as const;
  const section = { author: SIBLING, from: { boot: 0, version: 0 }, to: stamp, entries: [], profile };
  const bytes = encodeMessage({ ...messageOf(SIBLING), lineage, sections: [section], ...said });
  expect(replica.receive(bytes, nowMs, null)).toMatchObject({ kind: "taken" });
}

/** It says that it has on its disk what was said up to an edition. */
function confirm(solo: Solo, serial: number, edition: number): void {
  const { id } = solo.replica;
  const [from, to] = [NEVER, { boot: 1, version: serial }];
  const profile = { stamp: to, profile: { ...NEW_PROFILE, seen: new Map([[id, edition]]) } };
  hear(solo, { serial, sections: [{ author: SIBLING, from, to, entries: [], profile }] });
}

function answer({ replica }: Solo): Message {
  return decodeMessage(replica.answer(SIBLING));
}

test("one that leaves is given nothing more, and told so when all that it was given can be seen", () => {
  const solo = pair();
  const { replica } = solo;
  const { state } = replica;
  expect(isReachable(state, state.ledger.member(SIBLING))).toBe(true);
  expect(answer(solo)).toMatchObject({ isLeaving: false, isAware: false });
  give(state, state.holding("a"), { to: SIBLING, parts: WHOLE / 2, units: 50_000 });
  hear(solo, { serial: 2, isLeaving: true });
  expect(isReachable(state, state.ledger.member(SIBLING))).toBe(false);
  expect(answer(solo).isAware).toBe(false);
  solo.flush();
  expect(answer(solo).isAware).toBe(true);
});

test("what a message says that was overtaken is not heeded: it may be from before", () => {
  const solo = pair({ serial: 7, isLeaving: true });
  hear(solo, { serial: 5 });
  expect(answer(solo).isAware).toBe(true);
  hear(solo, { serial: 8 });
  expect(answer(solo).isAware).toBe(false);
});

test("one that leaves hands over when all who can be reached know, or after a second to those who do", () => {
  const isHandedOver = (meanwhile: (solo: Solo) => void, isWithOther = false): boolean => {
    const solo = pair();
    const { state, membership } = solo.replica;
    if (isWithOther) {
      const other = state.ledger.member("c".repeat(32));
      state.ledger.know(other, { boot: 1, version: 1 });
      other.heardMs = 0;
    }
    membership.leave();
    expect(answer(solo).isLeaving).toBe(true);
    meanwhile(solo);
    solo.advance(100);
    return state.holding("a").given.size > 0;
  };
  expect(isHandedOver(() => {})).toBe(false);
  expect(isHandedOver((solo) => hear(solo, { serial: 2, isAware: true }))).toBe(true);
  const oneKnows = (solo: Solo): void => hear(solo, { serial: 2, isAware: true });
  expect(isHandedOver(oneKnows, true)).toBe(false);
  expect(
    isHandedOver((solo) => {
      oneKnows(solo);
      solo.advance(1000);
    }, true),
  ).toBe(true);
});

test("of two that leave at about the same time neither hands over to the other", () => {
  const solo = pair();
  const { state, membership } = solo.replica;
  membership.leave();
  hear(solo, { serial: 2, isLeaving: true, isAware: true });
  solo.advance(100);
  expect(state.holding("a").given.size).toBe(0);
});

test("one that leaves hands over only to those who know: others may be leaving as well, and hand over to this one", () => {
  const heirsAfter = (said: Partial<Message>): number => {
    const solo = pair();
    const { state, membership } = solo.replica;
    membership.leave();
    solo.advance(1000);
    hear(solo, { serial: 2, ...said });
    for (let tick = 0; tick < 5; tick++) {
      solo.advance(100);
      solo.flush();
    }
    return state.holding("a").given.size + state.me.heirs.length;
  };
  expect(heirsAfter({})).toBe(0);
  expect(heirsAfter({ isAware: true })).toBe(2);
});

test.each([
  ["leaves too", { isLeaving: true }, true],
  ["stays, and is silent", {}, false],
])(
  "one that leaves keeps what it holds, and need not wait, when its only sibling %s",
  (_, said, isDeserted) => {
    const solo = pair();
    const { state, membership } = solo.replica;
    hear(solo, { serial: 2, isAware: true, ...said });
    solo.advance(state.unreachableAfterMs);
    membership.leave();
    solo.advance(100);
    expect([membership.isDeserted, state.holding("a").given.size]).toEqual([isDeserted, 0]);
  },
);

test("one that leaves names also who comes while it waits, in case all that it has named leave", () => {
  const solo = pair();
  const { state, membership } = solo.replica;
  membership.leave();
  hear(solo, { serial: 2, isAware: true });
  while (!state.me.hasLeft) {
    solo.advance(100);
    solo.flush();
  }
  const other = state.ledger.member("c".repeat(32));
  state.ledger.know(other, { boot: 1, version: 1 });
  other.heardMs = solo.nowMs;
  other.isAware = true;
  solo.advance(100);
  solo.flush();
  expect(state.me.heirs).toEqual([SIBLING, other.id]);
});

test("what leavers named to each other is claimed by nobody without an operator's word", () => {
  const solo = pair();
  const { state } = solo.replica;
  const [one, other] = ["c", "d"].map((digit) => digit.repeat(32));
  for (const [id, heir] of [
    [one, other],
    [other, one],
  ]) {
    const member = state.ledger.member(id ?? "");
    state.ledger.setProfile(
      member,
      { boot: 1, version: 1 },
      { ...NEW_PROFILE, heirs: [heir ?? ""], edition: 1 },
    );
    state.ledger.know(member, { boot: 1, version: 1 });
  }
  for (let tick = 0; tick < 80; tick++) {
    solo.advance(100);
    solo.flush();
  }
  expect(state.profile.claims.size).toBe(0);
});

test("one that leaves stops when a sibling has all of it on its disk, not when it has heard it", () => {
  const solo = pair();
  const { state, membership } = solo.replica;
  membership.leave();
  hear(solo, { serial: 2, isAware: true });
  while (!state.me.hasLeft) {
    solo.advance(100);
    solo.flush();
  }
  const { edition } = state.me.profile;
  hear(solo, { serial: 3, vector: state.ledger.vector() });
  confirm(solo, 4, edition - 1);
  solo.advance(100);
  expect(membership.hasLeft).toBe(false);
  confirm(solo, 5, edition);
  solo.advance(100);
  expect(membership.hasLeft).toBe(true);
});
