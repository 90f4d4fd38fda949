// What a replica shows of its buckets: how fast units are taken, what a request costs, who waits. Moving averages are
// brought up to date at every tick, for the buckets that are in use only.
import { WHOLE } from "../bucket/parts.ts";
import type { Member } from "../bucket/member.ts";
import { GAUGE_PRECISION, isHeard, SMALL_PARTS } from "./giving.ts";
import type { Holding, OpenBucket } from "./holding.ts";
import type { ReplicaState } from "./state.ts";

/** The time constant of the averages. */
const AVERAGE_MS = 1000;
/** A replica that will run out within this time asks before a request has to wait. */
const EARLY_MS = 1000;
/** How often a gauge is shown while nobody waits for units of the bucket. */
const QUIET_MS = 500;
/** Buckets that one tick looks after, so that it takes milliseconds at most; the others follow in the next. */
const BUCKETS_MAX = 2000;
/** Demand below this part of the capacity per second is none. */
const NO_DEMAND = 1e-3;
/** Units that make no difference. */
const ROUNDING = 1e-6;
/** A part with this much of its capacity in it counts as full. */
const FULL = 0.98;

/** Brings the gauges of buckets in use up to date and says what has changed: of all of them, or of very many in turn. */
export function updateGauges(state: ReplicaState): void {
  const tickMs = state.nowMs - state.gaugedMs;
  if (tickMs <= 0) return;
  state.gaugedMs = state.nowMs;
  // All in one tick, or as few as will do, so that most ticks have nothing to tell.
  if (state.quietLeft <= 0 && state.nowMs - state.quietShownMs >= QUIET_MS) {
    state.quietShownMs = state.nowMs;
    state.quietLeft = state.active.length;
  }
  const due = state.active.splice(0, BUCKETS_MAX);
  for (const holding of due) {
    holding.isActive = update(state, holding, tickMs);
    if (holding.isActive) state.active.push(holding);
  }
  state.quietLeft -= due.length;
}

/** Returns whether the bucket is still in use. */
function update(state: ReplicaState, holding: Holding, tickMs: number): boolean {
  const { local } = holding;
  if (local === null) return false;
  local.refill(state.nowMs);
  average(state, holding, local);
  if (state.contact.unheardMs(state.nowMs) <= 2 * tickMs) holding.spentAtContact = local.spent;
  const isIdle =
    holding.waiting === null &&
    holding.demand < local.limit.capacity * NO_DEMAND &&
    local.level >= local.capacity - ROUNDING &&
    local.isBlockSmall;
  if (isIdle) holding.demand = 0;
  if (local.isOverReserved(state.nowMs)) state.markDirty(holding);
  holding.isEarly = !isIdle && isRunningOut(state, holding, local);
  show(state, holding, isIdle);
  return !isIdle;
}

function average(state: ReplicaState, holding: Holding, local: OpenBucket): void {
  const elapsedMs = state.nowMs - holding.gaugedMs;
  holding.gaugedMs = state.nowMs;
  const weight = 1 - Math.exp(-elapsedMs / AVERAGE_MS);
  const spent = local.spent - holding.seenSpent;
  const takes = local.takes - holding.seenTakes;
  holding.seenSpent = local.spent;
  holding.seenTakes = local.takes;
  const queued = holding.waiting === null ? 0 : Math.max(local.queued, holding.waiting.cost);
  const rate = (spent * 1000) / elapsedMs + queued;
  holding.demand += (rate - holding.demand) * weight;
  if (takes > 0) holding.cost += (spent / takes - holding.cost) * (holding.cost === 0 ? 1 : weight);
  else if (holding.cost === 0) holding.cost = holding.waiting?.cost ?? 0;
}

/** Whether what is here will not last, or others' share would be of more use here than it is there. */
function isRunningOut(state: ReplicaState, holding: Holding, local: OpenBucket): boolean {
  if (holding.waiting !== null || local.limit.refill.kind === "held") return false;
  const expected = (holding.demand / 1000) * EARLY_MS;
  const refilled = local.ratePerMs * EARLY_MS;
  if (expected < holding.cost || expected <= refilled) return false;
  return local.level + refilled < expected || (refilled > 0 && isOverflowing(state, holding));
}

