// The replicated map: its join is a join, deltas bring everything, and bytes that lie are refused.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Malformed } from "../../src/bucket/codec.ts";
import {
  decodeMapMessage,
  decodeMapRecord,
  encodeMapMessage,
  encodeMapRecord,
  isMapKey,
  storedKey,
} from "../../src/bucket/lww-codec.ts";
import { AHEAD_MS_MAX, type Entry, LwwMap, type Value, wins } from "../../src/bucket/lww-map.ts";
import { wordOf } from "../../src/bucket/lww-word.ts";

const AUTHORS = ["a", "b", "c"].map((letter) => letter.repeat(32));
const WALL_MS = 1_764_547_200_000;

function entry(key: string, time: number, author: string, value: Value): Entry {
  return { key, time, author, value, bornMs: 0 };
}

const entries = fc
  .record({
    isTotal: fc.boolean(),
    name: fc.constantFrom("x", "y", "z"),
    author: fc.constantFrom(...AUTHORS),
    time: fc.integer({ min: 1, max: 40 }),
    amount: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ isTotal, name, author, time, amount }) =>
    isTotal
      ? entry(`sum/${name}`, time, author, amount)
      : // One author writes one thing at one time.
        entry(name, time, author, time % 3 === 0 ? null : new Uint8Array([time])),
  );

/** What stands, as text. */
function standing(map: LwwMap): string[] {
  return [...map.entries()]
    .map(({ key, time, author, value }) => `${key} ${time} ${author[0]} ${String(value)}`)
    .sort();
}

/** One replica: it writes under names of its own runs, and joins what it is sent through the codec. */
class Party {
  readonly map = new LwwMap();
  write(key: string, value: Value, author: string, wallMs: number): void {
    this.map.place(entry(key, this.map.nextTime(wallMs), author, value));
  }

  hear(other: Party, bytesMax = 1e6): boolean {
    const delta = other.map.delta(this.map.heard(), bytesMax);
    const bytes = encodeMapMessage({ word: wordOf(other.map.heard(), 0), stretches: delta.stretches }, 0);
    this.map.merge(decodeMapMessage(bytes, 0).stretches, 0, WALL_MS);
    if (!this.map.check()) throw new Error("the map breaks its invariants");
    return delta.isCut;
  }
}

describe("the order of entries", () => {
  test("is total, so the greater of them is a join", () => {
    fc.assert(
      fc.property(entries, entries, entries, (first, second, third) => {
        if (first.key === second.key && second.key === third.key) {
          if (wins(first, second) && wins(second, third)) expect(wins(first, third)).toBe(true);
        }
        if (first.key !== second.key) return;
        const isSame =
          first.time === second.time && first.author === second.author && first.value === second.value;
        const isAlike = first.time === second.time && first.author === second.author;
        if (isSame || (isAlike && first.value instanceof Uint8Array)) {
          expect(wins(first, second)).toBe(false);
        } else if (!isAlike || first.value !== second.value) {
          expect(wins(first, second)).toBe(!wins(second, first));
        }
      }),
    );
  });

  test("makes maps independent of the order and the repetition of what arrives", () => {
    fc.assert(
      fc.property(fc.array(entries, { maxLength: 30 }), fc.integer(), (all, seed) => {
        // An author writes each time once.
        const written = [...new Map(all.map((each) => [`${each.author} ${each.time}`, each])).values()];
        const shuffled = [...written, ...written.slice(0, 5)]
          .map((each, at) => ({ each, rank: Math.sin(seed + at) }))
          .sort((left, right) => left.rank - right.rank)
          .map(({ each }) => each);
        const [straight, mixed] = [new LwwMap(), new LwwMap()];
        for (const each of written) straight.place(each);
        for (const each of shuffled) mixed.place(each);
        expect(standing(mixed)).toEqual(standing(straight));
      }),
    );
  });

  test("a greater total stands, however late a lesser one was written", () => {
    const map = new LwwMap();
    map.place(entry("sum/x", 1, AUTHORS[0]!, 10));
    map.place(entry("sum/x", 99, AUTHORS[1]!, 3));
    expect(map.get("sum/x")?.value).toBe(10);
  });
});

