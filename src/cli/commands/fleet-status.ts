// The fleet in words, for `sluice status` and `sluice top`: who is there, and a bar of each replica's share per bucket.
import { z } from "zod";
import { GatewayError } from "../../errors.ts";
import type { Remote } from "./remote.ts";
import { amountOf, count, table, unitsPerAmount } from "./table.ts";

const fleet = z.object({
  name: z.string(),
  state: z.string(),
  members: z.array(
    z.object({
      replica: z.string(),
      name: z.string(),
      is_self: z.boolean(),
      is_founder: z.boolean(),
      state: z.string(),
      version: z.number(),
      silent_ms: z.number(),
    }),
  ),
  buckets: z.array(
    z.object({
      bucket: z.string(),
      capacity: z.number(),
      parts: z.array(
        z.object({
          replica: z.string(),
          share: z.number(),
          level: z.number(),
          demand: z.number(),
          waiting: z.number(),
        }),
      ),
    }),
  ),
});

export type FleetStatus = z.infer<typeof fleet>;

const BAR_WIDTH = 20;

/** What the instance sees of its fleet; `null` when it wants an admin key that it was not given. */
export async function readFleet(remote: Remote): Promise<FleetStatus | null> {
  const answer = await remote.ask("GET", "/fleet");
  if (answer.status === 401 || answer.status === 403) return null;
  const parsed = answer.status === 200 ? fleet.safeParse(JSON.parse(answer.text)) : null;
  if (parsed?.success === true) return parsed.data;
  throw new GatewayError("provider_bad_response", `${remote.url} is no Sluice of this version.`);
}

/** Members and shares; empty for an instance that is alone. */
export function describeFleet(view: FleetStatus): string {
  if (view.members.length < 2 && view.state === "serving") return "";
  const names = new Map(view.members.map(({ replica, name }) => [replica, name || replica.slice(0, 8)]));
  const members = view.members.map(({ replica, state, version, silent_ms, is_self, is_founder }) => [
    names.get(replica) ?? replica,
    `${state}${is_founder ? ", founder" : ""}${is_self ? ", this one" : ""}`,
    count(version),
    is_self ? "–" : silent_ms < 0 ? "never" : `${count(silent_ms)} ms`,
  ]);
  const shares = view.buckets.flatMap(({ bucket, parts }) =>
    parts.map(({ replica, share, level, demand, waiting }, index) => [
      index === 0 ? bucket : "",
      names.get(replica) ?? replica,
      shareBar(share),
      `${count(share * 100)} %`,
      inAmounts(bucket, level),
      inAmounts(bucket, demand),
      waiting > 0 ? inAmounts(bucket, waiting) : "–",
    ]),
  );
  const columns = ["limit", "replica", "share", "", "level", "demand/s", "waits for"];
  return [
    `Fleet: ${view.name || "this instance"} is ${view.state}.`,
    table(["member", "state", "version", "heard before"], members),
    ...(shares.length === 0 ? [] : [table(columns, shares)]),
  ].join("\n\n");
}

function inAmounts(bucket: string, units: number): string {
  return amountOf(bucket, units / unitsPerAmount(bucket));
}

function shareBar(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}
