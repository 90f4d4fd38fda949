// A replica's state as a text that is equal for two states exactly when nothing could ever tell them apart. Versions
// are compared and never computed with, so only their order counts: each stands in the text as its rank among all
// versions of its author that the state knows. Ages stand for times. Left out are totals for people, and what only
// says when to send (the model sends whenever it likes). That nothing else is missing is checked all the time (`Lives`).
import type { Limit } from "../../../src/bucket/limit.ts";
import type { Message } from "../../../src/bucket/message.ts";
import type { Profile } from "../../../src/bucket/member.ts";
import type { HoldingRecord } from "../../../src/bucket/record.ts";
import type { Edge, Row, Stamp } from "../../../src/bucket/row.ts";
import type { Holding } from "../../../src/fleet/holding.ts";
import { load, type Loaded, PREFIX } from "../../../src/fleet/journal.ts";
import type { Replica } from "../../../src/fleet/replica.ts";
import { MemoryStore } from "../../../src/store/memory.ts";

/** Versions of one author in one boot, and the ones that a state knows, in order. */
interface Versions {
  readonly of: string;
  readonly known: readonly number[];
}

export interface Shape {
  /** Equal for equal texts. */
  readonly id: number;
  readonly versions: readonly Versions[];
}

interface Mark {
  readonly of: string;
  readonly version: number;
}

type Word = string | Mark;

const ids = new Map<string, number>();

/** The number of a text, the same for the same text. */
export function numberOf(text: string): number {
  let id = ids.get(text);
  if (id === undefined) {
    id = ids.size;
    ids.set(text, id);
  }
  return id;
}

/** A text in the making. */
export class Sketch {
  readonly #words: Word[] = [];

  add(...words: readonly (string | number | boolean | null)[]): void {
    for (const word of words) this.#words.push(typeof word === "number" ? rounded(word) : String(word));
  }

  stamp(author: string, { boot, version }: Stamp): void {
    this.#words.push(`${author.slice(0, 3)}${boot}`);
    this.#words.push(version === 0 ? "0" : { of: `${author} ${boot}`, version });
  }

  include(words: readonly Word[]): void {
    this.#words.push(...words);
  }

  get words(): readonly Word[] {
    return this.#words;
  }

  finish(): Shape {
    const known = new Map<string, Set<number>>();
    for (const word of this.#words) {
      if (typeof word === "string") continue;
      const versions = known.get(word.of);
      if (versions === undefined) known.set(word.of, new Set([word.version]));
      else versions.add(word.version);
    }
    const versions = [...known]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([of, set]) => ({ of, known: [...set].sort((left, right) => left - right) }));
    const ranks = new Map(
      versions.map(({ of, known }) => [of, new Map(known.map((at, rank) => [at, rank]))]),
    );
    const text = this.#words
      .map((word) => (typeof word === "string" ? word : `#${ranks.get(word.of)?.get(word.version)}`))
      .join(" ");
    return { id: numberOf(text), versions };
  }
}

/** Refill is as good as none here, and what it adds is not worth a state of its own. */
function rounded(value: number): string {
  return String(Math.round(value * 1e12) / 1e12 + 0);
}

/** What several shapes are together: their texts, and how the versions in them lie to each other. */
export function together(shapes: readonly (Shape | null)[]): string {
  const all = new Map<string, number[]>();
  for (const shape of shapes) {
    for (const { of, known } of shape?.versions ?? []) {
      const versions = all.get(of);
      if (versions === undefined) all.set(of, [...known]);
      else versions.push(...known);
    }
  }
  for (const versions of all.values()) versions.sort((left, right) => left - right);
  const words: (string | number)[] = [];
  for (const shape of shapes) {
    if (shape === null) {
      words.push("-");
      continue;
    }
    words.push(shape.id);
    for (const { of, known } of shape.versions) {
      words.push(":");
      const versions = all.get(of) ?? [];
      let rank = 0;
      let at = 0;
      for (const version of known) {
        for (; versions[at] !== undefined && (versions[at] ?? 0) < version; at++) {
          if (versions[at] !== versions[at + 1]) rank += 1;
        }
        words.push(rank);
      }
    }
    words.push("|");
  }
  return words.join(" ");
}

function addEdges(sketch: Sketch, given: ReadonlyMap<string, Edge>): void {
  for (const [to, { parts, partsBefore, units, fine = 0, boot, period }] of given) {
    sketch.add(">", to.slice(0, 3), parts, partsBefore, units, fine, boot, period);
  }
}

