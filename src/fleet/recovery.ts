// A disk that went back in time: a restored backup, lost pages, a copy of another machine's. The siblings remember what
// this replica said, and tell it: they pass back its own rows when they know more of them than it does, and refuse
// rows in which its running totals have fallen. What they remember is taken over, the levels on the disk are worth
// nothing then, and units that were given before are not credited again.
import type { Section } from "../bucket/ledger.ts";
import { difference } from "../bucket/parts.ts";
import type { Edge, Row } from "../bucket/row.ts";
import type { Holding } from "./holding.ts";
import type { ReplicaState } from "./state.ts";

/** Rounding of totals that passed through records. */
const SLACK = 1e-3;

/** Reads what a sibling says about this replica itself. */
export function heed(state: ReplicaState, section: Section): void {
  if (section.to.boot > state.me.boot) {
    state.supersededBy(section.to.boot);
    return;
  }
  let isSetBack = false;
  for (const { bucket, row } of section.entries) {
    const holding = state.holding(bucket);
    if (!isAhead(state, holding, row)) continue;
    isSetBack = true;
    holding.given = furthest(holding.given, row.given);
    adoptTotals(holding, row);
    state.publish(holding);
    state.reshare(holding);
    state.markDirty(holding);
  }
  if (isSetBack) state.burn();
}

/** Whether a row that we are said to have written knows of gives or spending that our disk does not. */
function isAhead(state: ReplicaState, holding: Holding, row: Row): boolean {
  for (const [receiver, edge] of row.given) {
    if (difference(edge.parts, holding.given.get(receiver)?.parts ?? 0) > 0) return true;
  }
  const known = state.rowOf(holding);
  const block = holding.local === null ? (holding.parked?.level.block ?? 0) : 0;
  return row.spent - row.returned > known.spent - known.returned + block + SLACK;
}

function furthest(
  ours: ReadonlyMap<string, Edge>,
  theirs: ReadonlyMap<string, Edge>,
): ReadonlyMap<string, Edge> {
  const joined = new Map(ours);
  for (const [receiver, edge] of theirs) {
    const known = joined.get(receiver);
    if (known === undefined || difference(edge.parts, known.parts) > 0) joined.set(receiver, edge);
  }
  return joined;
}

function adoptTotals(holding: Holding, row: Row): void {
  const { local, parked } = holding;
  if (local !== null) {
    local.spent = Math.max(local.spent, row.spent);
    local.returned = Math.max(local.returned, row.returned);
  } else if (parked !== null) {
    const spent = Math.max(parked.row.spent, row.spent);
    holding.parked = {
      ...parked,
      row: { ...parked.row, spent, returned: Math.max(parked.row.returned, row.returned) },
    };
  }
}
