// Shares are counted in parts of the whole, and what moved between replicas in running totals: parts, and milli-units.
// The totals only grow, for as long as a fleet lives, and a busy bucket's milli-units would pass the 53 bits of a
// double within days. So they are kept modulo 2^52 and only their differences are ever used: as serial numbers in
// TCP (RFC 1982), which is exact while two totals that are compared lie less than 2^51 apart. Whole shares are 2^30.

/** The parts that one bucket is divided into. */
export const WHOLE = 2 ** 30;

/** Running totals wrap here. */
export const MODULUS = 2 ** 52;
const HALF = 2 ** 51;

/** Milli-units in a unit: what moves between replicas is counted in these, as integers. */
export const MILLI = 1000;

/** The running total after `amount` more; units that are owed make it less. */
export function advance(total: number, amount: number): number {
  const sum = total + amount;
  if (sum < 0) return sum + MODULUS;
  return sum >= MODULUS ? sum - MODULUS : sum;
}

/** How far `later` lies beyond `earlier`; negative when it lies before. */
export function difference(later: number, earlier: number): number {
  return wrap(later - earlier);
}

/** The representative of a sum of differences in [-2^51, 2^51). Zero is never negative zero. */
export function wrap(sum: number): number {
  if (sum >= -HALF && sum < HALF) return sum + 0;
  const rest = ((sum % MODULUS) + MODULUS) % MODULUS;
  return rest >= HALF ? rest - MODULUS : rest;
}
