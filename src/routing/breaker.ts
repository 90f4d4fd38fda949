// A circuit breaker: it stops sending to what keeps failing, and finds out with a few probes when it works again.
//
//     closed ──(failures in a row, or the error rate)──▶ open ──(time)──▶ half-open ──(probes succeed)──▶ closed
//                                                          ▲                  │
//                                                          └──(a probe fails, wait doubled)
//
// What a sibling's circuit tells is a doubt: this one stays closed, but the first failure opens it, the first success
// ends the doubt, and `isTried` tells whether somebody is finding out already, so that others may go elsewhere meanwhile.
//
// Time is an argument and nothing is scheduled: an open circuit becomes half-open by being looked at late enough.
// Every start hands out the number of the circuit's current period, and a result counts only in the period it
// was started in; so the slow failures of an outage that is over can't open the circuit again.

export interface CircuitPolicy {
  /** This many failures one after the other open the circuit. */
  readonly failuresInRow: number;
  /** So does this share of failures among the results of the last `windowMs`, once there are `resultsMin` of them. */
  readonly errorRate: number;
  readonly windowMs: number;
  readonly resultsMin: number;
  /** How long the circuit stays open the first time; doubled by each failed probe up to `openMsMax`. */
  readonly openMs: number;
  readonly openMsMax: number;
  /** How many probes may run at once, and how many have to succeed to close the circuit. */
  readonly probes: number;
  /** A probe that has not reported after this time no longer stands in the way of the next one. */
  readonly probeTimeoutMs: number;
}

export const CIRCUIT_POLICY: CircuitPolicy = {
  failuresInRow: 5,
  errorRate: 0.5,
  windowMs: 10_000,
  resultsMin: 20,
  openMs: 5000,
  openMsMax: 120_000,
  probes: 1,
  probeTimeoutMs: 60_000,
};

/** `suspect`: closed, though a sibling's is open. */
export type CircuitState = "closed" | "suspect" | "open" | "half_open";

/** A start that was refused; every other ticket is the number of a period. */
export const REFUSED = -1;

/** Invariant: `openUntilMs` is 0 exactly while the circuit is closed; probes run and succeed only once it has passed. */
export class Circuit {
  #policy: CircuitPolicy;
  readonly #onOpen: (openMs: number) => void;
  #period = 0;
  #openUntilMs = 0;
  #openMs = 0;
  #failuresInRow = 0;
  /** Results of the running window and of the one before it, which fades out as the running one fills. */
  #windowStartMs = 0;
  #results = 0;
  #failures = 0;
  #resultsBefore = 0;
  #failuresBefore = 0;
  #probesRunning = 0;
  #probesSucceeded = 0;
  #lastProbeMs = 0;
  /** In doubt until then, while it is closed; 0: it is not. */
  #suspectUntilMs = 0;

  /** `onOpen` hears of each opening, and for how long. */
  constructor(policy: CircuitPolicy, onOpen: (openMs: number) => void = () => {}) {
    this.#policy = policy;
    this.#onOpen = onOpen;
  }

  /** Other thresholds hold from now on; an open circuit stays open for as long as it was. */
  adopt(policy: CircuitPolicy): void {
    this.#policy = policy;
  }

