// The stage of a scenario: a fleet of real processes, an open load on it, and what can be done to both. Who it is that
// something happens to, and for how long, is drawn from a seed.
import { get } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Chance } from "../sim/random.ts";
import type { FleetProcesses, Station } from "./fleet-processes.ts";
import { Load, type Loss } from "./load.ts";

/** Few enough for two cores that have something else to do besides. */
export const REQUESTS_PER_SECOND = 20;
export const BURST = 80;
/** What a part can hold is what it refills in this time: who is away for longer wastes the rest. */
const KEPT_MS = (BURST / REQUESTS_PER_SECOND) * 1000;

export interface ScenarioOptions {
  readonly seed: number;
  readonly nats?: string;
  /** Told of each step. */
  readonly say: (what: string) => void;
  /** Called when the fleet and its load run, for a view of them. */
  readonly watch?: (fleet: FleetProcesses, load: Load) => void;
}

/** How long anything may take on a busy machine. */
const PATIENCE_MS = 120_000;
const LOOK_EVERY_MS = 20;

/** The fleet, its load, and what can be done to them. */
export class Scene {
  readonly fleet: FleetProcesses;
  readonly load: Load;
  readonly options: ScenarioOptions;
  readonly chance: Chance;
  /** For how long gateways were away beyond what their parts can hold, in milliseconds: starting takes as long as it takes. */
  wastedMs = 0;
  readonly #away = new Set<Station>();
  #aimedAt: readonly Station[] | null = null;
  readonly #kills: { readonly station: string; readonly life: number; readonly lossesBefore: number }[] = [];

  constructor(fleet: FleetProcesses, options: ScenarioOptions) {
    this.fleet = fleet;
    this.options = options;
    this.chance = new Chance(options.seed);
    this.load = new Load(() => this.open);
  }

  /** The gateways that take requests at this moment. */
  get open(): readonly Station[] {
    const aimedAt = this.#aimedAt ?? this.fleet.stations;
    return aimedAt.filter((station) => !this.#away.has(station));
  }

  /** Sends requests to these only; `null`: to all. */
  aim(stations: readonly Station[] | null): void {
    this.#aimedAt = stations;
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
    this.#kills.push({ station: name, life, lossesBefore: this.load.tally.lost.length });
    await station.process.kill();
  }

  async suspend(station: Station): Promise<void> {
    this.#away.add(station);
    station.process.signal("SIGSTOP");
    await this.while(2000);
    station.process.signal("SIGCONT");
    this.#away.delete(station);
  }

  /** Starts it again; `keys`: more of its configuration's `fleet`. */
  async boot(station: Station, keys: object = {}): Promise<void> {
    await this.fleet.boot(station, keys);
    this.#away.delete(station);
  }

  /** Does to a station what keeps it from serving, and waits until it serves again. */
  async without(station: Station, what: () => Promise<void>): Promise<void> {
    const startedMs = performance.now();
    await what();
    await this.serves(station);
    this.wastedMs += Math.max(0, performance.now() - startedMs - KEPT_MS);
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

  /** Whether the request ran on a process that was killed, when it was: its connection broke then. */
  isExcused(loss: Loss): boolean {
    return (
      loss.isBroken &&
      this.#kills.some(
        ({ station, life, lossesBefore }) =>
          loss.station === station &&
          loss.life === life &&
          this.load.tally.lost.indexOf(loss) >= lossesBefore,
      )
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

export async function until(what: string, isSo: () => boolean): Promise<void> {
  const startedMs = performance.now();
  while (!isSo()) {
    if (performance.now() - startedMs > PATIENCE_MS) throw new Error(`not in time: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}
