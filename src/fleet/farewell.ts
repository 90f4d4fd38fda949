// Nothing may grow with replicas that are gone: their rows, what others gave to them, their names. So whoever succeeded
// a gone replica j (call it c) takes its rows over, in three steps, each safe at any moment and for any order of messages:
//
//   1. c adds what j gave to what c gave, drops j's rows, and says *farewell* to j. All of it is one durable step. The
//      farewell travels at the head of every message that could hold c's new rows, so nobody counts j's gives twice.
//   2. Whoever hears of it drops j's rows too, and what it gave to j it gave to c from then on (in its own row). When
//      that is durable it says so: its profile has `seen` the edition of c's profile that holds the farewell.
//   3. When all members have seen it and no row mentions j any more, each forgets j. A replica that comes back later,
//      from a disk that still speaks of j, is of an era before what the others have forgotten: its rows are not taken,
//      and it notices that, and goes on as a newcomer with share zero.
//
// A claim can be disputed (two halves of a fleet may claim the same replica), so step 1 waits until every member, silent
// ones too, has seen the claim; a leaver's own word can't be, and waits for the live ones only.
import type { Farewell, Member } from "../bucket/member.ts";
import { advance } from "../bucket/parts.ts";
import { type Edge, NO_EDGE } from "../bucket/row.ts";
import { isHeard, isReachable } from "./giving.ts";
import { hasHidden, type Holding } from "./holding.ts";
import { isNamed } from "../bucket/succession.ts";
import type { Section } from "../bucket/sections.ts";
import type { ReplicaState } from "./state.ts";

/** A replica is gone for this long before its rows are taken over: what it gave last has arrived by then. */
const SETTLES_MS = 5000;
/** What nobody has told for so long, nobody that is left knows. */
const UNTOLD_MS = 10_000;

/** Takes over, acknowledges and forgets what is due. */
export function sayFarewells(state: ReplicaState): void {
  if (state.isRecovering || state.supersededByBoot > 0) return;
  if (state.pendingProfile !== null || hasHidden(state.dirty)) return;
  if (state.isAdmitting && takesOverOrForgets(state)) return;
  acknowledge(state);
}

/** Returns whether it took over from one: the next is looked at when that is durable. */
function takesOverOrForgets(state: ReplicaState): boolean {
  const members = Array.from(state.ledger.members.values());
  const left = membersLeft(state);
  for (const member of members) {
    if (member.farewell === null) {
      if (isToTakeOver(state, member, left)) {
        takeOver(state, member);
        return true;
      }
    } else if (canForget(state, member, member.farewell)) forget(state, member);
  }
  return false;
}

function isToTakeOver(state: ReplicaState, gone: Member, left: readonly Member[]): boolean {
  const { ledger, me, nowMs } = state;
  if (ledger.succession.get(gone.id) !== me.id) {
    gone.goneMs = Infinity;
    return false;
  }
  gone.goneMs = Math.min(gone.goneMs, nowMs);
  if (nowMs - gone.goneMs < SETTLES_MS) return false;
  const claimant = isNamed(gone, ledger.members.values()) ? null : claimantOf(state, gone);
  return left.every((member) => {
    if (claimant !== null && !hasSeen(member, claimant.member, claimant.edition)) return false;
    return !gone.hasLeft || hasSeen(member, gone, gone.profile.edition) || !isReachable(state, member);
  });
}

function claimantOf(
  state: ReplicaState,
  gone: Member,
): { readonly member: Member; readonly edition: number } | null {
  const claimants = [...state.ledger.members.values()].filter((member) => member.claims.has(gone.id));
  const [member] = claimants.sort((left, right) => (left.id < right.id ? -1 : 1));
  return member === undefined ? null : { member, edition: member.claims.get(gone.id)?.edition ?? Infinity };
}

/** The members that are not gone. */
function membersLeft(state: ReplicaState): Member[] {
  const { ledger } = state;
  return [...ledger.members.values()].filter((member) => !ledger.succession.has(member.id));
}

function hasSeen(member: Member, speaker: Member, edition: number): boolean {
  return member === speaker || (member.profile.seen.get(speaker.id) ?? 0) >= edition;
}

