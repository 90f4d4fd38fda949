// What the log tells of siblings, in the order in which it happens to one of them.
import { expect, test } from "vitest";
import { type Log, silentLog } from "../../src/observe/events.ts";
import { Liar, startVictim } from "./victim.ts";

test("a sibling joins, falls silent, comes back, and is taken over: a line each, however often one looks", async () => {
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  const log: Log = { ...silentLog, info: keep, warn: keep };
  const victim = await startVictim({ log });
  const look = (ms: number): void => {
    for (let at = 0; at < ms; at += 100) victim.time.pass(100);
  };
  const sibling = new Liar(victim);
  const first = sibling.section({});
  let version = first.to.version;
  const speak = async (): Promise<void> => {
    const from = { boot: 1, version };
    version += 1;
    const section = { ...first, from, to: { boot: 1, version }, entries: [] };
    expect(await sibling.send(sibling.message([section]))).toBe("ok");
    look(200);
  };
  look(200);
  expect(await sibling.send(sibling.message([first]))).toBe("ok");
  look(200);
  look(4000);
  await speak();
  look(4000);
  victim.running.replica.membership.evict(sibling.id);
  look(300);
  await victim.running.flush();
  look(300);
  expect(lines).toEqual([
    "a sibling has joined",
    "a sibling has fallen silent",
    "a sibling is back",
    "a sibling has fallen silent",
    "the share of a sibling that was silent was taken over",
  ]);
  await victim.running.close();
});
