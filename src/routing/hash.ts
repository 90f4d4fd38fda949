// Rendezvous hashing (Thaler and Ravishankar 1996): each branch draws a number from its own name and the session's, the
// highest wins. When a branch goes away only its own sessions move, and no table has to be agreed on in the fleet.

/** A 32-bit hash of a string (FNV-1a over UTF-16 units, then mixed). */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash);
}

/** Uniform in (0, 1), from two hashes. */
export function uniformOf(left: number, right: number): number {
  return (mix(left ^ Math.imul(right, 0x9e3779b1)) + 0.5) / 2 ** 32;
}

/** The finalizer of MurmurHash3: every bit of the input changes about half of the output's. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
