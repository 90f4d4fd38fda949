// How much retries may add to a provider's load. A token bucket that attempts fill and retries drain, so that retries never
// exceed a share of the traffic however badly the provider fails, and a failing provider is not finished off by its
// callers (as in the retry budgets of Finagle and gRPC).

/** How many retries each request earns. */
const RATIO = 0.2;

/** What may be saved up in quiet times, in retries; also what there is at the start, so that rare requests may retry too. */
const SAVED_MAX = 10;

/** Invariant: retries allowed ≤ SAVED_MAX + RATIO · (attempts − retries). */
export class RetryBudget {
  #saved = SAVED_MAX;

  /** An attempt is sent to this provider, a first one or a retry. */
  deposit(): void {
    this.#saved = Math.min(SAVED_MAX, this.#saved + RATIO);
  }

  /** Asks to send a request to this provider once more. */
  withdraw(): boolean {
    if (this.#saved < 1) return false;
    // The retry will be deposited like every attempt; what it puts in is taken out beforehand.
    this.#saved -= 1 + RATIO;
    return true;
  }

  /** A retry that was asked for is not sent after all. */
  refund(): void {
    this.#saved = Math.min(SAVED_MAX, this.#saved + 1 + RATIO);
  }

  /** How many retries are left. */
  left(): number {
    return Math.max(0, Math.floor(this.#saved));
  }
}
