// Where requests wait for units. Each stands in one line: that of the bucket (or paused provider) it lacks. When the
// line's turn comes its head tries to take from all its buckets at once; if another bucket is short by then it goes to
// that one's line, to the place of its arrival. What moves the lines: units returned or arrived (`stir`), the instant at
// which the head is covered by refill, and deadlines; the latter two are served by one alarm.
import type { Clock, Timers } from "../clock.ts";
import { assert } from "../errors.ts";
import type { Quota } from "../fleet/quota.ts";
import { forecast } from "./forecast.ts";
import { Heap } from "./heap.ts";
import { Held } from "./held.ts";
import { Pause, type Line } from "./line.ts";
import { refusal } from "./refusal.ts";
import type { Refusal, Reservation, Waiting } from "./reservation.ts";
import type { Waiter } from "./waiter.ts";

/** When a bucket seems to have room but does not give it (its block is being written), the head tries again after this, in milliseconds, unless told sooner. */
const RETRY_MS = 10;

/** What timers can tell apart. */
const TIMER_MS_MIN = 1;

/** The longest delay that timers can have; a longer one rings early, and is set again. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export class WaitingRoom {
  readonly #quota: Quota;
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** The one timer: when it rings, and how to call it off. */
  #ringsMs = Infinity;
  #disarm: () => void = () => {};
  readonly #deadlines = new Heap<Waiter>((left, right) => left.deadlineMs < right.deadlineMs);
  readonly #wakes = new Heap<Line>((left, right) => left.wakeMs < right.wakeMs);
  /** Lines whose heads may have got room and have not been looked at yet. */
  readonly #stirred = new Set<Line>();
  #isServing = false;
  #round = 0;

  constructor(quota: Quota, clock: Clock, timers: Timers) {
    this.#quota = quota;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** How many wait, in all lines. */
  get size(): number {
    return this.#deadlines.size;
  }

  /** A request joins a line. Where fairness puts it first it may be decided at once; else it is handed back. */
  join(waiter: Waiter, line: Line, now: number): Reservation | Refusal | Waiting {
    line.push(waiter);
    this.#deadlines.put(waiter);
    if (line.head === waiter) this.#stirred.add(line);
    else {
      this.#tell(line, now);
      this.#arm(now);
    }
    this.serveStirred(now);
    return waiter.outcome ?? waiter;
  }

  /** A request leaves by itself. */
  readonly leave = (waiter: Waiter): void => {
    const { line } = waiter;
    if (line === null) return;
    const wasHead = line.head === waiter;
    this.#takeOut(waiter, line);
    if (!wasHead) return;
    this.#stirred.add(line);
    this.serveStirred(this.#clock.elapsedMs());
  };

  /** There may be room for this line's head. Looked at by the next `serveStirred`. */
  stir(line: Line): void {
    if (line.size > 0) this.#stirred.add(line);
  }

  /** Serves the lines that were stirred. Calls from within (a listener that settles at once) are left to the outermost. */
  serveStirred(now: number): void {
    if (this.#isServing || this.#stirred.size === 0) return;
    this.#isServing = true;
    this.#round++;
    try {
      for (const line of this.#stirred) {
        this.#stirred.delete(line);
        this.#serve(line, now);
      }
    } finally {
      this.#isServing = false;
      this.#arm(now);
    }
  }

  /** Refuses all that wait. */
  close(): void {
    for (let waiter = this.#deadlines.first; waiter !== undefined; waiter = this.#deadlines.first) {
      const { line } = waiter;
      assert(line !== null, "who waits stands in a line");
      this.#takeOut(waiter, line);
      waiter.decide(refusal("closed", null, Infinity));
    }
    this.#disarm();
  }

  #serve(line: Line, now: number): void {
    for (let head = line.head; head !== null; head = line.head) {
      const ahead = this.#obstacle(head, line, now);
      if (ahead === line) break;
      if (ahead !== null) {
        head.movedInRound = this.#round;
        this.#move(head, ahead, now);
        // At the head of the other line it must not sleep there beside units that it could take.
        if (ahead.head === head) this.#stirred.add(ahead);
        continue;
      }
      const shortage = this.#quota.take(head.meters.buckets, head.costs, now);
      if (shortage === null) {
        this.#admit(head, line, now);
        continue;
      }
      head.awaitsDisk = shortage.reason === "durability";
      if (!head.awaitsDisk && head.patientUntilMs <= now && !this.#isNear(head, now)) {
        this.#expire(head, now);
        continue;
      }
      const short = head.meters.lineOf(shortage.bucket);
      if (short === line) break;
      this.#move(head, short, now);
    }
    this.#watch(line, now);
  }

  /** Where the request has to wait before it may take: at a pause, or behind others at another bucket. */
  #obstacle(waiter: Waiter, line: Line, now: number): Line | null {
    const { meters } = waiter;
    const { lines } = meters;
    const pause = meters.pausedBy(now);
    if (pause !== null) return pause;
    if (waiter.movedInRound === this.#round) return null;
    for (let index = 0; index < lines.length; index++) {
      const other = lines[index];
      if (other === undefined || other === line || waiter.costs[index] === 0) continue;
      if (other.blocks(waiter.priority)) return other;
    }
    return null;
  }

  #move(waiter: Waiter, to: Line, now: number): void {
    waiter.line?.remove(waiter);
    to.push(waiter);
    this.#watch(to, now);
  }

  #admit(waiter: Waiter, line: Line, now: number): void {
    line.serve(waiter, now);
    this.#deadlines.remove(waiter);
    waiter.meters.countTaken(waiter.costs);
    waiter.decide(new Held(waiter, now, now - waiter.sinceMs));
  }

  #takeOut(waiter: Waiter, line: Line): void {
    line.remove(waiter);
    this.#deadlines.remove(waiter);
    if (line.size === 0) this.#watch(line, this.#clock.elapsedMs());
  }

  /** Whether the fleet has the units, though not this replica: a sibling sends them within a round trip. Or a request that has ended has them. */
  #isNear({ meters, costs }: Waiter, now: number): boolean {
    return meters.buckets.every((bucket, index) => {
      const cost = costs[index] ?? 0;
      if ((meters.lines[index]?.leaving ?? 0) > 0) return true;
      return (
        this.#quota.waitMs(bucket, cost, now) === 0 || this.#quota.room(bucket, now).reachableLevel >= cost
      );
    });
  }

  #expire(waiter: Waiter, now: number): void {
    const { line } = waiter;
    if (line === null) return;
    const wasHead = line.head === waiter;
    this.#takeOut(waiter, line);
    if (wasHead) this.stir(line);
    const next = forecast(this.#quota, waiter.meters, waiter.costs, { place: waiter, now });
    const short = next.line ?? line;
    waiter.decide(refusal(this.#reasonFor(next.waitMs), short, Math.max(1, next.waitMs)));
  }

  #reasonFor(waitMs: number): Refusal["reason"] {
    if (!this.#quota.isInService) return "not_in_service";
    // Units that are here and can't be had are the disk's fault only if it refuses to reserve them.
    return waitMs === 0 && this.#quota.isDiskFailing ? "not_durable" : "no_room";
  }

  /** Tells siblings whom the line's units are for, and sets the instant at which its own refill covers the head. */
  #watch(line: Line, now: number): void {
    const { head } = line;
    this.#tell(line, now);
    if (head === null) {
      this.#wakes.remove(line);
      return;
    }
    line.wakeMs = this.#wakeMs(line, head, now);
    this.#wakes.put(line);
  }

  /** Siblings are told of the head. */
  #tell(line: Line, now: number): void {
    const { head, bucket } = line;
    if (bucket === null || line.told === head) return;
    line.told = head;
    this.#quota.wait(bucket, head && { cost: line.costOf(head), sinceMs: head.sinceMs }, now);
  }

  #wakeMs(line: Line, head: Waiter, now: number): number {
    if (line instanceof Pause) return line.untilMs;
    if (line.bucket === null) return Infinity;
    const waitMs = this.#quota.waitMs(line.bucket, line.costOf(head), now);
    return now + (waitMs === 0 ? RETRY_MS : Math.max(TIMER_MS_MIN, waitMs));
  }

  #ring(): void {
    const now = this.#clock.elapsedMs();
    this.#ringsMs = Infinity;
    for (let line = this.#wakes.first; line !== undefined && line.wakeMs <= now; line = this.#wakes.first) {
      this.#wakes.remove(line);
      this.#stirred.add(line);
    }
    this.serveStirred(now);
    for (let late = this.#deadlines.first; late !== undefined && late.deadlineMs <= now;) {
      this.#expire(late, now);
      late = this.#deadlines.first;
    }
    this.serveStirred(now);
    this.#arm(now);
  }

  #arm(now: number): void {
    const next = Math.min(
      this.#deadlines.first?.deadlineMs ?? Infinity,
      this.#wakes.first?.wakeMs ?? Infinity,
    );
    if (next >= this.#ringsMs) return;
    this.#disarm();
    this.#ringsMs = next;
    // Rounded up: a timer that rings a little early finds nothing to do and is set again.
    const delayMs = Math.min(DELAY_MAX_MS, Math.ceil(Math.max(0, next - now)));
    this.#disarm = this.#timers.after(delayMs, () => this.#ring());
  }
}