/** Step 1. */
function takeOver(state: ReplicaState, gone: Member): void {
  const { ledger, me, profile } = state;
  const edition = ledger.latestEdition() + 1;
  for (let entry = gone.newest; entry !== null; entry = entry.older) {
    const holding = state.holding(entry.bucket.key);
    const given = new Map(holding.given);
    for (const [receiver, edge] of entry.row.given) {
      const holder = holderOf(state, receiver);
      if (holder !== me.id) given.set(holder, joined(given.get(holder), edge));
    }
    holding.given = given;
    holding.isStaged = true;
    inherit(holding, entry.row.spent, entry.row.returned);
  }
  const farewells = new Map(profile.farewells).set(gone.id, edition);
  for (const inherited of gone.profile.farewells.keys()) farewells.set(inherited, edition);
  const claims = new Map(profile.claims);
  for (const [victim, { known }] of gone.claims) {
    claims.set(victim, { edition, known: claims.get(victim)?.known ?? known });
  }
  carryOut(state, { gone: gone.id, by: me.id, edition });
  for (const member of ledger.members.values()) {
    if (member.farewell !== null && farewells.has(member.id)) {
      member.farewell = { gone: member.id, by: me.id, edition: farewells.get(member.id) ?? edition };
      state.dirtyMembers.add(member.id);
    }
  }
  state.proposeProfile({ ...profile, edition, farewells, claims, era: edition });
}

/** Who speaks for a replica now: a name that farewell was said to must not be written into a row again. */
function holderOf({ ledger }: ReplicaState, id: string): string {
  const member = ledger.members.get(id);
  return member !== undefined && member.farewell !== null ? (ledger.succession.get(id) ?? id) : id;
}

/** What was given, said to those who speak for its receivers now; `told`: farewells that came with the news of it. */
export function redirected(
  state: ReplicaState,
  given: ReadonlyMap<string, Edge>,
  told: readonly Farewell[],
): ReadonlyMap<string, Edge> {
  const speakers = new Map(told.map(({ gone, by }) => [gone, by]));
  const now = new Map<string, Edge>();
  for (const [receiver, edge] of given) {
    // One that is forgotten here is not a member any more.
    const isForgotten = !state.ledger.members.has(receiver);
    const holder = holderOf(state, isForgotten ? (speakers.get(receiver) ?? receiver) : receiver);
    if (holder === receiver) now.set(holder, joined(edge, now.get(holder)));
    else if (holder !== state.me.id) now.set(holder, joined(now.get(holder), edge));
  }
  return now;
}

function inherit(holding: Holding, spent: number, returned: number): void {
  const { local, parked } = holding;
  if (local !== null) {
    local.spent += spent;
    local.returned += returned;
    holding.seenSpent += spent;
  } else if (parked !== null) {
    const { row } = parked;
    const totals = { spent: row.spent + spent, returned: row.returned + returned };
    holding.parked = { ...parked, row: { ...row, ...totals } };
  }
}

/**
 * An edge, and one that the same receiver speaks for now. It has the parts of the latter already, so they are put before
 * what was given on this edge, of which all stays that may be under way; units that were under way on the other are lost.
 */
function joined(edge: Edge | undefined, other: Edge | undefined): Edge {
  const known = edge ?? NO_EDGE;
  const parts = other?.parts ?? 0;
  return {
    ...known,
    parts: advance(known.parts, parts),
    partsBefore: advance(known.partsBefore, parts),
  };
}

/**
 * Step 2: drops the gone one's rows and says anew what this replica gave to it. `told`: the rows that come with it; a
 * sibling that has carried it out, and has not forgotten it, may still hold some that name the gone one.
 */
export function carryOut(state: ReplicaState, farewell: Farewell, told: readonly Section[] = []): void {
  const { ledger } = state;
  const known = ledger.members.get(farewell.gone);
  if (farewell.gone === state.me.id) return;
  // Forgotten here already: no row names it. (A newcomer knows what was forgotten up to when, and not who.)
  if (
    known === undefined &&
    farewell.gone !== ledger.lineage?.founder &&
    farewell.edition <= ledger.forgotten &&
    ledger.isUnmentioned(farewell.gone) &&
    !told.some((section) => isNamedIn(section, farewell.gone))
  ) {
    return;
  }
  if (known !== undefined && known.farewell !== null) {
    learn(state, known, farewell);
    return;
  }
  for (const { key } of ledger.dropRows(farewell)) state.holding(key).dirtyRows.add(farewell.gone);
  for (const holding of state.holdings.values()) {
    const edge = holding.given.get(farewell.gone);
    if (edge !== undefined) redirect(state, holding, edge, farewell);
    if (holding.dirtyRows.has(farewell.gone) || holding.isStaged) state.markDirty(holding);
    if (holding.isStaged) state.publish(holding);
  }
  state.dirtyMembers.add(farewell.gone);
  // Farewells that the gone one had said passed to whoever speaks for it now.
  for (const member of ledger.members.values())
    if (member.farewell?.edition === Infinity) state.dirtyMembers.add(member.id);
  state.isStartingOver = true;
  state.news += 1;
  state.wake();
}

function isNamedIn({ entries, profile }: Section, id: string): boolean {
  const isHeir = profile !== null && profile !== "known" && profile.profile.heirs.includes(id);
  return isHeir || entries.some(({ row }) => row.given.has(id));
}

