// Giving: what this replica holds beyond its entitlement goes to those in line. A give raises `given` and lowers the
// level in memory; it is shown to nobody before the flush that holds both is durable.
import { entitlementsOf, isInLine, lineOf, partsFor, type Party } from "../bucket/entitlement.ts";
import type { Member } from "../bucket/member.ts";
import { advance, advanceUnits, inSteps, MILLI, MODULUS, WHOLE } from "../bucket/parts.ts";
import { type Edge, NO_EDGE, unitsOf } from "../bucket/row.ts";
import type { Holding, OpenBucket } from "./holding.ts";
import type { ReplicaState } from "./state.ts";

/** Moves smaller than this part of the whole are not worth it, unless a request hangs on them. */
export const SMALL_PARTS = WHOLE / 50;
/** Units of a bucket that nobody has touched: as many as the parts can hold. The receiver knows the capacity. */
const FULL_UNITS = MODULUS / 4;

/** Whether it was heard a moment ago. */
export function isHeard({ nowMs, unreachableAfterMs }: ReplicaState, { heardMs }: Member): boolean {
  return nowMs - heardMs < unreachableAfterMs;
}

/** Whether it stays, and was heard a moment ago: it may be given something. */
export function isReachable(state: ReplicaState, member: Member): boolean {
  if (member === state.me) return true;
  if (member.hasLeft || member.isLeaving) return false;
  return !state.ledger.succession.has(member.id) && isHeard(state, member);
}

/** A party with the units that it shows to hold. */
interface Holder extends Party {
  readonly level: number;
}

/** Everyone that can be reached, as they show themselves for one bucket. */
export function partiesOf(state: ReplicaState, holding: Holding): Holder[] {
  const parties: Holder[] = [];
  for (const member of state.ledger.members.values()) {
    if (!isReachable(state, member)) continue;
    const share = state.ledger.share(holding.rows, member.id);
    const entry = holding.rows.entries.get(member.id);
    if (member === state.me) parties.push({ id: member.id, share, ...state.gaugeOf(holding) });
    else if (entry !== undefined) {
      const { gauge } = entry.row;
      const waitingMs = gauge.waitingMs === 0 ? 0 : gauge.waitingMs + state.nowMs - entry.heardMs;
      parties.push({ id: member.id, share, ...gauge, waitingMs });
    } else if (share !== 0) {
      parties.push({ id: member.id, share, level: 0, waiting: 0, waitingMs: 0, demand: 0, cost: 0 });
    }
  }
  return parties;
}

/** Gives what is due of one bucket. Returns whether anything was given. */
export function giveFrom(state: ReplicaState, holding: Holding): boolean {
  const share = state.ledger.share(holding.rows, state.me.id);
  if (share <= 0) return false;
  const parties = partiesOf(state, holding);
  if (!parties.some((party) => party.id !== state.me.id && isInLine(party))) return false;
  const local = holding.local;
  if (local === null) return giveAll(state, holding, parties, share);
  local.refill(state.nowMs);
  const entitled = entitlementsOf(parties, local.limit.capacity, local.limit.refill.kind === "held");
  if (entitled === null) return false;
  let excess = Math.min(share - (entitled.get(state.me.id) ?? 0), givableParts(local, share));
  let hasGiven = false;
  let isAhead = false;
  for (const party of lineOf(parties)) {
    if (party.id === state.me.id) {
      isAhead = true;
      continue;
    }
    const wanted = (entitled.get(party.id) ?? 0) - party.share;
    const parts = Math.floor(Math.min(excess, wanted));
    if (parts <= 0 || (parts < SMALL_PARTS && holdsRequest(party, local.limit.capacity))) continue;
    const kept = isAhead ? (holding.waiting?.cost ?? 0) : 0;
    give(state, holding, { to: party.id, parts, units: unitsFor(local, party, parts, kept) });
    excess -= parts;
    hasGiven = true;
  }
  return (local.limit.refill.kind === "calendar" && giveMissing(state, local, parties)) || hasGiven;
}