function addRow(sketch: Sketch, { spent, returned, given, gauge }: Row): void {
  sketch.add("row", spent, returned, gauge.level, gauge.demand, gauge.cost, gauge.waiting, gauge.waitingMs);
  addEdges(sketch, given);
}

function addProfile(sketch: Sketch, profile: Profile | null): void {
  if (profile === null) {
    sketch.add("no profile");
    return;
  }
  const { heirs, edition, era, claims, farewells, seen } = profile;
  sketch.add("profile", heirs.join(" "), edition, era);
  for (const [id, { edition: madeIn, known }] of claims) {
    sketch.add("claims", id.slice(0, 3), madeIn);
    sketch.stamp(id, known);
  }
  for (const counts of [farewells, seen]) {
    sketch.add("*");
    for (const [id, count] of counts) sketch.add(id.slice(0, 3), count);
  }
}

function addRecord(
  sketch: Sketch,
  { level, period, aheadParts, aheadUnits, aheadPeriod, row }: HoldingRecord,
): void {
  sketch.add("record", level.level, level.block, period, aheadParts, aheadUnits, aheadPeriod);
  addRow(sketch, row);
}

export type Disk = ReadonlyMap<string, Uint8Array>;

const disks = new WeakMap<Disk, readonly Word[]>();

/** Below that a refill is as good as none, and times do not matter. */
const NO_REFILL_PER_MS = 1e-9;

export function doesRefill({ refill }: Limit): boolean {
  return refill.kind === "continuous" && refill.unitsPerMs > NO_REFILL_PER_MS;
}

/** What is on a disk. `isTimed`: levels are refilled, so it matters how old they are. */
export function wordsOfDisk(disk: Disk, isTimed: boolean): readonly Word[] {
  let words = disks.get(disk);
  if (words === undefined) {
    const sketch = new Sketch();
    const loaded = load(new MemoryStore({ contents: disk }).entries(PREFIX));
    if (loaded === null) sketch.add("empty");
    else addLoaded(sketch, loaded);
    if (isTimed && loaded !== null) {
      const { timelineMs } = loaded.identity;
      for (const [, { level }] of loaded.holdings) sketch.add("age", timelineMs - level.atMs);
    }
    words = sketch.words;
    disks.set(disk, words);
  }
  return words;
}

function addLoaded(sketch: Sketch, { identity, holdings, rows, members }: Loaded): void {
  const { id, boot, soundSince, lineage, forgotten } = identity;
  sketch.add("disk", id, soundSince, lineage?.founder ?? "", lineage?.stamp ?? 0, forgotten);
  sketch.stamp(id, { boot, version: 0 });
  for (const [number, record] of holdings) {
    sketch.add(number, record.key);
    addRecord(sketch, record);
  }
  for (const { key, author, stamp, row } of rows) {
    sketch.add(key);
    sketch.stamp(author, stamp);
    addRow(sketch, row);
  }
  for (const member of members) {
    sketch.add("member", member.id.slice(0, 3), member.farewell?.by ?? "", member.farewell?.edition ?? "");
    sketch.stamp(member.id, member.known);
    sketch.stamp(member.id, member.profileStamp);
    addProfile(sketch, member.profile);
  }
}

