// What a client and an operator do with a fleet of real processes: ask, look, and wait until something is so.
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import type { FleetProcesses, Station } from "./fleet-processes.ts";

const PATIENCE_MS = 120_000;
const LOOK_EVERY_MS = 20;

const BODY = JSON.stringify({ model: "shared/sim-echo", messages: [{ role: "user", content: "hello" }] });

/** Sends one request and gives its answer's status; 0 when there is no answer. */
export async function ask({ port }: Station): Promise<number> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: BODY,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}

/** Sends requests at once; how many got each status. */
export async function askMany(station: Station, count: number): Promise<Readonly<Record<number, number>>> {
  const tally: Record<number, number> = {};
  for (const status of await Promise.all(Array.from({ length: count }, () => ask(station)))) {
    tally[status] = (tally[status] ?? 0) + 1;
  }
  return tally;
}

const view = z.object({
  replica: z.string(),
  name: z.string(),
  state: z.string(),
  members: z.array(
    z.object({ replica: z.string(), name: z.string(), is_founder: z.boolean(), state: z.string() }),
  ),
  buckets: z.array(
    z.object({
      bucket: z.string(),
      parts: z.array(z.object({ replica: z.string(), share: z.number(), level: z.number() })),
    }),
  ),
});

export type View = z.infer<typeof view>;

/** The fleet as this replica sees it; null while it does not answer. */
export async function viewOf({ port }: Station): Promise<View | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/fleet`, { signal: AbortSignal.timeout(10_000) });
    return view.parse(await answer.json());
  } catch (error) {
    if (error instanceof z.ZodError) throw error;
    return null;
  }
}

/** Looks again and again until the replica sees it so; resolves with the milliseconds that took. */
export async function untilSeen(station: Station, isSo: (seen: View) => boolean): Promise<number> {
  const startedMs = performance.now();
  let seen: View | null = null;
  while (performance.now() - startedMs < PATIENCE_MS) {
    seen = await viewOf(station);
    if (seen !== null && isSo(seen)) return performance.now() - startedMs;
    await pause(LOOK_EVERY_MS);
  }
  throw new Error(
    `${station.name} does not see it: ${JSON.stringify(seen)}\n${station.process.output.slice(-3000)}`,
  );
}

/** The share of the provider's requests that the members of these names hold together, from 0 to 1. */
export function sharesOf({ members, buckets }: View, names: readonly string[]): number {
  const ids = new Set(members.filter(({ name }) => names.includes(name)).map(({ replica }) => replica));
  const parts = buckets[0]?.parts ?? [];
  return parts.filter(({ replica }) => ids.has(replica)).reduce((sum, { share }) => sum + share, 0);
}

/** How many units the replica knows of, in all levels together. */
export function levelOf({ buckets }: View): number {
  return (buckets[0]?.parts ?? []).reduce((sum, { level }) => sum + level, 0);
}

/** How many units a replica holds itself; 0 while it does not answer. */
export async function ownLevel(station: Station): Promise<number> {
  const seen = await viewOf(station);
  return seen?.buckets[0]?.parts.find(({ replica }) => replica === seen.replica)?.level ?? 0;
}

/** Waits until they hold so many units together, each by its own word: what they know of each other may be old. */
export async function untilTheyHold(stations: readonly Station[], units: number): Promise<void> {
  const startedMs = performance.now();
  let levels: readonly number[] = [];
  while (performance.now() - startedMs < PATIENCE_MS) {
    levels = await Promise.all(stations.map(ownLevel));
    if (levels.reduce((sum, level) => sum + level, 0) >= units) return;
    await pause(LOOK_EVERY_MS);
  }
  throw new Error(`they hold ${levels.join(", ")}, and not ${units} together`);
}

/** Waits until every member sees all of them alive and serves. */
export async function untilTogether(fleet: FleetProcesses): Promise<void> {
  const count = fleet.stations.length;
  for (const station of fleet.stations) {
    await untilSeen(
      station,
      ({ state, members }) =>
        state === "serving" && members.filter((member) => member.state === "live").length === count,
    );
  }
}
