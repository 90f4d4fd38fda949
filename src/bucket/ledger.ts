// The replicated state of a fleet: who its members are and what each of them says about each bucket. It is pure: it
// changes only by `write` (what this replica says itself) and `merge` (what others say), and both only move forward.
//
// Everything a replica says carries a stamp (boot, version) from one counter of that replica. What has been heard of it
// is always *everything up to* a stamp; the version vector holds these, and a delta for a peer is everything above the
// peer's vector. To make a delta cost what has changed and not what exists, the entries of each author are kept in a
// list in the order of their stamps:
//
//     author ──▶ newest ──▶ older ──▶ … ──▶ oldest          a delta walks from the newest down to the peer's stamp,
//                                                           or begins at the oldest, or where the last one was cut short
//
// A section of a delta says from which stamp on it is complete. Its rows are taken one by one, for each stands for
// itself; but what is known of an author moves on only when a section joins on to it, so it never has holes. That
// matters when a replica hands over what it holds: whoever sees that it has left must have seen everything it gave
// before. So a member's profile travels only together with the last of its entries. Single rows may be ahead of what
// is known to be complete (after a restart: gives are written at once, gauges now and then); they are passed on too.
import { difference, WHOLE, wrap } from "./parts.ts";
import {
  BucketRows,
  Entry,
  type Farewell,
  link,
  Member,
  NEW_PROFILE,
  type Profile,
  unlink,
} from "./member.ts";
import { compareStamps, NEVER, NO_ROW } from "./row.ts";
import { type Section, sectionOf, sizeOf } from "./sections.ts";
import type { Row, Stamp } from "./row.ts";
import { successionOf } from "./succession.ts";
import type { Claim, Succession } from "./succession.ts";

/** Which fleet this is. Of two lineages that meet, the older wins whole. */
export interface Lineage {
  /** When it was founded, by the founder's wall clock, in milliseconds since the epoch. */
  readonly stamp: number;
  readonly founder: string;
}

/** Whether `left` wins over `right`. */
export function isOlder(left: Lineage, right: Lineage): boolean {
  return left.stamp - right.stamp < 0 || (left.stamp === right.stamp && left.founder < right.founder);
}

export type Vector = ReadonlyMap<string, Stamp>;

/**
 * `dominated`: nothing in it was new. `gap`: it begins above what is known here, so only its rows were taken. `set back`:
 * its author forgot gives that are known here, and it was passed over.
 */
export type MergeResult = "merged" | "dominated" | "gap" | "set back";

/** Told of each row that a merge takes, before it replaces the old one. */
export type RowListener = (bucket: BucketRows, author: string, before: Row | undefined, after: Row) => void;

export class Ledger {
  lineage: Lineage | null = null;
  readonly members = new Map<string, Member>();
  readonly buckets = new Map<string, BucketRows>();
  succession: Succession = new Map();
  /** The latest edition of a farewell that is forgotten here: whose era is earlier is out of date. */
  forgotten = 0;
  /** Those of whom a claimant knew more than is known here. */
  #awaited: ReadonlySet<string> = new Set();

  /** Forgets everything that was said. */
  clear(): void {
    this.lineage = null;
    this.members.clear();
    for (const bucket of this.buckets.values()) {
      bucket.entries.clear();
      bucket.balances.clear();
    }
    this.succession = new Map();
    this.#awaited = new Set();
    this.forgotten = 0;
  }

  member(id: string): Member {
    let member = this.members.get(id);
    if (member === undefined) {
      member = new Member(id);
      this.members.set(id, member);
    }
    return member;
  }

  bucket(key: string): BucketRows {
    let bucket = this.buckets.get(key);
    if (bucket === undefined) {
      bucket = new BucketRows(key);
      this.buckets.set(key, bucket);
    }
    return bucket;
  }

  /** What a replica holds of a bucket, in parts: its own balance and those of the replicas it succeeded. */
  share(bucket: BucketRows, id: string): number {
    const founder = this.lineage?.founder ?? "";
    if (this.succession.size === 0) {
      return wrap((bucket.balances.get(id) ?? 0) + (id === founder ? WHOLE : 0));
    }
    let sum = (this.succession.get(founder) ?? founder) === id ? WHOLE : 0;
    for (const [replica, balance] of bucket.balances) {
      if ((this.succession.get(replica) ?? replica) === id) sum += balance;
    }
    return wrap(sum);
  }

  /** Puts an author's row in its place and at the head of the author's list. The stamp must be the author's latest. */
  place(author: Member, bucket: BucketRows, stamp: Stamp, row: Row): Entry {
    let entry = bucket.entries.get(author.id);
    if (entry === undefined) {
      entry = new Entry(author, bucket, row);
      bucket.entries.set(author.id, entry);
      rebalance(bucket, author.id, undefined, row);
    } else {
      unlink(entry);
      rebalance(bucket, author.id, entry.row, row);
      entry.row = row;
    }
    entry.boot = stamp.boot;
    entry.version = stamp.version;
    link(entry);
    return entry;
  }

