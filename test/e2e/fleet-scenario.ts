// A bad quarter of an hour for a fleet, in half a minute: three gateways under three times the load that their provider
// allows; one is cut off, a path fails in one direction, all messages are late, one gateway is killed and comes back, one
// is suspended, one joins, one leaves, and two are killed while their disks stand still. And a quiet one: all three are restarted in turn. Who it is that something
// happens to, and for how long, is drawn from a seed. `npm test` checks what comes of it, `npm run fleet` shows it.
import { join } from "node:path";
import { askMany, ownLevel, untilSeen, untilTheyHold, untilTogether } from "./fleet-desk.ts";
import { FleetProcesses, type ProviderStats, type Station } from "./fleet-processes.ts";
import { BURST, REQUESTS_PER_SECOND, Scene, type ScenarioOptions, until } from "./fleet-scene.ts";
import type { Loss, Tally } from "./load.ts";
import { holdUp } from "./stuck-disk.ts";

export interface ScenarioResult {
  readonly provider: ProviderStats;
  readonly tally: Tally;
  /** Requests that got no answer, but for those that were running on a gateway that was killed, when it was. */
  readonly lost: readonly Loss[];
  readonly seconds: number;
  /**
   * What the provider let in once the first burst was spent, and what the gateways still held in the end, of its refill in
   * that time; less what was refilled while one that was killed or suspended was away for longer than its part can keep.
   */
  readonly use: number;
  /** Served of a burst after all was over and the buckets had filled up: a part that is lost is missing, one that is double is refused. */
  readonly lastBurst: number;
}

const LOAD_FACTOR = 3;

type Script = (scene: Scene) => Promise<void>;

const NOTHING_MORE: Script = async () => {};

interface Scripts {
  /** During which the quota is used. */
  readonly main: Script;
  /** What burns and strands units, so that nothing is said of their use. */
  readonly after?: Script;
}

/** Runs scripts with real processes; everything they started has ended when it resolves. */
async function runScenario(scripts: Scripts, options: ScenarioOptions): Promise<ScenarioResult> {
  const fleet = new FleetProcesses({
    replicas: 3,
    requestsPerMin: REQUESTS_PER_SECOND * 60,
    burst: BURST,
    maxWaitMs: 1000,
    seed: options.seed,
    ...(options.nats === undefined ? {} : { nats: options.nats }),
  });
  try {
    await fleet.start();
    await untilTogether(fleet);
    return await play(new Scene(fleet, options), scripts);
  } finally {
    await fleet.stop();
  }
}

async function play(scene: Scene, { main, after = NOTHING_MORE }: Scripts): Promise<ScenarioResult> {
  const { fleet, load } = scene;
  scene.say(
    `three gateways share ${REQUESTS_PER_SECOND} requests/s (${BURST} at once when they are full); ${LOAD_FACTOR} times as many arrive`,
  );
  load.start(REQUESTS_PER_SECOND * LOAD_FACTOR);
  scene.options.watch?.(fleet, load);
  // From then on only the refill can be admitted.
  await until("the first burst is spent", () => load.tally.served >= BURST && load.tally.refused > 0);
  for (const station of fleet.stations) await scene.serves(station);
  const startedMs = performance.now();
  const used = -(await usedSoFar(scene));
  await main(scene);
  const useMs = performance.now() - startedMs - scene.wastedMs;
  const use = Math.min(1, (used + (await usedSoFar(scene))) / ((REQUESTS_PER_SECOND * useMs) / 1000));
  scene.say(`${(use * 100).toFixed(1)} % of the quota was used`);
  await after(scene);
  const seconds = (performance.now() - startedMs) / 1000;
  const tally = await load.stop();
  const lost = tally.lost.filter((loss) => !scene.isExcused(loss));
  scene.say("the load is over; once the limit is full again, all are asked for more than it at once");
  const lastBurst = await burst(scene);
  return { provider: await fleet.stats(), tally, lost, seconds, use, lastBurst };
}

/** What was let in, and what a machine that is busy has not come to yet: the gateways hold it. */
async function usedSoFar({ fleet, open }: Scene): Promise<number> {
  const levels = await Promise.all(open.map(ownLevel));
  const { admitted } = await fleet.stats();
  return levels.reduce((sum, level) => sum + Math.max(0, level), admitted);
}

/** Waits until the buckets are full, and asks all gateways for more than there is at once; how many were served. */
async function burst(scene: Scene): Promise<number> {
  const { open } = scene;
  await untilTheyHold(open, BURST - 1);
  const tallies = await Promise.all(open.map((station) => askMany(station, BURST / 2)));
  return tallies.reduce((sum, tally) => sum + (tally[200] ?? 0), 0);
}

/** Cuts, delays, a kill, a suspension, a join and a leave; then kills in the midst of gives. */
export function runFaults(options: ScenarioOptions): Promise<ScenarioResult> {
  return runScenario({ main: faults, after: killsWithStuckDisks }, options);
}

async function faults(scene: Scene): Promise<void> {
  await cuts(scene);
  await deaths(scene);
  const [leaver] = scene.shuffled();
  const joined = await scene.join("gw-3");
  scene.say(`${joined.name} has joined`);
  await scene.serves(joined);
  if (leaver !== undefined) await scene.leave(leaver);
  scene.say(`${leaver?.name} has handed its share over and left; ${joined.name} and the others go on`);
  await scene.while(2000);
}

