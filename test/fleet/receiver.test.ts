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
