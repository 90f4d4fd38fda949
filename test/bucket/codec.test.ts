// What a disk or a peer hands us: whatever was written is read back, and bytes that were cut, damaged or made up end in
// `Malformed` and nothing else.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32, Malformed, Reader, UnknownVersion, Writer } from "../../src/bucket/codec.ts";
import {
  decodeMapMessage,
  decodeMapRecord,
  encodeMapMessage,
  encodeMapRecord,
  type MapMessage,
} from "../../src/bucket/lww-codec.ts";
import type { Entry, Stretch } from "../../src/bucket/lww-map.ts";
import { decodeMessage, encodeMessage, type Message } from "../../src/bucket/message.ts";
import {
  decodeHolding,
  decodeIdentity,
  decodeMember,
  decodeRow,
  encodeHolding,
  encodeIdentity,
  encodeMember,
  encodeRow,
} from "../../src/bucket/record.ts";
import { type Edge, type Gauge, NEVER, NO_GAUGE, type Row } from "../../src/bucket/row.ts";
import { FOUNDER, IDS, KEYS, steps, storyOf } from "./history.ts";
import { messageOf } from "./empty-message.ts";

const integers = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const totals = fc.nat({ max: 2 ** 52 - 1 });
const ids = fc.constantFrom(...IDS);
const texts = fc.string({ unit: "binary", maxLength: 40 });
const reals = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const amounts = fc.double({ min: 0, max: 1e300, noNaN: true }).map((value) => value + 0);
const hints = fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
/** Editions are counted, and an unknown one is Infinity. */
const editions = totals;
const stamps = fc.record({ boot: totals, version: integers });

const edges: fc.Arbitrary<Edge> = fc.record(
  {
    parts: totals,
    partsBefore: totals,
    units: totals,
    fine: fc.integer({ min: 1, max: 2 ** 28 - 1 }),
    boot: integers,
    period: integers,
  },
  { requiredKeys: ["parts", "partsBefore", "units", "boot", "period"] },
);
const gauges: fc.Arbitrary<Gauge> = fc.record({
  level: hints.map((value) => Math.fround(value - 10)),
  demand: hints,
  cost: hints,
  waiting: hints,
  waitingMs: hints,
});
const rows: fc.Arbitrary<Row> = fc.record({
  spent: amounts,
  returned: amounts,
  given: fc.array(fc.tuple(ids, edges), { maxLength: 4 }).map((list) => new Map(list)),
  gauge: gauges,
});
const wallTimes = fc.double({ min: 0, max: 8.64e15, noNaN: true }).map((value) => value + 0);
const lineages = fc.option(fc.record({ stamp: wallTimes, founder: ids }));

const identities = fc.record({
  id: ids,
  boot: integers,
  soundSince: integers,
  forgotten: integers,
  lineage: lineages,
  timelineMs: reals,
  instant: fc.record({ bootId: texts, monotonicMs: reals, wallMs: reals }),
});
const holdings = fc.record({
  key: texts,
  level: fc.record({ level: reals, atMs: reals, block: reals }),
  period: fc.integer({ min: -1, max: 1e9 }),
  aheadParts: integers,
  aheadUnits: reals,
  aheadPeriod: fc.integer({ min: -1, max: 1e9 }),
  row: rows,
});
const rowRecords = fc.record({ key: texts, author: ids, stamp: stamps, row: rows });

/** Messages as they come up: what the ledgers of a story would send. */
const messages: fc.Arbitrary<Message> = fc
  .tuple(steps, lineages, fc.boolean(), stamps, rows, editions)
  .map(([list, lineage, wantsAnswer, { boot, version: serial }, row, edition]) => {
    const story = storyOf(list);
    const owner = story.owner(1);
    const given = new Map([...row.given].filter(([receiver]) => receiver !== owner.id));
    owner.say(KEYS[0] ?? "", { ...row, given });
    return {
      sender: FOUNDER,
      boot,
      serial,
      lineage,
      wantsAnswer,
      isLeaving: edition % 5 === 0,
      isAware: edition % 7 === 0,
      vector: owner.ledger.vector(),
      era: edition,
      forgotten: edition,
      receiver: edition % 2 === 0 ? null : { id: FOUNDER, boot },
      farewells: edition % 3 === 0 ? null : [{ gone: FOUNDER, by: owner.id, edition }],
      carriedOut: edition,
      sections: owner.ledger.delta(new Map(), 1000, () => false),
    };
  });
const counts = fc.array(fc.tuple(ids, editions), { maxLength: 4 }).map((list) => new Map(list));
const claims = fc
  .array(fc.tuple(ids, fc.record({ edition: editions, known: stamps })), { maxLength: 4 })
  .map((list) => new Map(list));
