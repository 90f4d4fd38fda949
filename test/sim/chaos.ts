// Random fleets under random faults, drawn from a seed. The promise is checked after every event; after the faults the
// network heals, everything is started again, and all replicas must come to hold the same state and use their quota.
// Most schedules are short and dense; one in sixteen is long, so that what takes its time happens too: those who are gone
// are said farewell to and forgotten while faults go on.
import type { Limit } from "../../src/bucket/limit.ts";
import { Broken, Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import type { Chance } from "./random.ts";

const START_MS = 800;
/** How long a schedule strikes, and how often. */
const SHORT = { faultsMs: 3500, everyMs: 350, quietMs: 0 };
const LONG = { faultsMs: 12_000, everyMs: 700, quietMs: 6000 };
/** How long a healed fleet may take until all have come back and agree, and then until it admits something. */
const AGREES_MS = 30_000;
const ADMITS_MS = 10_000;
const LOOK_MS = 250;
const PATIENCE_MS = 2500;

export interface Outcome {
  readonly seed: number;
  readonly events: number;
  readonly admitted: number;
  /** Why it failed; empty when it did not. */
  readonly fault: string;
  readonly faults: readonly string[];
}

function drawLimits(chance: Chance): Limit[] {
  const capacity = chance.pick([1, 2, 5, 20, 100, 5000]);
  const limits: Limit[] = [
    {
      key: "p/requests",
      dimension: "requests",
      capacity,
      refill: { kind: "continuous", unitsPerMs: (capacity * chance.between(0.2, 1.5)) / 1000 },
    },
  ];
  if (chance.hits(0.3)) {
    limits.push({
      key: "p/concurrent",
      dimension: "concurrent",
      capacity: chance.integer(1, 12),
      refill: { kind: "held" },
    });
  }
  if (chance.hits(0.3)) {
    limits.push({
      key: "k/tokens/min",
      dimension: "tokens",
      capacity: capacity * chance.integer(2, 8),
      refill: { kind: "calendar", period: "min", timezone: "UTC" },
    });
  }
  return limits;
}

class Chaos {
  readonly cluster: Cluster;
  readonly chance: Chance;
  readonly faults: string[] = [];
  readonly #schedule: typeof SHORT;
  #joined = 0;
  #isOver = false;

  constructor(seed: number, machines: number, limits: (chance: Chance) => Limit[]) {
    const draw = new Cluster({ seed, machines: 0, limits: [] }).world.chance;
    this.cluster = new Cluster({ seed, machines: 0, limits: limits(draw), membership: { hasPeers: true } });
    this.chance = this.cluster.world.chance;
    this.#schedule = seed % 16 === 0 ? LONG : SHORT;
    const { world } = this.cluster;
    world.network.delayMaxMs = this.chance.pick([1, 5, 50, 300]);
    world.network.loss = this.chance.pick([0, 0, 0.1, 0.3]);
    world.network.duplication = this.chance.pick([0, 0.1]);
    for (let index = 0; index < machines; index++) this.#add(`m${index}`);
  }

  #add(name: string): Machine {
    const machine = this.cluster.add(name);
    machine.wallOffsetMs += this.chance.between(-2000, 2000) + 55_000;
    machine.diskMaxMs = this.chance.pick([0.5, 3, 40]);
    return machine;
  }

  start(): void {
    this.cluster.startAll();
    for (const machine of this.cluster.machines.values()) this.#load(machine, this.#schedule.faultsMs);
    this.#deepCheck();
    this.cluster.world.after(START_MS, () => this.#strike());
  }

  /** Requests at one machine until a time. */
  #load(machine: Machine, untilMs: number): void {
    const { world, limits } = this.cluster;
    const first = limits[0];
    if (first === undefined || first.refill.kind !== "continuous") return;
    const meanMs = this.chance.exponential(1 / (first.refill.unitsPerMs / Math.max(1, first.capacity / 20)));
    const arrive = (): void => {
      if (world.nowMs > untilMs) return;
      const cost = Math.min(first.capacity, Math.ceil(this.chance.exponential(first.capacity / 20)));
      const costs = limits.map(({ dimension }) => (dimension === "concurrent" ? 1 : cost));
      const used = this.chance.hits(0.3) ? this.chance.between(0, 1.3) : 1;
      this.cluster.arrive(machine.name, {
        costs,
        arrivedMs: world.nowMs,
        deadlineMs: world.nowMs + PATIENCE_MS,
        runsMs: this.chance.exponential(150),
        actual: costs.map((units) => units * used),
      });
      world.after(this.chance.exponential(Math.max(25, meanMs)), arrive);
    };
    world.after(this.chance.between(0, 500), arrive);
  }

  #deepCheck(): void {
    if (this.#isOver) return;
    this.cluster.checkDeep();
    this.cluster.world.after(LOOK_MS, () => this.#deepCheck());
  }

  /** One fault now, and the next after a while. */
  #strike(): void {
    const { world } = this.cluster;
    if (world.nowMs > this.#schedule.faultsMs) return;
    const machine = this.chance.pick([...this.cluster.machines.values()]);
    const fault = this.chance.pick(FAULTS);
    this.faults.push(`${Math.round(world.nowMs)} ${fault} ${machine.name}`);
    this.#inject(fault, machine);
    world.after(this.chance.exponential(this.#schedule.everyMs), () => this.#strike());
  }

  #inject(fault: Fault, machine: Machine): void {
    const { world } = this.cluster;
    const { chance } = this;
    switch (fault) {
      case "crash":
        if (machine.replica === null) return;
        machine.crash();
        if (chance.hits(0.2)) machine.bootCount += 1;
        world.after(chance.exponential(500), () => this.#restart(machine));
        return;
      case "partition": {
        const names = [...this.cluster.machines.keys()];
        const groups: string[][] = [[], [], []];
        for (const name of names) groups[chance.integer(0, 2)]?.push(name);
        world.partition(groups);
        world.after(chance.exponential(1500), () => world.heal());
        return;
      }
      case "one-way cut":
        world.cut(machine.name, chance.pick([...this.cluster.machines.keys()]));
        world.after(chance.exponential(1500), () => world.heal());
        return;
      case "stop and go on":
        machine.pause(chance.exponential(700), false);
        return;
      case "sleep":
        machine.pause(chance.exponential(1500), true);
        return;
      case "full disk":
        machine.isDiskFull = true;
        world.after(chance.exponential(800), () => (machine.isDiskFull = false));
        return;
      case "clock step":
        machine.wallOffsetMs += chance.pick([-86_400_000, -5000, -60, 60, 5000, 86_400_000]);
        return;
      case "join":
        if (this.cluster.machines.size < 8) this.#join();
        return;
      case "leave":
        if (this.cluster.machines.size > 2) this.#leave(machine);
        return;
    }
  }

  #restart(machine: Machine): void {
    if (machine.replica === null && this.cluster.machines.get(machine.name) === machine) machine.start();
  }

  #join(): void {
    const machine = this.#add(`j${this.#joined++}`);
    machine.start();
    this.#load(machine, this.#schedule.faultsMs);
  }

  #leave(machine: Machine): void {
    if (machine.replica === null || machine.hasStopped) return;
    machine.leave(this.chance.between(1000, 5000), () => {
      if (machine.disk.size > 0) this.cluster.world.after(100, () => this.#retire(machine));
    });
  }

  /** A leaver whose hand-over was not confirmed starts again, or its share would be lost. */
  #retire(machine: Machine): void {
    if (machine.hasLeft) this.cluster.remove(machine.name);
    else this.#restart(machine);
  }

  /** The faults are over: what was promised for then must hold. */
  finish(): void {
    const { world, machines } = this.cluster;
    const { faultsMs, quietMs } = this.#schedule;
    world.runUntil(faultsMs + 1);
    world.heal();
    world.network.loss = 0;
    world.network.delayMaxMs = 5;
    for (const machine of machines.values()) {
      machine.isDiskFull = false;
      machine.wake();
      this.#restart(machine);
    }
    world.runUntil(faultsMs + quietMs);
    const untilMs = world.nowMs + AGREES_MS;
    while (!this.#hasCalmedDown() && world.nowMs < untilMs) world.runUntil(world.nowMs + LOOK_MS);
    const differing = this.cluster.differences();
    if (differing.length > 0) throw new Broken(`replicas differ: ${differing.join(" ")}`);
    this.#admitSomething([...machines.values()]);
    this.#isOver = true;
    this.cluster.checkDeep();
  }

  /** Everybody is back, or has left, and all agree. */
  #hasCalmedDown(): boolean {
    for (const machine of this.cluster.machines.values()) {
      const { replica } = machine;
      if (replica === null || machine.isPaused || machine.hasStopped || replica.membership.isLeaving)
        return false;
    }
    return this.cluster.differences().length === 0;
  }

  #admitSomething(machines: readonly Machine[]): void {
    const { world, limits } = this.cluster;
    const [first] = limits;
    const refillMs = first?.refill.kind === "continuous" ? first.capacity / first.refill.unitsPerMs : 0;
    // Crashes may have burnt a block each, which is the whole bucket when it is small.
    const untilMs = world.nowMs + ADMITS_MS + 6 * refillMs;
    const before = this.cluster.admitted;
    for (const machine of machines) this.#load(machine, untilMs);
    while (this.cluster.admitted === before) {
      if (world.nowMs >= untilMs) throw new Broken("nothing is admitted after healing");
      world.runUntil(world.nowMs + LOOK_MS);
      // A calendar quota may be used up until its boundary, which is a minute away.
      if (limits.some(({ refill }) => refill.kind === "calendar")) return;
    }
  }
}

const FAULTS = [
  "crash",
  "crash",
  "partition",
  "one-way cut",
  "stop and go on",
  "sleep",
  "full disk",
  "clock step",
  "join",
  "leave",
] as const;
type Fault = (typeof FAULTS)[number];

/** Runs one seed. */
export function chaos(seed: number): Outcome {
  const run = new Chaos(seed, 2 + (seed % 4), drawLimits);
  const { world } = run.cluster;
  let fault = "";
  try {
    run.start();
    run.finish();
  } catch (error) {
    fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return { seed, events: world.events, admitted: run.cluster.admitted, fault, faults: run.faults };
}
