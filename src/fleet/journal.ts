// From memory to the store and back. A flush is one atomic batch of everything that changed: for each bucket the level
// record, this replica's row and the rows heard from others (they belong together: the level includes what those rows
// gave), the profiles of members, and who this replica is at which time. One flush is under way at a time.
import { Malformed } from "../bucket/codec.ts";
import type { Profile } from "../bucket/member.ts";
import {
  decodeHolding,
  decodeIdentity,
  decodeMember,
  decodeRow,
  encodeHolding,
  encodeIdentity,
  encodeMember,
  encodeRow,
  type HoldingRecord,
  type IdentityRecord,
  type Instant,
  type MemberRecord,
  type RowRecord,
} from "../bucket/record.ts";
import type { Batch } from "../store/store.ts";
import { assert } from "../errors.ts";
import { show } from "./gauges.ts";
import type { Holding } from "./holding.ts";
import type { ReplicaState } from "./state.ts";

/** All keys of the replica begin so. */
export const PREFIX = "fleet/";
const IDENTITY_KEY = "fleet/identity";
const BUCKET_PREFIX = "fleet/bucket/";
const ROW_PREFIX = "fleet/row/";
const MEMBER_PREFIX = "fleet/member/";

/** Buckets in one flush, so that it holds nobody up for more than milliseconds; more follow in the next. */
const FLUSH_BUCKETS_MAX = 500;
/** How much one commit moves the average time that they take. */
const COMMIT_LESSON = 1 / 4;

function numberKey(prefix: string, number: number): string {
  return prefix + number.toString(36).padStart(6, "0");
}

export interface Flush {
  readonly batch: Batch;
}

/**
 * How much of the time since a record may refill: the smaller advance of the two clocks if the machine has run all the
 * while, else nothing.
 */
export function elapsedSince(then: Instant, now: Instant): number {
  if (then.bootId !== now.bootId || then.bootId === "") return 0;
  return Math.max(0, Math.min(now.monotonicMs - then.monotonicMs, now.wallMs - then.wallMs));
}

export class Journal {
  readonly #state: ReplicaState;
  /** The replica's time line less the process's clock, in milliseconds. */
  readonly #offsetMs: number;
  #flushing: readonly Holding[] | null = null;
  /** Everything that was due is in the flush, for it must become durable at once. */
  #isFlushingAll = false;
  #flushingProfile: Profile | null = null;
  /** Those that are forgotten are deleted. */
  #flushingMembers: readonly string[] = [];
  #flushingId = "";
  /** When the flush under way was collected, and how long one takes of late, in milliseconds. */
  #collectedMs = 0;
  #commitMs = 0;

  constructor(state: ReplicaState, offsetMs: number) {
    this.#state = state;
    this.#offsetMs = offsetMs;
  }

  get isFlushing(): boolean {
    return this.#flushing !== null;
  }

  get hasWork(): boolean {
    const state = this.#state;
    return state.dirty.length > 0 || state.dirtyMembers.size > 0 || state.isIdentityDirty;
  }

