// A name that is not on its disk may be gone with the next kill: whoever took it for a member would wait for it for good.
import { expect, test } from "vitest";
import { decodeMessage, encodeMessage, type Message } from "../../src/bucket/message.ts";
import { rename } from "../../src/fleet/renewal.ts";
import { messageOf } from "../bucket/empty-message.ts";
import { Solo } from "./solo.ts";

const SIBLING = "b".repeat(32);

function answerOf({ replica }: Solo): Message {
  return decodeMessage(replica.answer(SIBLING));
}

test("one that goes on under another name does not count itself among the members before that is on its disk", () => {
  const solo = new Solo();
  const { state } = solo.replica;
  const counts = (): boolean => answerOf(solo).vector.has(state.me.id);
  solo.flush();
  expect(counts()).toBe(true);
  rename(state, "c".repeat(32), state.profile);
  expect([answerOf(solo).sender, counts()]).toEqual(["c".repeat(32), false]);
  solo.flush("refused");
  expect(counts()).toBe(false);
  solo.flush();
  expect(counts()).toBe(true);
});

test("who does not count itself among the members is none, and is told nothing until it does", () => {
  const solo = new Solo();
  solo.flush();
  const { lineage, members } = solo.replica.state.ledger;
  const hears = (serial: number, changes: Partial<Message>): readonly unknown[] => {
    const said = { ...messageOf(SIBLING), lineage, serial, ...changes };
    expect(solo.replica.receive(encodeMessage(said), 0, null)).toMatchObject({ kind: "taken" });
    return [members.has(SIBLING), answerOf(solo).sections.length];
  };
  expect(hears(1, { vector: new Map() })).toEqual([false, 0]);
  expect(hears(2, { vector: new Map(), lineage: null })).toEqual([false, 0]);
  expect(hears(3, {})).toEqual([true, 1]);
  expect(hears(4, { vector: new Map() })).toEqual([true, 0]);
});
