// Units that are here and only have to be reserved on disk first: a healthy disk is never blamed for a refusal.
import { expect, test } from "vitest";
import type { Refusal, Reservation } from "../../src/limiter/reservation.ts";
import { limitSpec, SoloLimiter, tokens } from "./solo-limiter.ts";

/** Asks for more than the block and lets the deadline pass with the disk as `write` leaves it. */
function expire(write: (solo: SoloLimiter) => void): Refusal["reason"] | "reserved" | "none" {
  const solo = new SoloLimiter();
  const meters = solo.target("p", [limitSpec("provider", "p", "tokens=1000/min")]);
  const ask = { estimate: tokens(900), priority: 1, clientKey: "k", deadlineMs: solo.now + 500 } as const;
  const waiting = solo.limiter.reserve(meters, ask, solo.now);
  if (waiting.kind !== "waiting") throw new Error(`expected to wait, was ${waiting.kind}`);
  let outcome: Reservation | Refusal | null = null;
  waiting.decided((decided) => {
    outcome = decided;
  });
  write(solo);
  solo.clock.advance(60_000);
  const decided: Reservation | Refusal | null = outcome;
  return decided === null ? "none" : reasonOf(decided);
}

function reasonOf(decided: Reservation | Refusal): Refusal["reason"] | "reserved" {
  return decided.kind === "reserved" ? "reserved" : decided.reason;
}

const INSTANT = { bootId: "m", monotonicMs: 0, wallMs: 0 };

test("a disk that has refused to write is named as the reason", () => {
  expect(
    expire(({ replica, now }) => {
      replica.journal.collect(now, INSTANT);
      replica.journal.failed();
    }),
  ).toBe("not_durable");
});

test("a disk that is only slow is not", () => {
  expect(expire(() => {})).toBe("no_room");
});

test("a disk that has taken the reservation lets the request in", () => {
  expect(expire((solo) => solo.flush())).toBe("reserved");
});

test("a burst out of nothing is in after three commits, whatever its size", () => {
  for (const size of [10, 60, 500]) {
    const solo = new SoloLimiter();
    const meters = solo.target("p", [limitSpec("provider", "p", `requests=${size}/min`)]);
    let admitted = 0;
    const ask = { estimate: tokens(1), priority: 1, clientKey: "k", deadlineMs: solo.now + 500 } as const;
    for (let count = 0; count < size; count++) {
      const outcome = solo.limiter.reserve(meters, ask, solo.now);
      if (outcome.kind === "waiting")
        outcome.decided(({ kind }) => void (admitted += kind === "reserved" ? 1 : 0));
      else if (outcome.kind === "reserved") admitted++;
    }
    const { journal } = solo.replica;
    for (let commit = 0; commit < 3; commit++)
      if (journal.collect(solo.now, INSTANT) !== null) journal.written();
    expect(admitted).toBe(size);
  }
});
