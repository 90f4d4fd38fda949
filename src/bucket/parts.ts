// Shares are counted in parts of the whole, and what moved between replicas in running totals: parts, and milli-units.
// The totals only grow, for as long as a fleet lives, and a busy bucket's milli-units would pass the 53 bits of a
// double within days. So they are kept modulo 2^52 and only their differences are ever used: as serial numbers in
// TCP (RFC 1982), which is exact while two totals that are compared lie less than 2^51 apart. Whole shares are 2^30.
//
// A share of a full bucket seldom is so many milli-units, so the total of units has a second digit, `fine`: what was
// rounded away at each give would be missing from a quota that is only moved about.

/** The parts that one bucket is divided into. */
export const WHOLE = 2 ** 30;

/** Running totals wrap here. */
export const MODULUS = 2 ** 52;
const HALF = 2 ** 51;

/** Milli-units in a unit: what moves between replicas is counted in these, as integers. */
export const MILLI = 1000;

/** The steps that a milli-unit is divided into: four bytes of a message, and as much as a level of 10^5 units can tell apart. */
const FINE = 2 ** 28;

/** A running total of units: whole milli-units, and the steps beyond them, below `FINE`. */
export interface Units {
  readonly units: number;
  readonly fine: number;
}

/** So many milli-units in whole steps, rounded down. */
export function inSteps(milliUnits: number): number {
  return Math.floor(milliUnits * FINE) / FINE;
}

/** The running total after so many milli-units more, in whole steps; those that are owed make it less. */
export function advanceUnits(total: Units, milliUnits: number): Units {
  const whole = Math.floor(milliUnits);
  const fine = total.fine + (milliUnits - whole) * FINE;
  if (fine < FINE) return { units: advance(total.units, whole), fine };
  return { units: advance(total.units, whole + 1), fine: fine - FINE };
}

/** Milli-units from one running total to a later one. */
export function differenceOfUnits(later: Units, earlier: Units): number {
  return difference(later.units, earlier.units) + (later.fine - earlier.fine) / FINE;
}

/** Whether a number read from outside can be the steps of a running total. */
export function isFine(value: number): boolean {
  return value > 0 && value < FINE;
}

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
