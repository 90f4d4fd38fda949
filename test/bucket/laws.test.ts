// The laws that the promise rests on, on the real ledger: merging is a join, deltas bring everything, also through third
// parties, and no set of rows whatever speaks of more or less than the whole.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/bucket/ledger.ts";
import type { Section } from "../../src/bucket/sections.ts";
import { NEW_PROFILE } from "../../src/bucket/member.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { compareStamps, NEVER, NO_EDGE, NO_ROW } from "../../src/bucket/row.ts";
import { sharesOf } from "../../src/bucket/shares.ts";
import { FOUNDER, IDS, idAt, KEYS, Owner, rowsOf, stateOf, steps, Story, storyOf } from "./history.ts";

const NOTHING = new Map<string, never>();

/** A ledger that has heard of these sections. */
function ledgerOf(sections: readonly Section[]): Ledger {
  const ledger = new Ledger();
  ledger.lineage = { stamp: 1, founder: FOUNDER };
  for (const section of sections) ledger.merge(section, 0, () => {});
  return ledger;
}

function shuffled<Item>(items: readonly Item[], order: readonly number[]): Item[] {
  return items
    .map((item, index) => ({ item, rank: order[index % Math.max(1, order.length)] ?? 0 }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ item }) => item);
}

const order = fc.array(fc.nat(), { minLength: 1, maxLength: 30, size: "max" });

describe("merging", () => {
  test("of whole states is a join: neither order nor repetition nor grouping matters", () => {
    fc.assert(
      fc.property(steps, steps, order, (first, second, ranks) => {
        const story = storyOf(first);
        const early = story.owners.flatMap((owner) => owner.told(NOTHING));
        for (const step of second) story.play(step);
        const late = story.owners.flatMap((owner) => owner.told(NOTHING));
        const all = [...early, ...late];
        const joined = stateOf({ ledger: ledgerOf(all) });
        expect(stateOf({ ledger: ledgerOf(shuffled(all, ranks)) })).toBe(joined);
        expect(stateOf({ ledger: ledgerOf([...all, ...shuffled(all, ranks)]) })).toBe(joined);
        const grouped = new Owner(FOUNDER);
        grouped.ledger.members.clear();
        for (const section of early) grouped.ledger.merge(section, 0, () => {});
        const onwards = ledgerOf(late);
        for (const section of grouped.told(NOTHING)) onwards.merge(section, 0, () => {});
        expect(stateOf({ ledger: onwards })).toBe(joined);
      }),
    );
  });

  test("of deltas in any order takes the same rows", () => {
    fc.assert(
      fc.property(steps, order, (list, ranks) => {
        const { told } = storyOf(list);
        expect(rowsOf(ledgerOf(shuffled(told, ranks)))).toBe(rowsOf(ledgerOf(told)));
      }),
    );
  });

  test("never goes back: what is known of an author only grows", () => {
    fc.assert(
      fc.property(steps, order, (list, ranks) => {
        const ledger = ledgerOf([]);
        for (const section of shuffled(storyOf(list).told, ranks)) {
          const author = ledger.member(section.author);
          const { boot, version } = author;
          ledger.merge(section, 0, () => {});
          const isBack = compareStamps(author, { boot, version }) < 0;
          expect(isBack).toBe(false);
        }
      }),
    );
  });
});

describe("what counts as known of an author", () => {
  test("has no holes, whatever was lost and in whatever order the rest came", () => {
    fc.assert(
      fc.property(steps, order, fc.array(fc.boolean(), { minLength: 1 }), (list, ranks, losses) => {
        const story = storyOf(list);
        const heard = shuffled(story.told, ranks).filter((_, index) => losses[index % losses.length]);
        const ledger = ledgerOf(heard);
        for (const { id, ledger: own } of story.owners) {
          const known = ledger.member(id);
          for (const { entries } of own.buckets.values()) {
            const said = entries.get(id);
            if (said === undefined || compareStamps(said, known) > 0) continue;
            const here = ledger.bucket(said.bucket.key).entries.get(id);
            expect(here !== undefined && compareStamps(here, said) === 0).toBe(true);
          }
        }
      }),
      { numRuns: 1500 },
    );
  });
});

describe("deltas", () => {
  test("and deltas, however small, come to the full state", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(1, 2, 3, 1000), (list, entriesMax) => {
        const story = storyOf(list);
        const full = ledgerOf(story.owners.flatMap((owner) => owner.told(NOTHING)));
        story.tellAll(entriesMax);
        for (const owner of story.owners) expect(stateOf(owner)).toBe(stateOf({ ledger: full }));
      }),
    );
  });

  test("through third parties bring what a direct one would", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const story = storyOf(list);
        const chain = story.owners;
        for (let hop = 0; hop + 1 < chain.length; hop++) story.tell(story.owner(hop), story.owner(hop + 1));
        const last = story.owner(chain.length - 1);
        const sayings = rowsOf(ledgerOf(last.told(NOTHING).filter(({ author }) => author === idAt(0))));
        expect(sayings).toBe(
          rowsOf(
            ledgerOf(
              story
                .owner(0)
                .told(NOTHING)
                .filter(({ author }) => author === idAt(0)),
            ),
          ),
        );
      }),
    );
  });

  test("for one who knows everything are empty", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const story = storyOf(list);
        story.tellAll();
        for (const from of story.owners) {
          for (const to of story.owners) expect(from.told(to.ledger.vector())).toEqual([]);
        }
      }),
    );
  });
});