  setProfile(author: Member, stamp: Stamp, profile: Profile): void {
    const before = author.profile;
    author.profile = profile;
    author.profileStamp = stamp;
    const isSame =
      before.heirs.join() === profile.heirs.join() &&
      hasSameClaims(before.claims, profile.claims) &&
      hasSameKeys(before.farewells, profile.farewells);
    if (!isSame) this.#succeed();
  }

  /** Everything that a member said up to `stamp` is known. */
  know(member: Member, { boot, version }: Stamp): void {
    member.boot = boot;
    member.version = version;
    if (this.#awaited.has(member.id)) this.#succeed();
  }

  /** Whether all is known of those whom a member claims that it knew of them. */
  canJudge(member: Member): boolean {
    if (this.#awaited.size === 0) return true;
    // Of those whose rows were taken over, or who are forgotten, no more will be heard.
    return !this.#unheardOf(member).some(
      ([victim, { edition }]) =>
        !member.profile.farewells.has(victim) && (this.members.has(victim) || edition > this.forgotten),
    );
  }

  #succeed(): void {
    for (const member of this.members.values()) {
      const { farewell } = member;
      const by = farewell === null ? undefined : this.members.get(farewell.by);
      if (by?.profile.farewells.has(member.id) === true) member.profile = NEW_PROFILE;
    }
    this.succession = successionOf(this.members.values());
    const unheard = [...this.members.values()].flatMap((member) => this.#unheardOf(member));
    this.#awaited = new Set(unheard.map(([victim]) => victim));
  }

  /** Its claims on those of whom it knew more than is known here. */
  #unheardOf({ claims }: Member): [string, Claim][] {
    return [...claims].filter(([victim, { known }]) => {
      const member = this.members.get(victim);
      return member?.farewell == null && compareStamps(member ?? NEVER, known) < 0;
    });
  }

  /** All farewells known here; whoever is told of rows must be told of these first. */
  farewells(): Farewell[] {
    const known: Farewell[] = [];
    for (const { farewell } of this.members.values()) if (farewell !== null) known.push(farewell);
    return known;
  }

  /**
   * Drops what a gone replica said: another says it in its own rows now. What others gave to it counts for that one
   * through the succession. Its claims stand until that one's own word holds them. Returns the buckets that it had rows of.
   */
  dropRows(farewell: Farewell): BucketRows[] {
    const gone = this.member(farewell.gone);
    for (const member of this.members.values()) {
      // Farewells pass to whoever takes over from the one who made them; the new edition is learnt with that one's word.
      if (member.farewell?.by === gone.id) {
        member.farewell = { ...member.farewell, by: farewell.by, edition: Infinity };
      }
    }
    gone.farewell = this.#passedOn(farewell);
    gone.profile = { ...NEW_PROFILE, claims: gone.profile.claims };
    const touched: BucketRows[] = [];
    for (let entry = gone.newest; entry !== null; entry = gone.newest) {
      unlink(entry);
      entry.bucket.entries.delete(gone.id);
      rebalance(entry.bucket, gone.id, entry.row, NO_ROW);
      touched.push(entry.bucket);
    }
    this.#succeed();
    return touched;
  }

