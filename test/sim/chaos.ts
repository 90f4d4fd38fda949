// Random fleets under random faults, drawn from a seed. The promise is checked after every event; after the faults the
// network heals, everything is started again, and all replicas must come to hold the same state and use their quota.
// Most schedules are short and dense; some are long, so that what takes its time happens too (see kinds.ts).
import type { Limit } from "../../src/bucket/limit.ts";
import { arrivals } from "./arrivals.ts";
import { Broken, Cluster } from "./cluster.ts";
import { Fork } from "./forks.ts";
import { drawLimits, type Fault, type Kind, kindOf, type Schedule, scheduleOf } from "./kinds.ts";
import type { Machine } from "./machine.ts";
import { Chance } from "./random.ts";
import { admitSomething, checkWhole, evictLost, settle, sharedFaultOf } from "./reckoning.ts";
import { Truth } from "./shared.ts";

const START_MS = 800;
/** How often something is written that all share. */
const ACTS_MS = 60;
/** What limits are set to at run time, as a part of what is configured. */
const FACTORS = [0.5, 0.75, 1, 1.5, 2];
/** A replica that is superseded ends after this time. */
const ENDS_MS = 100;
/** Copies of a disk that are kept, to be set back to. */
const BACKUPS_MAX = 4;
/** How long one that has left stays away, mostly and at most. */
const AWAY_MS = 6000;
const AWAY_MOST_MS = 15_000;
const LOOK_MS = 250;

export interface Outcome {
  readonly seed: number;
  readonly events: number;
  readonly admitted: number;
  /** Why it failed; empty when it did not. */
  readonly fault: string;
  readonly faults: readonly string[];
}

class Chaos {
  readonly cluster: Cluster;
  readonly chance: Chance;
  readonly kind: Kind;
  readonly faults: string[] = [];
  readonly #schedule: Schedule;
  /** Earlier states of each disk. */
  readonly #backups = new Map<Machine, Map<string, Uint8Array>[]>();
  /** Which disk each machine's disk is a copy of, in the end. */
  readonly #origins = new Map<Machine, Machine>();
  #joined = 0;
  #isOver = false;

  constructor(seed: number, machines: number, limits: (chance: Chance) => Limit[]) {
    this.kind = kindOf(seed);
    const { membership, mayDouble, isSharing } = this.kind;
    this.cluster = new Cluster({
      seed,
      machines: 0,
      limits: limits(new Chance(seed)),
      membership: { ...membership, hasPeers: true },
      mayDouble,
      truth: isSharing ? new Truth() : null,
    });
    this.chance = this.cluster.world.chance;
    this.#schedule = scheduleOf(seed);
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
    this.#lookForSuperseded();
    if (this.kind.isSharing) this.#act();
  }

