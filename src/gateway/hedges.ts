// How many hedges were sent to each provider, and how many of them answered first.
import type { Sample } from "../observe/events.ts";
import { counter } from "../observe/sample.ts";

export class Hedges {
  readonly #counts = new Map<string, { sent: number; won: number }>();

  /** A request was sent to this provider beside a slow one. */
  sent(provider: string): void {
    this.#of(provider).sent += 1;
  }

  /** Its answer came first. */
  won(provider: string): void {
    this.#of(provider).won += 1;
  }

  /** For metrics. */
  *samples(): Iterable<Sample> {
    for (const [provider, { sent, won }] of this.#counts) {
      const labels = { provider };
      yield counter("sluice_hedges_total", "Requests sent beside one that was slow to answer.", sent, labels);
      yield counter("sluice_hedges_won_total", "Hedges that were the first to answer.", won, labels);
    }
  }

  #of(provider: string): { sent: number; won: number } {
    const known = this.#counts.get(provider);
    if (known !== undefined) return known;
    const none = { sent: 0, won: 0 };
    this.#counts.set(provider, none);
    return none;
  }
}
