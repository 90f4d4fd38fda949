// Replicas that leave cleanly and come back with their disks, again and again, as pods with volumes do: on a sound network,
// with sound disks and clocks. Those who are gone are taken over and forgotten meanwhile, sometimes before they are back.
import { expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { LIMIT, load, running, shareOf, three, total } from "./three.ts";

interface Rhythm {
  /** Replicas, and how many of them leave at a time. */
  readonly machines: number;
  readonly leavers: number;
  /** For how long they are away, and back, in milliseconds, from and to. */
  readonly away: readonly [number, number];
  readonly back: readonly [number, number];
  readonly rounds: number;
}

/** Plays it; whenever the leavers are away, those who stayed must hold the whole. */
function play(seed: number, { machines, leavers, away, back, rounds }: Rhythm): Cluster {
  const cluster = new Cluster({ seed, machines, limits: [LIMIT] });
  const { world } = cluster;
  const { chance } = world;
  cluster.startAll();
  world.runUntil(1500);
  for (const name of cluster.machines.keys()) load(cluster, name, 15, 4000);
  world.runUntil(6000);
  const [stays, ...rest] = [...cluster.machines.values()];
  const going = rest.slice(0, leavers);
  for (let round = 0; round < rounds; round++) {
    load(cluster, stays?.name ?? "", 20, 20_000);
    for (const machine of going) world.after(chance.between(0, 60), () => machine.leave(10_000, () => {}));
    world.runUntil(world.nowMs + chance.between(...away));
    const staying = running(cluster);
    if (staying.length === machines - leavers) expect(total(cluster)).toBeCloseTo(1, 9);
    for (const machine of going) world.after(chance.between(0, 1000), () => comeBack(cluster, machine));
    world.runUntil(world.nowMs + chance.between(...back));
    cluster.checkDeep();
  }
  return cluster;
}

function comeBack(cluster: Cluster, machine: Machine): void {
  if (machine.replica !== null) return;
  machine.start();
  load(cluster, machine.name, 10, 3000);
}

const QUICK = { away: [2000, 8000], back: [1200, 5000], rounds: 6 } as const;
const SLOW = { away: [40_000, 40_000], back: [30_000, 30_000], rounds: 3 } as const;

test.each<[string, Rhythm]>([
  ["one of two", { ...QUICK, machines: 2, leavers: 1 }],
  ["one of three", { ...QUICK, machines: 3, leavers: 1 }],
  ["two of three", { ...QUICK, machines: 3, leavers: 2 }],
  ["four of five", { ...QUICK, machines: 5, leavers: 4 }],
  ["two of three, slowly", { ...SLOW, machines: 3, leavers: 2 }],
])("who leaves and comes back brings back nothing that was given on, and loses nothing: %s", (_, rhythm) => {
  for (let seed = 1; seed <= 12; seed++) {
    const cluster = play(seed, rhythm);
    expect(cluster.oracles[0]?.isBroken).toBe(false);
  }
});

test("a leaver names also whom it sees later, for whom it has named may have left to it unheard", () => {
  const cluster = three(7);
  const { world } = cluster;
  const [first, second, third] = [...cluster.machines.values()].sort((left, right) =>
    (left.replica?.id ?? "") < (right.replica?.id ?? "") ? -1 : 1,
  );
  if (first === undefined || second === undefined || third === undefined) throw new Error("there are three");
  third.leave(4000, () => cluster.remove(third.name));
  world.runUntil(world.nowMs + 2000);
  world.partition([[first.name], [second.name]]);
  first.leave(2000, () => {});
  second.leave(9000, () => cluster.remove(second.name));
  world.runUntil(world.nowMs + 3000);
  const fresh = cluster.add("fresh");
  world.partition([[first.name], [second.name, "fresh"]]);
  fresh.start();
  world.runUntil(world.nowMs + 5000);
  expect(cluster.machines.has(second.name)).toBe(false);
  world.heal();
  first.start();
  world.runUntil(world.nowMs + 9000);
  expect(shareOf(first) + shareOf(fresh)).toBeCloseTo(1, 9);
});
