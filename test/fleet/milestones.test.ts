// What the log tells of a replica's fleets: those it founds, joins, gives way to, or is forgotten by.
import { createServer, type AddressInfo } from "node:net";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { NEVER } from "../../src/bucket/row.ts";
import { goOnAsNewcomer } from "../../src/fleet/recovery.ts";
import type { Log } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Liar, startVictim, Time, type Victim } from "./victim.ts";

let victim: Victim;

afterEach(async () => {
  await victim.running.close();
});

/** A log that keeps what is said at info and above, without its fields. */
function keepingLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  return { log: { debug: () => {}, info: keep, warn: keep, error: keep }, lines };
}

const STRANGER = "3".repeat(32);
const FOUNDED = "founded a fleet: no peer that answered is in one";

test("a fleet that is founded because no peer answered is told of; a replica without peers says nothing", async () => {
  const { log, lines } = keepingLog();
  victim = await startVictim({ log });
  victim.time.pass(200);
  expect(lines).toEqual([]);
  await victim.running.close();
  victim = await startVictim({ log, peers: ["http://127.0.0.1:1"] });
  victim.time.pass(200);
  const told = lines.filter((line) => line !== "no exchange with a sibling");
  expect(told).toEqual(["looking for siblings", FOUNDED]);
});

test("siblings that hold a founding back are told of once, and not for a moment that passes by itself", async () => {
  const { log, lines } = keepingLog();
  // Somebody who takes the connection and says nothing.
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void silent.close());
  const peer = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  victim = await startVictim({ log, peers: [peer], foundsUnheard: false });
  const told = (): string[] => lines.filter((line) => line.startsWith("siblings can't be reached"));
  victim.time.pass(0);
  const { links } = victim.running.replica.exchange;
  while (links.all.size === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let looks = 0; looks < 9; looks += 1) victim.time.pass(100);
  expect(told()).toEqual([]);
  for (let looks = 0; looks < 30; looks += 1) victim.time.pass(100);
  expect(told()).toHaveLength(1);
});

test.each([
  ["at once when its founder's name is known", "founder", 1],
  ["after a second when its founder has no name any more", "another", 10],
])("a fleet that is joined is told of once, %s", async (_, founder, looks) => {
  const { log, lines } = keepingLog();
  victim = await startVictim({ log, peers: ["http://127.0.0.1:1"] });
  const liar = new Liar(victim);
  const lineage = { stamp: 1, founder: founder === "founder" ? liar.id : STRANGER };
  const told = (): string[] => lines.filter((line) => line.includes("fleet"));
  expect(await liar.send(liar.message([liar.section({})], { lineage, era: 1 }))).toBe("ok");
  for (let look = 1; look < looks; look += 1) victim.time.pass(100);
  expect(told()).toEqual([]);
  for (let times = 0; times < 3; times += 1) victim.time.pass(100);
  expect(told()).toEqual(["joined a fleet"]);
});

test("that a younger fleet has given way is told once, by those of the older one", async () => {
  const { log, lines } = keepingLog();
  victim = await startVictim({ log });
  const { board } = victim.running;
  for (const stamp of [victim.time.wallMs + 5, victim.time.wallMs + 5, victim.time.wallMs + 6]) {
    board.offer(`gave-way/${stamp}`, new Uint8Array());
  }
  const line = "a younger fleet has given way to this one; its members go on in it, holding nothing";
  expect(lines).toEqual([line, line]);
});

test("giving way to an older fleet, and having been forgotten, are warnings", async () => {
  const { log, lines } = keepingLog();
  victim = await startVictim({ log });
  const liar = new Liar(victim);
  const lineage = { stamp: 1, founder: STRANGER };
  expect(await liar.send(liar.message([liar.section({})], { lineage, era: 1 }))).toBe("ok");
  victim.time.pass(100);
  await victim.running.flush();
  expect(lines).toEqual(["met an older fleet; this one gives way and goes on in it, holding nothing"]);
  expect([...victim.running.board.entries("gave-way/")]).toHaveLength(1);
  expect(await liar.send(liar.message([], { lineage, era: 9, forgotten: 9 }))).toBe("ok");
  victim.time.pass(100);
  expect(lines.slice(1)).toEqual([
    "the siblings have forgotten what this replica has not heard of; it begins again as a newcomer that holds nothing",
  ]);
});

test.each([-1, -1e300, 8.65e15])(
  "a fleet that was founded at no time at all is malformed: %d",
  async (stamp) => {
    victim = await startVictim();
    const before = victim.state();
    const liar = new Liar(victim);
    const lineage = { stamp, founder: STRANGER };
    expect(await liar.send(liar.message([liar.section({})], { lineage }))).toBe("malformed");
    expect(victim.state()).toEqual(before);
  },
);

test("who left and is started again is told so, and is not taken for dead", async () => {
  const { log, lines } = keepingLog();
  const [time, store] = [new Time(), new MemoryStore()];
  victim = await startVictim({ time, store });
  const liar = new Liar(victim);
  const knowing = { era: 1, isAware: true, vector: new Map([[liar.id, NEVER]]) };
  expect(await liar.send(liar.message([liar.section({})], knowing))).toBe("ok");
  victim.running.replica.leave();
  for (let ticks = 0; ticks < 12; ticks += 1) {
    victim.time.pass(100);
    await victim.running.flush();
  }
  expect(victim.running.replica.state.me.heirs).toEqual([liar.id]);
  const formerId = victim.running.replica.id;
  await victim.running.close();
  victim = await startVictim({ time, store, log, peers: ["http://127.0.0.1:1"] });
  victim.time.pass(100);
  // In case all whom it named have left too.
  expect([...victim.running.replica.state.me.claims.keys()]).toEqual([formerId]);
  // Nobody remembers it any more.
  const { state } = victim.running.replica;
  state.newId = () => "4".repeat(32);
  goOnAsNewcomer(state, []);
  victim.time.pass(100);
  const told = lines.filter((line) => line.includes("replica"));
  expect(told).toEqual(["had left the fleet; goes on in it as a new replica"]);
});
