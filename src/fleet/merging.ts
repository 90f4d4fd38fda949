// What happens with a message: which fleet it is of, what of it is new, what it gives to us, what we owe in return.
import type { Message, WholeMessage } from "../bucket/message.ts";
import type { Vector } from "../bucket/ledger.ts";
import type { Section } from "../bucket/sections.ts";
import type { BucketRows, Profile } from "../bucket/member.ts";
import { isOlder } from "../bucket/ledger.ts";
import { compareStamps, type Row } from "../bucket/row.ts";
import { book, type Credit, creditOf } from "./crediting.ts";
import { carryOut } from "./farewell.ts";
import { giveFrom } from "./giving.ts";
import type { Holding } from "./holding.ts";
import { heed, heedVector, oweWhatWasMinted } from "./recovery.ts";
import type { ReplicaState } from "./state.ts";
import { join, startOver } from "./renewal.ts";

const NOTHING: Vector = new Map();

/** What a merge did, for the trace. */
export interface MergeReport {
  readonly from: string;
  /** `dominates`: they knew all that we do, and more. `dominated`: we knew all of it. `concurrent`: both had news. */
  readonly rule: "equal" | "dominates" | "dominated" | "concurrent" | "other fleet" | "newcomer" | "outdated";
  /** Buckets of which rows were taken. */
  readonly taken: readonly Holding[];
  readonly rows: number;
  readonly hasGiven: boolean;
  /** What both knew before; empty unless merges are traced. */
  readonly vectorHere: Vector;
  readonly vectorThere: Vector;
}

/** Merges a message and gives what is due. */
export function mergeMessage(state: ReplicaState, message: WholeMessage): MergeReport {
  const report = {
    from: message.sender,
    vectorHere: state.isTracing ? state.ledger.vector() : NOTHING,
    vectorThere: state.isTracing ? message.vector : NOTHING,
  };
  const rule = ruleOf(state, message);
  if (rule === "newcomer") introduce(state, message);
  if (rule === "newcomer" || rule === "other fleet") {
    return { ...report, rule, taken: [], rows: 0, hasGiven: false };
  }
  heedVector(state, message);
  forgetWith(state, message);
  meetMembers(state, message);
  const taken = new Set<Holding>();
  const credits: Credit[] = [];
  let rows = 0;
  const successionBefore = state.ledger.succession;
  for (const farewell of message.farewells) carryOut(state, farewell, message.sections);
  // Before anything is credited: units that were given before this replica's disk was set back must not be.
  for (const section of message.sections) {
    if (section.author === state.me.id) heed(state, section, message);
  }
  for (const section of message.sections) {
    if (section.author === state.me.id) continue;
    rows += mergeSection(state, section, taken, credits);
    noteLife(state, section.author, message.sender);
  }
  const { succession } = state.ledger;
  if (succession.has(state.me.id) && !successionBefore.has(state.me.id)) oweWhatWasMinted(state);
  const isSettled = succession === successionBefore;
  const touched = isSettled ? taken : new Set(state.holdings.values());
  // What is given to or by those who are gone moves the share of whoever succeeded them.
  const grown = succession.size > 0 ? resharedOf(state, touched, credits) : [];
  for (const credit of credits) book(state, credit);
  // Whoever hears of room takes from it, so everything that came must be booked before.
  for (const { local } of grown) if (local !== null) state.room(local);
  const hasGiven = giveDue(state, touched);
  return { ...report, rule, taken: [...taken], rows, hasGiven };
}

/** Applies what shares have become, before credits are booked; returns the buckets that hold more. */
function resharedOf(state: ReplicaState, touched: Iterable<Holding>, credits: readonly Credit[]): Holding[] {
  const credited = new Map<Holding, number>();
  for (const { holding, parts } of credits) credited.set(holding, (credited.get(holding) ?? 0) + parts);
  return [...touched].filter((holding) => {
    const levelBefore = holding.local?.level ?? 0;
    const hasGrown = state.reshare(holding, credited.get(holding));
    holding.local?.keepLate(levelBefore);
    return hasGrown;
  });
}

function mergeSection(state: ReplicaState, section: Section, taken: Set<Holding>, credits: Credit[]): number {
  let rows = 0;
  const profileBefore = state.ledger.members.get(section.author)?.profile;
  const onRow = (bucket: BucketRows, author: string, before: Row | undefined, after: Row): void => {
    const holding = state.holding(bucket.key);
    const credit = creditOf(state, holding, before, after);
    if (credit !== null) credits.push(credit);
    holding.dirtyRows.add(author);
    state.unsaved.add(holding);
    if (hasMoved(before, after)) state.markDirty(holding);
    holding.sentUnits.delete(author);
    taken.add(holding);
    rows += 1;
  };
  const result = state.ledger.merge(section, state.nowMs, onRow);
  if (result === "set back") state.setBack.add(section.author);
  if (rows > 0) state.news += 1;
  if (result === "merged") {
    state.setBack.delete(section.author);
    const profile = state.ledger.members.get(section.author)?.profile;
    if (profile !== undefined && profile !== profileBefore) noteProfile(state, section.author, profile);
  }
  return rows;
}