/** Whether a sibling's part is full: what it refills there is lost to the fleet. */
function isOverflowing({ ledger, me }: ReplicaState, { rows, local }: Holding): boolean {
  if (local === null) return false;
  for (const [author, { row }] of rows.entries) {
    if (author === me.id) continue;
    const share = ledger.share(rows, author);
    if (share >= SMALL_PARTS && row.gauge.level >= (share / WHOLE) * local.limit.capacity * FULL) return true;
  }
  return false;
}

/** Units at siblings; `reachable`: at those of them that were heard a moment ago. */
interface Elsewhere {
  readonly level: number;
  readonly reachable: number;
}

/** Who has the founder's role. */
function founderOf({ ledger, me }: ReplicaState): string {
  const founder = ledger.lineage?.founder ?? me.id;
  return ledger.succession.get(founder) ?? founder;
}

/**
 * Units that a sibling holds of a bucket of which it has said nothing. The founder's part is full then: whoever takes or
 * gives says so in a row. Of another one's it is not known that there is anything in it.
 */
export function untoldLevel(state: ReplicaState, { rows, local }: Holding, id: string): number {
  if (local === null || rows.entries.has(id) || founderOf(state) !== id) return 0;
  return (Math.max(0, state.ledger.share(rows, id)) / WHOLE) * local.limit.capacity;
}

/**
 * Units that siblings hold of a bucket, as far as they have shown, or have not had to. Rounded up: the last request's
 * units, in pieces, must not look like a hair less.
 */
export function levelElsewhere(state: ReplicaState, holding: Holding): Elsewhere {
  const { ledger, me } = state;
  const { rows, sentUnits } = holding;
  let level = 0;
  let reachable = 0;
  const add = (holder: Member | undefined, units: number): void => {
    level += units;
    if (holder !== undefined && isHeard(state, holder)) reachable += units;
  };
  for (const { author, row } of rows.entries.values()) {
    if (author === me || ledger.succession.has(author.id)) continue;
    add(author, row.gauge.level * (1 + GAUGE_PRECISION));
  }
  for (const [receiver, units] of sentUnits) add(ledger.members.get(receiver), units);
  const founder = founderOf(state);
  if (founder !== me.id) add(ledger.members.get(founder), untoldLevel(state, holding, founder));
  return { level, reachable };
}

/**
 * Publishes this replica's row if it says something new, and what is no reason to give only now and then. `isLast`: the
 * bucket comes to rest, and will not be looked at again before it is used.
 */
export function show(state: ReplicaState, holding: Holding, isLast = false): void {
  // Totals beyond the block are not covered by the disk yet; after a crash they would look like a disk gone back.
  if (holding.isHidden || (holding.local !== null && holding.local.allowance < 0)) return;
  const shown = holding.rows.entries.get(state.me.id)?.row;
  if (shown !== undefined && shown.given === holding.given) {
    const gauge = state.gaugeOf(holding);
    const isSame =
      shown.spent === holding.local?.spent &&
      shown.gauge.level === gauge.level &&
      shown.gauge.demand === gauge.demand;
    const isOfUse = isLast || shown.gauge.waiting !== gauge.waiting || state.waitedFor.has(holding);
    if (isSame ? shown.gauge.waiting === gauge.waiting : !isOfUse && state.quietLeft <= 0) return;
  }
  if (shown === undefined && isAsExpected(state, holding)) return;
  state.publish(holding);
}

/** Whether a row would say what everybody assumes of a replica that has none: it holds nothing, or as the founder all of an untouched bucket. */
function isAsExpected(state: ReplicaState, holding: Holding): boolean {
  const { local, given } = holding;
  if (local === null || local.spent > 0 || given.size > 0) return false;
  const { demand, waiting } = state.gaugeOf(holding);
  if (demand !== 0 || waiting !== 0) return false;
  if (Math.abs(local.level) < ROUNDING) return true;
  return state.isUntouched(holding) && local.level >= local.capacity - ROUNDING;
}
