// Small calendar quotas that move with nearly every request: all of them is admitted, in every period, and no more.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { Cluster } from "./cluster.ts";

const DAY_MS = 86_400_000;
const NAMES = ["m0", "m1", "m2"];

function daily(capacity: number): Limit {
  return {
    key: "key/a/requests/day",
    dimension: "requests",
    capacity,
    refill: { kind: "calendar", period: "day", timezone: "UTC" },
  };
}

/** Requests at each of three instances in turn, half as many again as the quota has; what is admitted of them. */
function ask(cluster: Cluster, capacity: number, apartMs: number): number {
  const { world } = cluster;
  const before = cluster.admitted;
  const count = Math.ceil(capacity * 1.5) + NAMES.length;
  for (let index = 0; index < count; index++) {
    const arrivedMs = world.nowMs + index * apartMs;
    world.after(index * apartMs, () => {
      const deadlineMs = arrivedMs + 2000;
      const name = NAMES[index % NAMES.length] ?? "";
      cluster.arrive(name, { costs: [1], arrivedMs, deadlineMs, runsMs: 20, actual: [1] });
    });
  }
  world.runUntil(world.nowMs + count * apartMs + 4000);
  return cluster.admitted - before;
}

test.each([
  [1, 0],
  [7, 0],
  [7, 50],
  [10, 0],
  [10, 50],
  [20, 0],
  [20, 50],
  [50, 0],
  [50, 50],
])("a daily quota of %i over three instances admits as many every day (%i ms apart)", (capacity, apartMs) => {
  for (const seed of [1, 2, 3]) {
    const cluster = new Cluster({ seed, machines: NAMES.length, limits: [daily(capacity)] });
    cluster.startAll();
    cluster.world.runUntil(1500);
    const days: number[] = [];
    for (let day = 0; day < 3; day++) {
      days.push(ask(cluster, capacity, apartMs));
      for (const machine of cluster.machines.values()) machine.wallOffsetMs += DAY_MS;
      cluster.world.runUntil(cluster.world.nowMs + 2000);
    }
    expect(days).toEqual([capacity, capacity, capacity]);
  }
});
