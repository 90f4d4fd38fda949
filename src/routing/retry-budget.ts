// How much retries may add to a provider's load. A token bucket that requests fill and retries drain: each request puts
// in `RATIO`, each retry takes out one, so that retries never exceed that share of the traffic however badly the
// provider fails, and a failing provider is not finished off by its callers (as in Finagle's and gRPC's retry budgets).

/** One retry is earned by this many requests' worth of traffic. */
const RATIO = 0.2;

/** What may be saved up in quiet times, in retries; also what there is at the start, so that rare requests may retry too. */
const SAVED_MAX = 10;

/** Invariant: retries allowed ≤ SAVED_MAX + RATIO · requests. */
export class RetryBudget {
  #saved = SAVED_MAX;

  /** A request's first attempt at this provider. */
  deposit(): void {
    this.#saved = Math.min(SAVED_MAX, this.#saved + RATIO);
  }

  /** Asks to send a request to this provider once more. */
  withdraw(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }

  /** How many retries are left. */
  left(): number {
    return Math.floor(this.#saved);
  }
}
