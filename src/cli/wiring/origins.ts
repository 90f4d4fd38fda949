// The connections to all providers, found again by name and address after a reload; those that no configuration uses
// any more are closed.
import { Origin } from "../../upstream/origin.ts";

export class Origins {
  readonly #open = new Map<string, Origin>();
  #isUsed = new Set<string>();

  /** The connections to one endpoint of a provider. */
  of(provider: string, url: string): Origin {
    const key = `${provider} ${url}`;
    this.#isUsed.add(key);
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const origin = new Origin({ provider, url });
    this.#open.set(key, origin);
    return origin;
  }

  /** Closes what has not been asked for since the last call. Requests under way end undisturbed. */
  closeUnused(): void {
    for (const [key, origin] of this.#open) {
      if (this.#isUsed.has(key)) continue;
      origin.close();
      this.#open.delete(key);
    }
    this.#isUsed = new Set();
  }

  closeAll(): void {
    for (const origin of this.#open.values()) origin.close();
    this.#open.clear();
  }
}
