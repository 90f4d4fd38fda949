// Requests of random sizes at random times, at one machine.
import type { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";

const PATIENCE_MS = 2500;

/** Lets requests arrive until a time; `pace`: how much fewer than usual. */
export function arrivals(
  cluster: Cluster,
  machine: Machine,
  { untilMs, pace }: { readonly untilMs: number; readonly pace: number },
): void {
  const { world, limits } = cluster;
  const { chance } = world;
  const [first] = limits;
  if (first === undefined || first.refill.kind !== "continuous") return;
  const usualMs = 1 / (first.refill.unitsPerMs / Math.max(1, first.capacity / 20));
  const meanMs = chance.exponential(pace * usualMs);
  const arrive = (): void => {
    if (world.nowMs > untilMs) return;
    const cost = Math.min(first.capacity, Math.ceil(chance.exponential(first.capacity / 20)));
    const costs = limits.map(({ dimension }) => (dimension === "concurrent" ? 1 : cost));
    const used = chance.hits(0.3) ? chance.between(0, 1.3) : 1;
    cluster.arrive(machine.name, {
      costs,
      arrivedMs: world.nowMs,
      deadlineMs: world.nowMs + PATIENCE_MS,
      runsMs: chance.exponential(150),
      actual: costs.map((units) => units * used),
    });
    world.after(chance.exponential(Math.max(25 * pace, meanMs)), arrive);
  };
  world.after(chance.between(0, 500), arrive);
}