const profiles = fc.record({
  name: texts,
  heirs: fc.array(ids, { maxLength: 3 }),
  claims,
  edition: editions,
  farewells: counts,
  seen: counts,
  era: editions,
});
const members = fc
  .record({
    id: ids,
    known: stamps,
    profileStamp: stamps,
    profile: profiles,
    by: fc.option(ids),
    edition: fc.oneof(editions, fc.constant(Infinity)),
  })
  .map(({ id, known, profileStamp, profile, by, edition }) => {
    const farewell = by === null ? null : { gone: id, by, edition };
    return { id, known, profileStamp, profile, farewell };
  });

const mapValues = fc.oneof(
  fc.tuple(
    fc.constantFrom("a", "limits/x", "\u043a\u043b\u044e\u0447"),
    fc.option(fc.uint8Array({ maxLength: 20 })),
  ),
  fc.tuple(fc.constant("sum/x"), integers),
);
const mapEntries = fc
  .tuple(mapValues, ids, totals, fc.nat({ max: 1e6 }))
  .map(([[key, value], author, time, ageMs]): Entry => ({ key, time, author, value, bornMs: 0 - ageMs }));
const stretches: fc.Arbitrary<Stretch> = fc
  .tuple(ids, fc.nat(9), fc.array(fc.tuple(mapEntries, fc.integer({ min: 1, max: 300 })), { maxLength: 4 }))
  .map(([author, base, list]) => {
    let to = base;
    const entries = list.map(([entry, step]) => ({ ...entry, author, time: (to += step) }));
    return { author, base, to, entries };
  });
const mapMessages: fc.Arbitrary<MapMessage> = fc.record({
  word: fc
    .tuple(fc.nat(), integers, fc.array(fc.tuple(ids, fc.nat()), { maxLength: 4 }))
    .map(([since, digest, list]) => ({
      since,
      digest,
      recent: new Map(list.map(([author, later]) => [author, since + later])),
    })),
  stretches: fc.array(stretches, { maxLength: 3 }),
});
const MOMENT = { nowMs: 0, wallMs: 1_764_547_200_000 };

interface Format {
  readonly name: string;
  /** Frames of this format, and whether each was read back as it was written. */
  readonly frames: fc.Arbitrary<{ readonly bytes: Uint8Array; readonly written: unknown }>;
  readonly decode: (bytes: Uint8Array) => unknown;
}

function format<Value>(
  name: string,
  values: fc.Arbitrary<Value>,
  encode: (value: Value) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): Format {
  return { name, frames: values.map((written) => ({ bytes: encode(written), written })), decode };
}

const FORMATS: readonly Format[] = [
  format("a message", messages, encodeMessage, decodeMessage),
  format("an identity", identities, encodeIdentity, decodeIdentity),
  format("a holding", holdings, encodeHolding, decodeHolding),
  format("a row", rowRecords, encodeRow, decodeRow),
  format("a member", members, encodeMember, decodeMember),
  format(
    "a message of the shared map",
    mapMessages,
    (message) => encodeMapMessage(message, 0),
    (bytes) => decodeMapMessage(bytes, 0),
  ),
  format(
    "an entry of the shared map",
    mapEntries,
    (entry) => encodeMapRecord(entry, MOMENT),
    (bytes) => decodeMapRecord(bytes, MOMENT),
  ),
];

/** Fails unless the bytes are read, or refused as malformed. */
function readOrRefuse(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return false;
  }
}

/** A frame whose checksum fits whatever stands in it. */
function sealed(frame: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(frame);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes, bytes.length - 4), true);
  return bytes;
}

describe.each(FORMATS)("$name", ({ frames, decode }) => {
  test("is read back as it was written", () => {
    fc.assert(
      fc.property(frames, ({ bytes, written }) => {
        expect(decode(bytes)).toEqual(written);
      }),
    );
  });

  test("is malformed wherever it is cut", () => {
    fc.assert(
      fc.property(frames, ({ bytes }) => {
        for (let end = 0; end < bytes.length; end++) {
          expect(readOrRefuse(decode, bytes.subarray(0, end))).toBe(false);
        }
      }),
      { numRuns: 15 },
    );
  });

  test("is malformed with any byte changed", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ bytes }, place, change) => {
        const damaged = Uint8Array.from(bytes);
        const index = place % bytes.length;
        damaged[index] = (damaged[index] ?? 0) ^ change;
        expect(readOrRefuse(decode, damaged)).toBe(false);
      }),
    );
  });

  test("that lies under a fitting checksum is read or malformed, and nothing else", () => {
    const lies = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(frames, lies, fc.nat({ max: 9 }), ({ bytes }, changes, cut) => {
        const lying = Uint8Array.from(bytes.subarray(0, Math.max(6, bytes.length - cut)));
        for (const [place, value] of changes) lying[2 + (place % (lying.length - 2))] = value;
        readOrRefuse(decode, sealed(lying));
      }),
      { numRuns: 500 },
    );
  });

  test("of a later version is refused as such", () => {
    fc.assert(
      fc.property(frames, ({ bytes }) => {
        const later = Uint8Array.from(bytes);
        later[1] = 200;
        expect(() => decode(sealed(later))).toThrow(UnknownVersion);
      }),
      { numRuns: 5 },
    );
  });
});