  /** A farewell by one who is gone as well passes to whoever took over from that one. */
  #passedOn(farewell: Farewell): Farewell {
    const seen = new Set([farewell.gone]);
    let { by, edition } = farewell;
    for (let next = this.members.get(by)?.farewell; next; next = this.members.get(by)?.farewell) {
      // Nobody honest says farewell in a circle.
      if (seen.has(by)) return farewell;
      seen.add(by);
      by = next.by;
      edition = Infinity;
    }
    return { gone: farewell.gone, by, edition };
  }

  /** The latest edition of anyone's profile that was heard of. */
  latestEdition(): number {
    let latest = this.forgotten;
    for (const { profile, farewell } of this.members.values()) {
      latest = Math.max(latest, profile.edition, profile.era);
      if (farewell !== null && Number.isFinite(farewell.edition)) latest = Math.max(latest, farewell.edition);
    }
    return latest;
  }

  /** Whether no row that is known here gives anything to a replica. */
  isUnmentioned(id: string): boolean {
    for (const { balances } of this.buckets.values()) if ((balances.get(id) ?? 0) !== 0) return false;
    for (const member of this.members.values()) {
      if (member.farewell === null && member.heirs.includes(id)) return false;
    }
    return true;
  }

  /** Forgets a replica whose farewell everybody has carried out. */
  forget(member: Member): void {
    const { farewell } = member;
    if (farewell === null) return;
    this.members.delete(member.id);
    for (const { balances } of this.buckets.values()) balances.delete(member.id);
    if (Number.isFinite(farewell.edition)) this.forgotten = Math.max(this.forgotten, farewell.edition);
    this.#succeed();
  }

  vector(): Map<string, Stamp> {
    const vector = new Map<string, Stamp>();
    for (const member of this.members.values()) {
      if (member.farewell !== null) continue;
      vector.set(member.id, { boot: member.boot, version: member.version });
    }
    return vector;
  }

  /**
   * Everything known here above a peer's vector, at most `sizeMax` entries (fewer, where they name many replicas); entries
   * that are hidden (not durable yet) are left out and will come under a later stamp.
   */
  delta(peer: Vector, sizeMax: number, isHidden: (entry: Entry) => boolean): Section[] {
    const sections: Section[] = [];
    let room = sizeMax;
    for (const author of this.members.values()) {
      if (room <= 0) break;
      if (author.farewell !== null) continue;
      const from = peer.get(author.id) ?? NEVER;
      if (
        compareStamps(author, from) <= 0 &&
        (author.newest === null || compareStamps(author.newest, from) <= 0)
      ) {
        continue;
      }
      const section = sectionOf(author, from, room, isHidden);
      room -= sizeOf(section);
      sections.push(section);
    }
    return sections;
  }

  /** Takes what is new in a section. */
  merge(section: Section, nowMs: number, onRow: RowListener): MergeResult {
    const author = this.member(section.author);
    if (author.farewell !== null) return "dominated";
    if (compareStamps(section.to, author) <= 0 && section.entries.length === 0) return "dominated";
    if (this.#isSetBack(section)) return "set back";
    let isNews = false;
    for (const { stamp, bucket: key, row } of section.entries) {
      const bucket = this.bucket(key);
      const entry = bucket.entries.get(author.id);
      if (entry !== undefined && compareStamps(stamp, entry) <= 0) continue;
      onRow(bucket, author.id, entry?.row, row);
      this.place(author, bucket, stamp, row).heardMs = nowMs;
      isNews = true;
    }
    if (compareStamps(section.to, author) <= 0) return isNews ? "merged" : "dominated";
    if (compareStamps(section.from, author) > 0) return "gap";
    author.heardMs = nowMs;
    const { profile } = section;
    if (profile !== null && profile !== "known" && compareStamps(profile.stamp, author.profileStamp) > 0) {
      this.setProfile(author, profile.stamp, profile.profile);
    }
    this.know(author, section.to);
    return "merged";
  }

  /** Whether a row gives less than its author gave before: its disk went back in time, and it must hear of that first. */
  #isSetBack(section: Section): boolean {
    return section.entries.some(({ stamp, bucket: key, row }) => {
      const entry = this.buckets.get(key)?.entries.get(section.author);
      if (entry === undefined || compareStamps(stamp, entry) <= 0) return false;
      const known = entry.row;
      for (const [receiver, edge] of known.given) {
        if (this.succession.has(receiver)) continue;
        if (difference(row.given.get(receiver)?.parts ?? 0, edge.parts) < 0) return true;
      }
      return false;
    });
  }
}

function hasSameClaims(left: Profile["claims"], right: Profile["claims"]): boolean {
  if (!hasSameKeys(left, right)) return false;
  return left.entries().every(([victim, { known }]) => {
    const other = right.get(victim)?.known ?? NEVER;
    return compareStamps(known, other) === 0;
  });
}

function hasSameKeys(left: ReadonlyMap<string, unknown>, right: ReadonlyMap<string, unknown>): boolean {
  return left.size === right.size && left.keys().every((key) => right.has(key));
}

/** Books the difference between two rows of one author: what left the giver arrives at the receivers. */
function rebalance(bucket: BucketRows, author: string, before: Row | undefined, after: Row): void {
  if (before?.given === after.given) return;
  const balances = bucket.balances;
  const add = (replica: string, parts: number): void => {
    const balance = wrap((balances.get(replica) ?? 0) + parts);
    if (balance === 0) balances.delete(replica);
    else balances.set(replica, balance);
  };
  for (const [receiver, edge] of after.given) {
    const moved = difference(edge.parts, before?.given.get(receiver)?.parts ?? 0);
    if (moved === 0) continue;
    add(author, -moved);
    add(receiver, moved);
  }
  if (before === undefined) return;
  for (const [receiver, edge] of before.given) {
    if (after.given.has(receiver)) continue;
    add(author, edge.parts);
    add(receiver, -edge.parts);
  }
}
