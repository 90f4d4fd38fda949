// What one replica says about one bucket. Only that replica writes it, and each later version replaces the earlier
// one, so the rows of a replica form a chain and keeping the later of two is a join (commutative, associative,
// idempotent) with nothing to add up and nothing to clamp.
//
// `given` holds running totals, one edge per receiver: a repeated or reordered row can't move anything twice. Parts
// count for the receiver as soon as it sees them. Units are counted since `boot`, the receiver's boot as the giver
// knew it: a receiver whose disk went back in time has lost the record of what it credited already, and credits no
// edge that was begun before it came back. For calendar quotas an edge is begun afresh in every period, so that units
// of one period are never spent in another.
import type { Units } from "./parts.ts";

/** The order of a replica's versions: first by `boot`, then by `version`. */
export interface Stamp {
  /** Grows with every start of the replica (and is drawn from wall time, so that copies of one disk differ). */
  readonly boot: number;
  /** Counts the changes within a boot. */
  readonly version: number;
}

export const NEVER: Stamp = { boot: 0, version: 0 };

/** Negative, zero or positive, as `left` is before, at or after `right`. */
export function compareStamps(left: Stamp, right: Stamp): number {
  return left.boot - right.boot || left.version - right.version;
}

/** What a replica has given to one other, in running totals modulo `MODULUS` (see parts.ts). */
export interface Edge {
  readonly parts: number;
  /** `parts` at the moment this edge was begun (afresh). */
  readonly partsBefore: number;
  /** Milli-units since the edge was begun; debt that went along counts against them. */
  readonly units: number;
  /** Steps beyond these milli-units (see parts.ts); absent where there are none, as where whole units move. */
  readonly fine?: number;
  /** The receiver's boot that the units are meant for. */
  readonly boot: number;
  /** The giver's calendar period, plus one; 0 for a bucket without a calendar. */
  readonly period: number;
}

export const NO_EDGE: Edge = { parts: 0, partsBefore: 0, units: 0, boot: 0, period: 0 };

/** The running total of an edge's units. */
export function unitsOf({ units, fine = 0 }: Edge): Units {
  return { units, fine };
}

/** What a replica tells about its part at the moment; hints for sharing and for people, never part of a balance. */
export interface Gauge {
  /** Units here. */
  readonly level: number;
  /** Units taken per second, a moving average. */
  readonly demand: number;
  /** Units of a typical request. */
  readonly cost: number;
  /** Units that the oldest request in line needs; 0 when nobody waits. */
  readonly waiting: number;
  /** How long that request has waited, in milliseconds; 0 when it is only expected. */
  readonly waitingMs: number;
}

export const NO_GAUGE: Gauge = { level: 0, demand: 0, cost: 0, waiting: 0, waitingMs: 0 };

export interface Row {
  /** Units taken and units given back at settlement, ever. */
  readonly spent: number;
  readonly returned: number;
  readonly given: ReadonlyMap<string, Edge>;
  readonly gauge: Gauge;
}

export const NO_ROW: Row = { spent: 0, returned: 0, given: new Map(), gauge: NO_GAUGE };
