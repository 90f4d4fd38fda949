// What is asked of a fleet, in named scenarios, and how much of the quota it used: the units it admitted, of those that
// one central bucket would have admitted of the same requests.
import type { Limit } from "../../src/bucket/limit.ts";
import { Cluster } from "./cluster.ts";
import { type Arrival, central } from "./oracle.ts";

export interface Scenario {
  readonly name: string;
  readonly machines: number;
  readonly capacity: number;
  readonly perSecond: number;
  /** Demand, as a multiple of the refill. */
  readonly load: number;
  readonly cost: (chance: () => number) => number;
  /** The machine that a request at this time goes to. */
  readonly to: (machines: number, atMs: number, chance: () => number) => number;
  readonly setUp?: (cluster: Cluster) => void;
  /** Requests go to any machine that runs at the time, instead. */
  readonly isAnyRunning?: boolean;
  /** The least use, of the central bucket's. */
  readonly target: number;
  readonly idleMs?: number;
}

export const WARM_UP_MS = 2000;
const LASTS_MS = 60_000;
const PATIENCE_MS = 8000;

export interface Result {
  readonly name: string;
  readonly use: number;
  readonly over: number;
  readonly target: number;
  readonly events: number;
  readonly waits: readonly number[];
}

export function run(scenario: Scenario, seed: number): Result {
  const limit: Limit = {
    key: "p/requests",
    dimension: "requests",
    capacity: scenario.capacity,
    refill: { kind: "continuous", unitsPerMs: scenario.perSecond / 1000 },
  };
  const cluster = new Cluster({ seed, machines: scenario.machines, limits: [limit] });
  const { world } = cluster;
  const { chance } = world;
  cluster.startAll();
  scenario.setUp?.(cluster);
  const arrivals: Arrival[] = [];
  const startMs = WARM_UP_MS + (scenario.idleMs ?? 0);
  const endMs = startMs + LASTS_MS;
  const arrive = (): void => {
    const atMs = world.nowMs;
    if (atMs > endMs) return;
    const cost = scenario.cost(chance.next);
    const name = scenario.isAnyRunning
      ? chance.pick(runningOf(cluster))
      : `m${scenario.to(scenario.machines, atMs - startMs, chance.next)}`;
    const deadlineMs = atMs + PATIENCE_MS;
    arrivals.push({ atMs, cost, deadlineMs });
    cluster.arrive(name, { costs: [cost], arrivedMs: atMs, deadlineMs, runsMs: 50, actual: [cost] });
    world.after(chance.exponential((1000 * cost) / (scenario.perSecond * scenario.load)), arrive);
  };
  world.after(startMs, arrive);
  world.runUntil(endMs);
  const possible = central(arrivals, limit, endMs);
  const oracle = cluster.oracles[0];
  return {
    name: scenario.name,
    use: cluster.admitted / possible,
    over: Math.max(0, oracle?.over ?? 0),
    target: scenario.target,
    events: world.events,
    waits: [...cluster.desks.values()].flatMap((desk) => desk.waitsMs),
  };
}

function runningOf({ machines }: Cluster): string[] {
  return [...machines.values()]
    .filter(({ replica, hasStopped }) => replica !== null && !hasStopped && !replica.membership.isLeaving)
    .map(({ name }) => name);
}

const one = (): number => 1;
const anywhere = (machines: number, _atMs: number, chance: () => number): number =>
  Math.floor(chance() * machines);

/** Nine of ten requests go to the first machine. */
const skewed = (machines: number, _atMs: number, chance: () => number): number =>
  chance() < 0.9 ? 0 : Math.floor(chance() * machines);

const hotSpot = (machines: number, atMs: number, chance: () => number): number =>
  chance() < 0.95 ? Math.floor(atMs / 5000) % machines : Math.floor(chance() * machines);

function split(groups: number, fromMs: number, forMs: number) {
  return ({ world, machines }: Cluster): void => {
    const names = [...machines.keys()];
    const parts = Array.from({ length: groups }, (_, group) =>
      names.filter((_, index) => index % groups === group),
    );
    world.after(fromMs, () => world.partition(parts));
    world.after(fromMs + forMs, () => world.heal());
  };
}