/** The sum of what all replicas hold that these rows name. */
function sumOf(ledger: Ledger, key: string): number {
  const rows = ledger.bucket(key);
  const holders = new Set([...IDS, ...rows.balances.keys()]);
  return [...holders].reduce((sum, id) => sum + ledger.share(rows, id), 0);
}

describe("shares", () => {
  test("sum to the whole for any subset of all rows ever said", () => {
    fc.assert(
      fc.property(steps, fc.array(fc.boolean(), { minLength: 1 }), (list, picks) => {
        const { told } = storyOf(list);
        const picked = told.map(({ author, from, to, entries, profile }, place): Section => {
          const kept = entries.filter((_, index) => picks[(place + index) % picks.length]);
          return { author, from, to, entries: kept, profile };
        });
        const ledger = ledgerOf(picked);
        for (const key of KEYS) expect(sumOf(ledger, key)).toBe(WHOLE);
      }),
    );
  });

  test("kept row by row are those of the plain definition", () => {
    fc.assert(
      fc.property(steps, (list) => {
        for (const { ledger } of storyOf(list).owners) {
          for (const key of KEYS) {
            const bucket = ledger.bucket(key);
            const rows = new Map([...bucket.entries].map(([id, { row }]) => [id, row]));
            const plain = sharesOf(rows, FOUNDER, ledger.succession);
            for (const id of IDS) expect(ledger.share(bucket, id)).toBe(plain.get(id) ?? 0);
          }
        }
      }),
    );
  });

  test("that replicas believe to hold themselves are never more than the whole together", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const story = new Story();
        for (const step of list) {
          story.play(step);
          for (const key of KEYS) {
            const believed = story.owners.reduce((sum, owner) => sum + Math.max(0, owner.share(key)), 0);
            expect(believed).toBeLessThanOrEqual(WHOLE);
          }
        }
      }),
    );
  });
});

/** What any replica may say, also against all reason, and in any order: gives of any size, heirs, claims, farewells. */
const anySaying = fc.record({
  author: fc.nat(IDS.length - 1),
  bucket: fc.constantFrom(...KEYS),
  given: fc.array(fc.tuple(fc.constantFrom(...IDS), fc.constantFrom(0, 1, WHOLE / 4, WHOLE, 2 ** 40)), {
    maxLength: 3,
  }),
  heirs: fc.subarray(IDS, { maxLength: 1 }),
  claims: fc.subarray(IDS, { maxLength: 2 }),
  known: fc.nat(20),
  takenOverBy: fc.option(fc.constantFrom(...IDS), { freq: 9 }),
});

test("whatever is said of gives, heirs, claims and farewells, the shares of all are the whole", () => {
  // What is refused, as a gap would be, proves nothing.
  const hasBeen = new Set<string>();
  let isSucceeded = false;
  fc.assert(
    fc.property(fc.array(anySaying, { maxLength: 40, size: "max" }), (sayings) => {
      const ledger = ledgerOf([]);
      let version = 0;
      for (const { author: at, bucket, given, heirs, claims, known, takenOverBy } of sayings) {
        const author = idAt(at);
        const edges = given
          .filter(([to]) => to !== author)
          .map(([to, parts]) => [to, { ...NO_EDGE, parts }] as const);
        const stamp = { boot: 1, version: ++version };
        const profile = {
          ...NEW_PROFILE,
          heirs: heirs.filter((id) => id !== author),
          claims: new Map(
            claims
              .filter((id) => id !== author)
              .map((id) => [id, { edition: version, known: { boot: 1, version: known } }]),
          ),
        };
        const entries = [{ stamp, bucket, row: { ...NO_ROW, given: new Map(edges) } }];
        const section = { author, from: NEVER, to: stamp, entries, profile: { stamp, profile } };
        hasBeen.add(ledger.merge(section, 0, () => {}));
        isSucceeded ||= ledger.succession.size > 0;
        if (takenOverBy !== null && takenOverBy !== author)
          ledger.dropRows({ gone: author, by: takenOverBy, edition: version });
        for (const key of KEYS) {
          const { entries: said } = ledger.bucket(key);
          const plain = sharesOf(
            new Map([...said].map(([id, { row }]) => [id, row])),
            FOUNDER,
            ledger.succession,
          );
          let sum = 0;
          for (const id of IDS) {
            expect(ledger.share(ledger.bucket(key), id)).toBe(plain.get(id) ?? 0);
            sum += plain.get(id) ?? 0;
          }
          expect(sum).toBe(WHOLE);
        }
      }
    }),
    { numRuns: 300 },
  );
  expect([hasBeen.has("merged"), hasBeen.has("gap"), isSucceeded]).toEqual([true, false, true]);
});

test("after a full exchange all agree, on the whole and on what was spent", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const story = storyOf(list);
      story.tellAll();
      for (const { ledger } of story.owners) {
        for (const key of KEYS) {
          expect(sumOf(ledger, key)).toBe(WHOLE);
          for (const owner of story.owners) {
            expect(ledger.share(ledger.bucket(key), owner.id)).toBe(owner.share(key));
          }
        }
        let spent = 0;
        for (const { entries } of ledger.buckets.values()) {
          for (const { row } of entries.values()) spent += row.spent;
        }
        expect(spent).toBe(story.spent);
      }
    }),
  );
});
