// The core's own assertion. A wrong balance is worse than a restart, so a broken invariant ends the process that sees
// one (the shell lets it crash); an expected outcome is never reported this way. The core imports nothing, so it can't
// use the table of errors.

/** Throws when an invariant of the core does not hold; `what` names it in a sentence. */
export function invariant(isHolding: boolean, what: string): asserts isHolding {
  if (!isHolding) throw new Error(`Invariant broken: ${what}`);
}