function flapping(cluster: Cluster): void {
  const { world } = cluster;
  const flap = (): void => {
    world.cut("m0", "m1");
    world.cut("m1", "m0");
    world.after(700, () => world.heal());
    world.after(1400, flap);
  };
  world.after(WARM_UP_MS, flap);
}

function lossy(loss: number) {
  return ({ world }: Cluster): void => {
    world.network.loss = loss;
    world.network.duplication = 0.05;
  };
}

function slow({ world }: Cluster): void {
  world.network.delayMinMs = 5;
  world.network.delayMaxMs = 50;
}

/** One machine after another is killed and comes back. */
function restarts(cluster: Cluster): void {
  const names = [...cluster.machines.keys()];
  let next = 0;
  const kill = (): void => {
    const machine = cluster.machines.get(names[next++ % names.length] ?? "");
    machine?.crash();
    cluster.world.after(1000, () => machine?.start());
    cluster.world.after(10_000, kill);
  };
  cluster.world.after(WARM_UP_MS + 5000, kill);
}

/** From 3 machines to 30, one by one, and back to 3: those who came first leave first, the founder among them. */
function growAndShrink(cluster: Cluster): void {
  const { world } = cluster;
  const stepMs = 600;
  const grow = (count: number): void => {
    cluster.add(`m${count}`).start();
    if (count + 1 < 30) world.after(stepMs, () => grow(count + 1));
  };
  const shrink = (next: number): void => {
    const machine = cluster.machines.get(`m${next}`);
    machine?.leave(5000, () => {
      if (machine.hasLeft) cluster.remove(machine.name);
    });
    if (next + 1 < 27) world.after(stepMs, () => shrink(next + 1));
  };
  world.after(WARM_UP_MS + 4000, () => grow(3));
  world.after(WARM_UP_MS + 32_000, () => shrink(0));
}

const base = { machines: 4, capacity: 100, perSecond: 50, load: 1.5, cost: one, to: anywhere };

export const SCENARIOS: readonly Scenario[] = [
  { ...base, name: "even, 4 replicas", target: 0.99 },
  { ...base, name: "even, 20 replicas", machines: 20, target: 0.99 },
  { ...base, name: "skewed, 4 replicas", to: skewed, target: 0.99 },
  { ...base, name: "skewed, 20 replicas", machines: 20, to: skewed, target: 0.99 },
  { ...base, name: "below the quota", load: 0.6, target: 0.99 },
  { ...base, name: "hot spot moves every 5 s", to: hotSpot, target: 0.97 },
  { ...base, name: "hot spot, links of 5 to 50 ms", to: hotSpot, setUp: slow, target: 0.97 },
  { ...base, name: "burst after idle", idleMs: 120_000, to: () => 2, target: 0.99 },
  { ...base, name: "30 % loss", setUp: lossy(0.3), target: 0.99 },
  { ...base, name: "two-way split for 20 s", setUp: split(2, 12_000, 20_000), target: 0.97 },
  { ...base, name: "five-way split for 20 s", machines: 10, setUp: split(5, 12_000, 20_000), target: 0.97 },
  { ...base, name: "flapping link", setUp: flapping, target: 0.97 },
  { ...base, name: "1 per second for 8 replicas", machines: 8, capacity: 1, perSecond: 1, target: 0.95 },
  { ...base, name: "5 per second for 20 replicas", machines: 20, capacity: 5, perSecond: 5, target: 0.95 },
  {
    ...base,
    name: "requests of 60 % of the bucket",
    machines: 5,
    capacity: 100,
    perSecond: 50,
    cost: () => 60,
    target: 0.95,
  },
  {
    ...base,
    name: "large and small requests",
    machines: 6,
    capacity: 100,
    perSecond: 50,
    cost: (chance) => (chance() < 0.1 ? 50 : 1),
    target: 0.95,
  },
  { ...base, name: "restarts every 10 s", setUp: restarts, target: 0.9 },
  {
    ...base,
    name: "joins and leaves, 3 to 30 to 3 replicas",
    machines: 3,
    setUp: growAndShrink,
    isAnyRunning: true,
    target: 0.95,
  },
];