describe("deltas", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant("write" as const),
        who: fc.nat(2),
        key: fc.constantFrom("x", "y", "z", "sum/x", "sum/y"),
        value: fc.nat(9),
        wallMs: fc.nat(20),
      }),
      fc.record({
        kind: fc.constant("hear" as const),
        who: fc.nat(2),
        from: fc.nat(2),
        bytesMax: fc.constantFrom(1, 60, 1e6),
      }),
      // A disk that went back in time: what the party knew is gone, and it goes on as another run.
      fc.record({ kind: fc.constant("forget" as const), who: fc.nat(2) }),
    ),
    { maxLength: 60 },
  );

  test("bring parties to the same state, whatever was cut, lost or forgotten before", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const parties = [new Party(), new Party(), new Party()];
        const runs = [0, 0, 0];
        for (const step of all) {
          const party = parties[step.who]!;
          const author = `${step.who}${runs[step.who]}`.padEnd(32, "0");
          if (step.kind === "hear") party.hear(parties[step.from]!, step.bytesMax);
          else if (step.kind === "forget") {
            parties[step.who] = new Party();
            runs[step.who]! += 1;
          } else if (step.key.startsWith("sum/")) {
            const own = `${step.key}/${step.who}`;
            const held = party.map.get(own)?.value;
            party.write(own, (typeof held === "number" ? held : 0) + step.value, author, step.wallMs);
          } else {
            party.write(
              step.key,
              step.value === 0 ? null : new Uint8Array([step.value]),
              author,
              step.wallMs,
            );
          }
        }
        for (let round = 0; round < 3; round++) {
          for (const one of parties) for (const other of parties) while (one.hear(other, 120));
        }
        expect(standing(parties[1]!.map)).toEqual(standing(parties[0]!.map));
        expect(standing(parties[2]!.map)).toEqual(standing(parties[0]!.map));
      }),
      { numRuns: 500 },
    );
  });

  test("hold nothing for a peer that has heard everything", () => {
    const [one, other] = [new Party(), new Party()];
    one.write("x", new Uint8Array([1]), AUTHORS[0]!, 5);
    other.hear(one);
    expect(one.map.delta(other.map.heard(), 1e6)).toEqual({ stretches: [], isCut: false });
  });

  test("that leave a gap are not taken", () => {
    const map = new LwwMap();
    const stretch = { author: AUTHORS[0]!, base: 5, to: 9, entries: [entry("x", 9, AUTHORS[0]!, null)] };
    expect(map.merge([stretch], 0, WALL_MS).changed).toEqual([]);
    expect(map.heard().size).toBe(0);
  });
});

describe("stretches of one message", () => {
  const [first, second] = [AUTHORS[0]!, AUTHORS[1]!];
  const stretch = (author: string, base: number, ...all: Entry[]) => ({
    author,
    base,
    to: all.at(-1)?.time ?? base,
    entries: all,
  });

  test("are taken together, also when one takes away all that stood of another's author", () => {
    const map = new LwwMap();
    map.place(entry("x", 1, first, null));
    map.merge(
      [stretch(second, 0, entry("x", 2, second, null)), stretch(first, 1, entry("y", 3, first, null))],
      0,
      WALL_MS,
    );
    expect([...map.entries()].map(({ key, author }) => [key, author])).toEqual([
      ["x", second],
      ["y", first],
    ]);
  });

  test("are not taken at all when one leaves a gap: what it has overwritten is missing in the others", () => {
    const map = new LwwMap();
    const gap = [
      stretch(second, 0, entry("x", 2, second, null)),
      stretch(first, 1, entry("y", 3, first, null)),
    ];
    expect(map.merge(gap, 0, WALL_MS).changed).toEqual([]);
    expect(map.heard().size).toBe(0);
  });
});

describe("a writer whose clock is ahead", () => {
  const time = (aheadMs: number): number => (WALL_MS + aheadMs) * 1024;
  const stretch = (at: number) => ({
    author: AUTHORS[0]!,
    base: 0,
    to: at,
    entries: [entry("x", at, AUTHORS[0]!, null)],
  });

  test("is refused beyond a day, and taken when its time has come", () => {
    const map = new LwwMap();
    const far = stretch(time(AHEAD_MS_MAX + 1));
    expect(map.merge([far], 0, WALL_MS)).toEqual({ changed: [], refused: 1 });
    expect(map.nextTime(WALL_MS)).toBe(time(0));
    expect(map.merge([far], 0, WALL_MS + 2).changed).toHaveLength(1);
  });

  test("by itself, and is put right, has its entries taken again, in their order, and later ones too", () => {
    const [one, other] = [new LwwMap(), new LwwMap()];
    for (const key of ["x", "y"])
      one.place(entry(key, one.nextTime(WALL_MS + 2 * AHEAD_MS_MAX), AUTHORS[0]!, Buffer.from(key)));
    const tell = (): void => {
      other.merge(one.delta(other.heard(), 1e6).stretches, 0, WALL_MS);
    };
    tell();
    expect(other.size).toBe(0);
    expect(one.bringBack(AUTHORS[1]!, WALL_MS).map(({ key }) => key)).toEqual(["x", "y"]);
    one.place(entry("z", one.nextTime(WALL_MS), AUTHORS[1]!, null));
    tell();
    expect([...other.entries()].map(({ key, time: at }) => [key, at])).toEqual([
      ["x", time(0)],
      ["y", time(0) + 1],
      ["z", time(0) + 2],
    ]);
    expect([one.check(), other.check()]).toEqual([true, true]);
    expect(one.bringBack(AUTHORS[1]!, WALL_MS)).toEqual([]);
  });

  test("within a day is followed, so that later writes win over its", () => {
    const map = new LwwMap();
    map.merge([stretch(time(AHEAD_MS_MAX))], 0, WALL_MS);
    expect(map.nextTime(WALL_MS)).toBe(time(AHEAD_MS_MAX) + 1);
  });
});