/** Gauges are told in single precision. */
export const GAUGE_PRECISION = 2 ** -22;
/** Of two requests that came within this time each replica may take its own for the older one, for news of the other was on its way. */
const SAME_AGE_MS = 100;

/** The line in an order that those who wait agree on: of the same age as the request here, ids decide. */
function agreedLine(state: ReplicaState, parties: readonly Holder[]): Holder[] {
  const mineMs = parties.find(({ id }) => id === state.me.id)?.waitingMs ?? 0;
  if (mineMs === 0) return lineOf(parties);
  return lineOf(
    parties.map((party) => {
      const isSame = party.waitingMs > 0 && Math.abs(party.waitingMs - mineMs) < SAME_AGE_MS;
      return isSame ? { ...party, waitingMs: mineMs } : party;
    }),
  );
}

/**
 * Units of a calendar quota do not come back where they were spent: those who wait may hold the parts for their requests,
 * and the units lie elsewhere, in pieces. Whoever's request what is left still covers, in the order of the line, gets
 * them from those behind it, with no more parts than they take up.
 */
function giveMissing(state: ReplicaState, local: OpenBucket, parties: readonly Holder[]): boolean {
  const { holding } = local;
  let hasGiven = false;
  let left = parties.reduce((sum, { level }) => sum + Math.max(0, level), 0);
  for (const party of agreedLine(state, parties)) {
    const isCovered = party.waitingMs > 0 && left >= party.waiting * (1 - GAUGE_PRECISION);
    if (!isCovered) continue;
    if (party.id === state.me.id) break;
    left -= party.waiting;
    const level = party.level + (holding.sentUnits.get(party.id) ?? 0);
    const missing = Math.min(party.waiting * (1 + GAUGE_PRECISION) - level, local.level);
    const free = givableParts(local, local.share);
    if (missing <= 0 || free <= 0) continue;
    const parts = Math.min(free, partsFor(missing, local.limit.capacity));
    give(state, holding, { to: party.id, parts, units: unitsFor(local, { ...party, level }, parts, 0) });
    hasGiven = true;
  }
  return hasGiven;
}

function holdsRequest(party: Party, capacity: number): boolean {
  return party.share >= 0 && (party.share / WHOLE) * capacity >= party.waiting;
}

/** Parts that may move at all: those whose units are in use by running requests stay. */
export function givableParts(local: OpenBucket, share: number): number {
  if (local.limit.refill.kind === "held") {
    if (local.level >= local.capacity) return share;
    return Math.max(0, Math.floor((local.level / local.limit.capacity) * WHOLE));
  }
  return share - local.aheadParts;
}

/**
 * As many units as the receiver needs, at least what could not be kept, at most what the parts can hold. Debt goes along
 * in proportion: a small share could pay it only slowly, and would be of no use to anyone meanwhile.
 */
function unitsFor(local: OpenBucket, party: Holder, parts: number, kept: number): number {
  if (local.level < 0) return local.level * MILLI * Math.min(1, parts / local.share);
  const moved = (parts / WHOLE) * local.limit.capacity;
  const overflow = local.level - (local.capacity - moved);
  const needed = party.waiting * (1 + GAUGE_PRECISION) - party.level;
  const offered = Math.max(overflow, Math.min(local.level - kept, needed));
  return Math.max(0, Math.min(offered, moved, local.level)) * MILLI;
}

/** No configuration here names the bucket: all of it goes to the oldest in line. */
function giveAll(state: ReplicaState, holding: Holding, parties: readonly Party[], share: number): boolean {
  const oldest = lineOf(parties).find((party) => party.id !== state.me.id);
  if (oldest === undefined) return false;
  giveParked(state, holding, oldest.id, share);
  return true;
}

