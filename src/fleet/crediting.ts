// Receiving: when a row that gives to this replica is merged, its parts count at once (the ledger sees to that) and its
// units are added to the level, once, in memory. They may be taken before they are durable: whatever is taken is
// covered by the block of the durable record, and after a crash the same row is merged again.
//
// For calendar buckets units belong to a period. Units of the period that we are in are added. Parts that were given
// in an earlier period had not been refilled for ours by anybody, so they are full. And when the giver's calendar is
// ahead of ours, parts and units are set apart until our own boundary comes. An edge that was begun afresh hides of
// which period the parts before it were, if we missed them: they count, and are empty until the next boundary.
import { difference, differenceOfUnits, MILLI, WHOLE } from "../bucket/parts.ts";
import { type Edge, NO_EDGE, type Row, unitsOf } from "../bucket/row.ts";
import type { Succession } from "../bucket/succession.ts";
import type { Holding, OpenBucket } from "./holding.ts";
import type { ReplicaState } from "./state.ts";

/** What a merged row newly gives to this replica. */
export interface Credit {
  readonly holding: Holding;
  readonly parts: number;
  /** Those of them that were given since the edge was begun. */
  readonly partsOfEdge: number;
  /** Milli-units; below zero when debt came along. */
  readonly units: number;
  /** As in `Edge`. */
  readonly period: number;
}

/** What is new for this replica in a row; `null` when nothing is. */
export function creditOf(
  state: ReplicaState,
  holding: Holding,
  before: Row | undefined,
  after: Row,
): Credit | null {
  const edge = after.given.get(state.me.id);
  if (edge === undefined) return null;
  const known = before?.given.get(state.me.id) ?? NO_EDGE;
  const isSame = isSameEdge(known, edge);
  // What the giver had given to one whose rows this replica took over is no news, nor what that one gave whose rows the giver did.
  const joined = isSame ? difference(edge.partsBefore, known.partsBefore) : 0;
  const parts = difference(edge.parts, known.parts) - joined;
  if (parts <= 0) return null;
  const partsOfEdge = isSame ? parts : difference(edge.parts, edge.partsBefore);
  return { holding, parts, partsOfEdge, units: newUnits(state, known, edge), period: edge.period };
}

/** One that was begun before what is known had been given is of a giver whose disk was set back, and has been begun anew. */
function isSameEdge(known: Edge, edge: Edge): boolean {
  const isGoingOn = difference(edge.partsBefore, known.partsBefore) >= 0;
  return known.boot === edge.boot && known.period === edge.period && isGoingOn;
}

/** Units that were given before our disk went back in time may have been credited already: they are not counted. */
function newUnits(state: ReplicaState, known: Edge, edge: Edge): number {
  const { soundSince, boot } = state.identity;
  if (edge.boot < soundSince || edge.boot > boot) return 0;
  return differenceOfUnits(unitsOf(edge), unitsOf(isSameEdge(known, edge) ? known : NO_EDGE));
}

/** Books a credit. The ledger must hold the row already. */
export function book(state: ReplicaState, credit: Credit): void {
  const { holding, parts, units, period } = credit;
  const { local } = holding;
  state.counts.credits += 1;
  state.markDirty(holding);
  if (local === null) {
    park(state, holding, units);
    return;
  }
  local.refill(state.nowMs);
  if (local.limit.refill.kind === "calendar" && period !== 0 && period - 1 > local.period) {
    local.setApart(parts, units / MILLI, period - 1);
    state.reshare(holding);
    return;
  }
  state.reshare(holding);
  if (local.limit.refill.kind !== "held") {
    const most = (parts / WHOLE) * local.limit.capacity;
    const isFresh = local.limit.refill.kind === "calendar" && period !== 0 && period - 1 < local.period;
    const full = (Math.min(parts, credit.partsOfEdge) / WHOLE) * local.limit.capacity;
    const credited = isFresh ? full + Math.min(0, units / MILLI) : Math.min(most, units / MILLI);
    local.credit(credited);
  }
  state.room(local);
}

/**
 * Parts of one that is gone come without a word of the period that they were refilled for. If any row says that they were
 * with somebody whose calendar was ahead of ours, they may be spent already: they are empty until that period is over.
 */
export function inherit(local: OpenBucket, parts: number, succession: Succession): void {
  let period = -1;
  for (const [giver, { row }] of local.holding.rows.entries) {
    for (const [receiver, edge] of row.given) {
      if (succession.has(giver) || succession.has(receiver)) period = Math.max(period, edge.period - 1);
    }
  }
  if (period > local.period) local.setApart(parts, 0, period);
}

/** Units of a bucket that is not open are added to its record, which keeps what they are. */
function park(state: ReplicaState, holding: Holding, units: number): void {
  const record = holding.parked;
  const level = record?.level ?? { level: 0, atMs: state.nowMs, block: 0 };
  holding.parked = {
    key: holding.rows.key,
    period: -1,
    aheadParts: 0,
    aheadUnits: 0,
    aheadPeriod: -1,
    ...record,
    level: { ...level, level: level.level + units / MILLI },
    row: state.rowOf(holding),
  };
}
