// What must hold when the faults of a random schedule are over: all are back and agree, those who are there hold the whole,
// and something is admitted.
import type { Member } from "../../src/bucket/member.ts";
import { arrivals } from "./arrivals.ts";
import { Broken, type Cluster } from "./cluster.ts";
import type { Kind } from "./kinds.ts";
import type { Machine } from "./machine.ts";

/** How long a healed fleet may take until those who are there hold the whole, and then until something is admitted. */
const ADMITS_MS = 10_000;
/** How long parts are on their way. */
const ARRIVES_MS = 50;
/** How long a healed fleet may take until all have come back and agree. */
const AGREES_MS = 30_000;
const LOOK_MS = 250;

/** Those who are there hold the whole. */
export function checkWhole(cluster: Cluster): void {
  const { world } = cluster;
  const untilMs = world.nowMs + ADMITS_MS;
  while (cluster.missing() !== "") {
    if (world.nowMs >= untilMs) throw new Broken(cluster.missing());
    world.runUntil(world.nowMs + ARRIVES_MS);
  }
}

/** Waits until all are back and agree. */
export function settle(cluster: Cluster): void {
  const { world } = cluster;
  const untilMs = world.nowMs + AGREES_MS;
  while (!hasCalmedDown(cluster) && world.nowMs < untilMs) world.runUntil(world.nowMs + LOOK_MS);
}

/**
 * What only an operator can know, and says: that a machine is no more which was the last in line when all left at once, and
 * that nobody has a name any more that was given up with what it had been given. Nobody else may be missed.
 */
export function evictLost({ machines, givenUp }: Cluster): boolean {
  return evict([...machines.values()], ({ id, hasLeft }) => hasLeft || givenUp.has(id));
}

/** Everybody is back, or has left, and all agree. */
function hasCalmedDown(cluster: Cluster): boolean {
  for (const machine of cluster.machines.values()) {
    const { replica } = machine;
    if (replica === null || machine.isPaused || machine.hasStopped || replica.membership.isLeaving)
      return false;
  }
  return cluster.differences().length === 0 && sharedFaultOf(cluster) === "";
}

/** What is known otherwise than it was written; empty: nothing. */
export function sharedFaultOf({ truth, machines }: Cluster): string {
  return truth?.faultOf([...machines.values()].flatMap(({ shared }) => shared?.map ?? [])) ?? "";
}

/**
 * Disks that were all set back to before a sibling left wait for it: nobody knows any more that it has left, and an
 * operator who knows that its machine is no more says so.
 */
function evict(machines: readonly Machine[], isLost: (member: Member) => boolean): boolean {
  const living = new Set(machines.map(({ replica }) => replica?.id));
  let hasEvicted = false;
  for (const { replica } of machines.slice(0, 1)) {
    for (const member of replica?.state.ledger.members.values() ?? []) {
      if (living.has(member.id) || !isLost(member)) continue;
      if (replica?.membership.evict(member.id) === true) hasEvicted = true;
    }
  }
  return hasEvicted;
}

/** Requests come in everywhere, and one must be let through. */
export function admitSomething(cluster: Cluster, { faults, pace }: Kind): void {
  const { world, limits } = cluster;
  const machines = [...cluster.machines.values()];
  const [first] = limits;
  const refillMs = first?.refill.kind === "continuous" ? first.capacity / first.refill.unitsPerMs : 0;
  // Crashes may have burnt a block each, which is the whole bucket when it is small.
  const untilMs = world.nowMs + ADMITS_MS + 6 * refillMs;
  const before = cluster.admitted;
  let isLookedAfter = !faults.includes("disk set back");
  for (const machine of machines) arrivals(cluster, machine, { untilMs, pace });
  while (cluster.admitted === before) {
    if (world.nowMs >= untilMs) throw new Broken("nothing is admitted after healing");
    if (!isLookedAfter && world.nowMs >= untilMs - ADMITS_MS / 2) {
      isLookedAfter = true;
      evict(machines, () => true);
    }
    world.runUntil(world.nowMs + LOOK_MS);
    // A calendar quota may be used up until its boundary, which is a minute away.
    if (limits.some(({ refill }) => refill.kind === "calendar")) return;
  }
}
