// The merge trace: one log line per merge, for whoever wants to see how replicas come to agree. It costs a pass over
// the members and the buckets that were touched, so it is off unless asked for.
import { WHOLE } from "../bucket/parts.ts";
import { compareStamps, NEVER, type Stamp } from "../bucket/row.ts";
import type { Log } from "../observe/events.ts";
import type { Received } from "./exchange.ts";
import type { Holding } from "./holding.ts";
import type { MergeReport } from "./merging.ts";
import type { Replica } from "./replica.ts";
import type { ReplicaState } from "./state.ts";

/** The value of this variable in the environment turns the trace on. */
export const TRACE_VARIABLE = "OPENCLAW_MERGE_DEBUG";

/** Long enough to tell replicas apart in a log. */
function short(id: string): string {
  return id.slice(0, 8);
}

function shortStamp({ boot, version }: Stamp): string {
  return `${boot}.${version}`;
}

function shortVector(vector: ReadonlyMap<string, Stamp>): Readonly<Record<string, string>> {
  return Object.fromEntries([...vector].map(([id, stamp]) => [short(id), shortStamp(stamp)]));
}

/** Whose rows of a bucket a merge took, and at which stamps: those that have just come in, and were not known before it. */
function rowsTaken(
  { rows }: Holding,
  { nowMs, me }: ReplicaState,
  known: MergeReport["vectorHere"],
): Readonly<Record<string, string>> {
  const taken = [...rows.entries.values()].filter(
    (entry) =>
      entry.author !== me &&
      entry.heardMs === nowMs &&
      compareStamps(entry, known.get(entry.author.id) ?? NEVER) > 0,
  );
  return Object.fromEntries(taken.map((entry) => [short(entry.author.id), shortStamp(entry)]));
}

/** Logs a merge: both vectors before it, the rows taken, the rule, and shares and levels after. */
export function traceMerge(replica: Replica, log: Log): (received: Received & { kind: "taken" }) => void {
  return ({ report }) => {
    const { ledger, me } = replica.state;
    log.info("merge", {
      from: short(report.from),
      rule: report.rule,
      vector_here: shortVector(report.vectorHere),
      vector_there: shortVector(report.vectorThere),
      rows: report.rows,
      gave: report.hasGiven,
      buckets: report.taken.map((holding) => ({
        bucket: holding.rows.key,
        rows: rowsTaken(holding, replica.state, report.vectorHere),
        shares: Object.fromEntries(
          [...ledger.members.keys()].map((id) => [short(id), ledger.share(holding.rows, id) / WHOLE]),
        ),
        share: ledger.share(holding.rows, me.id) / WHOLE,
        level: holding.local?.level ?? null,
      })),
    });
  };
}