/** The first that is heard of a member may be old, when another tells it: only what follows is a sign of life. */
function noteLife(state: ReplicaState, author: string, sender: string): void {
  const member = state.ledger.members.get(author);
  if (member !== undefined && author !== sender && !state.heardOf.has(author)) member.heardMs = -Infinity;
  state.heardOf.add(author);
}

function noteProfile(state: ReplicaState, author: string, profile: Profile): void {
  for (const [gone, edition] of profile.farewells) carryOut(state, { gone, by: author, edition });
  state.dirtyMembers.add(author);
  state.isToAcknowledge = true;
  state.news += 1;
  state.wake();
}

/** The report on a message of which nothing was taken. */
export function nothingMerged(state: ReplicaState, message: Message): MergeReport {
  return {
    from: message.sender,
    rule: "outdated",
    taken: [],
    rows: 0,
    hasGiven: false,
    vectorHere: state.isTracing ? state.ledger.vector() : NOTHING,
    vectorThere: state.isTracing ? message.vector : NOTHING,
  };
}

/** Whether a row gives anything that the one before did not: then it is written at once, else at the next checkpoint. */
function hasMoved(before: Row | undefined, after: Row): boolean {
  if (before === undefined) return true;
  if (before.given.size !== after.given.size) return true;
  for (const [receiver, edge] of after.given) {
    const known = before.given.get(receiver);
    if (known === undefined || known.parts !== edge.parts || known.units !== edge.units) return true;
  }
  return false;
}

/** Gives from every bucket that somebody waits for. */
export function giveDue(state: ReplicaState, alsoFrom: Iterable<Holding> = []): boolean {
  // A give that can't be written would only hide what this replica has to say, that it needs nothing for one.
  if (!state.isAdmitting || state.isDiskFailing) return false;
  let hasGiven = false;
  for (const holding of alsoFrom) if (isWaitedFor(state, holding)) state.waitedFor.add(holding);
  for (const holding of state.waitedFor) {
    if (!isWaitedFor(state, holding)) state.waitedFor.delete(holding);
    else if (giveFrom(state, holding)) hasGiven = true;
  }
  return hasGiven;
}

function isWaitedFor(state: ReplicaState, holding: Holding): boolean {
  for (const [author, entry] of holding.rows.entries) {
    if (author === state.me.id) continue;
    if (entry.row.gauge.waiting > 0 || state.ledger.share(holding.rows, author) < 0) return true;
  }
  return false;
}

function ruleOf(state: ReplicaState, message: Message): MergeReport["rule"] {
  const { ledger } = state;
  const { lineage } = message;
  if (lineage === null) return ledger.lineage === null ? "other fleet" : "newcomer";
  if (ledger.lineage === null) join(state, lineage, message);
  else if (ledger.lineage.stamp !== lineage.stamp || ledger.lineage.founder !== lineage.founder) {
    if (isOlder(ledger.lineage, lineage)) return "other fleet";
    startOver(state, lineage, message);
  }
  return compareVectors(state, message);
}

function compareVectors(state: ReplicaState, message: Message): MergeReport["rule"] {
  let isAhead = false;
  let isBehind = false;
  for (const member of state.ledger.members.values()) {
    if (member.farewell !== null) continue;
    const theirs = message.vector.get(member.id);
    const order = theirs === undefined ? 1 : compareStamps(member, theirs);
    if (order > 0) isAhead = true;
    if (order < 0) isBehind = true;
  }
  for (const id of message.vector.keys()) if (!state.ledger.members.has(id)) isBehind = true;
  if (isAhead) return isBehind ? "concurrent" : "dominated";
  return isBehind ? "dominates" : "equal";
}

/**
 * What a sibling has forgotten, all have carried out: whoever is behind that is heard no more here either, also by one that
 * has never heard of those who are forgotten.
 */
function forgetWith(state: ReplicaState, { forgotten }: Message): void {
  if (forgotten <= state.ledger.forgotten || forgotten > state.profile.era) return;
  state.ledger.forgotten = forgotten;
  state.isIdentityDirty = true;
}

/**
 * Whom a sibling knows is a member here too, before anything is heard of it: nobody may be forgotten whom that one has not
 * heard to be gone. (What comes from before the last who was forgotten here may still know that one.) It is written with
 * the next that is said of members, so nothing is said of them that a restart would not wait for.
 */
function meetMembers(state: ReplicaState, { vector, era }: Message): void {
  const { ledger } = state;
  if (era < ledger.forgotten) return;
  for (const id of vector.keys()) ledger.member(id);
}

/** A newcomer becomes a member before it is told anything, so that nobody can overlook what it was told. */
function introduce(state: ReplicaState, message: Message): void {
  if (message.sender === state.me.id) return;
  const member = state.ledger.member(message.sender);
  if (member.boot !== 0) return;
  state.ledger.know(member, { boot: message.boot, version: 0 });
  member.heardMs = state.nowMs;
  state.heardOf.add(member.id);
  state.dirtyMembers.add(member.id);
  state.news += 1;
}
