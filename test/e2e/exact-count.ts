// The provider's count, exact whatever order requests arrive in. Each request comes with the instant at which it set out
// (set-out-script.ts), on the one monotonic clock of the machine. The bucket is gone through in the order of these
// instants, as if every request had arrived the moment it was sent: how long it travelled, and how long the provider or
// the network stood still, changes nothing. Written without a look at `src/bucket`, whose oracle it is.

export interface Quota {
  /** Requests at once. */
  readonly burst: number;
  readonly perSecond: number;
  /** Forgiven, as milliseconds of refill: the time between the admission of a request and the instant it sets out at. */
  readonly slackMs: number;
}

/** The sum of many refills must not refuse a unit that is there. */
const ROUNDING = 1e-6;

export class ExactCount {
  readonly #quota: Quota;
  readonly #full: number;
  /** When the requests that were let in set out, in milliseconds, in that order. */
  readonly #instants: number[] = [];
  /** What the bucket holds behind each of them. */
  readonly #levels: number[] = [];
  refused = 0;

  constructor(quota: Quota) {
    this.#quota = quota;
    this.#full = quota.burst + (quota.perSecond * quota.slackMs) / 1000;
  }

  get admitted(): number {
    return this.#instants.length;
  }

  /** The least the bucket ever held, its slack included: below it nothing more could have been let in. */
  get lowest(): number {
    return this.#levels.reduce((least, level) => Math.min(least, level), this.#full);
  }

  /** Lets a request in, unless the bucket would then have gone below zero at its instant or at any later one. */
  admit(atMs: number): boolean {
    let place = this.#instants.length;
    while (place > 0 && (this.#instants[place - 1] ?? 0) > atMs) place--;
    this.#instants.splice(place, 0, atMs);
    const before = this.#levels.splice(place);
    const after: number[] = [];
    for (let index = place; index < this.#instants.length; index++) {
      const level = this.#after(index, index === place ? this.#levels[index - 1] : after.at(-1));
      if (level < -ROUNDING) {
        this.#instants.splice(place, 1);
        this.#levels.push(...before);
        this.refused += 1;
        return false;
      }
      after.push(level);
    }
    this.#levels.push(...after);
    return true;
  }

  /** The level behind the request of this place, from the level behind the one before it. */
  #after(index: number, before: number | undefined): number {
    if (before === undefined) return this.#full - 1;
    const elapsedMs = (this.#instants[index] ?? 0) - (this.#instants[index - 1] ?? 0);
    return Math.min(this.#full, before + (elapsedMs * this.#quota.perSecond) / 1000) - 1;
  }
}
