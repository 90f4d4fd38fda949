// What the stories share: a fleet of three in which everybody holds something, and what they look at.
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";

export const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: 0.05 },
};

/** Requests at one machine, one unit each, for a while. */
export function load(cluster: Cluster, name: string, perSecond: number, forMs: number): void {
  const { world } = cluster;
  const untilMs = world.nowMs + forMs;
  const arrive = (): void => {
    if (world.nowMs > untilMs) return;
    const deadlineMs = world.nowMs + 4000;
    cluster.arrive(name, { costs: [1], arrivedMs: world.nowMs, deadlineMs, runsMs: 20, actual: [1] });
    world.after(1000 / perSecond, arrive);
  };
  arrive();
}

/** These two can't tell each other anything: of two that leave each may leave to the other. */
export function keepApart({ world }: Cluster, left: Machine | undefined, right: Machine | undefined): void {
  world.partition([[left?.name ?? ""], [right?.name ?? ""]]);
}

export function running(cluster: Cluster): Machine[] {
  return [...cluster.machines.values()].filter(({ replica }) => replica !== null);
}

/** A fleet of three in which everybody holds something. */
export function three(
  seed: number,
  options: Partial<ConstructorParameters<typeof Cluster>[0]> = {},
): Cluster {
  const cluster = new Cluster({ seed, machines: 3, limits: [LIMIT], ...options });
  cluster.startAll();
  cluster.world.runUntil(1500);
  for (const name of cluster.machines.keys()) load(cluster, name, 40, 4000);
  cluster.world.runUntil(6000);
  return cluster;
}

export function shareOf(machine: Machine | undefined): number {
  const local = machine?.replica?.state.holdings.get(LIMIT.key)?.local;
  return (local?.share ?? 0) / WHOLE;
}

/** What the others take a replica to hold. */
export function believedShare(cluster: Cluster, id: string): number {
  const ledger = cluster.machines.get("m0")?.replica?.state.ledger;
  const rows = ledger?.buckets.get(LIMIT.key);
  return rows === undefined || ledger === undefined ? 0 : ledger.share(rows, id) / WHOLE;
}

export function total(cluster: Cluster): number {
  return running(cluster).reduce((sum, machine) => sum + shareOf(machine), 0);
}
