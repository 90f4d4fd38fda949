// A disk that went back in time: a restored backup, lost pages, a copy of another machine's. The siblings remember what
// this replica said, and tell it: they pass back its own rows when they know more of them than it does, and refuse
// rows in which its running totals have fallen. What they remember is taken over, the levels on the disk are worth
// nothing then, and units that were given before are not credited again.
import type { Farewell } from "../bucket/member.ts";
import type { Section } from "../bucket/sections.ts";
import type { Message, WholeMessage } from "../bucket/message.ts";
import { difference } from "../bucket/parts.ts";
import { compareStamps, type Edge, NEVER, type Row, type Stamp } from "../bucket/row.ts";
import { redirected } from "./farewell.ts";
import type { Holding } from "./holding.ts";
import type { ReplicaState } from "./state.ts";
import { burn, rename, startOver, supersede } from "./renewal.ts";

type Given = ReadonlyMap<string, Edge>;

/** Rounding of totals that passed through records. */
const SLACK = 1e-3;

/**
 * This replica hears that it was declared dead: what it holds is another's from now on. What it has minted since it last
 * met anybody is booked as debt; what it held before was its own to spend. Shares must not have been applied yet. The
 * debt is no more than the bucket: siblings help to pay it, and what lies further back no provider remembers.
 */
export function oweWhatWasMinted(state: ReplicaState): void {
  const unheardMs = state.contact.unheardMs(state.nowMs);
  for (const holding of state.holdings.values()) {
    const { local } = holding;
    if (local === null || local.limit.refill.kind === "held") continue;
    local.refill(state.nowMs);
    const spent = Math.max(0, local.spent - holding.spentAtContact);
    local.level -= Math.min(local.ratePerMs * unheardMs, local.capacity + spent, local.limit.capacity);
  }
}

/** Who was declared dead and lives goes on under a new id with share zero; so does who had left and comes back. */
export function goOnUnderNewId(state: ReplicaState, id: string): void {
  const former = state.me;
  for (const holding of state.holdings.values()) {
    holding.local?.startCounting();
    if (holding.local !== null) holding.local.late = 0;
    holding.seenSpent = 0;
    holding.seenTakes = 0;
    holding.spentAtContact = 0;
    holding.given = new Map();
    holding.isStaged = false;
    holding.dirtyRows.add(former.id);
    state.markDirty(holding);
  }
  // Behind the heirs that it named, in case all of them have left too. Nobody else comes from this disk, so this claim is
  // never one of two; whoever takes over from this replica later has it too.
  const edition = former.hasLeft ? state.ledger.latestEdition() + 1 : 0;
  const { boot, version } = former;
  const claims = new Map(former.hasLeft ? [[former.id, { edition, known: { boot, version } }]] : []);
  // The era stays: it tells the siblings whether they have forgotten something that this disk still speaks of.
  rename(state, id, { ...former.profile, heirs: [], claims, farewells: new Map(), edition });
  state.dirtyMembers.add(former.id);
}

/**
 * The others have forgotten more than this replica has heard, perhaps itself: it begins again as a newcomer, with level
 * zero. One that has given nothing has said nothing that could be missed, and keeps its name: under the former one it
 * would be waited for for good, with what it was given meanwhile.
 */
export function goOnAsNewcomer(state: ReplicaState, told: readonly Farewell[]): void {
  const { ledger, me } = state;
  const { lineage } = ledger;
  if (lineage === null) return;
  const isGone = me.hasLeft || ledger.succession.has(me.id) || told.some(({ gone }) => gone === me.id);
  const hasGiven = state.holdings.values().some(({ given }) => given.size > 0);
  if (isGone || hasGiven) state.identity = { ...state.identity, id: state.newId() };
  startOver(state, lineage);
  state.ledger.lineage = null;
  state.mustJoin = true;
}

/**
 * Looks at what a sibling has heard under our id. A start from a disk and a clock that both went back comes before what
 * was said already: siblings take its messages for repeated ones and pass nothing back, but they say what they know.
 */
export function heedVector(state: ReplicaState, { vector, receiver }: Message): void {
  const heard = vector.get(state.me.id) ?? NEVER;
  const receiverBoot = receiver?.id === state.me.id ? receiver.boot : 0;
  const latest = receiverBoot > heard.boot ? { boot: receiverBoot, version: 0 } : heard;
  if (isAnothers(state, latest)) supersede(state, latest.boot);
}

/** Reads what a sibling says about this replica itself; `told`: the farewells that it says with it. */
export function heed(
  state: ReplicaState,
  section: Section,
  { sender, farewells: told }: Pick<WholeMessage, "sender" | "farewells">,
): void {
  if (isAnothers(state, section.to)) {
    supersede(state, section.to.boot);
    return;
  }
  const passedBack = state.passedBack.get(sender) ?? NEVER;
  if (compareStamps(section.from, passedBack) <= 0 && compareStamps(section.to, passedBack) > 0)
    state.passedBack.set(sender, section.to);
  let isSetBack = false;
  for (const { stamp, bucket, row } of section.entries) {
    // What was said in this boot is known here, and may have been said anew since.
    if (compareStamps(stamp, { boot: state.me.boot, version: 0 }) > 0) continue;
    const holding = state.holding(bucket);
    const given = redirected(state, row.given, told);
    if (!hasGivenMore(holding, given) && !hasSpentMore(state, holding, row)) continue;
    isSetBack = true;
    holding.given = furthest(holding.given, given);
    adoptTotals(holding, row);
    state.publish(holding);
    state.reshare(holding);
    state.markDirty(holding);
  }
  if (isSetBack) burn(state);
}

/**
 * Whether another process said this under our id: after we were started, or, when both the disk and the clock went back
 * in time, before, under the very boot that we have drawn; we have said nothing yet.
 */
function isAnothers({ me, isRecovering }: ReplicaState, { boot, version }: Stamp): boolean {
  return boot > me.boot || (isRecovering && boot === me.boot && version > 0);
}

/** Whether we are said to have given more than our disk knows of. */
function hasGivenMore({ given }: Holding, said: Given): boolean {
  for (const [receiver, edge] of said) {
    if (difference(edge.parts, given.get(receiver)?.parts ?? 0) > 0) return true;
  }
  return false;
}

/** Whether we are said to have spent more than our disk knows of. */
function hasSpentMore(state: ReplicaState, holding: Holding, row: Row): boolean {
  // Requests that ran are gone with the process that ran them.
  if (holding.local?.limit.refill.kind === "held") return false;
  const known = state.rowOf(holding);
  const block = holding.local === null ? (holding.parked?.level.block ?? 0) : 0;
  return row.spent - row.returned > known.spent - known.returned + block + SLACK;
}

function furthest(ours: Given, theirs: Given): Given {
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
