// A page of use: its bytes, and that what is promised a place has one.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Counts,
  decodePage,
  Draft,
  encodePage,
  NO_COUNTS,
  type Row,
  rowId,
  sum,
} from "../../src/usage/counts.ts";

const count = fc.oneof(fc.nat(), fc.maxSafeNat());
const name = fc.string({ maxLength: 64, unit: "grapheme" });

const counts = fc.record({
  requests: count,
  errors: count,
  inputTokens: count,
  outputTokens: count,
  cachedInputTokens: count,
  cacheWriteTokens: count,
  microUsd: count,
});
const row: fc.Arbitrary<Row> = fc.record({ key: name, provider: name, model: name, counts });

function mapCounts(value: () => number): Counts {
  return {
    requests: value(),
    errors: value(),
    inputTokens: value(),
    outputTokens: value(),
    cachedInputTokens: value(),
    cacheWriteTokens: value(),
    microUsd: value(),
  };
}

describe("a page of use", () => {
  test("comes back from its bytes as it was", () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
        const page = new Map(rows.map((each) => [rowId(each), each]));
        expect(decodePage(encodePage(page))).toEqual(page);
      }),
    );
  });

  test("never outgrows an entry, however large its counts become, and always has a place for all others", () => {
    const most = { ...NO_COUNTS, requests: Number.MAX_SAFE_INTEGER, microUsd: Number.MAX_SAFE_INTEGER };
    fc.assert(
      fc.property(fc.array(row, { minLength: 30, maxLength: 60 }), (rows) => {
        const draft = new Draft(new Map());
        for (const each of rows) if (draft.hasRoom(each)) draft.add(each, most);
        draft.addOther(most);
        const full = new Map(
          [...draft.page].map(([id, each]) => [
            id,
            { ...each, counts: mapCounts(() => Number.MAX_SAFE_INTEGER) },
          ]),
        );
        expect(full.size).toBeGreaterThan(4);
        expect(encodePage(full).length).toBeLessThanOrEqual(4096);
      }),
    );
  });

  test("is full after a while, and takes more of what it has then", () => {
    const draft = new Draft(new Map());
    const subject = (row: number) => ({ key: `key-${row}`, provider: "main", model: "m" });
    let rows = 0;
    for (; draft.hasRoom(subject(rows)); rows++) draft.add(subject(rows), NO_COUNTS);
    expect(rows).toBeGreaterThan(20);
    const again = new Draft(draft.page);
    expect(again.hasRoom(subject(rows))).toBe(false);
    again.add(subject(0), { ...NO_COUNTS, requests: 1 });
    expect(again.page.size).toBe(rows);
    expect(again.page.get(rowId(subject(0)))?.counts.requests).toBe(1);
  });

  test.each([
    [""],
    ["[]"],
    ["null"],
    ['{"v":2,"rows":[["a","b","c",1,2,3,4,5,6,7]]}'],
    ['{"v":1,"rows":7}'],
    ['{"v":1,"rows":[["a","b","c",1,2,3,4,5,6]]}'],
    ['{"v":1,"rows":[["a","b","c",1,2,3,4,5,6,-7]]}'],
    ['{"v":1,"rows":[["a","b","c",1,2,3,4,5,6,"7"]]}'],
    ['{"v":1,"rows":[["a",5,"c",1,2,3,4,5,6,7],[],null]}'],
  ])("that is none, or of another version, is empty: %s", (text) => {
    expect(decodePage(Buffer.from(text)).size).toBe(0);
  });
});

test("the sum of counts is in any order the same", () => {
  fc.assert(
    fc.property(counts, counts, (left, right) => {
      expect(sum(left, right)).toEqual(sum(right, left));
      expect(sum(left, NO_COUNTS)).toEqual(left);
    }),
  );
});