function redirect(state: ReplicaState, holding: Holding, edge: Edge, { gone, by }: Farewell): void {
  const given = new Map(holding.given);
  given.delete(gone);
  const holder = holderOf(state, by);
  if (holder !== state.me.id) given.set(holder, joined(given.get(holder), edge));
  holding.given = given;
  holding.isStaged = true;
}

/** A farewell that is known under another name or edition: the one who took over from its maker speaks for it now. */
function learn(state: ReplicaState, known: Member, farewell: Farewell): void {
  if (known.farewell === null || known.farewell.by !== farewell.by) return;
  if (known.farewell.edition === farewell.edition) return;
  known.farewell = farewell;
  state.dirtyMembers.add(known.id);
}

/** Whether this replica has taken in, at least once, what the others have done: before that it tells nothing. */
export function isAcquainted(state: ReplicaState): boolean {
  const { me, ledger, isNewcomer, isLeftBehind } = state;
  return me.profile.era >= ledger.forgotten && !isNewcomer && !isLeftBehind;
}

/** The farewells that may be told of: this replica's own when they are durable. */
export function toldFarewells(state: ReplicaState): Farewell[] {
  const { ledger, me } = state;
  return ledger
    .farewells()
    .filter(({ by, edition }) => Number.isFinite(edition) && (by !== me.id || edition <= me.profile.edition));
}

/** Whether enough is known of those whom a member claims, or nobody will tell it any more. */
function canJudge({ ledger, nowMs }: ReplicaState, member: Member): boolean {
  if (ledger.canJudge(member)) {
    member.unjudgedMs = Infinity;
    return true;
  }
  member.unjudgedMs = Math.min(member.unjudgedMs, nowMs);
  return nowMs - member.unjudgedMs >= UNTOLD_MS;
}

/**
 * Says which editions of the others' profiles are carried out; the flush that holds this holds what they asked for. The
 * era is that of farewells alone: who has only heard claims, or made some, has not followed those who forgot.
 */
function acknowledge(state: ReplicaState): void {
  const { ledger, me, profile } = state;
  const seen = new Map<string, number>();
  // What is forgotten here was carried out, also where that was not said yet.
  let era = Math.max(profile.era, ledger.forgotten);
  let isNews = false;
  for (const member of ledger.members.values()) {
    const { edition } = member.profile;
    if (member === me || member.farewell !== null || edition === 0) continue;
    // Who leaves waits for this: it may be the only one that knows what those whom it claimed had given.
    if (!canJudge(state, member)) continue;
    seen.set(member.id, edition);
    if (profile.seen.get(member.id) !== edition) isNews = true;
  }
  for (const { edition } of ledger.farewells()) if (Number.isFinite(edition)) era = Math.max(era, edition);
  // What was claimed of those who are forgotten is over.
  const claims = new Map([...profile.claims].filter(([victim]) => ledger.members.has(victim)));
  if (isNews || era > profile.era || claims.size < profile.claims.size)
    state.proposeProfile({ ...profile, seen, claims, era });
}

/** Whether it is not waited for any more. One that leaves, and was heard a moment ago, may still take others in. */
function isGone(state: ReplicaState, member: Member): boolean {
  const isThere = member.hasLeft && isHeard(state, member);
  return state.ledger.succession.has(member.id) && !isThere;
}

/** Step 3. */
function canForget(state: ReplicaState, member: Member, { by, edition }: Farewell): boolean {
  const { ledger } = state;
  const speaker = ledger.members.get(by);
  // Who founded the fleet is named in its lineage for good.
  if (speaker === undefined || member.id === ledger.lineage?.founder) return false;
  // It passed to one that says nothing of it: then it was forgotten before.
  const isOver = edition === Infinity && !speaker.profile.farewells.has(member.id);
  const last = isOver ? speaker.profile.edition : edition;
  const isDone = (other: Member): boolean => isGone(state, other) || hasSeen(other, speaker, last);
  return [...ledger.members.values()].every(isDone) && ledger.isUnmentioned(member.id);
}

function forget(state: ReplicaState, member: Member): void {
  const { ledger, profile } = state;
  ledger.forget(member);
  state.heardOf.delete(member.id);
  for (const holding of state.holdings.values()) holding.sentUnits.delete(member.id);
  state.dirtyMembers.add(member.id);
  state.isIdentityDirty = true;
  state.isStartingOver = true;
  if (!profile.farewells.has(member.id) && !profile.claims.has(member.id)) return;
  const farewells = new Map(profile.farewells);
  const claims = new Map(profile.claims);
  farewells.delete(member.id);
  claims.delete(member.id);
  state.proposeProfile({ ...profile, farewells, claims });
}
