// An instance that does not know its fleet yet admits nothing, and says that this is why: no limit is used up.
import { expect, test } from "vitest";
import { refusalError } from "../../src/limiter/refusal.ts";
import type { Refusal } from "../../src/limiter/reservation.ts";
import { limitSpec, SoloLimiter, tokens } from "./solo-limiter.ts";

/** Asks an instance that is not in service, with so much time; what the refusal says to the client. */
function refused(withinMs: number): string {
  const solo = new SoloLimiter();
  solo.replica.state.isAdmitting = false;
  const meters = solo.target("p", [limitSpec("provider", "p", "tokens=1000/min")]);
  const ask = {
    estimate: tokens(10),
    priority: 1,
    clientKey: "k",
    deadlineMs: solo.now + withinMs,
  } as const;
  const answer = solo.limiter.reserve(meters, ask, solo.now);
  const refusals: Refusal[] = [];
  const keep = (decided: { readonly kind: string }): void => {
    if (isRefusal(decided)) refusals.push(decided);
  };
  if (answer.kind === "waiting") answer.decided(keep);
  else keep(answer);
  solo.clock.advance(60_000);
  const [refusal] = refusals;
  if (refusal === undefined) throw new Error("it was not refused");
  return refusalError(refusal).code;
}

function isRefusal(decided: { readonly kind: string }): decided is Refusal {
  return decided.kind === "refused";
}

test.each([0, 500])("a request that may wait %i ms is told that the fleet is not known yet", (withinMs) => {
  expect(refused(withinMs)).toBe("fleet_unavailable");
});
