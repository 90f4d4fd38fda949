// A bad quarter of an hour for a fleet, in half a minute: three gateways under three times the load that their provider
// allows; one is cut off, a path fails in one direction, all messages are late, one gateway is killed and comes back, one
// is suspended, one joins, one leaves. And a quiet one: all three are restarted in turn. Who it is that something
// happens to, and for how long, is drawn from a seed. `npm test` checks what comes of it, `npm run fleet` shows it.
import { get } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Chance } from "../sim/random.ts";
import { CpuWaits } from "./cpu-waits.ts";
import { askMany, levelOf, untilSeen, untilTogether } from "./fleet-desk.ts";
import { FleetProcesses, type ProviderStats, type Station } from "./fleet-processes.ts";
import { Load, type Loss, type Tally } from "./load.ts";

export interface ScenarioResult {
  readonly provider: ProviderStats;
  readonly tally: Tally;
  /** Requests that got no answer, but for those that were running on the gateway that was killed, when it was. */
  readonly lost: readonly Loss[];
  readonly seconds: number;
  /**
   * What the provider let in once the first burst was spent, of its refill in that time; less what was refilled while the
   * gateways stood in line for a processor, as the system counts it: on average, so much of the time they could do nothing.
   */
  readonly use: number;
  /** Served of a burst after all was over and the buckets had filled up: a part that is lost is missing, one that is double is refused. */
  readonly lastBurst: number;
}

export interface ScenarioOptions {
  readonly seed: number;
  readonly nats?: string;
  /** Told of each step. */
  readonly say: (what: string) => void;
  /** Called when the fleet and its load run, for a view of them. */
  readonly watch?: (fleet: FleetProcesses, load: Load) => void;
}

/** Few enough for two cores that have something else to do besides. */
const REQUESTS_PER_SECOND = 20;
export const BURST = 80;
const LOAD_FACTOR = 3;
/** How long anything may take on a busy machine. */
const PATIENCE_MS = 120_000;
const LOOK_EVERY_MS = 20;

type Script = (scene: Scene) => Promise<void>;

/** Runs a script with real processes; everything it started has ended when it resolves. */
async function runScenario(script: Script, options: ScenarioOptions): Promise<ScenarioResult> {
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
    return await play(new Scene(fleet, options), script);
  } finally {
    await fleet.stop();
  }
}

async function play(scene: Scene, script: Script): Promise<ScenarioResult> {
  const { fleet, load } = scene;
  scene.say(`three gateways share ${REQUESTS_PER_SECOND} requests/s; ${LOAD_FACTOR} times as many arrive`);
  load.start(REQUESTS_PER_SECOND * LOAD_FACTOR);
  scene.options.watch?.(fleet, load);
  // From then on only the refill can be admitted.
  await until("the first burst is spent", () => load.tally.served >= BURST && load.tally.refused > 0);
  for (const station of fleet.stations) await scene.serves(station);
  const { admitted: before } = await fleet.stats();
  const possible = new Possible(scene);
  const startedMs = performance.now();
  await script(scene);
  const { admitted } = await fleet.stats();
  const use = Math.min(1, (admitted - before) / possible.units());
  const seconds = (performance.now() - startedMs) / 1000;
  const tally = await load.stop();
  const lost = tally.lost.filter((loss) => !scene.isExcused(loss));
  scene.say("the load is over; once the limit is full again, all are asked for more than it at once");
  const lastBurst = await burst(scene);
  return { provider: await fleet.stats(), tally, lost, seconds, use, lastBurst };
}

/** Counts what could have been let in. */
class Possible {
  readonly #waits: CpuWaits;
  readonly #replicas: number;
  readonly #startedMs = performance.now();

  constructor({ fleet }: Scene) {
    this.#replicas = fleet.stations.length;
    this.#waits = new CpuWaits(() => fleet.pids);
  }

  units(): number {
    const withheldMs = this.#waits.sinceLastMs() / this.#replicas;
    const ms = Math.max(0, performance.now() - this.#startedMs - withheldMs);
    return (REQUESTS_PER_SECOND * ms) / 1000;
  }
}

/** Waits until the buckets are full, and asks all gateways for more than there is at once; how many were served. */
async function burst(scene: Scene): Promise<number> {
  const { open } = scene;
  for (const station of open) await untilSeen(station, (seen) => levelOf(seen) >= BURST - 1);
  const tallies = await Promise.all(open.map((station) => askMany(station, BURST / 2)));
  return tallies.reduce((sum, tally) => sum + (tally[200] ?? 0), 0);
}

/** The fleet, its load, and what can be done to them. */
class Scene {
  readonly fleet: FleetProcesses;
  readonly load: Load;
  readonly options: ScenarioOptions;
  readonly chance: Chance;
  readonly #away = new Set<Station>();
  #killed: { readonly station: string; readonly life: number; readonly lossesBefore: number } | null = null;

