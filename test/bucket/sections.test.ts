// What a section of a delta holds, against the plain definition: the author's entries above a stamp, the oldest first, as
// many as there is room for. The ledger finds them without walking all of them each time.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger } from "../../src/bucket/ledger.ts";
import type { SectionEntry } from "../../src/bucket/sections.ts";
import { compareStamps, NO_EDGE, NO_ROW, type Stamp } from "../../src/bucket/row.ts";

const AUTHOR = "a".repeat(32);

type Step =
  | { readonly kind: "say"; readonly bucket: number }
  /** `from: null`: where the section before ended, as when a newcomer reads page after page. */
  | { readonly kind: "ask"; readonly from: number | null; readonly room: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("say" as const), bucket: fc.nat(9) }),
    fc.record({
      kind: fc.constant("ask" as const),
      from: fc.option(fc.nat(30)),
      room: fc.integer({ min: 1, max: 4 }),
    }),
  ),
  { maxLength: 60, size: "max" },
);

test("a section holds the oldest entries above the stamp that it begins at, whatever was asked before", () => {
  fc.assert(
    fc.property(steps, (drawn) => {
      const ledger = new Ledger();
      const author = ledger.member(AUTHOR);
      author.boot = 1;
      const latest = new Map<string, Stamp>();
      let readTo: Stamp = { boot: 1, version: 0 };
      for (const step of drawn) {
        if (step.kind === "say") {
          author.version += 1;
          const key = `bucket-${step.bucket}`;
          ledger.place(author, ledger.bucket(key), author, NO_ROW);
          latest.set(key, { boot: 1, version: author.version });
          continue;
        }
        const from = step.from === null ? readTo : { boot: 1, version: step.from };
        const expected = [...latest]
          .filter(([, stamp]) => compareStamps(stamp, from) > 0)
          .sort(([, left], [, right]) => compareStamps(left, right));
        const [section] = ledger.delta(new Map([[AUTHOR, from]]), step.room, () => false);
        const entries: readonly SectionEntry[] = section?.entries ?? [];
        expect(entries.map(({ bucket, stamp }) => [bucket, stamp])).toEqual(expected.slice(0, step.room));
        if (section === undefined) continue;
        expect(section.profile === null).toBe(expected.length > step.room);
        readTo = section.to;
      }
    }),
  );
});

test("rows that name many replicas share a message with fewer others, and all come in the end", () => {
  const ledger = new Ledger();
  const author = ledger.member(AUTHOR);
  author.boot = 1;
  const named = Array.from({ length: 100 }, (_, at) => `${at}`.padStart(32, "0"));
  const row = { ...NO_ROW, given: new Map(named.map((id) => [id, { ...NO_EDGE, parts: 1 }])) };
  for (let bucket = 0; bucket < 500; bucket++) {
    author.version += 1;
    ledger.place(author, ledger.bucket(`bucket-${bucket}`), author, row);
  }
  let from: Stamp = { boot: 0, version: 0 };
  let messages = 0;
  const seen = new Set<string>();
  for (;;) {
    const [section] = ledger.delta(new Map([[AUTHOR, from]]), 500, () => false);
    if (section === undefined) break;
    messages += 1;
    for (const { bucket } of section.entries) seen.add(bucket);
    expect(section.entries.length).toBeLessThan(100);
    from = section.to;
  }
  expect(seen.size).toBe(500);
  expect(messages).toBeLessThan(10);
});