  /** The next batch to write, or `null` when nothing is to be written. `written` or `failed` must follow. */
  collect(nowMs: number, instant: Instant): Flush | null {
    assert(this.#flushing === null, "one flush is under way at a time");
    if (!this.hasWork) return null;
    const state = this.#state;
    state.nowMs = Math.max(state.nowMs, nowMs);
    this.#collectedMs = state.nowMs;
    const batch: [string, Uint8Array | null][] = [];
    // Who has left may be kept only together with everything that it gave before.
    if (state.dirtyMembers.size > 0) state.checkpoint();
    this.#isFlushingAll = state.isStartingOver;
    state.isStartingOver = false;
    const holdings = state.dirty.splice(0, this.#isFlushingAll ? state.dirty.length : FLUSH_BUCKETS_MAX);
    for (const holding of holdings) this.#collectHolding(holding, batch);
    if (state.dirty.length === 0) this.#collectMembers(batch);
    batch.push([IDENTITY_KEY, encodeIdentity(this.#identity(instant))]);
    state.isIdentityDirty = false;
    this.#flushingId = state.identity.id;
    this.#flushing = holdings;
    return { batch };
  }

  #collectHolding(holding: Holding, batch: [string, Uint8Array | null][]): void {
    const state = this.#state;
    holding.isDirty = false;
    state.unsaved.delete(holding);
    holding.isFlushing = holding.isStaged;
    holding.isStaged = false;
    batch.push([numberKey(BUCKET_PREFIX, holding.number), encodeHolding(this.#record(holding))]);
    for (const author of holding.dirtyRows) {
      const key = `${numberKey(ROW_PREFIX, holding.number)}/${author}`;
      const entry = holding.rows.entries.get(author);
      const bytes =
        entry === undefined
          ? null
          : encodeRow({ key: holding.rows.key, author, stamp: entry, row: entry.row });
      batch.push([key, bytes]);
    }
    holding.writingRows = holding.dirtyRows;
    holding.dirtyRows = new Set();
    if (holding.local !== null) state.markActive(holding);
  }

  #record(holding: Holding): HoldingRecord {
    const { local, rows } = holding;
    const row = this.#state.rowOf(holding);
    if (local === null) {
      const parked = holding.parked;
      return {
        key: rows.key,
        level: this.#onTimeline(parked?.level ?? { level: 0, atMs: this.#state.nowMs, block: 0 }),
        period: parked?.period ?? -1,
        aheadParts: parked?.aheadParts ?? 0,
        aheadUnits: parked?.aheadUnits ?? 0,
        aheadPeriod: parked?.aheadPeriod ?? -1,
        row,
      };
    }
    return {
      key: rows.key,
      level: this.#onTimeline(local.beginRecord(this.#state.nowMs, this.#commitMs)),
      period: local.period,
      aheadParts: local.aheadParts,
      aheadUnits: local.aheadUnits,
      aheadPeriod: local.aheadPeriod,
      row,
    };
  }

  #onTimeline<Level extends { readonly atMs: number }>(level: Level): Level {
    return { ...level, atMs: level.atMs + this.#offsetMs };
  }

  #collectMembers(batch: [string, Uint8Array | null][]): void {
    const { ledger, dirtyMembers } = this.#state;
    this.#flushingProfile = this.#state.pendingProfile;
    if (this.#state.unsaved.size === 0) {
      for (const member of ledger.members.values()) {
        member.saved = { boot: member.boot, version: member.version };
      }
    }
    this.#flushingMembers = [...dirtyMembers];
    for (const id of dirtyMembers) {
      const member = ledger.members.get(id);
      if (member !== undefined) member.isStored = true;
      const profile = (member === this.#state.me ? this.#flushingProfile : null) ?? member?.profile;
      const bytes =
        member === undefined || profile === undefined
          ? null
          : encodeMember({
              id,
              known: member.saved,
              profileStamp: member.profileStamp,
              profile,
              farewell: member.farewell,
            });
      batch.push([MEMBER_PREFIX + id, bytes]);
    }
    dirtyMembers.clear();
  }

  #identity(instant: Instant): IdentityRecord {
    const { identity, ledger, nowMs } = this.#state;
    return {
      ...identity,
      lineage: ledger.lineage,
      forgotten: ledger.forgotten,
      timelineMs: nowMs + this.#offsetMs,
      instant,
    };
  }

  /** The batch is durable: what was hidden may be seen, what was reserved may be taken. */
  written(nowMs = this.#state.nowMs): void {
    // What becomes this replica's with the write is its own from now on, and not since the last tick.
    this.#state.nowMs = Math.max(this.#state.nowMs, nowMs);
    this.#commitMs += (Math.max(0, nowMs - this.#collectedMs) - this.#commitMs) * COMMIT_LESSON;
    this.#end(true);
  }

  /** Nothing of the batch was written; all of it stays due. */
  failed(): void {
    this.#state.isIdentityDirty = true;
    this.#state.isStartingOver ||= this.#isFlushingAll;
    this.#end(false);
  }

  /** Siblings hear at once that this replica needs nothing any more, or again what it needs. */
  #setFailing(isFailing: boolean): void {
    const state = this.#state;
    if (state.isDiskFailing === isFailing) return;
    state.isDiskFailing = isFailing;
    for (const holding of state.waiting) show(state, holding);
  }

  #end(isDurable: boolean): void {
    if (isDurable) this.#state.durableId = this.#flushingId;
    const holdings = this.#flushing;
    assert(holdings !== null, "a flush ends once");
    this.#flushing = null;
    // All before any is shown: who waits for one block needs those of other buckets too.
    for (const holding of holdings) holding.local?.endRecord(isDurable);
    for (const holding of holdings) {
      if (isDurable) this.#show(holding);
      else this.#putBack(holding);
    }
    this.#endProfile(isDurable);
    this.#setFailing(!isDurable);
  }

  #endProfile(isDurable: boolean): void {
    const state = this.#state;
    const profile = this.#flushingProfile;
    this.#flushingProfile = null;
    const members = this.#flushingMembers;
    this.#flushingMembers = [];
    if (!isDurable) for (const id of [...state.ledger.members.keys(), ...members]) state.dirtyMembers.add(id);
    else if (profile !== null) {
      if (state.pendingProfile === profile) state.pendingProfile = null;
      state.isNewcomer = false;
      state.publishProfile(profile);
    }
  }

  #show(holding: Holding): void {
    const state = this.#state;
    if (holding.isFlushing) {
      holding.isFlushing = false;
      state.publish(holding);
      if (!holding.isStaged) {
        for (const receiver of holding.givenTo) state.toTell.add(receiver);
        holding.givenTo.clear();
      }
    }
    if (!holding.isAwaitingBlock || holding.local === null) return;
    holding.isAwaitingBlock = false;
    state.room(holding.local);
  }

  #putBack(holding: Holding): void {
    holding.isStaged ||= holding.isFlushing;
    holding.isFlushing = false;
    for (const author of holding.writingRows) holding.dirtyRows.add(author);
    this.#state.unsaved.add(holding);
    this.#state.markDirty(holding);
  }
}

