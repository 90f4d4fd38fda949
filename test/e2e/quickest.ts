// How quick the code is, on a machine that may be busy with something else: a single try may be late for no fault of the
// code, but never early. So a bound on time is held against the best of several tries.

/** How often to try. What the code can do within its bound half a busy machine's tries show. */
const TRIES_MAX = 20;

/** The least of the milliseconds that the tries take; the first one within the limit is the last. */
export async function quickest(
  limitMs: number,
  attempt: (number: number) => Promise<number>,
): Promise<number> {
  let leastMs = Infinity;
  for (let number = 0; number < TRIES_MAX && leastMs > limitMs; number++) {
    leastMs = Math.min(leastMs, await attempt(number));
  }
  return leastMs;
}
