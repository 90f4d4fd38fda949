// One bucket as this replica holds it: the replicated rows, and beside them what is private to this replica: the
// level, what it has given (also what is not durable yet and so hidden from others), who waits, and what of it must
// still be written.
import type { BucketRows } from "../bucket/member.ts";
import type { Limit } from "../bucket/limit.ts";
import { LocalBucket } from "../bucket/local.ts";
import type { HoldingRecord } from "../bucket/record.ts";
import type { Edge } from "../bucket/row.ts";
import type { Bucket } from "./quota.ts";

/** The oldest request in a bucket's line. */
export interface Waiting {
  readonly cost: number;
  readonly sinceMs: number;
}

/** A bucket that this replica's configuration names: it has a limit and so a level. */
export class OpenBucket extends LocalBucket implements Bucket {
  readonly holding: Holding;
  /**
   * Units of a calendar quota whose parts don't count here at the moment: whoever gave them had them from one that is not
   * heard yet, and has left to this replica; or is gone, and of its successor, who says now that it gives them, only the
   * farewell has come. Until the share has grown by them they are as good as under way. (Those of a rate refill.)
   */
  late = 0;

  constructor(holding: Holding, limit: Limit, nowMs: number) {
    super(limit, nowMs);
    this.holding = holding;
  }

  /** Adds units that were given. */
  credit(units: number): void {
    const level = this.level + units;
    this.level = Math.min(this.capacity, level);
    this.keepLate(level);
  }

  /** Of so many units the share holds less than it will: those of a period, which would not come back by themselves, wait. */
  keepLate(units: number): void {
    if (this.limit.refill.kind === "calendar") this.late += Math.max(0, units - this.level);
  }

  /** The share has grown: what waited for that comes in. */
  creditLate(): void {
    const added = Math.min(this.late, Math.max(0, this.capacity - this.level));
    this.late -= added;
    this.level += added;
  }
}

export class Holding {
  readonly rows: BucketRows;
  /** Names the bucket in the store's keys. */
  readonly number: number;
  /** `null` while no configuration here names the bucket; its rows are kept and relayed all the same. */
  local: OpenBucket | null = null;
  /** The record of a bucket that is not open. */
  parked: HoldingRecord | null = null;
  /** What this replica has given, gives that are not durable yet included. Replaced, never changed in place. */
  given: ReadonlyMap<string, Edge> = new Map();
  waiting: Waiting | null = null;
  /** Units given to each sibling since its latest row was heard: its gauge does not show them yet. */
  readonly sentUnits = new Map<string, number>();
  /** Nobody waits yet, but somebody soon will. */
  isEarly = false;
  /** Whether a take failed only because the block was too small, so that the next durable record is news. */
  isAwaitingBlock = false;

  /** It is in the list of what the next flush writes. */
  isDirty = false;
  /** Its own row has gives that no flush has begun to write. */
  isStaged = false;
  /** Its own row has gives that the flush under way writes. */
  isFlushing = false;
  /** Whom the gives are for that no flush has made durable yet. */
  readonly givenTo = new Set<string>();
  /** Authors whose rows here must be written, or deleted where there are none any more. */
  dirtyRows = new Set<string>();
  /** Those that the flush under way writes. */
  writingRows: ReadonlySet<string> = new Set();

  /** It is in the list of buckets whose gauge may have changed. */
  isActive = false;
  /** When its gauge was last brought up to date, or the tick before it came into use. */
  gaugedMs = 0;
  demand = 0;
  cost = 0;
  seenSpent = 0;
  /** What had been spent when a sibling was last heard. */
  spentAtContact = 0;
  seenTakes = 0;

  constructor(rows: BucketRows, number: number) {
    this.rows = rows;
    this.number = number;
  }

  /** Gives in it are not durable: nobody may see this replica's row. */
  get isHidden(): boolean {
    return this.isStaged || this.isFlushing;
  }
}

/** Whether any of them has gives that nobody may see yet. */
export function hasHidden(holdings: Iterable<Holding>): boolean {
  for (const { isHidden } of holdings) if (isHidden) return true;
  return false;
}