/** All that a store holds of a replica. */
export interface Loaded {
  readonly identity: IdentityRecord;
  readonly holdings: readonly (readonly [number: number, record: HoldingRecord])[];
  readonly rows: readonly RowRecord[];
  readonly members: readonly MemberRecord[];
}

/** Reads what a store holds; `null` when it holds nothing of ours. Throws `Malformed` when any of it is damaged. */
export function load(entries: Iterable<readonly [key: string, value: Uint8Array]>): Loaded | null {
  let identity: IdentityRecord | null = null;
  const holdings: [number, HoldingRecord][] = [];
  const rows: RowRecord[] = [];
  const members: MemberRecord[] = [];
  for (const [key, bytes] of entries) {
    if (key === IDENTITY_KEY) identity = decodeIdentity(bytes);
    else if (key.startsWith(BUCKET_PREFIX)) {
      holdings.push([Number.parseInt(key.slice(BUCKET_PREFIX.length), 36), decodeHolding(bytes)]);
    } else if (key.startsWith(ROW_PREFIX)) rows.push(decodeRow(bytes));
    else if (key.startsWith(MEMBER_PREFIX)) members.push(decodeMember(bytes));
  }
  if (identity !== null) return { identity, holdings, rows, members };
  if (holdings.length > 0) throw new Malformed("the store has buckets but no identity");
  return null;
}

/** Puts what was stored into a new state. This replica's own rows are said again, under its new boot. */
export function fill(state: ReplicaState, loaded: Loaded, offsetMs: number): void {
  state.ledger.forgotten = loaded.identity.forgotten;
  for (const { id, known, profileStamp, profile, farewell } of loaded.members) {
    const member = state.ledger.member(id);
    member.isStored = true;
    if (farewell !== null) {
      member.profile = profile;
      state.ledger.dropRows(farewell);
      continue;
    }
    if (member === state.me) {
      // It may have been written, and not been told before the end: it is said again.
      state.publishProfile(profile);
      continue;
    }
    member.saved = known;
    state.ledger.setProfile(member, profileStamp, profile);
    state.ledger.know(member, known);
  }
  for (const { key, author, stamp, row } of loaded.rows) {
    state.ledger.place(state.ledger.member(author), state.ledger.bucket(key), stamp, row);
  }
  for (const [number, record] of loaded.holdings) {
    const holding = state.holding(record.key, number);
    holding.given = record.row.given;
    holding.parked = { ...record, level: { ...record.level, atMs: record.level.atMs - offsetMs } };
    state.publish(holding);
  }
}