  /** Requests at one machine until a time. */
  #load(machine: Machine, untilMs: number): void {
    arrivals(this.cluster, machine, { untilMs, pace: this.kind.pace });
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
    const fault = this.chance.pick(this.kind.faults);
    this.faults.push(`${Math.round(world.nowMs)} ${fault} ${machine.name}`);
    this.#inject(fault, machine);
    world.after(this.chance.exponential(this.#schedule.everyMs), () => this.#strike());
  }

  #inject(fault: Fault, machine: Machine): void {
    const { world } = this.cluster;
    const { chance } = this;
    switch (fault) {
      case "crash":
        if (machine.replica === null || machine.isSuperseded) return;
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
        if (this.cluster.machines.size > 2 && !this.#isForked(machine)) this.#leave(machine);
        return;
      case "scale down":
        this.#scaleDown();
        return;
      case "set limit":
        if (!machine.isPaused && !this.#isEnding(machine))
          machine.setLimit(chance.pick(this.cluster.limits), chance.pick(FACTORS));
        return;
      case "small step":
        machine.wallOffsetMs += chance.pick([-5000, -60, 60, 5000]);
        return;
      case "backup":
        this.#backUp(machine);
        return;
      case "disk set back":
        this.#setBack(machine);
        return;
      case "disk copied":
        this.#copy(machine);
        return;
    }
  }

  /** Somebody writes or counts something that all are to know. */
  #act(): void {
    const { world, machines } = this.cluster;
    if (world.nowMs > this.#schedule.faultsMs) return;
    const machine = this.chance.pick([...machines.values()]);
    if (!machine.isPaused && !this.#isEnding(machine)) machine.shared?.act(this.chance, world.nowMs);
    machine.drive();
    world.after(this.chance.exponential(ACTS_MS), () => this.#act());
  }

  #isForked(machine: Machine): boolean {
    for (const fork of this.cluster.forks) if (fork.isOf(machine)) return true;
    return false;
  }

  #backUp(machine: Machine): void {
    if (machine.disk.size === 0) return;
    const backups = [new Map(machine.disk), ...(this.#backups.get(machine) ?? [])];
    this.#backups.set(machine, backups.slice(0, BACKUPS_MAX));
  }

  /** The machine starts again from an earlier state of its disk, now and then while it can't reach the others. */
  #setBack(machine: Machine): void {
    const backups = this.#backups.get(machine);
    const { replica } = machine;
    if (backups === undefined || replica === null || this.#isEnding(machine) || this.#isForked(machine))
      return;
    const fork = Fork.setBack(machine);
    machine.crash();
    machine.disk = new Map(this.chance.pick(backups));
    this.cluster.truth?.forget();
    if (this.chance.hits(0.2)) machine.bootCount += 1;
    this.cluster.forks.add(fork);
    if (this.chance.hits(0.3)) {
      const others = [...this.cluster.machines.keys()].filter((name) => name !== machine.name);
      this.cluster.world.partition([[machine.name], others]);
      this.cluster.world.after(this.chance.exponential(2500), () => this.cluster.world.heal());
    }
    this.cluster.world.after(this.chance.exponential(300), () => this.#restart(machine));
  }

  /** Another machine starts from a copy of a disk, as it is or as it was. */
  #copy(original: Machine): void {
    if (original.replica === null || original.disk.size === 0 || this.cluster.machines.size >= 8) return;
    if (this.#isEnding(original) || this.#isForked(original)) return;
    const copy = this.#add(`c${this.#joined++}`);
    const disks = [original.disk, ...(this.#backups.get(original) ?? [])];
    copy.disk = new Map(this.chance.pick(disks));
    this.cluster.forks.add(Fork.copied(copy, original));
    copy.start();
    this.#load(copy, this.#schedule.faultsMs);
    this.#origins.set(copy, this.#originOf(original));
  }

  #isEnding(machine: Machine): boolean {
    return machine.hasStopped || machine.isSuperseded || machine.replica?.membership.isLeaving === true;
  }

  #originOf(machine: Machine): Machine {
    return this.#origins.get(machine) ?? machine;
  }

  /** Whoever is superseded ends. It is started again, except where another machine goes on under its identity. */
  #lookForSuperseded(): void {
    const { world, machines } = this.cluster;
    for (const machine of machines.values()) {
      if (!machine.isSuperseded || machine.hasStopped) continue;
      const id = machine.replica?.id;
      machine.stop(() => {
        if (!this.#hasTwin(machine, id)) {
          this.#restart(machine);
          return;
        }
        this.cluster.remove(machine.name);
        this.cluster.truth?.forget();
      });
    }
    world.after(this.chance.exponential(ENDS_MS), () => this.#lookForSuperseded());
  }

  #hasTwin(machine: Machine, id: string | undefined): boolean {
    return [...this.cluster.machines.values()].some(
      (other) =>
        other !== machine &&
        this.#originOf(other) === this.#originOf(machine) &&
        (other.replica === null || other.replica.id === id),
    );
  }

  #restart(machine: Machine): void {
    if (machine.replica === null && this.cluster.machines.get(machine.name) === machine) machine.start();
  }

  #join(): void {
    const machine = this.#add(`j${this.#joined++}`);
    machine.start();
    this.#load(machine, this.#schedule.faultsMs);
  }

  /** All but one or two leave, and those that come back do so at about the same time. */
  #scaleDown(): void {
    const { chance } = this;
    const awayMs = this.#drawAway();
    const stays = chance.integer(1, 2);
    for (const machine of [...this.cluster.machines.values()].slice(stays))
      this.cluster.world.after(chance.between(0, 100), () =>
        this.#leave(machine, awayMs + chance.between(0, 1000)),
      );
  }

  #drawAway(): number {
    return Math.min(AWAY_MOST_MS, this.chance.exponential(AWAY_MS));
  }

  #leave(machine: Machine, awayMs = this.#drawAway()): void {
    if (machine.replica === null || machine.hasStopped || machine.isSuperseded) return;
    machine.leave(this.chance.between(1000, 5000), () => {
      if (machine.disk.size > 0) this.cluster.world.after(100, () => this.#retire(machine, awayMs));
    });
  }

  /**
   * A leaver whose hand-over was not confirmed starts again, or its share would be lost. Of the others some come back
   * with their disks, soon or when they are forgotten.
   */
  #retire(machine: Machine, awayMs: number): void {
    // It was started again meanwhile, for all are at the end of the faults.
    if (machine.replica !== null) return;
    if (!machine.hasLeft) this.#restart(machine);
    else if (this.chance.hits(0.6)) this.cluster.world.after(awayMs, () => this.#restart(machine));
    else this.cluster.remove(machine.name);
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
    for (const limit of this.cluster.limits)
      for (const machine of machines.values()) if (!this.#isEnding(machine)) machine.setLimit(limit, 1);
    world.runUntil(faultsMs + quietMs);
    settle(this.cluster);
    if (this.kind.isWhole && evictLost(this.cluster)) settle(this.cluster);
    const fault = sharedFaultOf(this.cluster);
    if (fault !== "") throw new Broken(fault);
    const differing = this.cluster.differences();
    if (this.kind.isWhole) checkWhole(this.cluster);
    if (differing.length > 0) throw new Broken(`replicas differ: ${differing.join(" ")}`);
    admitSomething(this.cluster, this.kind);
    this.#isOver = true;
    this.cluster.checkDeep();
  }
}

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
