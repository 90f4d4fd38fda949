// A request in line: what it wants, where it stands, and who hears of the outcome.
import type { Client, Queued } from "./fair-queue.ts";
import type { InHeap } from "./heap.ts";
import type { Line } from "./line.ts";
import type { Meters } from "./meters.ts";
import type { Ask, Priority, Refusal, Reservation, Waiting } from "./reservation.ts";

type Outcome = Reservation | Refusal;

interface Wanted {
  readonly meters: Meters;
  readonly costs: number[];
  readonly ask: Ask;
  readonly deadlineMs: number;
  readonly sinceMs: number;
  readonly sequence: number;
}

export class Waiter implements Waiting, Queued, InHeap {
  readonly kind = "waiting";
  readonly meters: Meters;
  readonly costs: number[];
  readonly priority: Priority;
  readonly clientKey: string;
  readonly weight: number;
  /** `elapsedMs` at which it is refused. */
  readonly deadlineMs: number;
  /** `elapsedMs` until which it waits for room; before `deadlineMs` when it has time only for a commit. */
  readonly patientUntilMs: number;
  /** `elapsedMs` at which it came. */
  readonly sinceMs: number;
  readonly sequence: number;
  /** Where it stands; null once it is decided. */
  line: Line | null = null;
  /** The round of serving in which it was last sent to another line, so that two lines can't send it to and fro. */
  movedInRound = -1;
  /** When it last tried, only its units' reservation on disk was missing. */
  awaitsDisk = false;
  heapIndex = -1;
  queuedCost = 0;
  queuedFor: Client<this> | null = null;
  before: this | null = null;
  after: this | null = null;
  readonly #leave: (waiter: Waiter) => void;
  #listener: ((outcome: Outcome) => void) | null = null;
  /** What was decided; null while it waits. */
  outcome: Outcome | null = null;

  constructor(wanted: Wanted, leave: (waiter: Waiter) => void) {
    this.meters = wanted.meters;
    this.costs = wanted.costs;
    this.priority = wanted.ask.priority;
    this.clientKey = wanted.ask.clientKey;
    this.weight = wanted.ask.weight ?? 1;
    this.deadlineMs = wanted.deadlineMs;
    this.patientUntilMs = wanted.ask.deadlineMs;
    this.sinceMs = wanted.sinceMs;
    this.sequence = wanted.sequence;
    this.#leave = leave;
  }

  decided(listener: (outcome: Outcome) => void): void {
    if (this.outcome === null) this.#listener = listener;
    else listener(this.outcome);
  }

  cancel(): void {
    this.#listener = null;
    if (this.line !== null) this.#leave(this);
  }

  /** The limiter's word. It has left its line already. */
  decide(outcome: Outcome): void {
    const listener = this.#listener;
    this.#listener = null;
    this.outcome = outcome;
    listener?.(outcome);
  }
}
