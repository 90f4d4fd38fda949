// Rows that come too late. One gives less than the one before: its author's disk went back in time, and what it has
// forgotten must not come back to it. Another is of a replica whose rows were taken over: they are said by another now.
import { expect, test } from "vitest";
import { Ledger } from "../../src/bucket/ledger.ts";
import type { Section } from "../../src/bucket/sections.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { NO_EDGE, NO_ROW, type Stamp } from "../../src/bucket/row.ts";

const GIVER = "a".repeat(32);
const RECEIVER = "b".repeat(32);
const KEY = "p/requests/min";

/** All that the giver says at one version of one boot. */
function saying(parts: number, stamp: Stamp, from: Stamp): Section {
  const given = new Map(parts === 0 ? [] : [[RECEIVER, { ...NO_EDGE, parts, boot: 1 }]]);
  return {
    author: GIVER,
    from,
    to: stamp,
    entries: [{ stamp, bucket: KEY, row: { ...NO_ROW, given } }],
    profile: { stamp, profile: NEW_PROFILE },
  };
}

/** The parts that the founder, who gives, still has; and what a later word of it was taken for. */
function after(parts: number, later: number) {
  const ledger = new Ledger();
  ledger.lineage = { stamp: 0, founder: GIVER };
  const first: Stamp = { boot: 1, version: 1 };
  const again: Stamp = { boot: 2, version: 1 };
  ledger.merge(saying(parts, first, { boot: 0, version: 0 }), 0, () => {});
  const result = ledger.merge(saying(later, again, first), 0, () => {});
  return { result, left: ledger.share(ledger.bucket(KEY), GIVER) };
}

test.each([0, WHOLE / 8])(
  "a giver that has forgotten is passed over, and has no more than before (%d)",
  (later) => {
    expect(after(WHOLE / 4, later)).toEqual({ result: "set back", left: WHOLE - WHOLE / 4 });
  },
);

test.each([WHOLE / 4, WHOLE / 2])("one that has not is heard (%d)", (later) => {
  expect(after(WHOLE / 4, later)).toEqual({ result: "merged", left: WHOLE - later });
});

test("one whose rows were taken over is not heard again, and its share stays where it is", () => {
  const ledger = new Ledger();
  ledger.lineage = { stamp: 0, founder: GIVER };
  const stamp: Stamp = { boot: 1, version: 1 };
  ledger.merge(saying(WHOLE / 4, stamp, { boot: 0, version: 0 }), 0, () => {});
  ledger.dropRows({ gone: GIVER, by: RECEIVER, edition: 1 });
  const later = saying(WHOLE / 2, { boot: 1, version: 2 }, stamp);
  expect(ledger.merge(later, 0, () => {})).toBe("dominated");
  expect(ledger.bucket(KEY).entries.size).toBe(0);
  expect(ledger.share(ledger.bucket(KEY), RECEIVER)).toBe(WHOLE);
});

test("a row that names a receiver no more takes back what it gave to that one", () => {
  const ledger = new Ledger();
  ledger.lineage = { stamp: 0, founder: GIVER };
  const bucket = ledger.bucket(KEY);
  const given = new Map([[RECEIVER, { ...NO_EDGE, parts: WHOLE / 4 }]]);
  ledger.place(ledger.member(GIVER), bucket, { boot: 1, version: 1 }, { ...NO_ROW, given });
  ledger.place(ledger.member(GIVER), bucket, { boot: 1, version: 2 }, NO_ROW);
  expect([GIVER, RECEIVER].map((id) => ledger.share(bucket, id))).toEqual([WHOLE, 0]);
});
