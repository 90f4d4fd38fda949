// What `reserve` answers: units are taken, the request waits in line, or it is refused. Values, not exceptions: the
// gateway tries another target before it tells the client.
import type { Estimate } from "./cost.ts";
import type { Meter, Meters } from "./meters.ts";

/** Place in the waiting line: 0 high, 1 normal, 2 low. */
export type Priority = 0 | 1 | 2;

/** What a request asks for. */
export interface Ask {
  readonly estimate: Estimate;
  readonly priority: Priority;
  /** Whom fairness is between: the client key's name. */
  readonly clientKey: string;
  /** Its part of what is served while others of its priority wait too; 1 by default. */
  readonly weight?: number;
  /**
   * `elapsedMs` until which the request may wait for room; not after `now`: it does not. Units that the fleet
   * has are waited for in any case, at most a second: they are being reserved on disk, or come from a sibling. So are
   * slots of requests that have ended here and that the provider has still to end.
   */
  readonly deadlineMs: number;
}

/** Where an ask would stand in a line. */
export type Place = Pick<Ask, "priority" | "clientKey" | "weight">;

/** Units taken for one attempt. Exactly one `settle` or `giveBack` ends it, or `settleUse` and then `freeSlots`. */
export interface Reservation {
  readonly kind: "reserved";
  readonly meters: Meters;
  /** Whose it is: the client key's name. */
  readonly clientKey: string;
  /** Units taken per meter, in the order of `meters`. */
  readonly costs: readonly number[];
  /** `elapsedMs` when the units were taken. */
  readonly takenMs: number;
  /** How long the request stood in line, in milliseconds. */
  readonly waitedMs: number;
  /** False once it is settled or given back. */
  readonly isOpen: boolean;
}

export interface Refusal {
  readonly kind: "refused";
  readonly reason:
    /** The units are not here in time. */
    | "no_room"
    /** The line is as long as it may be. */
    | "queue_full"
    /** The cost is above the limit's capacity: it can never fit. */
    | "exceeds_limit"
    /** The limit is in dollars, and the model's prices are not known. */
    | "unpriced"
    /** The units are here, but the disk does not take the reservation. */
    | "not_durable"
    /** No units are admitted here at all: this instance looks for its fleet. */
    | "not_in_service"
    /** The provider asked us to hold back. */
    | "paused"
    /** The gateway is stopping. */
    | "closed";
  /** The limit at fault; null when it is not a limit: a pause, the end. */
  readonly meter: Meter | null;
  /** Who is paused, `provider` or `provider/model`, or the model without prices; empty otherwise. */
  readonly provider: string;
  /** How long until a new request can be admitted, in milliseconds; Infinity: never. */
  readonly retryAfterMs: number;
}

/** A request in line. Its listener hears once; after `cancel` never. */
export interface Waiting {
  readonly kind: "waiting";
  /** Calls the listener with the outcome, from a later event: units returned, refilled or arrived, or the deadline. */
  decided(listener: (outcome: Reservation | Refusal) => void): void;
  /** Leaves the line: the client has gone, or another target was found. Nothing was taken. Harmless when decided. */
  cancel(): void;
}

/** What OpenAI's `x-ratelimit-*` headers say about one dimension. */
export interface LimitFacts {
  /** The bucket's capacity, in units. */
  readonly limit: number;
  /** Units that the whole fleet has left; never negative. */
  readonly remaining: number;
  /** Milliseconds until the bucket is full again. */
  readonly resetMs: number;
}

export interface RateLimitFacts {
  readonly requests: LimitFacts | null;
  /** Of `tokens`, `input_tokens` and `output_tokens` the tightest. */
  readonly tokens: LimitFacts | null;
}
