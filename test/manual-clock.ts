// Time that moves only when a test says so: a Clock and Timers in one, so that nothing sleeps.
import type { Clock, Timers } from "../src/clock.ts";

interface Due {
  readonly atMs: number;
  readonly action: () => void;
}

export class ManualClock implements Clock, Timers {
  private now: number;
  private readonly wallOffsetMs: number;
  private due: Due[] = [];

  constructor(startMs = 0, wallOffsetMs = 1_764_547_200_000) {
    this.now = startMs;
    this.wallOffsetMs = wallOffsetMs;
  }

  elapsedMs(): number {
    return this.now;
  }

  wallMs(): number {
    return Math.floor(this.now + this.wallOffsetMs);
  }

  after(delayMs: number, action: () => void): () => void {
    const entry = { atMs: this.now + delayMs, action };
    this.due.push(entry);
    return () => {
      this.due = this.due.filter((other) => other !== entry);
    };
  }

  /** How many timers are set. */
  pending(): number {
    return this.due.length;
  }

  /** Moves time on and runs what falls due on the way, in order, each at its own instant. */
  advance(byMs: number): void {
    const until = this.now + byMs;
    for (let next = this.next(until); next !== undefined; next = this.next(until)) {
      this.due = this.due.filter((other) => other !== next);
      this.now = Math.max(this.now, next.atMs);
      next.action();
    }
    this.now = until;
  }

  private next(untilMs: number): Due | undefined {
    return this.due
      .filter((entry) => entry.atMs <= untilMs)
      .reduce<Due | undefined>(
        (first, entry) => (first === undefined || entry.atMs < first.atMs ? entry : first),
        undefined,
      );
  }
}