describe("authors", () => {
  test("of nothing that stands any more are forgotten", () => {
    const map = new LwwMap();
    for (let run = 0; run < 1000; run++)
      map.place(entry("x", map.nextTime(0), String(run).padStart(32, "0"), null));
    expect(map.heard().size).toBe(1);
  });

  test("and what is past its time are dropped, and not taken again", () => {
    const map = new LwwMap(({ bornMs }, nowMs) => nowMs - bornMs > 100);
    map.place(entry("x", 1, AUTHORS[0]!, null));
    expect(map.expire(100)).toEqual([]);
    expect(map.expire(101)).toHaveLength(1);
    const again = { author: AUTHORS[0]!, base: 0, to: 1, entries: [entry("x", 1, AUTHORS[0]!, null)] };
    expect(map.merge([again], 101, WALL_MS).changed).toEqual([]);
    expect(map.size + map.heard().size).toBe(0);
  });
});

describe("bytes", () => {
  test("of an entry say the same after a round trip, its age included", () => {
    fc.assert(
      fc.property(entries, fc.nat(1e6), fc.nat(1e6), (one, ageMs, laterMs) => {
        const stored = encodeMapRecord({ ...one, bornMs: 50 - ageMs }, { nowMs: 50, wallMs: WALL_MS });
        const read = decodeMapRecord(stored, { nowMs: 7, wallMs: WALL_MS + laterMs });
        expect(read).toEqual({ ...one, bornMs: 7 - ageMs - laterMs });
      }),
    );
  });

  test("that are cut short, changed or of lies are refused and never read wrong", () => {
    const party = new Party();
    party.write("x", new Uint8Array([1, 2, 3]), AUTHORS[0]!, 5);
    party.write("sum/x", 7, AUTHORS[1]!, 5);
    const { stretches } = party.map.delta(new Map(), 1e6);
    const bytes = encodeMapMessage({ word: wordOf(party.map.heard(), 0), stretches }, 0);
    for (let end = 0; end < bytes.length; end++) {
      expect(() => decodeMapMessage(bytes.slice(0, end), 0)).toThrow(Malformed);
      const flipped = bytes.slice();
      flipped[end]! ^= 4;
      expect(() => decodeMapMessage(flipped, 0)).toThrow(Malformed);
    }
    const lies: Entry[] = [
      entry("", 1, AUTHORS[0]!, null),
      entry("k".repeat(201), 1, AUTHORS[0]!, null),
      entry("x", 1, AUTHORS[0]!, 5),
      entry("sum/x", 1, AUTHORS[0]!, null),
      entry("x", 1, AUTHORS[0]!, new Uint8Array(4097)),
      entry("x", 3, AUTHORS[0]!, null),
    ];
    for (const lie of lies) {
      const message = encodeMapMessage(
        { word: wordOf(new Map(), 0), stretches: [{ author: AUTHORS[0]!, base: 0, to: 2, entries: [lie] }] },
        0,
      );
      expect(() => decodeMapMessage(message, 0)).toThrow(Malformed);
    }
  });

  test("of a key in the store are printable, distinct and bounded", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 220 }),
        fc.string({ unit: "binary" }),
        (key, other) => {
          if (!isMapKey(key)) return;
          expect(storedKey(key)).toMatch(/^[\x20-\x7e]{1,480}$/);
          expect(decodeURIComponent(storedKey(key))).toBe(key);
          if (isMapKey(other)) expect(storedKey(key) === storedKey(other)).toBe(key === other);
        },
      ),
    );
  });
});
