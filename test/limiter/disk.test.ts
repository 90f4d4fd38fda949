// Units that are here and only have to be reserved on disk first: a healthy disk is never blamed for a refusal.
import { expect, test } from "vitest";
import type { Refusal, Reservation } from "../../src/limiter/reservation.ts";
import type { Meters, MeterSpec } from "../../src/limiter/meters.ts";
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

/** Refuses the next write. */
function refuseWrite({ replica, now }: SoloLimiter): void {
  replica.state.isIdentityDirty = true;
  replica.journal.collect(now, INSTANT);
  replica.journal.failed();
}

function askFor({ limiter, now }: SoloLimiter, meters: Meters): string {
  const ask = { estimate: tokens(900), priority: 1, clientKey: "k", deadlineMs: now + 500 } as const;
  const outcome = limiter.reserve(meters, ask, now);
  return outcome.kind === "refused" ? outcome.reason : outcome.kind;
}

test("nobody waits for a disk that is known to fail, nor behind those who do", () => {
  const solo = new SoloLimiter();
  const meters = solo.target("p", [limitSpec("provider", "p", "tokens=9000/min")]);
  expect(askFor(solo, meters)).toBe("waiting");
  refuseWrite(solo);
  expect([askFor(solo, meters), askFor(solo, meters)]).toEqual(["not_durable", "not_durable"]);
  for (let commits = 0; commits < 3; commits++) solo.flush();
  expect(askFor(solo, meters)).toBe("reserved");
  refuseWrite(solo);
  expect([askFor(solo, meters), askFor(solo, meters)]).toContain("reserved");
});

test("requests wait for running ones all the same: those need no disk", () => {
  const solo = new SoloLimiter();
  const meters = solo.target("p", [limitSpec("provider", "p", "concurrent=1")]);
  refuseWrite(solo);
  expect([askFor(solo, meters), askFor(solo, meters)]).toEqual(["reserved", "waiting"]);
});

test("a disk that is only slow is not", () => {
  expect(expire(() => {})).toBe("no_room");
});

test("a disk that has taken the reservation lets the request in", () => {
  expect(expire((solo) => solo.flush())).toBe("reserved");
});

/** As many requests at once as there are, on a limiter that has just been opened. Returns how many are in by now. */
function burst(solo: SoloLimiter, meters: Meters, size: number): () => number {
  let admitted = 0;
  const ask = { estimate: tokens(100), priority: 1, clientKey: "k", deadlineMs: solo.now + 500 } as const;
  for (let count = 0; count < size; count++) {
    const outcome = solo.limiter.reserve(meters, ask, solo.now);
    if (outcome.kind === "waiting")
      outcome.decided(({ kind }) => void (admitted += kind === "reserved" ? 1 : 0));
    else if (outcome.kind === "reserved") admitted++;
  }
  return () => admitted;
}

/** Limits that hold just so many requests. */
function limitsFor(size: number): readonly MeterSpec[] {
  return [
    limitSpec("provider", "p", `requests=${size}/min`),
    limitSpec("provider", "p", `tokens=${size * 100}/min`),
    limitSpec("key", "k", `usd=${size * 150}/day`),
  ];
}

test("a burst out of nothing is in after three commits, whatever its size and however many its limits", () => {
  for (const size of [10, 60, 100, 500]) {
    for (const limits of [1, 2, 3]) {
      const solo = new SoloLimiter();
      const meters = solo.target("p", limitsFor(size).slice(0, limits));
      const admitted = burst(solo, meters, size);
      const { journal } = solo.replica;
      for (let commit = 0; commit < 3; commit++)
        if (journal.collect(solo.now, INSTANT) !== null) journal.written();
      expect(admitted(), `${size} requests on ${limits} limits`).toBe(size);
    }
  }
});

test("whenever a burst is killed, that burns at most six times what it had got, and a quarter once all are in", () => {
  for (const size of [10, 40, 60, 500]) {
    const solo = new SoloLimiter();
    const meters = solo.target("p", limitsFor(500).slice(0, 1));
    const local = solo.replica.state.holding("p/requests").local!;
    const floor = 5;
    const admitted = burst(solo, meters, size);
    const { journal } = solo.replica;
    for (let commit = 0; commit < 4; commit++) {
      if (journal.collect(solo.now, INSTANT) === null) break;
      // The disk may have the new record by now, or still the old one.
      const burnt = Math.max(local.allowance, local.allowanceNext);
      expect(burnt, `in commit ${commit} of ${size}`).toBeLessThanOrEqual(floor + 6 * admitted());
      journal.written();
    }
    expect(admitted()).toBe(size);
    expect(local.allowance, `after ${size}`).toBeLessThanOrEqual(floor + size / 4);
  }
});
