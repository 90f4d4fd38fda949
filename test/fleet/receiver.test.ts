// A sibling says whom it takes the receiver to be, and which boot of that one it has heard. An address may have passed to
// another replica since: what is said of somebody else is not heeded.
import { afterEach, expect, test } from "vitest";
import { Liar, startVictim, type Victim } from "./victim.ts";

let victim: Victim;

afterEach(async () => {
  await victim.running.close();
});

async function supersededBy(isOwn: boolean): Promise<number> {
  victim = await startVictim();
  const liar = new Liar(victim);
  const { id, state } = victim.running.replica;
  const receiver = { id: isOwn ? id : "5".repeat(32), boot: state.me.boot + 1 };
  expect(await liar.send(liar.message([liar.section({})], { receiver }))).toBe("ok");
  return state.supersededByBoot - state.me.boot;
}

test("a later boot of this replica that was heard elsewhere stops this process", async () => {
  expect(await supersededBy(true)).toBe(1);
});

test("a boot of another one, for whom this replica is taken, does not", async () => {
  expect(await supersededBy(false)).toBeLessThan(0);
});

/** Whether rows are taken from a message that tells no farewells, since the receiver had said in that boot that it knows them. */
async function isTaken(bootsBefore: number, carriedOut = 0): Promise<boolean> {
  victim = await startVictim();
  const liar = new Liar(victim);
  const { id, state } = victim.running.replica;
  const receiver = { id, boot: state.me.boot - bootsBefore };
  const bytes = liar.message([liar.section({ spent: 1 })], { receiver, farewells: null, carriedOut });
  expect(await liar.send(bytes)).toBe("ok");
  return state.ledger.buckets.values().some(({ entries }) => entries.has(liar.id));
}

test("what goes by what this replica said that it knows is taken", async () => {
  expect(await isTaken(0)).toBe(true);
});

test("what goes by what it has forgotten since is not", async () => {
  expect(await isTaken(0, 7)).toBe(false);
});

test("what goes by what it said before it was started anew is not: its disk may have gone back", async () => {
  expect(await isTaken(1)).toBe(false);
});