  constructor(fleet: FleetProcesses, options: ScenarioOptions) {
    this.fleet = fleet;
    this.options = options;
    this.chance = new Chance(options.seed);
    this.load = new Load(() => this.open);
  }

  /** The gateways that take requests at this moment. */
  get open(): readonly Station[] {
    return this.fleet.stations.filter((station) => !this.#away.has(station));
  }

  say(what: string): void {
    this.options.say(what);
  }

  /** A while of about so many milliseconds. */
  async while(ms: number): Promise<void> {
    await pause(this.chance.between(0.75 * ms, 1.25 * ms));
  }

  /** The stations in an order by chance. */
  shuffled(): Station[] {
    return this.fleet.stations
      .map((station) => ({ station, rank: this.chance.next() }))
      .sort((left, right) => left.rank - right.rank)
      .map(({ station }) => station);
  }

  /** Resolves when the station has served a few requests from now on. */
  async serves(station: Station): Promise<void> {
    const enough = this.load.servedBy(station) + 3;
    await until(`${station.name} serves`, () => this.load.servedBy(station) >= enough);
  }

  /** Sends no more requests there, as a load balancer does; what was sent has been read when it resolves. */
  async withdraw(station: Station): Promise<void> {
    this.#away.add(station);
    await until("all is sent", () => this.load.isSent(station));
    // It is read behind what came before.
    await onNewConnection(station.port, "/healthz");
  }

  async kill(station: Station): Promise<void> {
    this.#away.add(station);
    const { life, name } = station;
    this.#killed = { station: name, life, lossesBefore: this.load.tally.lost.length };
    await station.process.kill();
  }

  async suspend(station: Station): Promise<void> {
    this.#away.add(station);
    station.process.signal("SIGSTOP");
    await this.while(2000);
    station.process.signal("SIGCONT");
    this.#away.delete(station);
  }

  async boot(station: Station): Promise<void> {
    await this.fleet.boot(station);
    this.#away.delete(station);
  }

  async join(name: string): Promise<Station> {
    const joined = await this.fleet.join(name, (station) => this.#away.add(station));
    this.#away.delete(joined);
    return joined;
  }

  async leave(station: Station): Promise<void> {
    await this.withdraw(station);
    station.process.signal("SIGTERM");
    const code = await station.process.ended;
    const { output } = station.process;
    if (code !== 0 || !output.includes("left the fleet"))
      throw new Error(`${station.name} ended with ${code} and did not hand over: ${output.slice(-2000)}`);
  }

  /** Whether the request ran on the killed process when it was killed: its connection broke then. */
  isExcused(loss: Loss): boolean {
    const killed = this.#killed;
    return (
      killed !== null &&
      loss.isBroken &&
      loss.station === killed.station &&
      loss.life === killed.life &&
      this.load.tally.lost.indexOf(loss) >= killed.lossesBefore
    );
  }
}

/** An answer by way of a connection of its own, which is accepted behind those that were opened before. */
function onNewConnection(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = get({ host: "127.0.0.1", port, path, agent: false, timeout: PATIENCE_MS }, (answer) => {
      answer.resume();
      answer.once("end", resolve);
    });
    asked.once("timeout", () => asked.destroy(new Error(`no ${path} in time`)));
    asked.once("error", reject);
  });
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const startedMs = performance.now();
  while (!isSo()) {
    if (performance.now() - startedMs > PATIENCE_MS) throw new Error(`not in time: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}

/** Cuts, delays, a kill, a suspension, a join and a leave. */
export function runFaults(options: ScenarioOptions): Promise<ScenarioResult> {
  return runScenario(async (scene) => {
    await cuts(scene);
    await deaths(scene);
    const [leaver] = scene.shuffled();
    const joined = await scene.join("gw-3");
    scene.say(`${joined.name} has joined`);
    await scene.serves(joined);
    if (leaver !== undefined) await scene.leave(leaver);
    scene.say(`${leaver?.name} has handed its share over and left; ${joined.name} and the others go on`);
    await scene.while(2000);
  }, options);
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
  await scene.kill(killed);
  await scene.while(1000);
  await scene.boot(killed);
  await scene.serves(killed);
  scene.say(`${killed.name} is back`);
  await scene.while(1500);
  scene.say(`${suspended.name} is suspended for two seconds`);
  await scene.suspend(suspended);
  scene.say(`${suspended.name} goes on`);
  await Promise.all([scene.while(1500), scene.serves(suspended)]);
}

/** Every gateway is restarted, one after another, as for a new version. */
export function runRollingRestart(options: ScenarioOptions): Promise<ScenarioResult> {
  return runScenario(async (scene) => {
    for (const station of scene.shuffled()) {
      await scene.leave(station);
      scene.say(`${station.name} has handed its share over and left`);
      await scene.boot(station);
      await scene.serves(station);
      scene.say(`${station.name} is back`);
    }
    await scene.while(1500);
  }, options);
}
