// Who comes, goes, dies, or comes back from the dead: named stories on the real replica, in virtual time.
import { describe, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { believedShare, LIMIT, load, running, shareOf, three, total } from "./three.ts";

describe("a replica that is gone", () => {
  test("leaves its share to the rest when it leaves, and nothing else after a while", () => {
    const cluster = three(1);
    const leaver = cluster.machines.get("m1");
    leaver?.leave(3000, () => cluster.remove("m1"));
    cluster.world.runUntil(9000);
    const shares = running(cluster).map(shareOf);
    cluster.world.runUntil(20_000);
    expect(running(cluster).map(shareOf)).toEqual(shares);
    expect(total(cluster)).toBeCloseTo(1, 6);
    cluster.checkDeep();
    for (const { replica } of running(cluster)) {
      const { ledger } = replica!.state;
      const left = [...ledger.members.values()].filter(({ id }) => id !== ledger.lineage?.founder);
      expect(left.length).toBeLessThanOrEqual(2);
      expect(ledger.buckets.get(LIMIT.key)?.entries.size).toBe(2);
    }
  });

  test.each([1, 2, 3, 4, 5, 6])(
    "is given nothing back of what it handed over, however busy it was (seed %i)",
    (seed) => {
      const cluster = three(seed);
      const leaver = cluster.machines.get("m1");
      const id = leaver?.replica?.id ?? "";
      const holdings = running(cluster).map(({ replica }) => replica!.state.holding(LIMIT.key));
      const givenBack = (): number =>
        holdings.reduce((sum, { given }) => sum + (given.get(id)?.parts ?? 0), 0) / WHOLE;
      load(cluster, "m1", 200, 3000);
      cluster.world.runUntil(6400);
      leaver?.leave(3000, () => cluster.remove("m1"));
      const before = givenBack();
      cluster.world.runUntil(6800);
      // Once at most by each of the two that have not heard of it yet.
      expect(givenBack() - before).toBeLessThan(0.1);
    },
  );

  test("keeps its share while it is only silent, and gives it up at an operator's word", () => {
    const cluster = three(2);
    const victim = cluster.machines.get("m2");
    const id = victim?.replica?.id ?? "";
    expect(shareOf(victim)).toBeGreaterThan(0);
    victim?.crash();
    cluster.world.runUntil(20_000);
    expect(total(cluster)).toBeCloseTo(1 - believedShare(cluster, id), 6);
    expect(total(cluster)).toBeLessThan(1);
    expect(cluster.machines.get("m0")?.replica?.membership.evict(id)).toBe(true);
    cluster.machines.get("m0")?.drive();
    cluster.world.runUntil(25_000);
    expect(total(cluster)).toBeCloseTo(1, 6);
  });

  test("is given nothing any more, whatever it had asked for", () => {
    const cluster = three(12);
    const { world } = cluster;
    const victim = cluster.machines.get("m2");
    const id = victim?.replica?.id ?? "";
    load(cluster, "m2", 200, 500);
    world.runUntil(6400);
    victim?.crash();
    world.runUntil(10_000);
    const before = believedShare(cluster, id);
    for (const name of ["m0", "m1"]) load(cluster, name, 60, 4000);
    world.runUntil(16_000);
    expect(believedShare(cluster, id)).toBe(before);
    expect(before).toBeLessThan(1);
  });

  test("is taken over by policy, and its share is used again", () => {
    const cluster = three(3, { membership: { reclaimAfterMs: 5000 } });
    cluster.machines.get("m2")?.crash();
    cluster.world.runUntil(14_000);
    expect(total(cluster)).toBeCloseTo(1, 6);
    const before = cluster.admitted;
    for (const name of ["m0", "m1"]) load(cluster, name, 60, 20_000);
    cluster.world.runUntil(34_000);
    expect(cluster.admitted - before).toBeGreaterThan(0.97 * 1000);
  });

  test("and was evicted on both sides of a cut, is one side's in the end, and its gives count once", () => {
    const cluster = three(3);
    const { world } = cluster;
    const id = cluster.machines.get("m2")?.replica?.id ?? "";
    cluster.machines.get("m2")?.crash();
    cluster.remove("m2");
    world.runUntil(12_000);
    world.partition([["m0"], ["m1"]]);
    for (const { replica } of running(cluster)) expect(replica?.membership.evict(id)).toBe(true);
    world.runUntil(22_000);
    // Both work with it meanwhile, which is what an eviction on two sides costs.
    expect(total(cluster)).toBeGreaterThan(1.1);
    world.heal();
    world.runUntil(32_000);
    expect(total(cluster)).toBeCloseTo(1, 6);
    expect(cluster.differences()).toEqual([]);
    cluster.checkDeep();
  });

  test("comes back from the dead under a new id, with share zero, and takes part again", () => {
    const cluster = three(4, { membership: { reclaimAfterMs: 5000 } });
    const former = cluster.machines.get("m2")?.replica?.id;
    cluster.machines.get("m2")?.crash();
    cluster.world.runUntil(14_000);
    cluster.machines.get("m2")?.start();
    cluster.world.runUntil(17_000);
    const back = cluster.machines.get("m2");
    expect(back?.replica?.id).not.toBe(former);
    expect(shareOf(back)).toBe(0);
    expect(total(cluster)).toBeCloseTo(1, 6);
    const before = cluster.admitted;
    load(cluster, "m2", 60, 5000);
    cluster.world.runUntil(23_000);
    expect(cluster.admitted).toBeGreaterThan(before + 200);
    cluster.checkDeep();
  });

  test("and was forgotten meanwhile, begins as a newcomer", () => {
    const cluster = three(5, { membership: { reclaimAfterMs: 5000 } });
    const former = cluster.machines.get("m2")?.replica?.id ?? "";
    cluster.machines.get("m2")?.crash();
    cluster.world.runUntil(40_000);
    const first = cluster.machines.get("m0")?.replica?.state.ledger;
    expect(first?.members.has(former) && former !== first.lineage?.founder).toBe(false);
    cluster.machines.get("m2")?.start();
    cluster.world.runUntil(46_000);
    expect(total(cluster)).toBeCloseTo(1, 6);
    const before = cluster.admitted;
    load(cluster, "m2", 60, 5000);
    cluster.world.runUntil(52_000);
    expect(cluster.admitted).toBeGreaterThan(before + 200);
    expect(cluster.differences()).toEqual([]);
  });

  test("and was alive after all, is conserved: both halves of a fleet that gave each other up agree again", () => {
    const cluster = new Cluster({
      seed: 6,
      machines: 4,
      limits: [LIMIT],
      membership: { reclaimAfterMs: 4000 },
    });
    cluster.world.afterEvent = () => {};
    cluster.startAll();
    cluster.world.runUntil(1500);
    for (const name of cluster.machines.keys()) load(cluster, name, 40, 30_000);
    cluster.world.runUntil(5000);
    cluster.world.partition([
      ["m0", "m1"],
      ["m2", "m3"],
    ]);
    cluster.world.runUntil(20_000);
    cluster.world.heal();
    cluster.world.runUntil(60_000);
    cluster.checkDeep();
    expect(total(cluster)).toBeCloseTo(1, 6);
    expect(cluster.differences()).toEqual([]);
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "two that leave at once have left only when the third has all of it on its disk (seed %i)",
  (seed) => {
    const cluster = three(seed);
    const { world } = cluster;
    const [stays, ...leavers] = cluster.machines.values();
    Object.assign(stays ?? {}, { diskMinMs: 100, diskMaxMs: 200 });
    for (const machine of leavers) machine.leave(10_000, () => cluster.remove(machine.name));
    for (let step = 0; step < 10_000 && cluster.machines.size > 1; step++) world.runUntil(world.nowMs + 1);
    expect(leavers.map(({ hasLeft }) => hasLeft)).toEqual([true, true]);
    stays?.crash();
    stays?.start();
    world.runUntil(world.nowMs + 6000);
    expect(shareOf(stays)).toBeCloseTo(1, 6);
  },
);

test("one that leaves soon after it joined hands nothing to one that has been silent for long", () => {
  const cluster = three(21);
  const { world } = cluster;
  const [dead, ...rest] = [...cluster.machines.values()].sort((left, right) =>
    (left.replica?.id ?? "") < (right.replica?.id ?? "") ? -1 : 1,
  );
  const id = dead?.replica?.id ?? "";
  dead?.crash();
  world.runUntil(world.nowMs + 60_000);
  const before = total(cluster);
  const brief = cluster.add("brief");
  brief.start();
  load(cluster, "brief", 60, 1200);
  world.runUntil(world.nowMs + 1500);
  expect(shareOf(brief)).toBeGreaterThan(0);
  brief.leave(4000, () => {});
  world.runUntil(world.nowMs + 3000);
  expect(
    rest.map((machine) => machine.replica?.state.ledger.succession.get(brief.replica?.id ?? "")),
  ).not.toContain(id);
  expect(total(cluster)).toBeCloseTo(before, 6);
});

test("a fleet that was founded and handed on behind a cut is not founded a second time", () => {
  const cluster = new Cluster({ seed: 1, machines: 3, limits: [LIMIT] });
  const { world, machines } = cluster;
  cluster.startAll();
  const byId = [...machines.values()].sort((left, right) =>
    (left.replica?.id ?? "") < (right.replica?.id ?? "") ? -1 : 1,
  );
  const [founder, cutOff, heir] = byId.map(({ name }) => name);
  const hasHeardAll = (): boolean => {
    const links = machines.get(cutOff ?? "")?.replica?.exchange.links.all.values() ?? [];
    return [...links].every(({ hasAnswered }) => hasAnswered);
  };
  while (!hasHeardAll()) world.runUntil(world.nowMs + 0.1);
  world.partition([[cutOff ?? ""], [founder ?? "", heir ?? ""]]);
  world.runUntil(2000);
  machines.get(founder ?? "")?.leave(5000, () => cluster.remove(founder ?? ""));
  world.runUntil(10_000);
  expect(new Set(machines.keys())).toEqual(new Set([heir, cutOff]));
  expect(machines.get(cutOff ?? "")?.replica?.state.ledger.lineage).toBeNull();
  world.heal();
  world.runUntil(12_000);
  expect(total(cluster)).toBe(1);
});

test("a new replica says nothing before its id is on its disk, or what it were given could be lost with it", () => {
  const cluster = three(14);
  const { world } = cluster;
  const fresh = cluster.add("fresh");
  fresh.isDiskFull = true;
  fresh.start();
  load(cluster, "fresh", 60, 4000);
  world.runUntil(9000);
  const id = fresh.replica?.id ?? "";
  expect(cluster.machines.get("m0")?.replica?.state.ledger.buckets.get(LIMIT.key)?.entries.has(id)).toBe(
    false,
  );
  fresh.crash();
  fresh.isDiskFull = false;
  fresh.start();
  load(cluster, "fresh", 60, 2000);
  world.runUntil(14_000);
  expect(total(cluster)).toBeCloseTo(1, 6);
  expect(shareOf(fresh)).toBeGreaterThan(0);
});

test("a leaver keeps what its running requests hold until they end", () => {
  const limit: Limit = {
    key: "p/concurrent",
    dimension: "concurrent",
    capacity: 4,
    refill: { kind: "held" },
  };
  const cluster = new Cluster({ seed: 12, machines: 2, limits: [limit] });
  const { world } = cluster;
  cluster.startAll();
  world.runUntil(1500);
  const founder = running(cluster).find(
    ({ replica }) => replica?.id === replica?.state.ledger.lineage?.founder,
  );
  const held = (machine: Machine | undefined): number =>
    (machine?.replica?.state.holdings.get(limit.key)?.local?.share ?? 0) / WHOLE;
  const name = founder?.name ?? "";
  cluster.arrive(name, { costs: [1], arrivedMs: 1500, deadlineMs: 2000, runsMs: 3000, actual: [0] });
  world.runUntil(1600);
  founder?.leave(10_000, () => cluster.remove(name));
  world.runUntil(3500);
  expect(held(founder)).toBeCloseTo(1 / 4, 3);
  world.runUntil(9000);
  const [rest] = running(cluster);
  expect(held(rest)).toBeCloseTo(1, 6);
});

test("of two fleets that were founded apart and meet, the older goes on and the other's start from nothing", () => {
  const cluster = new Cluster({ seed: 10, machines: 4, limits: [LIMIT], membership: { foundAfterMs: 500 } });
  for (const name of ["m2", "m3"]) Object.assign(cluster.machines.get(name) ?? {}, { wallOffsetMs: 5 });
  cluster.world.afterEvent = () => {};
  cluster.world.partition([
    ["m0", "m1"],
    ["m2", "m3"],
  ]);
  cluster.startAll();
  cluster.world.runUntil(3000);
  const stamps = (): Set<number> =>
    new Set(running(cluster).map(({ replica }) => replica?.state.ledger.lineage?.stamp ?? 0));
  const founded = stamps();
  expect(founded.size).toBe(2);
  cluster.world.heal();
  cluster.world.runUntil(6000);
  expect([...stamps()]).toEqual([Math.min(...founded)]);
  expect(cluster.differences()).toEqual([]);
  expect(total(cluster)).toBeCloseTo(1, 6);
  cluster.checkDeep();
});

test("a fleet in which everybody is replaced again and again stays as small as it is", () => {
  const cluster = three(11);
  const { world } = cluster;
  for (let round = 0; round < 30; round++) {
    const [oldest] = cluster.machines.values();
    const fresh = cluster.add(`r${round}`);
    fresh.start();
    world.runUntil(world.nowMs + 500);
    load(cluster, fresh.name, 30, 1500);
    oldest?.leave(3000, () => cluster.remove(oldest.name));
    world.runUntil(world.nowMs + 2500);
  }
  world.runUntil(world.nowMs + 15_000);
  expect(total(cluster)).toBeCloseTo(1, 6);
  cluster.checkDeep();
  for (const machine of running(cluster)) {
    const { ledger } = machine.replica!.state;
    // Three that run, and the name of the founder.
    expect(ledger.members.size).toBeLessThanOrEqual(4);
    const rows = ledger.buckets.get(LIMIT.key);
    expect(rows?.entries.size).toBe(3);
    for (const { row } of rows?.entries.values() ?? []) expect(row.given.size).toBeLessThanOrEqual(3);
    expect(machine.disk.size).toBeLessThanOrEqual(8);
  }
});
