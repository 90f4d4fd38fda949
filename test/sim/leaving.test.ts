// Leaving is a clean end: nothing is lost by it, whoever else leaves at about the same time. A calendar quota shows that
// best, since what is lost of it is not refilled before the next period.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { running } from "./three.ts";

const QUOTA: Limit = {
  key: "keys/team/requests/month",
  dimension: "requests",
  capacity: 200,
  refill: { kind: "calendar", period: "month", timezone: "UTC" },
};

/** A fleet of three that shares a quota of a month, with some of it spent at each. */
function fleet(seed: number, spent: number): Cluster {
  const cluster = new Cluster({ seed, machines: 3, limits: [QUOTA] });
  const { world } = cluster;
  cluster.startAll();
  world.runUntil(3000);
  for (let request = 0; request < spent; request++) {
    const arrivedMs = world.nowMs;
    const name = `m${request % 3}`;
    cluster.arrive(name, { costs: [1], arrivedMs, deadlineMs: arrivedMs + 4000, runsMs: 20, actual: [1] });
    world.runUntil(world.nowMs + 300);
  }
  // What was reserved ahead is given back.
  world.runUntil(world.nowMs + 1000);
  return cluster;
}

function unitsLeft(cluster: Cluster): number {
  const levels = running(cluster).map(({ replica }) => {
    const local = replica?.state.holdings.get(QUOTA.key)?.local;
    return local === undefined || local === null ? 0 : Math.min(local.level, local.capacity);
  });
  return levels.reduce((sum, level) => sum + level, 0);
}

/** Each leaves within so many milliseconds; those that are given go. */
function leave(cluster: Cluster, machines: readonly Machine[], withinMs: number): void {
  const { world } = cluster;
  for (const machine of machines)
    world.after(world.chance.between(0, withinMs), () => machine.leave(5000, () => {}));
  world.runUntil(world.nowMs + 7000);
}

test.each([
  ["one of three leaves", 1, 6],
  ["one of three leaves, nobody having used any of it", 1, 0],
  ["two of three leave at about the same time", 2, 6],
  ["two of three leave at about the same time, nobody having used any of it", 2, 0],
])("no unit of a quota is lost when %s", (_, leavers, spent) => {
  for (let seed = 1; seed <= 15; seed++) {
    const cluster = fleet(seed, spent);
    expect(unitsLeft(cluster)).toBeCloseTo(200 - spent, 1);
    leave(cluster, [...cluster.machines.values()].slice(0, leavers), seed % 2 === 0 ? 2 : 100);
    expect(running(cluster)).toHaveLength(3 - leavers);
    expect([seed, unitsLeft(cluster)]).toEqual([seed, expect.closeTo(200 - spent, 1)]);
  }
});

test.each([0, 6])("no unit of a quota is lost when all stop and start again (%i spent)", (spent) => {
  for (let seed = 1; seed <= 15; seed++) {
    const cluster = fleet(seed, spent);
    leave(cluster, [...cluster.machines.values()], seed % 2 === 0 ? 2 : 100);
    expect(running(cluster)).toHaveLength(0);
    for (const machine of cluster.machines.values()) machine.start();
    cluster.world.runUntil(cluster.world.nowMs + 15_000);
    expect([seed, unitsLeft(cluster)]).toEqual([seed, expect.closeTo(200 - spent, 1)]);
  }
});

test("no unit of a quota is lost when two of three leave and come back, again and again", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const cluster = fleet(seed, 0);
    const { world } = cluster;
    const machines = [...cluster.machines.values()];
    for (let round = 0; round < 5; round++) {
      for (const index of [round, round + 1]) {
        const machine = machines[index % 3];
        world.after(world.chance.between(0, 100), () =>
          machine?.leave(5000, () => world.after(world.chance.between(0, 1500), () => machine.start())),
        );
      }
      world.runUntil(world.nowMs + 7000);
      expect([seed, round, unitsLeft(cluster)]).toEqual([seed, round, 200]);
    }
  }
});
