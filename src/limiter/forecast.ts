// How long until there is room: what decides whether waiting makes sense, what `retry-after` says, and what routing
// compares. A forecast uses this replica's own refill where that is soon enough, else the whole fleet's, because
// siblings send units to whoever waits; so it errs on the side of letting a request wait. What they hold is known from
// their gauges, up to half a second late: who waits for what is there no more finds out by its deadline.
import type { Limit } from "../bucket/limit.ts";
import type { Bucket, Quota, Room } from "../fleet/quota.ts";
import type { Line } from "./line.ts";
import type { Meter, Meters } from "./meters.ts";
import type { LimitFacts, Place, RateLimitFacts } from "./reservation.ts";

export interface Forecast {
  /** Milliseconds until a new request could be admitted, behind those who wait; Infinity: never. */
  readonly waitMs: number;
  /** The least it would wait. The same, but for running requests: the next may end at any moment, and as long as none has, all may. */
  readonly leastMs: number;
  /** Where it would wait longest; null: it need not wait. */
  readonly line: Line | null;
  /** It would wait only for places of requests that have ended and that their provider has still to end. */
  readonly isForLeaving: boolean;
}

/** In how many milliseconds places of requests that have ended come back: nearly always sooner. */
const LEAVING_MS = 200;

interface At {
  readonly place: Place;
  readonly now: number;
}

/** When a new request of these costs could be admitted. */
export function forecast(quota: Quota, meters: Meters, costs: readonly number[], at: At): Forecast {
  const { lines } = meters;
  let longest: Line | null = null;
  let waitMs = 0;
  const pause = meters.pausedBy(at.now);
  if (pause !== null) {
    waitMs = pause.untilMs - at.now;
    longest = pause;
  }
  let leastMs = waitMs;
  let isForLeaving = pause === null;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index];
    const bucket = line?.bucket ?? null;
    const cost = costs[index] ?? 0;
    if (line === undefined || bucket === null || cost <= 0) continue;
    const ahead = line.size === 0 ? 0 : line.costAhead(at.place, cost);
    let lineWaitMs = bucketMs(quota, bucket, { ahead, cost, heldMs: line.heldMs }, at.now);
    if (lineWaitMs === 0) continue;
    leastMs = Math.max(leastMs, leastOf(line, bucket.limit, cost, lineWaitMs));
    const isLeaving =
      line.leaving > 0 && quota.room(bucket, at.now).reachableLevel + line.leaving >= ahead + cost;
    if (isLeaving) lineWaitMs = Math.min(lineWaitMs, LEAVING_MS);
    isForLeaving &&= isLeaving;
    if (lineWaitMs <= waitMs) continue;
    waitMs = lineWaitMs;
    longest = line;
  }
  return { waitMs, leastMs, line: longest, isForLeaving: isForLeaving && waitMs > 0 };
}

interface Demand {
  /** What others in line get first. */
  readonly ahead: number;
  readonly cost: number;
  readonly heldMs: number;
}

function bucketMs(quota: Quota, bucket: Bucket, { ahead, cost, heldMs }: Demand, now: number): number {
  const ownMs = quota.waitMs(bucket, ahead + cost, now);
  if (ownMs === 0) return 0;
  const { limit } = bucket;
  switch (limit.refill.kind) {
    case "held": {
      // Siblings send the places that nobody uses; others have to come back first.
      const idle = Math.max(0, quota.room(bucket, now).reachableLevel);
      return returnMs(limit, Math.max(0, ahead + cost - idle), heldMs);
    }
    case "calendar":
      // Those who hold the rest may be heard again long before the period is over.
      return quota.room(bucket, now).fleetLevel >= ahead + cost ? 0 : quota.waitMs(bucket, cost, now);
    case "continuous": {
      const { reachableLevel } = quota.room(bucket, now);
      return Math.min(ownMs, Math.max(0, (ahead + cost - reachableLevel) / limit.refill.unitsPerMs));
    }
  }
}

/** How long places take to come back when their holders end: one every `heldMs / capacity` on average. */
function returnMs({ capacity }: Limit, places: number, heldMs: number): number {
  return (places * heldMs) / capacity;
}

/** Of the places that have to come back, the request's own may do so at any moment. */
function leastOf(line: Line, limit: Limit, cost: number, waitMs: number): number {
  if (limit.refill.kind !== "held") return waitMs;
  return line.isHeldKnown ? Math.max(0, waitMs - returnMs(limit, cost, line.heldMs)) : 0;
}

/** For OpenAI's headers: of each kind the limit with the smallest part left, as the fleet sees it. */
export function rateLimitFacts(quota: Quota, meters: Meters, now: number): RateLimitFacts {
  let requests: LimitFacts | null = null;
  let tokens: LimitFacts | null = null;
  for (const { bucket, limit } of meters.meters) {
    switch (limit.dimension) {
      case "requests":
        requests = tighter(requests, factsOf(quota, bucket, now));
        break;
      case "tokens":
      case "input_tokens":
      case "output_tokens":
        tokens = tighter(tokens, factsOf(quota, bucket, now));
        break;
      case "usd":
      case "concurrent":
        break;
    }
  }
  return { requests, tokens };
}

/** A limit, and what the fleet has left of it. */
export interface LimitLevel {
  readonly meter: Meter;
  readonly facts: LimitFacts;
}

/** The state of each limit, in their order. */
export function limitLevels(quota: Quota, meters: Meters, now: number): readonly LimitLevel[] {
  return meters.meters.map((meter) => ({ meter, facts: factsOf(quota, meter.bucket, now) }));
}

function tighter(known: LimitFacts | null, other: LimitFacts): LimitFacts {
  if (known === null) return other;
  return other.remaining * known.limit < known.remaining * other.limit ? other : known;
}

function factsOf(quota: Quota, bucket: Bucket, now: number): LimitFacts {
  const { limit } = bucket;
  const room = quota.room(bucket, now);
  return {
    limit: Math.floor(limit.capacity),
    remaining: Math.max(0, Math.floor(room.fleetLevel)),
    resetMs: resetMs(quota, bucket, room, now),
  };
}

function resetMs(quota: Quota, bucket: Bucket, room: Room, now: number): number {
  const { refill, capacity } = bucket.limit;
  if (room.fleetLevel >= capacity) return 0;
  switch (refill.kind) {
    case "continuous":
      return (capacity - room.fleetLevel) / refill.unitsPerMs;
    case "calendar":
      return quota.waitMs(bucket, Math.max(room.capacity, room.level + 1), now);
    case "held":
      return 0;
  }
}
