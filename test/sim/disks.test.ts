// Disks that go back in time, are copied or lost: named stories on the real replica, in virtual time.
import { describe, expect, test } from "vitest";
import type { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { believedShare, LIMIT, load, shareOf, three, total } from "./three.ts";

function machineOf(cluster: Cluster, name: string): Machine {
  const machine = cluster.machines.get(name);
  if (machine === undefined) throw new Error(`there is no ${name}`);
  return machine;
}

/** A disk that is set back to before most of what m0 held was given to the others; it is not started. */
function setBack(cluster: Cluster): Machine {
  const machine = machineOf(cluster, "m0");
  const backup = new Map(machine.disk);
  const held = shareOf(machine);
  for (const name of ["m1", "m2"]) load(cluster, name, 60, 4000);
  cluster.world.runUntil(11_000);
  expect(shareOf(machine)).toBeLessThan(held - 0.1);
  machine.crash();
  machine.disk = backup;
  return machine;
}

/** Runs until a process admits again; returns how many parts of the whole all then think they hold. */
function heldWhenAdmitting(cluster: Cluster, machine: Machine): number {
  while (machine.replica?.state.isAdmitting !== true) cluster.world.runUntil(cluster.world.nowMs + 0.2);
  return total(cluster);
}

describe("a disk", () => {
  test("that went back in time is told by the siblings what it forgot, and its level is worth nothing", () => {
    const cluster = three(7);
    const machine = cluster.machines.get("m0");
    const backup = new Map(machine?.disk);
    for (const name of ["m1", "m2"]) load(cluster, name, 60, 4000);
    cluster.world.runUntil(11_000);
    machine?.crash();
    if (machine !== undefined) machine.disk = backup;
    cluster.world.runUntil(11_100);
    machine?.start();
    cluster.world.runUntil(13_000);
    cluster.checkDeep();
    expect(total(cluster)).toBeCloseTo(1, 6);
    load(cluster, "m0", 60, 4000);
    cluster.world.runUntil(20_000);
    expect(cluster.oracles[0]?.isBroken).toBe(false);
    expect(cluster.differences()).toEqual([]);
  });

  test("that went back in time lets nothing be admitted before the siblings were asked", () => {
    const cluster = three(13);
    const machine = cluster.machines.get("m0");
    const backup = new Map(machine?.disk);
    for (const name of ["m1", "m2"]) load(cluster, name, 60, 4000);
    cluster.world.runUntil(11_000);
    machine?.crash();
    if (machine !== undefined) machine.disk = backup;
    machine?.start();
    const before = cluster.desks.get("m0")?.admitted;
    load(cluster, "m0", 1000, 3);
    cluster.world.runUntil(11_003);
    expect(cluster.desks.get("m0")?.admitted).toBe(before);
    load(cluster, "m0", 60, 4000);
    cluster.world.runUntil(20_000);
    expect(cluster.desks.get("m0")?.admitted).toBeGreaterThan(before ?? 0);
    expect(cluster.oracles[0]?.isBroken).toBe(false);
  });

  test("that went back in time goes on from the totals that the siblings remember, which never fall", () => {
    const cluster = three(7);
    const { world } = cluster;
    const machine = machineOf(cluster, "m0");
    const id = machine.replica?.id ?? "";
    const spentSaid = (name: string): number => {
      const rows = machineOf(cluster, name).replica?.state.ledger.buckets.get(LIMIT.key);
      return rows?.entries.get(id)?.row.spent ?? Number.NaN;
    };
    const backup = new Map(machine.disk);
    load(cluster, "m0", 60, 4000);
    world.runUntil(16_000);
    const said = spentSaid("m1");
    machine.crash();
    machine.disk = backup;
    machine.start();
    expect(machine.replica?.state.holdings.get(LIMIT.key)?.local?.spent).toBeLessThan(said - 50);
    heldWhenAdmitting(cluster, machine);
    world.runUntil(18_000);
    expect(["m0", "m1", "m2"].map(spentSaid)).toEqual([said, said, said]);
  });

  test("that was copied stops the process that was started first", () => {
    const cluster = three(8);
    const original = cluster.machines.get("m1");
    const copy = cluster.add("copy");
    copy.disk = new Map(original?.disk);
    cluster.world.afterEvent = () => {};
    cluster.world.runUntil(6500);
    copy.start();
    cluster.world.runUntil(12_000);
    expect(original?.replica?.state.supersededByBoot).toBe(copy.replica?.state.me.boot);
    expect(original?.replica?.state.isAdmitting).toBe(false);
    expect(copy.replica?.state.isAdmitting).toBe(true);
  });

  test("that was copied and started twice under a clock that had been set back is known to be one of two", () => {
    const cluster = three(8);
    const { world } = cluster;
    const original = machineOf(cluster, "m1");
    const copy = cluster.add("copy");
    original.crash();
    copy.disk = new Map(original.disk);
    for (const machine of [original, copy]) {
      machine.wallOffsetMs -= 86_400_000;
      machine.start();
    }
    world.runUntil(12_000);
    const isSuperseded = [original, copy].map((machine) => machine.isSuperseded);
    expect(isSuperseded.filter(Boolean)).toHaveLength(1);
  });

  test("that is lost makes a newcomer; its share waits for an operator", () => {
    const cluster = three(9);
    const machine = cluster.machines.get("m1");
    const former = machine?.replica?.id ?? "";
    machine?.crash();
    if (machine !== undefined) machine.disk = new Map();
    machine?.start();
    cluster.world.runUntil(10_000);
    expect(total(cluster)).toBeCloseTo(1 - believedShare(cluster, former), 6);
    expect(total(cluster)).toBeLessThan(1);
    expect(cluster.oracles[0]?.isBroken).toBe(false);
  });

  test("that went back in time is found out also when the first start after that was killed while it asked", () => {
    const cluster = three(7);
    const machine = setBack(cluster);
    machine.start();
    cluster.world.runUntil(11_001.5);
    expect(machine.disk.size).toBeGreaterThan(0);
    machine.crash();
    machine.start();
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
  });

  test("that went back in time is found out also by siblings that have just been started themselves", () => {
    const cluster = three(7);
    const machine = setBack(cluster);
    for (const name of ["m1", "m2"]) machineOf(cluster, name).crash();
    for (const each of cluster.machines.values()) each.start();
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
  });

  test("that went back to before a sibling joined learns what it gave to that one", () => {
    const cluster = three(7);
    const backup = new Map(machineOf(cluster, "m0").disk);
    const fresh = cluster.add("fresh");
    fresh.start();
    for (const name of ["m1", "m2", "fresh"]) load(cluster, name, 60, 4000);
    cluster.world.runUntil(11_000);
    const machine = machineOf(cluster, "m0");
    expect(machine.replica?.state.ledger.members.size).toBe(4);
    machine.crash();
    machine.disk = backup;
    machine.start();
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
  });

  test("that went back to before it joined asks the siblings before it admits anything", () => {
    const cluster = three(7);
    const { world } = cluster;
    const fresh = cluster.add("fresh");
    world.partition([["fresh"], ["m0", "m1", "m2"]]);
    fresh.start();
    world.runUntil(7000);
    const backup = new Map(fresh.disk);
    world.heal();
    load(cluster, "fresh", 60, 3000);
    world.runUntil(11_000);
    for (const name of ["m1", "m2"]) load(cluster, name, 60, 3000);
    world.runUntil(15_000);
    fresh.crash();
    fresh.disk = backup;
    fresh.start();
    world.runUntil(15_001);
    expect(heldWhenAdmitting(cluster, fresh)).toBeLessThanOrEqual(1);
    expect(fresh.replica?.state.isBurnt).toBe(true);
  });

  test("that went back together with its clock starts under a boot that nobody has heard of", () => {
    const cluster = three(7);
    const { world } = cluster;
    const machine = machineOf(cluster, "m0");
    machine.crash();
    const backup = new Map(machine.disk);
    machine.wallOffsetMs -= 86_400_000;
    // The random part of its boots is the same each time, which is not likely.
    world.chance.id = () => "0".repeat(32);
    machine.start();
    for (const name of ["m1", "m2"]) load(cluster, name, 60, 4000);
    world.runUntil(11_000);
    const boot = machine.replica?.state.me.boot;
    machine.crash();
    machine.disk = backup;
    machine.start();
    expect(machine.replica?.state.me.boot).toBe(boot);
    world.runUntil(13_000);
    expect(machine.isSuperseded).toBe(true);
    machine.crash();
    machine.start();
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
    expect(cluster.oracles[0]?.isBroken).toBe(false);
  });

  test("that went back together with its clock to before what siblings have heard is told so, and comes back after it", () => {
    const cluster = three(7);
    const { world } = cluster;
    const machine = machineOf(cluster, "m0");
    const backup = new Map(machine.disk);
    machine.crash();
    machine.start();
    world.runUntil(8000);
    machine.crash();
    machine.disk = backup;
    machine.wallOffsetMs -= 86_400_000;
    machine.start();
    world.runUntil(12_000);
    expect(machine.isSuperseded).toBe(true);
    machine.crash();
    machine.start();
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
    world.runUntil(world.nowMs + 3000);
    expect(cluster.differences()).toEqual([]);
  });

  test("that went back together with its clock is told so also when the start before it had only asked", () => {
    const cluster = three(7);
    const { world } = cluster;
    const machine = machineOf(cluster, "m0");
    const backup = new Map(machine.disk);
    machine.crash();
    machine.start();
    world.runUntil(world.nowMs + 3);
    expect(machine.replica?.state.isRecovering).toBe(true);
    machine.crash();
    machine.disk = backup;
    machine.wallOffsetMs -= 86_400_000;
    machine.start();
    world.runUntil(world.nowMs + 3000);
    expect(machine.isSuperseded).toBe(true);
    machine.crash();
    machine.start();
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
  });

  test("that went back together with its clock is told so also by one that it had never answered", () => {
    const cluster = three(7);
    const { world } = cluster;
    const machine = machineOf(cluster, "m0");
    const backup = new Map(machine.disk);
    const fresh = cluster.add("fresh");
    world.cut("fresh", "m0");
    fresh.start();
    world.runUntil(world.nowMs + 3000);
    for (const name of ["m0", "m1", "m2"]) machineOf(cluster, name).crash();
    machine.start();
    world.runUntil(world.nowMs + 200);
    expect(machine.replica?.state.isRecovering).toBe(true);
    machine.crash();
    machine.disk = backup;
    machine.wallOffsetMs -= 86_400_000;
    world.heal();
    machine.start();
    world.runUntil(world.nowMs + 3000);
    expect(machine.isSuperseded).toBe(true);
  });

  test("that went back twice is told by each sibling what only that one has heard", () => {
    const cluster = three(7);
    const { world } = cluster;
    const machine = machineOf(cluster, "m0");
    world.runUntil(40_000);
    const backup = new Map(machine.disk);
    const setBackAgain = (): void => {
      machine.crash();
      machine.disk = new Map(backup);
      world.heal();
      machine.start();
    };
    // m1 alone hears what is spent in the first life, m2 alone of the second, in which nothing is.
    world.partition([["m0", "m1"], ["m2"]]);
    load(cluster, "m0", 60, 2500);
    world.runUntil(world.nowMs + 3000);
    setBackAgain();
    world.partition([["m0", "m2"], ["m1"]]);
    world.runUntil(world.nowMs + 3000);
    expect(machine.replica?.state.isBurnt).toBe(false);
    setBackAgain();
    world.cut("m2", "m1");
    machineOf(cluster, "m1").pause(300, false);
    expect(heldWhenAdmitting(cluster, machine)).toBeLessThanOrEqual(1);
    expect(machine.replica?.state.isBurnt).toBe(true);
  });

  test("that was copied doubles no unit when its two processes can talk, though nobody else heard the first", () => {
    const cluster = three(8);
    const { world } = cluster;
    const original = machineOf(cluster, "m1");
    // By now all is full again.
    world.runUntil(12_000);
    const disk = new Map(original.disk);
    world.partition([["m1"], ["m0", "m2"]]);
    for (const name of ["m0", "m1", "m2"]) load(cluster, name, 1000, 400);
    world.runUntil(12_500);
    const copy = cluster.add("copy");
    copy.disk = disk;
    copy.start();
    load(cluster, "copy", 100, 3000);
    world.runUntil(15_000);
    expect(original.isSuperseded).toBe(true);
    expect(copy.replica?.state.isAdmitting).toBe(true);
    original.crash();
    cluster.remove("m1");
    world.heal();
    world.runUntil(19_000);
    expect(total(cluster)).toBeCloseTo(1, 6);
  });
});

/** Units that machines admit of what is asked of them for a while: more than they could have. */
function admittedBy(cluster: Cluster, names: readonly string[], forMs: number): number {
  const admitted = (): number =>
    names.reduce((sum, name) => sum + (cluster.desks.get(name)?.admitted ?? 0), 0);
  const before = admitted();
  for (const name of names) load(cluster, name, 100, forMs);
  cluster.world.runUntil(cluster.world.nowMs + forMs);
  return admitted() - before;
}

const PER_SECOND = 50;

describe("a disk that is full for long", () => {
  test.each([1, 2, 3, 4])("swallows nothing of what its siblings could use (seed %i)", (seed) => {
    const cluster = three(seed);
    const { world } = cluster;
    const machine = machineOf(cluster, "m1");
    machine.isDiskFull = true;
    const heldBefore = shareOf(machine);
    // What it had reserved is used up; what comes then can't be served.
    admittedBy(cluster, ["m1"], 20_000);
    expect(admittedBy(cluster, ["m1"], 10_000)).toBeLessThan(PER_SECOND);
    expect(shareOf(machine)).toBeLessThanOrEqual(heldBefore + 0.02);
    world.runUntil(world.nowMs + 5000);
    const usable = 10 * PER_SECOND * (1 - shareOf(machine));
    expect(admittedBy(cluster, ["m0", "m2"], 10_000)).toBeGreaterThan(0.95 * usable);
    machine.isDiskFull = false;
    world.runUntil(world.nowMs + 5000);
    expect(admittedBy(cluster, ["m1"], 10_000)).toBeGreaterThan(0.95 * 10 * PER_SECOND);
    expect(cluster.oracles[0]?.isBroken).toBe(false);
  });

  test.each([1, 2, 3, 4])("swallows nothing also while all are busy when it fills up (seed %i)", (seed) => {
    const cluster = three(seed);
    const { world } = cluster;
    const machine = machineOf(cluster, "m1");
    for (const name of cluster.machines.keys()) load(cluster, name, 100, 30_000);
    world.runUntil(world.nowMs + 5000);
    machine.isDiskFull = true;
    const heldBefore = shareOf(machine);
    world.runUntil(world.nowMs + 30_000);
    expect(shareOf(machine)).toBeLessThan(heldBefore + 0.1);
    admittedBy(cluster, ["m1"], 10_000);
    expect(shareOf(machine)).toBeLessThan(heldBefore + 0.1);
    const usable = 10 * PER_SECOND * (1 - shareOf(machine));
    expect(admittedBy(cluster, ["m0", "m2"], 10_000)).toBeGreaterThan(0.95 * usable);
  });

  test("gets nothing from one that leaves while another can use it", () => {
    const cluster = three(5);
    const { world } = cluster;
    const machine = machineOf(cluster, "m1");
    machine.isDiskFull = true;
    admittedBy(cluster, ["m1"], 20_000);
    const held = shareOf(machine);
    for (const name of ["m0", "m1"]) load(cluster, name, 100, 10_000);
    machineOf(cluster, "m2").leave(5000, () => {});
    world.runUntil(world.nowMs + 6000);
    expect(shareOf(machine)).toBeLessThanOrEqual(held + 0.02);
    expect(total(cluster)).toBeCloseTo(1, 6);
  });
});