/** A replica in memory. `sinceMs` gives a time's age. */
export function addReplica(sketch: Sketch, replica: Replica): void {
  const { state, membership } = replica;
  const age = (ms: number): number => state.nowMs - ms;
  const { identity, ledger, me } = state;
  sketch.add("replica", identity.id, identity.boot, identity.soundSince, state.durableId, me.id);
  sketch.add(
    membership.leaving,
    state.isLeaving,
    state.isLeftBehind,
    state.isAdmitting,
    state.isRecovering,
    state.isBurnt,
    state.mustJoin,
  );
  sketch.add(state.isNewcomer, state.isToAcknowledge, state.isStartingOver, state.isIdentityDirty);
  sketch.add(
    state.supersededByBoot,
    age(state.contact.atMs),
    state.contact.unheardMs(state.nowMs),
    age(state.quietShownMs),
    replica.isDiskFailing,
  );
  for (const [sibling, stamp] of state.passedBack) {
    sketch.add("passed back", sibling.slice(0, 3));
    sketch.stamp(identity.id, stamp);
  }
  sketch.add(ledger.lineage?.founder ?? "", ledger.lineage?.stamp ?? 0, ledger.forgotten);
  addProfile(sketch, state.pendingProfile);
  for (const set of [state.setBack, state.dirtyMembers, state.heardOf]) sketch.add("set", ...set);
  for (const set of [state.unsaved, state.waiting, state.waitedFor, state.dirty, state.active]) {
    sketch.add("buckets", ...[...set].map(({ number }) => number));
  }
  for (const [gone, by] of ledger.succession) sketch.add("succession", gone.slice(0, 3), by.slice(0, 3));
  for (const member of ledger.members.values()) {
    sketch.add("member", member.id.slice(0, 3), age(member.heardMs), age(member.goneMs));
    sketch.add(member.farewell?.by ?? "", member.farewell?.edition ?? "");
    sketch.add(member.isStored, member.isLeaving, member.isAware);
    sketch.stamp(member.id, member);
    sketch.stamp(member.id, member.saved);
    sketch.stamp(member.id, member.profileStamp);
    addProfile(sketch, member.profile);
  }
  for (const holding of state.holdings.values()) addHolding(sketch, holding, age);
  for (const link of replica.exchange.links.all.values()) {
    sketch.add("link", link.peer.slice(0, 3), link.isSelf, link.hasAnswered, ...link.stuck);
  }
  for (const [peer, { boot, carriedOut }] of replica.exchange.serials)
    sketch.add("heard", peer.slice(0, 3), boot, carriedOut);
  for (const [peer, vector] of replica.exchange.links.vectors) {
    sketch.add("vector", peer.slice(0, 3));
    for (const [id, stamp] of vector) sketch.stamp(id, stamp);
  }
}

function addHolding(sketch: Sketch, holding: Holding, age: (ms: number) => number): void {
  const { local, parked, waiting } = holding;
  sketch.add("holding", holding.rows.key, waiting?.cost ?? 0, age(waiting?.sinceMs ?? Infinity));
  sketch.add(holding.isEarly, holding.isAwaitingBlock, holding.isDirty, holding.isStaged, holding.isFlushing);
  sketch.add(
    age(holding.gaugedMs),
    holding.isActive,
    holding.demand,
    holding.cost,
    holding.seenSpent,
    holding.spentAtContact,
  );
  sketch.add(holding.seenTakes, ...holding.givenTo, "rows", ...holding.dirtyRows);
  for (const [to, units] of holding.sentUnits) sketch.add("sent", to.slice(0, 3), units);
  addEdges(sketch, holding.given);
  for (const { author, boot, version, heardMs, row } of holding.rows.entries.values()) {
    sketch.stamp(author.id, { boot, version });
    sketch.add(age(heardMs));
    addRow(sketch, row);
  }
  if (parked !== null) addRecord(sketch, parked);
  if (local === null) return;
  if (doesRefill(local.limit)) sketch.add("age", age(local.atMs));
  sketch.add(
    "local",
    local.late,
    local.share,
    local.aheadParts,
    local.aheadUnits,
    local.aheadPeriod,
    local.capacity,
  );
  sketch.add(local.level, local.period, local.block, local.blockNext, local.allowance, local.allowanceNext);
  sketch.add(local.allowanceLow, local.blockWanted, age(local.recordedAtMs), local.recent, local.isAtRest);
  sketch.add(local.spent, local.returned, local.takes, local.costMax, local.queued, local.expected);
}

/** A message, but for its number: the model numbers messages when they arrive. */
export function addMessage(sketch: Sketch, message: Message): void {
  const { sender, boot, receiver, lineage, wantsAnswer, vector, era } = message;
  const { forgotten, farewells, carriedOut, sections, isLeaving, isAware } = message;
  sketch.add(
    "message",
    sender,
    boot,
    receiver?.id ?? "",
    receiver?.boot ?? 0,
    lineage?.founder ?? "",
    lineage?.stamp ?? 0,
    wantsAnswer,
    isLeaving,
    isAware,
    era,
    forgotten,
  );
  for (const [id, stamp] of vector) sketch.stamp(id, stamp);
  sketch.add(carriedOut, farewells === null ? "as you know" : "told");
  for (const { gone, by, edition } of farewells ?? []) sketch.add("farewell", gone, by, edition);
  for (const { author, from, to, entries, profile } of sections) {
    sketch.add("section");
    sketch.stamp(author, from);
    sketch.stamp(author, to);
    for (const { stamp, bucket, row } of entries) {
      sketch.add(bucket);
      sketch.stamp(author, stamp);
      addRow(sketch, row);
    }
    if (profile === "known") sketch.add(profile);
    else {
      if (profile !== null) sketch.stamp(author, profile.stamp);
      addProfile(sketch, profile?.profile ?? null);
    }
  }
}