  state(now: number): CircuitState {
    if (this.#openUntilMs === 0) return this.#isSuspect(now) ? "suspect" : "closed";
    return now < this.#openUntilMs ? "open" : "half_open";
  }

  /** Milliseconds until a request may be started: 0 now. While all probes are running nobody knows; then it is when to look again. */
  blockedMs(now: number): number {
    if (this.#openUntilMs === 0) return 0;
    if (now < this.#openUntilMs) return this.#openUntilMs - now;
    if (this.#probesRunning < this.#policy.probes) return 0;
    const untilTimeoutMs = this.#lastProbeMs + this.#policy.probeTimeoutMs - now;
    return Math.min(Math.max(0, untilTimeoutMs), this.#policy.openMs);
  }

  /** Starts a request: a ticket to report its result with, or `REFUSED`. */
  start(now: number): number {
    if (this.#openUntilMs === 0) {
      if (this.#suspectUntilMs !== 0 && this.#isSuspect(now)) this.#countProbe(now);
      return this.#period;
    }
    if (this.blockedMs(now) > 0) return REFUSED;
    this.#countProbe(now);
    return this.#period;
  }

  #countProbe(now: number): void {
    // A probe that timed out makes room for this one; should it still report, its success is welcome.
    if (this.#probesRunning < this.#policy.probes) this.#probesRunning += 1;
    this.#lastProbeMs = now;
  }

  /** What was started went well. */
  succeeded(ticket: number, now: number): void {
    if (ticket !== this.#period) return;
    if (this.#openUntilMs !== 0) {
      this.#probeEnded();
      this.#probesSucceeded += 1;
      if (this.#probesSucceeded >= this.#policy.probes) this.#close(now);
      return;
    }
    if (this.#suspectUntilMs !== 0) this.#trust();
    this.#failuresInRow = 0;
    this.#rollWindow(now);
    this.#results += 1;
  }

  /** What was started failed in a way that speaks against what this circuit guards, as much as `weight` failures in a row do. */
  failed(ticket: number, now: number, weight = 1): void {
    if (ticket !== this.#period) return;
    if (this.#openUntilMs !== 0) return this.#open(now, this.#openMs * 2);
    this.#failuresInRow += weight;
    this.#rollWindow(now);
    this.#results += 1;
    this.#failures += 1;
    const isEnough = this.#failuresInRow >= this.#policy.failuresInRow || this.#isSuspect(now);
    if (isEnough || this.#isRateExceeded(now)) this.#open(now, this.#policy.openMs);
  }

  /** One failure told for how long there will be others: open for `openMs`, and no shorter than it is open now. */
  trip(now: number, openMs: number): void {
    const untilMs = Math.max(this.#openUntilMs, now + openMs);
    this.#open(now, this.#policy.openMs, untilMs);
  }

  /** What was started ended without telling anything, because the client left or the request was at fault. */
  abandoned(ticket: number): void {
    if (ticket === this.#period) this.#probeEnded();
  }

  /** Somebody else saw it fail: for so long, while it is closed, the next failure opens it. What runs already tells nothing of that. */
  suspect(now: number, forMs: number): void {
    if (this.#openUntilMs !== 0 || !(forMs > 0)) return;
    if (!this.#isSuspect(now)) {
      this.#trust();
      this.#period += 1;
    }
    this.#suspectUntilMs = Math.max(this.#suspectUntilMs, now + Math.min(forMs, this.#policy.openMsMax));
  }

  /** Whether it is in doubt and a request is finding out already. */
  isTried(now: number): boolean {
    return (
      this.#suspectUntilMs !== 0 &&
      this.#probesRunning >= this.#policy.probes &&
      this.#isSuspect(now) &&
      now - this.#lastProbeMs < this.#policy.probeTimeoutMs
    );
  }

  #isSuspect(now: number): boolean {
    return now < this.#suspectUntilMs;
  }

  #trust(): void {
    this.#suspectUntilMs = 0;
    this.#probesRunning = 0;
  }

  /** Closes the circuit by hand. */
  reset(now: number): void {
    this.#close(now);
  }

  #close(now: number): void {
    this.#period += 1;
    this.#openUntilMs = 0;
    this.#openMs = 0;
    this.#failuresInRow = 0;
    this.#windowStartMs = now;
    this.#results = this.#failures = this.#resultsBefore = this.#failuresBefore = 0;
    this.#probesRunning = this.#probesSucceeded = 0;
    this.#suspectUntilMs = 0;
  }

  #open(now: number, openMs: number, untilMs?: number): void {
    this.#close(now);
    this.#openMs = Math.min(Math.max(openMs, 1), this.#policy.openMsMax);
    this.#openUntilMs = untilMs ?? now + this.#openMs;
    this.#onOpen(this.#openUntilMs - now);
  }

  #probeEnded(): void {
    if (this.#probesRunning > 0) this.#probesRunning -= 1;
  }

  #rollWindow(now: number): void {
    const { windowMs } = this.#policy;
    const age = now - this.#windowStartMs;
    if (age < windowMs) return;
    const isNext = age < 2 * windowMs;
    this.#resultsBefore = isNext ? this.#results : 0;
    this.#failuresBefore = isNext ? this.#failures : 0;
    this.#results = this.#failures = 0;
    this.#windowStartMs = isNext ? this.#windowStartMs + windowMs : now;
  }

  /** The window before counts by the part of it that the last `windowMs` still covers. */
  #isRateExceeded(now: number): boolean {
    const { windowMs, resultsMin, errorRate } = this.#policy;
    const before = 1 - (now - this.#windowStartMs) / windowMs;
    const results = this.#results + before * this.#resultsBefore;
    const failures = this.#failures + before * this.#failuresBefore;
    return results >= resultsMin && failures >= errorRate * results;
  }
}