/** Gives parts of a bucket that is not open. Those set apart for a later period make all of it of that period. */
export function giveParked(state: ReplicaState, holding: Holding, to: string, parts: number): void {
  const { parked } = holding;
  if (parked === null || parked.aheadPeriod === -1) {
    give(state, holding, { to, parts, units: parkedUnits(state, holding) });
    return;
  }
  give(state, holding, {
    to,
    parts,
    units: parked.aheadUnits * MILLI,
    period: parked.aheadPeriod,
  });
  holding.parked = { ...parked, aheadParts: 0, aheadUnits: 0, aheadPeriod: -1 };
}

/** What a bucket that is not open holds: everything, when nobody has touched it; else what its record surely covers. */
export function parkedUnits(state: ReplicaState, holding: Holding): number {
  if (holding.parked === null) {
    return state.isUntouched(holding) ? FULL_UNITS : 0;
  }
  const { level, block } = holding.parked.level;
  return Math.max(0, (level - block) * MILLI);
}

export interface Give {
  readonly to: string;
  readonly parts: number;
  /** Milli-units, of which whole steps are given (see parts.ts); below zero when debt goes along. */
  readonly units: number;
  /** The calendar period that they are of; by default the one that this replica is in. */
  readonly period?: number;
}

/**
 * Books a give and makes it due for the next flush. The period of an edge never goes back: a receiver that has not heard of
 * its earlier parts must not take them for parts of an earlier period. Units of that one are not those of the later.
 */
export function give(state: ReplicaState, holding: Holding, due: Give): void {
  const { to, parts } = due;
  const before = holding.given.get(to) ?? NO_EDGE;
  const local = holding.local;
  const boot = state.ledger.member(to).boot;
  const current = local === null ? (holding.parked?.period ?? -1) : local.period;
  const period = Math.max((due.period ?? current) + 1, before.period);
  const units = period > (due.period ?? current) + 1 ? 0 : inSteps(due.units);
  const isFresh = before.boot !== boot || before.period !== period;
  const total = advanceUnits(isFresh ? { units: 0, fine: 0 } : unitsOf(before), units);
  const edge: Edge = {
    parts: advance(before.parts, parts),
    partsBefore: isFresh ? before.parts : before.partsBefore,
    units: total.units,
    ...(total.fine === 0 ? {} : { fine: total.fine }),
    boot,
    period,
  };
  const isOfLater = due.period !== undefined && due.period > current;
  if (local !== null && local.limit.refill.kind !== "held" && !isOfLater) local.level -= units / MILLI;
  if (local === null && holding.parked !== null && !isOfLater) {
    const { level } = holding.parked;
    holding.parked = { ...holding.parked, level: { ...level, level: level.level - units / MILLI } };
  }
  holding.given = new Map(holding.given).set(to, edge);
  holding.isStaged = true;
  holding.givenTo.add(to);
  holding.sentUnits.set(to, (holding.sentUnits.get(to) ?? 0) + units / MILLI);
  state.publish(holding);
  state.reshare(holding);
  state.markDirty(holding);
  state.counts.gives += 1;
}

/** How many of the largest holders a waiting replica asks. */
const ASKED_MAX = 6;
/** Buckets that are looked at for them: siblings that hold units of the others are asked in their turn. */
const LOOKED_AT_MAX = 256;

/** The siblings that hold most of what requests here wait for. */
export function holdersOf(state: ReplicaState, holdings: Iterable<Holding>): ReadonlySet<string> {
  const asked = new Set<string>();
  const most = Math.min(ASKED_MAX, state.ledger.members.size - 1);
  let lookedAt = 0;
  for (const holding of holdings) {
    if (asked.size >= most || lookedAt === LOOKED_AT_MAX) break;
    lookedAt += 1;
    const holders: { readonly id: string; readonly share: number }[] = [];
    for (const member of state.ledger.members.values()) {
      if (member === state.me || !isReachable(state, member)) continue;
      const share = state.ledger.share(holding.rows, member.id);
      if (share > 0) holders.push({ id: member.id, share });
    }
    holders.sort((left, right) => right.share - left.share);
    for (const { id } of holders.slice(0, ASKED_MAX)) asked.add(id);
  }
  return asked;
}
