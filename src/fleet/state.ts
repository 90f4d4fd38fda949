// What a replica knows, in one place; the files beside this one are what it does with it. Everything that changes goes
// through here, so that what must be written and what must be told is never forgotten.
import { Ledger } from "../bucket/ledger.ts";
import type { Member, Profile } from "../bucket/member.ts";
import type { Limit } from "../bucket/limit.ts";
import { endOfPeriod, periodOf } from "../bucket/calendar.ts";
import type { HoldingRecord } from "../bucket/record.ts";
import { compareStamps, type Gauge, NO_GAUGE, NO_ROW, type Row, type Stamp } from "../bucket/row.ts";
import { Contact } from "./contact.ts";
import { inherit } from "./crediting.ts";
import { Holding, OpenBucket } from "./holding.ts";
import type { Identity } from "./identity.ts";

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
  /** Buckets in which a request of this replica waits. */
  readonly waiting = new Set<Holding>();
  /** Buckets for which somebody is in line. */
  readonly waitedFor = new Set<Holding>();
  /** Siblings that forgot what they gave: they are told all that is known of them. */
  readonly setBack = new Set<string>();
  /** The members of whom something was heard since this replica was started. */
  readonly heardOf = new Set<string>();
  /** Whether takes are admitted at all: not before the siblings were asked what they remember, nor after leaving. */
  isAdmitting = true;
  /** The store refused the last write: what is given to this replica can be neither reserved nor given on. */
  isDiskFailing = false;
  /** Buckets with rows that are not on disk yet. */
  readonly unsaved = new Set<Holding>();
  /** The siblings are being asked what they remember of this replica; it tells nothing of its own before. */
  isRecovering = false;
  /**
   * Up to where each sibling has passed back what this replica said before it was started. After a disk was set back
   * twice each may have heard of another past, so none speaks for the others.
   */
  readonly passedBack = new Map<string, Stamp>();
  /** A profile that becomes this replica's when the flush that holds it is durable. */
  pendingProfile: Profile | null = null;
  /** Siblings that were given something that they can see now. */
  readonly toTell = new Set<string>();
  /** The id that is on disk. Under another one nothing is said: what it were given would be lost with the process. */
  durableId = "";
  /** It has just joined; what it says of itself is not durable yet. */
  isNewcomer = false;
  /** A sibling has said something of itself; one that leaves waits until that is on a disk here. */
  isToAcknowledge = false;
  /** It is about to leave, or has left and is about to end. */
  isLeaving = false;
  /**
   * It leaves, and the others have forgotten more than it has carried out: from then on it neither takes nor tells anything.
   * Later farewells, put on what it knows from before, would pass for all that there were.
   */
  isLeftBehind = false;
  /** It belonged to a fleet and must find it again; it never founds one. */
  mustJoin = false;
  /** With its siblings. */
  readonly contact: Contact;
  /** Draws an id, should this replica need a new one. */
  newId: () => string = () => this.identity.id;
  /** The boot of another process that runs under this replica's id, once it is known. */
  supersededByBoot = 0;
  /** Merges report what both sides knew before. */
  isTracing = false;
  /** Rows and members were dropped: the next flush must hold all of it at once. */
  isStartingOver = false;
  /** After how long without news a sibling is given nothing more. */
  unreachableAfterMs = 3000;
  /** Totals for people. */
  readonly counts = {
    gives: 0,
    merges: 0,
    credits: 0,
    refused: 0,
    sent: 0,
    received: 0,
  };
  /** Grows with everything that siblings should hear of soon. */
  news = 0;
  /** When the gauges of buckets for which nobody waits were last told. */
  quietShownMs = -Infinity;
  /** Buckets whose gauges are still to be told in this turn. */
  quietLeft = 0;
  /** When gauges were last brought up to date. */
  gaugedMs: number;
  /** Asks the shell for a flush. */
  wake: () => void = () => {};
  /** Tells that a bucket may have room. */
  room: (bucket: OpenBucket) => void = () => {};

  constructor(identity: Identity, nowMs: number, wallMs: number) {
    this.identity = identity;
    this.nowMs = nowMs;
    this.wallMs = wallMs;
    this.contact = new Contact(nowMs);
    this.gaugedMs = nowMs;
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
    if (this.isUntouched(local.holding) && local.limit.refill.kind !== "held") local.level = local.capacity;
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
    local.late = 0;
    local.enterPeriod(period, this.nowMs);
    this.markDirty(local.holding);
    this.room(local);
  }

  /** Makes everything that was heard due for the next flush. */
  checkpoint(): void {
    for (const holding of this.unsaved) this.markDirty(holding);
    for (const member of this.ledger.members.values()) {
      if (!member.isStored || compareStamps(member.saved, member) < 0) this.dirtyMembers.add(member.id);
    }
  }

  /** Applies what this replica's share has become; `credited` parts came in rows. Returns whether the bucket holds more now. */
  reshare(holding: Holding, credited = 0): boolean {
    const local = holding.local;
    if (local === null) return false;
    const before = local.capacity;
    const share = this.ledger.share(holding.rows, this.me.id);
    const inherited = this.ledger.succession.size === 0 ? 0 : share - local.share - credited;
    if (inherited > 0 && local.limit.refill.kind === "calendar")
      inherit(local, inherited, this.ledger.succession);
    local.resize(local.limit, share, this.nowMs);
    if (local.capacity > before && local.late > 0) {
      local.creditLate();
      this.markDirty(holding);
    }
    return local.capacity > before;
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
    holding.gaugedMs = this.gaugedMs;
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
      gauge: this.gaugeOf(holding),
    };
  }

  /** What this replica shows of its part at the moment. */
  gaugeOf(holding: Holding): Gauge {
    const local = holding.local;
    if (local === null) return NO_GAUGE;
    // Who admits nothing has no use for units: a leaver would be given back what it has just handed over. Nor has one whose
    // disk fails: they would lie there unused until it works again.
    const isInNeed = this.isAdmitting && !this.isDiskFailing;
    const waiting = isInNeed ? holding.waiting : null;
    const isEarly = isInNeed && holding.isEarly;
    return {
      level: Math.fround(local.level),
      demand: this.isDiskFailing ? 0 : Math.fround(holding.demand),
      cost: Math.fround(holding.cost),
      waiting: Math.fround(waiting?.cost ?? (isEarly ? holding.cost : 0)),
      waitingMs: waiting === null ? 0 : Math.fround(Math.max(1, this.nowMs - waiting.sinceMs)),
    };
  }

  /** Says this replica's row of a bucket under a new version. */
  publish(holding: Holding): void {
    this.me.version += 1;
    this.news += 1;
    this.ledger.place(this.me, holding.rows, this.me, this.rowOf(holding));
  }

  /** Whether a bucket is full because nobody has taken from it, and this replica's because it has the founder's role. */
  isUntouched(holding: Holding): boolean {
    const founder = this.ledger.lineage?.founder ?? "";
    const isFounders = (this.ledger.succession.get(founder) ?? founder) === this.me.id;
    return isFounders && !this.isBurnt && !hasSpending(holding);
  }

  /** This replica's profile, with what is about to be durable. */
  get profile(): Profile {
    return this.pendingProfile ?? this.me.profile;
  }

  /** Says something about this replica that must be durable before anyone hears it. */
  proposeProfile(profile: Profile): void {
    this.pendingProfile = profile;
    this.dirtyMembers.add(this.me.id);
    this.wake();
  }

  /** Says something new about this replica itself. */
  publishProfile(profile: Profile): void {
    this.me.version += 1;
    const stamp = { boot: this.me.boot, version: this.me.version };
    this.ledger.setProfile(this.me, stamp, profile);
    this.dirtyMembers.add(this.me.id);
    this.news += 1;
    for (const holding of this.holdings.values()) {
      if (this.reshare(holding) && holding.local !== null) this.room(holding.local);
    }
  }
}

/** Whether any row speaks of units taken or given: a bucket that is only asked for is still full. */
function hasSpending(holding: Holding): boolean {
  for (const entry of holding.rows.entries.values()) {
    if (entry.row.spent > 0 || entry.row.given.size > 0) return true;
  }
  return false;
}