test("random bytes are malformed in every format", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const { decode } of FORMATS) expect(readOrRefuse(decode, bytes)).toBe(false);
    }),
  );
});

test("integers up to 53 bits are read back, and nothing else can be written", () => {
  fc.assert(
    fc.property(integers, (value) => {
      const writer = new Writer(1, 1);
      writer.integer(value);
      const reader = new Reader(writer.finish(), 1, 1);
      expect(reader.integer()).toBe(value);
      reader.end();
    }),
  );
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN, Infinity]) {
    expect(() => new Writer(1, 1).integer(value)).toThrow(Malformed);
  }
});

test("bytes that are left over after the last value are malformed", () => {
  const writer = new Writer(1, 1);
  writer.integer(1);
  writer.integer(2);
  const reader = new Reader(writer.finish(), 1, 1);
  reader.integer();
  expect(() => reader.end()).toThrow(Malformed);
});

test("amounts below zero and running totals out of range are malformed", () => {
  const row: Row = {
    spent: 1,
    returned: 0,
    given: new Map(),
    gauge: { level: 0, demand: 0, cost: 0, waiting: 0, waitingMs: 0 },
  };
  const record = { key: "k", author: FOUNDER, stamp: { boot: 1, version: 1 } };
  const edge: Edge = { parts: 2 ** 52, partsBefore: 0, units: 0, boot: 1, period: 0 };
  expect(() => decodeRow(encodeRow({ ...record, row: { ...row, spent: -1 } }))).toThrow(Malformed);
  for (const changes of [{}, { parts: 0, fine: 2 ** 28 }]) {
    const given = new Map([[FOUNDER, { ...edge, ...changes }]]);
    expect(() => decodeRow(encodeRow({ ...record, row: { ...row, given } }))).toThrow(Malformed);
  }
});

test("amounts that add up to more than a number can be are read again by those they are told to", () => {
  const row = { spent: Infinity, returned: 1e301, given: new Map(), gauge: NO_GAUGE };
  const record = { key: "k", author: FOUNDER, stamp: { boot: 1, version: 1 }, row };
  expect(decodeRow(encodeRow(record)).row).toEqual({ ...row, spent: 1e300, returned: 1e300 });
});

test("an amount that no fleet counts up to is malformed", () => {
  const writer = new Writer(0x52, 1);
  writer.text("k");
  writer.id(FOUNDER);
  for (const stamp of [1, 1]) writer.integer(stamp);
  for (const total of [1e301, 0]) writer.number(total);
  writer.integer(0);
  for (let hint = 0; hint < 5; hint++) writer.single(0);
  expect(() => decodeRow(writer.finish())).toThrow("an amount is out of range");
});

test("a boot after which none could be written is malformed, so that nobody goes on from there", () => {
  const stamp = { boot: 2 ** 52, version: 1 };
  const message = messageOf(FOUNDER);
  const sections = [{ author: FOUNDER, from: NEVER, to: stamp, entries: [], profile: null }];
  for (const lie of [
    { boot: stamp.boot },
    { receiver: { id: FOUNDER, boot: stamp.boot } },
    { vector: new Map([[FOUNDER, stamp]]) },
    { sections },
  ])
    expect(() => decodeMessage(encodeMessage({ ...message, ...lie }))).toThrow(Malformed);
});

test("an edition after which none could be written is malformed, so that no peer can make it ours", () => {
  const farewells = [{ gone: FOUNDER, by: IDS[1] ?? "", edition: Number.MAX_SAFE_INTEGER }];
  const message = { ...messageOf(FOUNDER), farewells };
  expect(() => decodeMessage(encodeMessage(message))).toThrow(Malformed);
  expect(() => decodeMessage(encodeMessage({ ...message, farewells: [], era: 2 ** 52 }))).toThrow(Malformed);
});