async function cuts(scene: Scene): Promise<void> {
  const { fleet } = scene;
  const [alone, deaf] = scene.shuffled();
  const other = scene.chance.pick(fleet.stations.filter((station) => station !== deaf));
  if (alone === undefined || deaf === undefined) throw new Error("three stations");
  scene.say(`${alone.name} is cut off from its siblings, and goes on with what it holds`);
  fleet.isolate(alone);
  await Promise.all([scene.while(3000), scene.serves(alone)]);
  scene.say("the cut heals");
  fleet.heal();
  await scene.while(1500);
  scene.say(`${deaf.name} no longer hears ${other.name}; what it sends still arrives`);
  fleet.between(deaf, other, { delayMs: 0, cut: ["backward"] });
  await Promise.all([scene.while(3000), scene.serves(deaf)]);
  scene.say("healed; every message is late from here on, by 30 ms on average");
  fleet.delay(30);
  await scene.while(2000);
  fleet.heal();
}

async function deaths(scene: Scene): Promise<void> {
  const [killed, suspended] = scene.shuffled();
  if (killed === undefined || suspended === undefined) throw new Error("three stations");
  scene.say(`kill -9 ${killed.name}`);
  await scene.without(killed, async () => {
    await scene.kill(killed);
    await scene.while(1000);
    await scene.boot(killed);
  });
  scene.say(`${killed.name} is back`);
  await scene.while(1500);
  scene.say(`${suspended.name} is suspended for two seconds`);
  await scene.without(suspended, () => scene.suspend(suspended));
  scene.say(`${suspended.name} goes on`);
  await scene.while(1500);
}

/** Kills one gateway while it spends and another while it gives, when their disks stand still and nobody can tell them anything. */
async function killsWithStuckDisks(scene: Scene): Promise<void> {
  const [spender, giver] = scene.shuffled().filter((station) => scene.open.includes(station));
  if (spender === undefined || giver === undefined) throw new Error("three stations");
  await killWhileSpending(scene, spender);
  await killWhileGiving(scene, giver);
}

/** Units that a gateway keeps of a burst: enough for what it has reserved, too few to fill up while it is started again. */
const KEPT_OF_BURST = 20;

/**
 * It spends nearly all that there is, and what was reserved ahead when its disk stands still already. What the disk says to
 * be spent must not be there again. Whatever the fleet loses beside would hide that: so nobody gives it anything, and
 * from the first unit on no part is full.
 */
async function killWhileSpending(scene: Scene, victim: Station): Promise<void> {
  await rest(scene);
  await askMany(victim, BURST / 2);
  const others = (await rest(scene)).filter((station) => station !== victim);
  scene.fleet.isolate(victim);
  const held = await ownLevel(victim);
  scene.say(`${victim.name} spends what it holds; then its disk stands still, and it goes on`);
  const asked = others.map((station) => askMany(station, BURST / 2));
  await askMany(victim, Math.max(0, Math.floor(held) - KEPT_OF_BURST));
  const goOn = holdUp(join(victim.directory, "data"));
  asked.push(askMany(victim, KEPT_OF_BURST));
  scene.aim(null);
  await scene.while(300);
  await killCutOff(scene, victim, goOn);
  await Promise.all(asked);
}

/** It holds nearly all, and its siblings need it. What it gave must not be seen: it exists twice otherwise. */
async function killWhileGiving(scene: Scene, victim: Station): Promise<void> {
  const others = scene.open.filter((station) => station !== victim);
  await rest(scene);
  await askMany(victim, BURST / 2);
  // What is reserved and not spent is written back.
  await scene.while(600);
  scene.say(`the disk of ${victim.name} stands still, and its siblings need what it holds`);
  const goOn = holdUp(join(victim.directory, "data"));
  scene.aim(others);
  await scene.while(1000);
  await killCutOff(scene, victim, goOn);
}

/** No requests until the buckets are full: so nothing that was burnt before hides what is there twice. */
async function rest(scene: Scene): Promise<readonly Station[]> {
  scene.aim(null);
  const stations = scene.open;
  scene.say("no requests until the buckets are full");
  scene.aim([]);
  await untilTheyHold(stations, BURST - 1);
  return stations;
}

/** It comes back while its siblings can't be reached and goes by its disk alone; then all are asked for all that they have. */
async function killCutOff(scene: Scene, victim: Station, goOn: () => Promise<void>): Promise<void> {
  scene.say(`kill -9 ${victim.name}; it starts again cut off`);
  await scene.kill(victim);
  await goOn();
  scene.fleet.isolate(victim);
  await scene.boot(victim, { boot_grace: "300ms" });
  await untilSeen(victim, ({ state }) => state === "serving");
  scene.aim(null);
  await Promise.all(scene.open.map((station) => askMany(station, BURST)));
  scene.fleet.heal();
  scene.say("the cut heals");
}

/** Every gateway is restarted, one after another, as for a new version. */
export function runRollingRestart(options: ScenarioOptions): Promise<ScenarioResult> {
  const main: Script = async (scene) => {
    for (const station of scene.shuffled()) {
      await scene.leave(station);
      scene.say(`${station.name} has handed its share over and left`);
      await scene.boot(station);
      await scene.serves(station);
      scene.say(`${station.name} is back`);
    }
    await scene.while(1500);
  };
  return runScenario({ main }, options);
}
