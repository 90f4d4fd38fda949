// What the limiter needs of the replica: buckets to take from and give back to, all in memory and synchronous.
// The replica behind it keeps the buckets durable and in step with its siblings.
import type { Limit } from "../bucket/limit.ts";

/** One open bucket. Hold it in a plan rather than its key: a lookup by string costs more than a take. */
export interface Bucket {
  readonly limit: Limit;
  /** Units that all who wait in its line ask for, the oldest included. Kept by whoever lets them wait. */
  queued: number;
}

/** Why a take did not happen, and when to try again. */
export interface Shortage {
  readonly bucket: Bucket;
  /**
   * `level`: too few units here now. `durability`: the units are here but not yet reserved on disk; `onRoom` tells
   * when they are. `never`: the cost is above the bucket's whole capacity.
   */
  readonly reason: "level" | "durability" | "never";
  /** Milliseconds until this replica's own refill covers the cost; Infinity when refill alone never will (siblings or returns may). */
  readonly waitMs: number;
}

export interface Room {
  /** Units that this replica could admit now; may be negative (debt). */
  readonly level: number;
  /** What this replica's share can hold. */
  readonly capacity: number;
  /** The same for the whole fleet, from the latest gauges heard. */
  readonly fleetLevel: number;
  /** Of these, what can be had: without those that hold units and are silent. */
  readonly reachableLevel: number;
  readonly fleetCapacity: number;
}

export interface Quota {
  /** Whether anything is admitted at all: not before this replica knows its fleet and was told what it may have forgotten, nor after it has left. */
  readonly isInService: boolean;
  /** The store refused the last write: what is not reserved yet can't be, until it takes writes again. */
  readonly isDiskFailing: boolean;
  /**
   * The live bucket of this key. A changed capacity or refill is applied to it from `now` (`Clock.elapsedMs()`; by default
   * when this replica last looked at its clock) on; its level carries over (clamped).
   */
  open(limit: Limit, now?: number): Bucket;
  /** Takes `costs[i]` from `buckets[i]`, all or none. `null`: taken. Synchronous; `now` is `Clock.elapsedMs()`. */
  take(buckets: readonly Bucket[], costs: readonly number[], now: number): Shortage | null;
  /**
   * Books what a take really used: a surplus returns to the level (never above capacity), a deficit is subtracted
   * and may leave debt. For a bucket of running requests call it with `actual` 0 at the end.
   */
  settle(bucket: Bucket, taken: number, actual: number, now: number): void;
  /**
   * Tells the oldest request in this bucket's line (`null`: the line is empty), so that siblings can send units. How
   * much the whole line asks for (`queued`) lets the share follow demand that can't be admitted yet.
   */
  wait(bucket: Bucket, oldest: { readonly cost: number; readonly sinceMs: number } | null, now: number): void;
  room(bucket: Bucket, now: number): Room;
  /**
   * Milliseconds until this replica's own refill (to the next calendar boundary where it refills by the calendar)
   * covers the cost: 0 when it does now, Infinity when refill alone never will. Asked about requests that wait.
   */
  waitMs(bucket: Bucket, cost: number, now: number): number;
  /** Calls the listener when a bucket may have got room by other ways than refill: units arrived, a block became durable, units were returned. */
  onRoom(listener: (bucket: Bucket) => void): void;
}
