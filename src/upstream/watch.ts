// One coarse timer for all running calls. A call has up to four deadlines, and its idle deadline moves with every
// chunk: a timer each would cost more than the relay. So a call only notes the coarse time of its latest progress, and
// every 50 ms one pass asks each running call whether it is late (5,000 open streams: about 0.1 % of a core).
import type { Clock } from "../clock.ts";
import { Roster, type Seated } from "../roster.ts";

/** How late a deadline may be noticed, in milliseconds. */
export const WATCH_INTERVAL_MS = 50;

export interface Watched extends Seated {
  /** Acts if a deadline has passed. It may add and remove calls. */
  check(nowMs: number): void;
}

/** Starts a repeating timer that does not keep the process alive; the answer stops it. */
export type Repeat = (action: () => void, intervalMs: number) => () => void;

export const systemRepeat: Repeat = (action, intervalMs) => {
  const timer = setInterval(action, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
};

export class Watch {
  /** `elapsedMs` of the latest pass: behind the true time by at most one interval while calls are running. */
  nowMs: number;
  readonly #clock: Clock;
  readonly #repeat: Repeat;
  readonly #running = new Roster<Watched>();
  #stop: (() => void) | null = null;
  /** Who waits for the end of all calls. */
  #waiting: (() => void)[] = [];

  constructor(clock: Clock, repeat: Repeat = systemRepeat) {
    this.#clock = clock;
    this.#repeat = repeat;
    this.nowMs = clock.elapsedMs();
  }

  get size(): number {
    return this.#running.size;
  }

  add(call: Watched): void {
    this.#running.add(call);
    if (this.#stop !== null) return;
    this.nowMs = this.#clock.elapsedMs();
    this.#stop = this.#repeat(() => this.check(), WATCH_INTERVAL_MS);
  }

  delete(call: Watched): void {
    this.#running.delete(call);
  }

  /** Resolves when no call is left, not even one that only its provider has to notice the end of; at a pass. */
  async idle(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** One pass. The timer stops by itself once nothing runs, so an idle gateway does not wake up. */
  check(): void {
    this.nowMs = this.#clock.elapsedMs();
    for (const call of this.#running.list()) call.check(this.nowMs);
    if (this.#running.size > 0) return;
    this.#stop?.();
    this.#stop = null;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
