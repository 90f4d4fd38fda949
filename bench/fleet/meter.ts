// From when on requests are admitted at the full rate. How many were admitted is looked at every few milliseconds; since
// they come in bunches, a rate is that of a longer while.
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";

const LOOK_EVERY_MS = 5;
const WINDOW_MS = 50;
/** For so long it must stay at the full rate. */
const STAYS_MS = 800;

interface Look {
  readonly atMs: number;
  readonly admitted: number;
}

export class Meter {
  readonly #perMs: number;
  readonly #looks: Look[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(perSecond: number, admitted: () => number) {
    this.#perMs = perSecond / 1000;
    this.#timer = setInterval(
      () => this.#looks.push({ atMs: performance.now(), admitted: admitted() }),
      LOOK_EVERY_MS,
    );
  }

  /**
   * Resolves with the milliseconds from `fromMs` to the full rate, of which `lost` (0 to 1) was missing meanwhile: to the
   * middle of the last window that has less than halfway from what was left to the whole. Exact to some 25 ms.
   */
  async untilFull(fromMs: number, lost: number): Promise<number> {
    await pause(STAYS_MS);
    clearInterval(this.#timer);
    const enough = this.#perMs * (1 - lost / 2);
    let fullMs = fromMs;
    let end = 0;
    for (const look of this.#looks) {
      while ((this.#looks[end]?.atMs ?? Infinity) < look.atMs + WINDOW_MS) end += 1;
      const last = this.#looks[end];
      if (last === undefined) break;
      const isBelow = last.admitted - look.admitted < enough * (last.atMs - look.atMs);
      if (isBelow) fullMs = (look.atMs + last.atMs) / 2;
    }
    return Math.max(0, fullMs - fromMs);
  }
}
