// Leaving: everything this replica holds goes to its siblings, share and units, by the demand they show. What it could
// not give explicitly (buckets that are not open here, and of which nobody speaks) falls to the heir that it names afterwards.
import { MILLI } from "../bucket/parts.ts";
import { givableParts, give, giveParked, partiesOf } from "./giving.ts";
import type { Holding, OpenBucket } from "./holding.ts";
import type { ReplicaState } from "./state.ts";

/** Gives everything to the siblings. Returns whether that is all: running requests keep theirs until they end. */
export function handOverAll(state: ReplicaState, heir: string): boolean {
  let isAll = true;
  for (const holding of state.holdings.values()) {
    const isKnown = holding.local !== null || holding.rows.entries.size > 0;
    if (isKnown && !handOver(state, holding, heir)) isAll = false;
  }
  return isAll;
}

function handOver(state: ReplicaState, holding: Holding, heir: string): boolean {
  const { local } = holding;
  if (local === null) {
    const share = state.ledger.share(holding.rows, state.me.id);
    if (share > 0) giveParked(state, holding, heir, share);
    return true;
  }
  if (local.aheadPeriod !== -1) handOverAhead(state, local, heir);
  const share = state.ledger.share(holding.rows, state.me.id);
  const free = local.limit.refill.kind === "held" ? givableParts(local, share) : share;
  if (free > 0) divide(state, local, { parts: free, heir });
  return free >= share;
}

/** Gives the parts that are set apart for a later calendar period, as such. */
function handOverAhead(state: ReplicaState, local: OpenBucket, heir: string): void {
  const { aheadUnits, aheadPeriod: period } = local;
  // Those of one who is gone may turn out to have been given on before.
  const parts = Math.min(local.aheadParts, Math.max(0, local.share));
  local.aheadParts = 0;
  local.aheadUnits = 0;
  local.aheadPeriod = -1;
  if (parts > 0) give(state, local.holding, { to: heir, parts, units: aheadUnits * MILLI, period });
}

/** Gives parts, with the units in them, by demand; without demand anywhere, all of them to the heir. */
function divide(
  state: ReplicaState,
  local: OpenBucket,
  { parts, heir }: { readonly parts: number; readonly heir: string },
): void {
  local.refill(state.nowMs);
  const parties = partiesOf(state, local.holding).filter(
    ({ id, demand }) => demand > 0 && state.ledger.member(id).isAware,
  );
  const demand = parties.reduce((sum, party) => sum + party.demand, 0);
  let partsLeft = parts;
  let unitsLeft = local.limit.refill.kind === "held" ? 0 : local.level * MILLI;
  for (const party of parties) {
    const portion = Math.min(partsLeft, Math.floor(parts * (party.demand / demand)));
    if (portion <= 0) continue;
    const units = unitsLeft * (portion / partsLeft);
    give(state, local.holding, { to: party.id, parts: portion, units });
    partsLeft -= portion;
    unitsLeft -= units;
  }
  if (partsLeft > 0) give(state, local.holding, { to: heir, parts: partsLeft, units: unitsLeft });
}
