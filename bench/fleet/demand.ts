// Requests that want units of a replica's buckets at a steady rate, and stand in line for them as the limiter's do.
import { systemClock } from "../../src/clock.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import type { Seat } from "./lab.ts";

const STEP_MS = 50;

interface Line {
  count: number;
  sinceMs: number;
}

export class Demand {
  admitted = 0;
  readonly #seat: Seat;
  readonly #lines = new Map<Bucket, Line>();
  #timer: NodeJS.Timeout | undefined;

  constructor(seat: Seat) {
    this.#seat = seat;
    for (const bucket of seat.buckets) this.#lines.set(bucket, { count: 0, sinceMs: 0 });
    seat.running.quota.onRoom((bucket) => this.#serve(bucket));
  }

  /**
   * Requests of one unit each, per second and bucket; what is in line for longer than the queue is dropped. They come, and
   * the line is looked at, every `stepMs`.
   */
  start(perSecond: number, stepMs = STEP_MS): void {
    let due = 0;
    this.#timer = setInterval(() => {
      due += (perSecond * stepMs) / 1000;
      const arriving = Math.floor(due);
      due -= arriving;
      for (const bucket of this.#seat.buckets) this.#arrive(bucket, arriving, perSecond);
    }, stepMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #arrive(bucket: Bucket, count: number, most: number): void {
    const line = this.#lines.get(bucket);
    if (line === undefined) return;
    if (line.count === 0) line.sinceMs = systemClock.elapsedMs();
    line.count = Math.min(most, line.count + count);
    this.#serve(bucket);
  }

  #serve(bucket: Bucket): void {
    const { quota } = this.#seat.running;
    const line = this.#lines.get(bucket);
    if (line === undefined || line.count === 0) return;
    const now = systemClock.elapsedMs();
    const before = line.count;
    while (line.count > 0 && quota.take([bucket], [1], now) === null) {
      line.count -= 1;
      this.admitted += 1;
    }
    if (line.count < before) line.sinceMs = now;
    bucket.queued = line.count;
    quota.wait(bucket, line.count === 0 ? null : { cost: 1, sinceMs: line.sinceMs }, now);
  }
}
