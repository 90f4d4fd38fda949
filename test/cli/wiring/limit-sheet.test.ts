// What replicas tell of their limits, and what comes of comparing it.
import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  differencesOf,
  type LimitSheet,
  packSheet,
  sheetOf,
  unpackSheet,
} from "../../../src/cli/wiring/limit-sheet.ts";
import type { LimitSpec } from "../../../src/config/config.ts";

const PLAIN: LimitSpec = {
  dimension: "requests",
  amount: 100,
  per: "min",
  burst: 100,
  refill: "continuous",
  timezone: "UTC",
};

type Limits = Readonly<Record<string, Partial<LimitSpec>>>;

function sheet(limits: Limits): LimitSheet {
  return sheetOf(new Map(Object.entries(limits).map(([name, spec]) => [name, { ...PLAIN, ...spec }])));
}

/** Both as a replica sees them: its own whole, the sibling's as it was told. */
function compare(here: Limits, there: Limits): unknown {
  const theirs = unpackSheet(packSheet(sheet(there)));
  return theirs === null ? "unreadable" : differencesOf(sheet(here), theirs);
}

/** As many limits as there is no room to tell. */
function many(prefix: string, count: number, spec: Partial<LimitSpec> = {}): Limits {
  const amount = (at: number): number => 1 + ((at * 7919) % 10_007);
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `${prefix}${at}/requests/min`,
      { amount: amount(at), burst: amount(at), ...spec },
    ]),
  );
}

describe("limits differ", () => {
  test.each<[what: string, here: Limits, there: Limits, found: readonly (readonly (string | null)[])[]]>([
    ["not at all", { "p/requests/min": {} }, { "p/requests/min": {} }, []],
    ["not by the order", { a: {}, b: {} }, { b: {}, a: {} }, []],
    ["by the amount", { p: { amount: 50, burst: 50 } }, { p: {} }, [["p", "50", "100"]]],
    ["by the burst", { p: {} }, { p: { burst: 200 } }, [["p", "100", "100, burst 200"]]],
    ["by the refill", { p: {} }, { p: { refill: "calendar" } }, [["p", "100", "100, calendar UTC"]]],
    ["by the time zone", { p: { timezone: "Asia/Tokyo" } }, { p: {} }, []],
    ["by one that is missing there", { p: {}, q: {} }, { p: {} }, [["q", "100", null]]],
    ["by one that is missing here", { p: {} }, { p: {}, q: {} }, [["q", null, "100"]]],
    ["by a name that objects have", { toString: {} }, {}, [["toString", "100", null]]],
  ])("%s", (_, here, there, found) => {
    expect(compare(here, there)).toEqual(
      found.map(([limit, ours, theirs]) => ({ limit, here: ours, there: theirs })),
    );
  });

  test("among more than can be told: by name where it is a provider's, else that there is one", () => {
    const keys = many("key/user-", 2000);
    expect(compare({ ...keys, p: {} }, { ...keys, p: { amount: 5 } })).toEqual([
      { limit: "p", here: "100", there: "5, burst 100" },
    ]);
    expect(
      compare({ ...keys, p: {} }, { ...keys, "key/user-999/requests/min": { amount: 3 }, p: {} }),
    ).toEqual([{ limit: null, here: null, there: null }]);
    expect(compare(keys, keys)).toEqual([]);
  });
});

test("what is told fits into an entry of the shared map, and names hundreds of limits", () => {
  const packed = packSheet(sheet(many("provider/model-", 2000)));
  expect(packed.length).toBeLessThanOrEqual(4096);
  expect(Object.keys(unpackSheet(packed)?.limits ?? {}).length).toBeGreaterThan(300);
});

test.each([
  ["nothing", new Uint8Array()],
  ["what is not packed", Buffer.from("{}")],
  ["what is no JSON", deflateRawSync("limits")],
  ["another version", deflateRawSync(`{"version":2,"sum":"","count":0,"limits":{}}`)],
  ["other types", deflateRawSync(`{"version":1,"sum":"","count":0,"limits":{"p":5}}`)],
  ["a megabyte", deflateRawSync(JSON.stringify("x".repeat(2 ** 20)))],
])("%s is not read", (_, bytes) => {
  expect(unpackSheet(bytes)).toBeNull();
});
