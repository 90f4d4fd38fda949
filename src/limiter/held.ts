// Units taken for one attempt, until they are settled.
import { assert } from "../errors.ts";
import type { Meters } from "./meters.ts";
import type { Reservation } from "./reservation.ts";

export class Held implements Reservation {
  readonly kind = "reserved";
  readonly meters: Meters;
  readonly clientKey: string;
  readonly costs: readonly number[];
  readonly takenMs: number;
  readonly waitedMs: number;
  isOpen = true;
  /** Settled but for the provider's slots. */
  holdsSlots = false;

  constructor(taken: Pick<Reservation, "meters" | "clientKey" | "costs">, takenMs: number, waitedMs: number) {
    this.meters = taken.meters;
    this.clientKey = taken.clientKey;
    this.costs = taken.costs;
    this.takenMs = takenMs;
    this.waitedMs = waitedMs;
  }

  end(holdsSlots: boolean): void {
    assert(this.isOpen, "a reservation is settled once");
    this.isOpen = false;
    this.holdsSlots = holdsSlots;
  }

  endSlots(): void {
    assert(this.holdsSlots, "slots are freed once, after the rest was settled");
    this.holdsSlots = false;
  }
}
