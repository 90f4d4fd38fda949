// Calendar quotas of one replica: full at the boundary, once, whatever the wall clock and the process do.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { NO_EDGE, NO_ROW } from "../../src/bucket/row.ts";
import { OpenBucket } from "../../src/fleet/holding.ts";
import { Solo } from "./solo.ts";
import { burn } from "../../src/fleet/renewal.ts";

const DAILY: Limit = {
  key: "k/tokens/day",
  dimension: "tokens",
  capacity: 100,
  refill: { kind: "calendar", period: "day", timezone: "UTC" },
};
const DAY_MS = 86_400_000;

function take(solo: Solo, cost: number): boolean {
  const bucket = solo.replica.open(DAILY);
  solo.flush();
  if (solo.replica.take([bucket], [cost], solo.nowMs) === null) return true;
  solo.flush();
  return solo.replica.take([bucket], [cost], solo.nowMs) === null;
}

test("a day's quota is full again at midnight and not before", () => {
  const solo = new Solo();
  solo.wallMs = Math.floor(solo.wallMs / DAY_MS) * DAY_MS + DAY_MS / 2;
  solo.advance(1);
  expect(take(solo, 100)).toBe(true);
  expect(take(solo, 1)).toBe(false);
  const bucket = solo.replica.open(DAILY);
  expect(solo.replica.waitMs(bucket, 1, solo.nowMs)).toBe(DAY_MS / 2 - 1);
  solo.advance(DAY_MS / 2 - 2);
  expect(take(solo, 1)).toBe(false);
  solo.advance(1);
  expect(take(solo, 100)).toBe(true);
});

test("a wall clock that is set back over midnight refills nothing twice, also after a crash", () => {
  const solo = new Solo();
  solo.advance(DAY_MS);
  expect(take(solo, 100)).toBe(true);
  solo.wallMs -= DAY_MS;
  solo.advance(10);
  expect(take(solo, 1)).toBe(false);
  solo.advance(DAY_MS);
  expect(take(solo, 1)).toBe(false);
  solo.kill(0);
  expect(take(solo, 1)).toBe(false);
  solo.advance(DAY_MS);
  expect(take(solo, 100)).toBe(true);
});

test("what is taken just after midnight is not there again after a crash", () => {
  const solo = new Solo();
  const bucket = solo.replica.open(DAILY);
  solo.flush();
  solo.advance(DAY_MS);
  let taken = 0;
  while (solo.replica.take([bucket], [1], solo.nowMs) === null) taken++;
  solo.kill(0);
  for (let tries = 0; tries < 300; tries++) if (take(solo, 1)) taken++;
  expect(taken).toBeLessThanOrEqual(100);
});

test("a restored disk is not refilled for a period of which it can't know what was spent", () => {
  const solo = new Solo();
  expect(take(solo, 30)).toBe(true);
  solo.kill(DAY_MS);
  // As the shell does it when the store says that a backup was restored into it.
  burn(solo.replica.state);
  solo.advance(1);
  expect(take(solo, 1)).toBe(false);
  solo.advance(DAY_MS);
  expect(take(solo, 100)).toBe(true);
});

/** What a replica has tomorrow and the day after of a part that was given to one that has left to it. */
function inherited(daysAhead: number): { readonly tomorrow: number; readonly dayAfter: number } {
  const [giver, leaver] = ["b".repeat(32), "c".repeat(32)];
  const solo = new Solo();
  const { state } = solo.replica;
  const bucket = solo.replica.open(DAILY);
  if (!(bucket instanceof OpenBucket)) throw new Error("no bucket");
  const edge = { ...NO_EDGE, parts: WHOLE / 4, period: bucket.period + 1 + daysAhead };
  state.ledger.lineage = { stamp: 1, founder: giver };
  state.reshare(bucket.holding);
  state.ledger.setProfile(
    state.ledger.member(leaver),
    { boot: 1, version: 1 },
    { ...NEW_PROFILE, heirs: [state.me.id] },
  );
  state.ledger.place(
    state.ledger.member(giver),
    bucket.holding.rows,
    { boot: 1, version: 1 },
    { ...NO_ROW, given: new Map([[leaver, edge]]) },
  );
  state.reshare(bucket.holding);
  const levelNextDay = (): number => {
    solo.advance(DAY_MS);
    return solo.replica.room(bucket, solo.nowMs).level;
  };
  return { tomorrow: levelNextDay(), dayAfter: levelNextDay() };
}

test("parts of one that is gone, refilled by whoever gave them for tomorrow already, are not refilled then once more", () => {
  expect(inherited(0)).toEqual({ tomorrow: 25, dayAfter: 25 });
  expect(inherited(1)).toEqual({ tomorrow: 0, dayAfter: 25 });
});
