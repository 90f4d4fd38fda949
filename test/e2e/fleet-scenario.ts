// A bad quarter of an hour for a fleet, in half a minute: three gateways under three times the load that their provider
// allows; one is cut off, a path fails in one direction, one is killed and comes back, one is suspended, one joins, one
// leaves. `npm test` checks what comes of it, `npm run fleet` shows it.
import { setTimeout as pause } from "node:timers/promises";
import { FleetProcesses, type ProviderStats, type Station } from "./fleet-processes.ts";
import { Load, type Tally } from "./load.ts";

export interface ScenarioResult {
  readonly provider: ProviderStats;
  readonly tally: Tally;
  readonly seconds: number;
  /**
   * What the provider let in once the first burst was spent, of what it could have let in: its refill in that time, but
   * for the part of a killed gateway that this machine was slow to start again, and never more than the gateways had
   * the time to answer at all, let in or refused.
   */
  readonly use: number;
  /** The longest that the machine let a process of the scenario stand still, in milliseconds, as far as was seen. */
  readonly stoodStillMs: number;
  /** The port of the gateway that was killed: requests that ran on it may be lost. */
  readonly killedPort: number;
}

export interface ScenarioOptions {
  /** How often the sequence of faults is gone through. */
  readonly rounds: number;
  readonly nats?: string;
  /** Told of each step. */
  readonly say: (what: string) => void;
  /** Called when the fleet and its load run, for a view of them. */
  readonly watch?: (fleet: FleetProcesses, load: Load) => void;
}

/** Few enough for two cores that have something else to do besides. */
const REQUESTS_PER_SECOND = 50;
const BURST = 100;
/** Requests that set out in time may arrive bunched, when processes share two cores: a quarter of a second of refill. */
export const SLACK_MS = 250;
const LOAD_FACTOR = 3;
/** What a gateway takes to start on a machine with nothing else to do, at most. While it is away its part is idle. */
const BOOT_MS = 1000;
const LOOKS = 4;
const LOOK_EVERY_MS = 500;
/** Until the first burst is spent: from then on only the refill can be admitted. */
const WARM_UP_MS = 3000;

/** Runs the scenario with real processes; everything it started has ended when it resolves. */
export async function runFleetScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const fleet = new FleetProcesses({
    replicas: 3,
    requestsPerMin: REQUESTS_PER_SECOND * 60,
    burst: BURST,
    slackMs: SLACK_MS,
    maxWaitMs: 1000,
    ...(options.nats === undefined ? {} : { nats: options.nats }),
  });
  try {
    await fleet.start();
    return await play(fleet, options);
  } finally {
    await fleet.stop();
  }
}

async function play(fleet: FleetProcesses, options: ScenarioOptions): Promise<ScenarioResult> {
  const { say, rounds, watch } = options;
  const away = new Set<Station>();
  const load = new Load(() => fleet.stations.filter((station) => !away.has(station)).map(({ port }) => port));
  const [first, second, third] = fleet.stations;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three stations");
  say(`three gateways share ${REQUESTS_PER_SECOND} requests/s; ${LOAD_FACTOR} times as many arrive`);
  load.start(REQUESTS_PER_SECOND * LOAD_FACTOR);
  watch?.(fleet, load);
  await pause(WARM_UP_MS);
  const { admitted: before } = await fleet.stats();
  const possible = new Possible(load);
  const startedMs = performance.now();
  let lateMs = 0;
  for (let round = 0; round < rounds; round++) {
    lateMs += await faults(fleet, { first, second, third }, away, say);
  }
  const joined = await join(fleet, away, say);
  await leave(first, away, say);
  say(`${joined.name} and the others go on`);
  await pause(2000);
  const lost = (REQUESTS_PER_SECOND / 3) * (lateMs / 1000);
  let use = 0;
  // Where this machine stands still for a moment the units are there, and are used in the next.
  for (let look = 0; look < LOOKS; look++) {
    await pause(LOOK_EVERY_MS);
    const { admitted } = await fleet.stats();
    use = Math.max(use, (admitted - before) / (possible.units() - lost));
  }
  possible.stop();
  const seconds = (performance.now() - startedMs) / 1000;
  const tally = await load.stop();
  const provider = await fleet.stats();
  return { provider, tally, seconds, use, stoodStillMs: load.stoodStillMs, killedPort: third.port };
}

/** Counts what could have been let in: second by second the refill, or as many requests as were answered at all. */
class Possible {
  readonly #load: Load;
  readonly #timer: NodeJS.Timeout;
  #units = 0;
  #answered: number;
  #atMs = performance.now();

  constructor(load: Load) {
    this.#load = load;
    this.#answered = load.tally.served + load.tally.refused;
    this.#timer = setInterval(() => this.units(), 1000);
  }

  units(): number {
    const { served, refused } = this.#load.tally;
    const now = performance.now();
    const refilled = (REQUESTS_PER_SECOND * (now - this.#atMs)) / 1000;
    this.#units += Math.min(refilled, served + refused - this.#answered);
    this.#answered = served + refused;
    this.#atMs = now;
    return this.#units;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

interface Three {
  readonly first: Station;
  readonly second: Station;
  readonly third: Station;
}

/** Resolves with how much later than on an idle machine the killed gateway was back, in milliseconds. */
async function faults(
  fleet: FleetProcesses,
  { first, second, third }: Three,
  away: Set<Station>,
  say: (what: string) => void,
): Promise<number> {
  say(`${first.name} is cut off from its siblings, and goes on with what it holds`);
  fleet.isolate(first);
  await pause(4000);
  say("the cut heals");
  fleet.heal();
  await pause(2000);
  say(`${second.name} no longer hears ${third.name}; what it sends still arrives`);
  fleet.between(second, third, { delayMs: 0, cut: ["backward"] });
  await pause(3000);
  say("healed; every message is 30 ms late from here on");
  fleet.heal();
  for (const [left, right] of [
    [first, second],
    [second, third],
    [first, third],
  ] as const) {
    fleet.between(left, right, { delayMs: 30, cut: [] });
  }
  await pause(2000);
  fleet.heal();
  say(`kill -9 ${third.name}`);
  away.add(third);
  await third.process.kill();
  await pause(1000);
  const bootMs = performance.now();
  await fleet.boot(third);
  const lateMs = Math.max(0, performance.now() - bootMs - BOOT_MS);
  say(`${third.name} is back`);
  away.delete(third);
  await pause(2000);
  say(`${second.name} is suspended for two seconds`);
  second.process.signal("SIGSTOP");
  away.add(second);
  await pause(2000);
  second.process.signal("SIGCONT");
  away.delete(second);
  say(`${second.name} goes on`);
  await pause(2000);
  return lateMs;
}

async function join(
  fleet: FleetProcesses,
  away: Set<Station>,
  say: (what: string) => void,
): Promise<Station> {
  const joined = await fleet.join("gw-3", (station) => away.add(station));
  away.delete(joined);
  say(`${joined.name} has joined`);
  await pause(2000);
  return joined;
}

async function leave(station: Station, away: Set<Station>, say: (what: string) => void): Promise<void> {
  away.add(station);
  station.process.signal("SIGTERM");
  const code = await station.process.ended;
  say(`${station.name} has handed its share over and left (exit code ${code})`);
  if (code !== 0)
    throw new Error(`${station.name} ended with ${code}: ${station.process.output.slice(-2000)}`);
}
