// How long the entries of the shared map (shared-map.ts) stay. The rules go by an entry's age, so all replicas drop it at
// about the same time and nobody has to say so.
import { type Entry, TOTALS_PREFIX } from "../bucket/lww-map.ts";

const DAY_MS = 86_400_000;

/** After their last write, in milliseconds; entries of other keys stay until they are deleted. */
const AGES: readonly (readonly [prefix: string, ageMs: number])[] = [
  ["paused/", 3_600_000],
  ["circuit/", 3_600_000],
  [TOTALS_PREFIX, 100 * DAY_MS],
];
/** A sibling that was away for longer than this could bring back what was deleted meanwhile. */
const DELETED_MS = 30 * DAY_MS;

export class Retention {
  readonly #ages = new Map(AGES);

  /** Entries whose keys begin with this stay for so long after their last write. */
  set(prefix: string, ageMs: number): void {
    this.#ages.set(prefix, ageMs);
  }

  isExpired({ key, value, bornMs }: Entry, nowMs: number): boolean {
    const ageMs = nowMs - bornMs;
    if (value === null && ageMs > DELETED_MS) return true;
    for (const [prefix, ageMaxMs] of this.#ages) if (key.startsWith(prefix)) return ageMs > ageMaxMs;
    return false;
  }
}
