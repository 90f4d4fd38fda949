// How much retries may add to a provider's load. A token bucket that attempts fill and retries drain, so that retries never
// exceed a share of the traffic however badly the provider fails, and a failing provider is not finished off by its
// callers (as in the retry budgets of Finagle and gRPC).

export interface RetryBudgetPolicy {
  /** How many retries each request earns. */
  readonly share: number;
  /** What may be saved up in quiet times, in retries; also what there is at the start, so that rare requests may retry too. */
  readonly saved: number;
}

export const RETRY_BUDGET_POLICY: RetryBudgetPolicy = { share: 0.2, saved: 10 };

/** Invariant: retries allowed ≤ saved + share · (attempts − retries). */
export class RetryBudget {
  #policy: RetryBudgetPolicy;
  #saved: number;

  constructor(policy: RetryBudgetPolicy = RETRY_BUDGET_POLICY) {
    this.#policy = policy;
    this.#saved = policy.saved;
  }

  /** Another policy holds from now on. What was saved under the old one is kept as far as the new one allows. */
  adopt(policy: RetryBudgetPolicy): void {
    if (policy === this.#policy) return;
    // A budget that nobody has drawn from begins full.
    const isFull = this.#saved >= this.#policy.saved;
    this.#saved = isFull ? policy.saved : Math.min(this.#saved, policy.saved);
    this.#policy = policy;
  }

  /** An attempt is sent to this provider, a first one or a retry. */
  deposit(): void {
    this.#saved = Math.min(this.#policy.saved, this.#saved + this.#policy.share);
  }

  /** Asks to send a request to this provider once more. */
  withdraw(): boolean {
    if (this.#saved < 1) return false;
    // The retry will be deposited like every attempt; what it puts in is taken out beforehand.
    this.#saved -= 1 + this.#policy.share;
    return true;
  }

  /** A retry that was asked for is not sent after all. */
  refund(): void {
    this.#saved = Math.min(this.#policy.saved, this.#saved + 1 + this.#policy.share);
  }

  /** How many retries are left. */
  left(): number {
    return Math.max(0, Math.floor(this.#saved));
  }
}
