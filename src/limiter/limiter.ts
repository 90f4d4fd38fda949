// A request's units: taken from all its buckets or none before it is sent, settled exactly once when it has ended.
import type { Usage } from "../observe/events.ts";
import type { Ask, RateLimitFacts, Refusal, Reservation, Waiting } from "./reservation.ts";
import type { MeterSpec, Meters } from "./meters.ts";
import type { Counting, Estimate, Prices } from "./cost.ts";

export interface Target {
  /** The provider whose pause holds these requests back. */
  readonly provider: string;
  /** The provider's limits and the model's. */
  readonly specs: readonly MeterSpec[];
  readonly counting: Counting;
  readonly prices: Prices;
}

export interface Limiter {
  /** Opens the buckets of a target and compiles them. For a new configuration, not for every request. */
  target(target: Target): Meters;
  /** Opens the buckets of a client key and compiles them. */
  key(specs: readonly MeterSpec[]): Meters;
  /** Both together, remembered per pair: cheap enough for every request. */
  join(target: Meters, key: Meters): Meters;
  /** Takes the units when they are here; else the request waits in line or is refused. A refused request has taken nothing. */
  reserve(meters: Meters, ask: Ask, now: number): Reservation | Waiting | Refusal;
  /** Books what the request used, reported or estimated, and frees its place. A second call on a reservation is a broken invariant. */
  settle(reservation: Reservation, usage: Usage, now: number): void;
  /** Gives everything back: the attempt never reached the provider. Counts as the one settlement. */
  giveBack(reservation: Reservation, now: number): void;
  /** When these meters could admit this cost: 0 now, milliseconds, or Infinity. For routing; takes nothing. */
  roomMs(meters: Meters, estimate: Estimate, now: number): number;
  /** The provider asked to hold back until this `elapsedMs`: its requests wait. An earlier pause is never shortened. */
  pause(provider: string, untilMs: number): void;
  facts(meters: Meters, now: number): RateLimitFacts;
  /** Refuses all that wait, and all that come. */
  close(): void;
}
