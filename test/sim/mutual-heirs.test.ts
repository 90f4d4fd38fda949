// Leavers that can't tell each other that they leave: none may leave to another. No two sides of a cut may ever hold what
// they held, and in the end somebody does.
import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { keepApart, LIMIT, load, running, shareOf, three, total } from "./three.ts";

test("two that leave and can't tell each other name the one that knows of both, and that one who stays", () => {
  const cluster = three(1, { machines: 4 });
  const { world } = cluster;
  const idOf = (machine: Machine | undefined): string => machine?.replica?.id ?? "";
  const [first, second, third, stays] = [...cluster.machines.values()].sort((left, right) =>
    idOf(left) < idOf(right) ? -1 : 1,
  );
  const profiles = [first, second, third].map((machine) => machine?.replica?.state.me);
  const ids = [first, second, third, stays].map(idOf);
  keepApart(cluster, first, second);
  for (const machine of [first, second]) machine?.leave(10_000, () => cluster.remove(machine.name));
  world.runUntil(world.nowMs + 2000);
  expect(cluster.machines.size).toBe(2);
  world.heal();
  third?.leave(10_000, () => cluster.remove(third.name));
  world.runUntil(world.nowMs + 1000);
  expect(profiles.map((member) => member?.heirs[0])).toEqual([ids[2], ids[2], ids[3]]);
  world.runUntil(world.nowMs + 6000);
  expect(shareOf(stays)).toBeCloseTo(1, 6);
});

test("two that leave at once have one heir, also when those who stay are cut off from each other", () => {
  const cluster = new Cluster({ seed: 21, machines: 5, limits: [LIMIT] });
  const { world } = cluster;
  cluster.startAll();
  world.runUntil(1500);
  for (const name of cluster.machines.keys()) load(cluster, name, 40, 3000);
  world.runUntil(6000);
  const byId = running(cluster).sort((left, right) => (left.replica!.id < right.replica!.id ? -1 : 1));
  const [first, second, ...rest] = byId;
  if (first === undefined || second === undefined) throw new Error("there are five");
  keepApart(cluster, first, second);
  for (const leaver of [first, second]) leaver.leave(3000, () => cluster.remove(leaver.name));
  while (cluster.machines.size > 3) world.runUntil(world.nowMs + 1);
  expect([first.hasLeft, second.hasLeft]).toEqual([true, true]);
  world.heal();
  const [left, ...right] = rest.map(({ name }) => name);
  world.partition([[left ?? ""], right]);
  for (const { name } of rest) load(cluster, name, 60, 12_000);
  world.runUntil(20_000);
  expect(total(cluster)).toBeLessThanOrEqual(1);
  world.heal();
  world.runUntil(26_000);
  expect(cluster.differences()).toEqual([]);
  expect(total(cluster)).toBeCloseTo(1, 6);
  cluster.checkDeep();
});

test("what two leavers could name nobody for is claimed by nobody: it waits for them", () => {
  const cluster = three(23, { machines: 4 });
  const { world } = cluster;
  const [first, second, ...rest] = [...cluster.machines.values()];
  const [left, right] = rest.map(({ name }) => name);
  // The others are silent for long enough to be no heirs, and the two can't tell each other that they leave.
  world.partition([
    [first?.name ?? "", second?.name ?? ""],
    [left ?? "", right ?? ""],
  ]);
  world.runUntil(world.nowMs + 3500);
  keepApart(cluster, first, second);
  for (const machine of [first, second]) machine?.leave(2000, () => {});
  world.runUntil(world.nowMs + 1200);
  // Those who stay hear of it, and can't answer.
  world.heal();
  for (const { name } of rest) for (const leaver of ["m0", "m1"]) world.cut(name, leaver);
  world.runUntil(world.nowMs + 2000);
  expect(running(cluster).map(({ name }) => name)).toEqual([left, right]);
  world.partition([[left ?? ""], [right ?? ""]]);
  world.runUntil(world.nowMs + 8000);
  expect(total(cluster)).toBeLessThan(0.99);
  world.heal();
  for (const machine of [first, second]) machine?.start();
  world.runUntil(world.nowMs + 8000);
  expect(total(cluster)).toBeCloseTo(1, 6);
});

test("two that were all and left at once find what they held when they are started again, without an operator", () => {
  const cluster = new Cluster({ seed: 22, machines: 2, limits: [LIMIT] });
  const { world } = cluster;
  cluster.startAll();
  world.runUntil(3000);
  const [one, other] = cluster.machines.values();
  keepApart(cluster, one, other);
  for (const machine of cluster.machines.values()) machine.leave(1500, () => {});
  world.runUntil(5000);
  expect(running(cluster)).toEqual([]);
  world.partition([["m0"], ["m1"]]);
  cluster.startAll();
  world.runUntil(9000);
  expect(total(cluster)).toBeLessThanOrEqual(1);
  world.heal();
  world.runUntil(16_000);
  expect(total(cluster)).toBeCloseTo(1, 6);
  cluster.checkDeep();
});
