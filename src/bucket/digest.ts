// Digests of sets: two that are equal have the same, in whatever order, and others hardly ever.

/** 52 bits, so that a sum of two is exact. */
const MODULUS = 2 ** 52;

/**
 * The digest of a set and one more text, by its mark; that of none is 0. A number below 2^52 that two sets have in common
 * only when they are the same.
 */
export function withMark(digest: number, mark: number): number {
  return (digest + mark) % MODULUS;
}

/** What a text adds to a digest, two rounds of FNV-1a (Fowler, Noll, Vo) with different primes, side by side: 52 bits. */
export function markOf(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
    high ^= high >>> 15;
  }
  return (high >>> 12) * 2 ** 32 + (low >>> 0);
}
