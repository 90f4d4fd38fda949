// A fleet whose replicas die without a word and are replaced by others, with new ids at new addresses, as pods without
// disks are behind a name in DNS: nothing may be left of those who are gone, nor of those who were never seen again.
import { describe, expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { Cluster } from "./cluster.ts";

const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.05 },
};

/** Everything that a replica keeps of others, by what it is. */
function keptBy(cluster: Cluster): readonly Readonly<Record<string, number>>[] {
  return [...cluster.machines.values()].flatMap(({ replica, disk }) => {
    if (replica === null) return [];
    const { state, exchange } = replica;
    const { links, serials } = exchange;
    const rows = state.holding(LIMIT.key).rows;
    return [
      {
        members: state.ledger.members.size,
        succession: state.ledger.succession.size,
        rows: rows.entries.size,
        balances: rows.balances.size,
        given: state.holding(LIMIT.key).given.size,
        sent: state.holding(LIMIT.key).sentUnits.size,
        links: links.all.size,
        vectors: links.vectors.size,
        serials: serials.size,
        seen: state.me.profile.seen.size,
        disk: disk.size,
      },
    ];
  });
}

function largest(kept: readonly Readonly<Record<string, number>>[]): number {
  return Math.max(...kept.flatMap((one) => Object.values(one)));
}

/** Three replicas that use what they have; the first founded the fleet and stays. */
function fleet(seed: number, reclaimAfterMs = 3000): Cluster {
  const membership = { reclaimAfterMs };
  const cluster = new Cluster({ seed, machines: 3, limits: [LIMIT], membership });
  cluster.startAll();
  cluster.world.runUntil(1500);
  return cluster;
}

function use(cluster: Cluster): void {
  const { world } = cluster;
  for (const name of cluster.machines.keys()) {
    for (let count = 0; count < 8; count++) {
      const deadlineMs = world.nowMs + 2000;
      cluster.arrive(name, { costs: [1], arrivedMs: world.nowMs, deadlineMs, runsMs: 20, actual: [1] });
    }
  }
}

describe("nothing is left", () => {
  test("of replicas that were killed and replaced under other names", () => {
    const cluster = fleet(1);
    const { world } = cluster;
    const after: number[] = [];
    for (let round = 0; round < 12; round++) {
      const [, oldest] = cluster.machines.values();
      use(cluster);
      world.runUntil(world.nowMs + 1000);
      oldest?.crash();
      cluster.remove(oldest?.name ?? "");
      cluster.add(`r${round}`).start();
      world.runUntil(world.nowMs + 14_000);
      after.push(largest(keptBy(cluster)));
    }
    expect(Math.max(...after.slice(6))).toBeLessThanOrEqual(Math.max(...after.slice(0, 6)));
    expect(after.at(-1)).toBeLessThanOrEqual(10);
    cluster.checkDeep();
  });

  test("in messages of those who left, though one is silent and they can't be forgotten", () => {
    const cluster = fleet(3, Infinity);
    const { world } = cluster;
    const [first, second, third] = cluster.machines.values();
    use(cluster);
    world.runUntil(world.nowMs + 2000);
    third?.crash();
    const bytes = (): number => first?.replica?.exchange.answer(second?.replica?.id ?? "").length ?? Infinity;
    const gone: number[] = [];
    const sizes: number[] = [];
    for (let round = 0; round < 12; round++) {
      const leaver = cluster.add(`r${round}`);
      leaver.start();
      world.runUntil(world.nowMs + 1000);
      use(cluster);
      world.runUntil(world.nowMs + 1000);
      leaver.leave(4000, () => {});
      world.runUntil(world.nowMs + 9000);
      cluster.remove(leaver.name);
      gone.push(first?.replica?.state.ledger.farewells().length ?? 0);
      sizes.push(bytes());
    }
    expect(gone.at(-1)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...sizes.slice(6))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 6)));
  });

  test("of replicas that said once that they look for a fleet, and were never heard again", () => {
    const cluster = fleet(2);
    const { world } = cluster;
    for (let round = 0; round < 40; round++) {
      const ghost = cluster.add(`g${round}`);
      ghost.start();
      world.runUntil(world.nowMs + 5 + round * 3);
      ghost.crash();
      cluster.remove(ghost.name);
    }
    const most = largest(keptBy(cluster));
    expect(most).toBeGreaterThan(10);
    world.runUntil(world.nowMs + 60_000);
    // What was heard of strangers is thrown away when the next one comes.
    cluster.add("last").start();
    world.runUntil(world.nowMs + 2000);
    expect(largest(keptBy(cluster))).toBeLessThanOrEqual(10);
    cluster.checkDeep();
  });
});
