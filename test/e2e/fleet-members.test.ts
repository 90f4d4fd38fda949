// Members of a fleet of real processes come and go: by SIGTERM, by kill -9 and a policy, by an operator's word, by way
// of NATS. Whoever is left can use the whole quota, and the provider, which enforces the same, refuses nothing.
import { afterEach, describe, expect, test } from "vitest";
import { hasNatsServer, type NatsServer, startNatsServer } from "../fleet/nats-server.ts";
import { ask, askMany, levelOf, sharesOf, untilSeen, untilTogether, viewOf } from "./fleet-desk.ts";
import { FleetProcesses, type FleetOptions, Running, type Station } from "./fleet-processes.ts";

/**
 * Sixty at once, then ten per second: what a replica could not gather it can't wait for within two seconds. A third of the
 * burst and all of the refill are forty. (Gathering takes some milliseconds, and a second on a busy machine.)
 */
const OPTIONS: FleetOptions = {
  replicas: 3,
  requestsPerMin: 600,
  burst: 60,
  maxWaitMs: 2000,
};
const BURST = 60;
/** Less than the burst by what a kill may burn, and more than two thirds of it. */
const NEARLY_ALL = 50;

const SPREADS_MAX = 20;
/** A request waits for two seconds: one unit of a share of a fortieth comes within two of them. */
const TRIES_MAX = 50;

let fleet: FleetProcesses;
let broker: NatsServer | undefined;

afterEach(async () => {
  await fleet.stop();
  await broker?.stop();
  broker = undefined;
});

async function start(options: Partial<FleetOptions> = {}): Promise<readonly [Station, Station, Station]> {
  fleet = new FleetProcesses({ ...OPTIONS, ...options });
  await fleet.start();
  await untilTogether(fleet);
  const [first, second, third] = fleet.stations;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three stations");
  return [first, second, third];
}

/** More requests than there is room for at all of them at once, until each holds a part: one that is quick may lose its part again. */
async function spread(stations: readonly Station[]): Promise<void> {
  for (let tries = 0; tries < SPREADS_MAX; tries++) {
    await Promise.all(stations.map((station) => askMany(station, 25)));
    if ((await holders(stations)).length === stations.length) return;
  }
  throw new Error("some replica never comes to hold a part");
}

/** Those whose own part has room for a request: with less they can serve nothing alone, however long they refill. */
async function holders(stations: readonly Station[]): Promise<readonly Station[]> {
  const views = await Promise.all(stations.map((station) => viewOf(station)));
  return stations.filter((station, index) => {
    const seen = views[index];
    return seen !== null && seen !== undefined && sharesOf(seen, [station.name]) * BURST >= 1.5;
  });
}

const refusedByProvider = async (): Promise<number> => (await fleet.stats()).refused;

async function untilFull(station: Station): Promise<void> {
  await untilSeen(station, (seen) => levelOf(seen) >= BURST - 1);
}

async function untilServed(station: Station): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) if ((await ask(station)) === 200) return;
  throw new Error(`${station.name} serves nothing of what it holds`);
}

async function terminate(station: Station): Promise<void> {
  station.process.signal("SIGTERM");
  expect(await station.process.ended).toBe(0);
  expect(station.process.output).toContain("left the fleet");
}

describe("a replica that leaves on SIGTERM", () => {
  test("hands over: one sibling alone can use the whole burst", async () => {
    const [first, second, third] = await start();
    await spread(fleet.stations);
    await terminate(first);
    const others = [second.name, third.name];
    await untilSeen(second, (seen) => sharesOf(seen, others) > 0.999999);
    await untilFull(second);
    expect((await askMany(second, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    expect(await refusedByProvider()).toBe(0);
  }, 180_000);

  test("may come back with its disk, and gets what it needs", async () => {
    const [first] = await start();
    await spread(fleet.stations);
    await terminate(first);
    await fleet.boot(first);
    await untilSeen(first, ({ state }) => state === "serving");
    expect(await ask(first)).toBe(200);
    await untilFull(first);
    expect((await askMany(first, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    expect(await refusedByProvider()).toBe(0);
  }, 180_000);

  test("hands over buckets that nobody has touched too, when it founded the fleet", async () => {
    const [first] = await start();
    const seen = await viewOf(first);
    const founder = seen?.members.find((member) => member.is_founder)?.name;
    const leaver = fleet.stations.find(({ name }) => name === founder);
    const heir = fleet.stations.find((station) => station !== leaver);
    if (leaver === undefined || heir === undefined) throw new Error("a founder and another");
    await terminate(leaver);
    expect((await askMany(heir, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    expect(await refusedByProvider()).toBe(0);
  }, 180_000);
});

describe("a replica that was killed", () => {
  test("is replaced after the time of `reclaim: { after }`, not before, and its share is the others'", async () => {
    // Long enough for a gateway that lives and does not get a processor.
    const [first, second, third] = await start({ fleet: { reclaim: { after: "4s" } } });
    await spread(fleet.stations);
    await third.process.kill();
    const silentMs = await untilSeen(first, (seen) => sharesOf(seen, [first.name, second.name]) > 0.999999);
    // A sign of life comes every second; the last one may be that old.
    expect(silentMs).toBeGreaterThan(2900);
    await untilFull(first);
    expect((await askMany(first, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    expect(await refusedByProvider()).toBe(0);
  }, 180_000);

  test("waits for an operator's word with `reclaim: operator`, who can't give it while it lives", async () => {
    const [first, second, third] = await start({ fleet: { reclaim: "operator" } });
    await spread(fleet.stations);
    const evict = async (): Promise<{ readonly code: number | null; readonly output: string }> => {
      const command = new Running(["evict", third.name, "--url", `http://127.0.0.1:${first.port}`]);
      return { code: await command.ended, output: command.output };
    };
    const early = await evict();
    expect(early.code).toBe(1);
    expect(early.output).toContain("is alive");
    await third.process.kill();
    await untilSeen(first, ({ members }) => members.some((member) => member.state === "silent"));
    const seen = await viewOf(first);
    expect(seen === null ? 1 : sharesOf(seen, [first.name, second.name])).toBeLessThan(0.999999);
    const word = await evict();
    expect(word.output).toContain("taken over");
    expect(word.code).toBe(0);
    await untilSeen(second, (seen) => sharesOf(seen, [first.name, second.name]) > 0.999999);
    await untilFull(second);
    expect((await askMany(second, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    expect(await refusedByProvider()).toBe(0);
  }, 180_000);
});

test.skipIf(!hasNatsServer)(
  "a fleet over NATS keeps the quota, and goes on with what it holds while the broker is gone",
  async () => {
    broker = await startNatsServer();
    const [first, second, third] = await start({ nats: broker.url });
    await spread(fleet.stations);
    await untilFull(first);
    expect((await askMany(first, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    await spread(fleet.stations);
    const { port } = broker;
    await broker.stop();
    await untilSeen(third, ({ members }) => members.some((member) => member.state === "silent"));
    // However little was left when it was noticed: each has its share's refill. What was on its way may be lost.
    const alone = await holders([first, second, third]);
    expect(alone.length).toBeGreaterThan(0);
    await Promise.all(alone.map(untilServed));
    broker = await startNatsServer(port);
    await untilTogether(fleet);
    await untilFull(third);
    expect((await askMany(third, NEARLY_ALL))[200]).toBe(NEARLY_ALL);
    expect(await refusedByProvider()).toBe(0);
  },
  180_000,
);
