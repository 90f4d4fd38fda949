// What a replica knows, in one place; the files beside this one are what it does with it. Everything that changes goes
// through here, so that what must be written and what must be told is never forgotten.
import { Ledger, type Member, type Profile } from "../bucket/ledger.ts";
import type { Limit } from "../bucket/limit.ts";
import { endOfPeriod, periodOf } from "../bucket/calendar.ts";
import type { HoldingRecord } from "../bucket/record.ts";
import { type Gauge, NO_GAUGE, NO_ROW, type Row } from "../bucket/row.ts";
import { Holding, OpenBucket } from "./holding.ts";

/** Who this replica is. */
export interface Identity {
  readonly id: string;
  readonly boot: number;
  /** The boot since which its disk has not gone back in time. */
  readonly soundSince: number;
}

export class ReplicaState {
  identity: Identity;
  readonly ledger = new Ledger();
  /** This replica's own member. */
  me: Member;
  readonly holdings = new Map<string, Holding>();
  /** What the next flush writes. */
  dirty: Holding[] = [];
  readonly dirtyMembers = new Set<string>();
  isIdentityDirty = true;
  active: Holding[] = [];
  /** The buckets that refill by the calendar. */
  readonly calendars = new Set<OpenBucket>();
  #numberNext = 0;
  /** Levels of buckets that open for the first time start empty: what was spent before is not known. */
  isBurnt = false;
  nowMs: number;
  wallMs: number;
  /** Asks the shell for a flush. */
  wake: () => void = () => {};
  /** Tells that a bucket may have room. */
  room: (bucket: OpenBucket) => void = () => {};

  constructor(identity: Identity, nowMs: number, wallMs: number) {
    this.identity = identity;
    this.nowMs = nowMs;
    this.wallMs = wallMs;
    this.me = this.ledger.member(identity.id);
    this.me.boot = identity.boot;
  }

  /** The holding of a bucket, made when it is first heard of; `number` names it in the store. */
  holding(key: string, number = this.#numberNext): Holding {
    let holding = this.holdings.get(key);
    if (holding === undefined) {
      holding = new Holding(this.ledger.bucket(key), number);
      this.holdings.set(key, holding);
      this.#numberNext = Math.max(this.#numberNext, number + 1);
    }
    return holding;
  }

  /** Opens a bucket of the configuration, or applies a changed limit to it. */
  open(limit: Limit): OpenBucket {
    const holding = this.holding(limit.key);
    const share = this.ledger.share(holding.rows, this.me.id);
    if (holding.local !== null) {
      holding.local.resize(limit, share, this.nowMs);
      this.setPeriod(holding.local);
      this.markDirty(holding);
      return holding.local;
    }
    const local = new OpenBucket(holding, limit, this.nowMs);
    holding.local = local;
    if (holding.parked === null) this.#fill(local, share);
    else this.#unpark(local, holding.parked, share);
    holding.parked = null;
    holding.seenSpent = local.spent;
    this.markDirty(holding);
    return local;
  }

  /** A bucket without any row is full: nobody has touched it. */
  #fill(local: OpenBucket, share: number): void {
    local.resize(local.limit, share, this.nowMs);
    this.setPeriod(local);
    const isUntouched = local.holding.rows.entries.size === 0 && !this.isBurnt;
    if (isUntouched && local.limit.refill.kind !== "held") local.level = local.capacity;
  }

  #unpark(local: OpenBucket, record: HoldingRecord, share: number): void {
    local.aheadParts = record.aheadParts;
    local.aheadUnits = record.aheadUnits;
    local.aheadPeriod = record.aheadPeriod;
    local.period = record.period;
    local.spent = record.row.spent;
    local.returned = record.row.returned;
    local.atMs = record.level.atMs;
    local.resize(local.limit, share, record.level.atMs);
    local.restore(record.level, this.nowMs);
    this.setPeriod(local);
  }

  /** Puts a calendar bucket into the current period, refilling it when it was in an earlier one. */
  setPeriod(local: OpenBucket): void {
    const refill = local.limit.refill;
    if (refill.kind !== "calendar") {
      local.refillsAtMs = Infinity;
      this.calendars.delete(local);
      return;
    }
    this.calendars.add(local);
    const period = periodOf(this.wallMs, refill.period, refill.timezone);
    if (local.period === -1) local.period = period;
    else if (period > local.period) this.#enterPeriod(local, period);
    local.periodEndWallMs = endOfPeriod(local.period, this.wallMs, refill.period, refill.timezone);
    local.refillsAtMs = this.nowMs + local.periodEndWallMs - this.wallMs;
  }

  /** Moves time on. `wallMs` may be stepped at any time. */
  setTime(nowMs: number, wallMs: number): void {
    this.nowMs = Math.max(this.nowMs, nowMs);
    this.wallMs = wallMs;
    for (const local of this.calendars) {
      if (wallMs >= local.periodEndWallMs) this.setPeriod(local);
      else local.refillsAtMs = this.nowMs + local.periodEndWallMs - wallMs;
    }
  }

  #enterPeriod(local: OpenBucket, period: number): void {
    local.enterPeriod(period, this.nowMs);
    this.markDirty(local.holding);
    this.room(local);
  }

  /** Applies what this replica's share has become. */
  reshare(holding: Holding): void {
    const local = holding.local;
    if (local === null) return;
    local.resize(local.limit, this.ledger.share(holding.rows, this.me.id), this.nowMs);
  }

  markDirty(holding: Holding): void {
    if (holding.isDirty) return;
    holding.isDirty = true;
    this.dirty.push(holding);
    this.wake();
  }

  markActive(holding: Holding): void {
    if (holding.isActive) return;
    holding.isActive = true;
    this.active.push(holding);
  }

  /** This replica's row as it is now. */
  rowOf(holding: Holding): Row {
    const local = holding.local;
    if (local === null) {
      const row = holding.parked?.row ?? holding.rows.entries.get(this.me.id)?.row ?? NO_ROW;
      return { ...row, given: holding.given, gauge: NO_GAUGE };
    }
    return {
      spent: local.spent,
      returned: local.returned,
      given: holding.given,
      gauge: this.#gaugeOf(holding, local),
    };
  }

  #gaugeOf(holding: Holding, local: OpenBucket): Gauge {
    const waiting = holding.waiting;
    return {
      level: local.level,
      demand: holding.demand,
      cost: holding.cost,
      waiting: waiting?.cost ?? 0,
      waitingMs: waiting === null ? 0 : Math.max(0, this.nowMs - waiting.sinceMs),
    };
  }

  /** Says this replica's row of a bucket under a new version. */
  publish(holding: Holding): void {
    this.me.version += 1;
    this.ledger.place(this.me, holding.rows, this.me, this.rowOf(holding));
  }

  /** Says something new about this replica itself. */
  publishProfile(profile: Profile): void {
    this.me.version += 1;
    const stamp = { boot: this.me.boot, version: this.me.version };
    this.ledger.setProfile(this.me, stamp, profile);
    this.dirtyMembers.add(this.me.id);
  }
}
