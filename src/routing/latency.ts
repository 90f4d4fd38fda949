// How slow a target is right now: an exponential average that follows peaks (as in the balancers of Finagle and
// linkerd). A slow answer counts at once, and only quick answers over some seconds make it forgotten; so a target that
// begins to stall loses its traffic with the first slow answer, not after many.

/** How fast old observations lose weight: after this time they count 1/e. */
const DECAY_MS = 10_000;

export class PeakLatency {
  #valueMs = 0;
  #observedMs = 0;

  /** Adds one observation, in milliseconds. */
  observe(latencyMs: number, now: number): void {
    this.#valueMs =
      latencyMs >= this.#valueMs
        ? latencyMs
        : latencyMs + (this.#valueMs - latencyMs) * this.#weightOfOld(now);
    this.#observedMs = now;
  }

  /**
   * The estimate in milliseconds; 0 when nothing was observed. It fades while nothing is observed, so that a target
   * that was slow once, and has been avoided since, is tried again.
   */
  current(now: number): number {
    return this.#valueMs === 0 ? 0 : this.#valueMs * this.#weightOfOld(now);
  }

  #weightOfOld(now: number): number {
    return Math.exp(-Math.max(0, now - this.#observedMs) / DECAY_MS);
  }
}
