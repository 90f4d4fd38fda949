// What the store holds, as frames: who this replica is, its own part of each bucket, and the rows and profiles it has
// heard. A record of a bucket holds the level together with the row it goes with, so that a give and the level it
// lowers can't come apart.
import { Malformed, Reader, Writer } from "./codec.ts";
import type { Lineage } from "./ledger.ts";
import type { Farewell, Profile } from "./member.ts";
import type { LevelRecord } from "./local.ts";
import { isFine } from "./parts.ts";
import type { Edge, Gauge, Row, Stamp } from "./row.ts";
import type { Claim } from "./succession.ts";

const VERSION = 1;
const KIND_IDENTITY = 0x49;
const KIND_HOLDING = 0x48;
const KIND_ROW = 0x52;
const KIND_MEMBER = 0x4d;

/** The longest bucket key and replica name, in bytes. */
export const KEY_BYTES_MAX = 1024;
export const NAME_BYTES_MAX = 256;

/** A machine's clocks at one moment; `bootId` names the time since the machine was started. */
export interface Instant {
  readonly bootId: string;
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export interface IdentityRecord {
  readonly id: string;
  readonly boot: number;
  /** The boot since which this replica's disk has not gone back in time. */
  readonly soundSince: number;
  readonly lineage: Lineage | null;
  /** As in the ledger. */
  readonly forgotten: number;
  /** The replica's own time line, which goes on over restarts, at `instant`. */
  readonly timelineMs: number;
  readonly instant: Instant;
}

export interface HoldingRecord {
  readonly key: string;
  /** `atMs` is on the replica's time line. */
  readonly level: LevelRecord;
  readonly period: number;
  readonly aheadParts: number;
  readonly aheadUnits: number;
  readonly aheadPeriod: number;
  /** Its gauge is not kept. */
  readonly row: Row;
}

export interface RowRecord {
  readonly key: string;
  readonly author: string;
  readonly stamp: Stamp;
  readonly row: Row;
}

export interface MemberRecord {
  readonly id: string;
  readonly known: Stamp;
  readonly profileStamp: Stamp;
  readonly profile: Profile;
  readonly farewell: Farewell | null;
}

export function encodeIdentity(record: IdentityRecord): Uint8Array {
  const writer = new Writer(KIND_IDENTITY, VERSION);
  writer.id(record.id);
  writer.integer(record.boot);
  writer.integer(record.soundSince);
  writeLineage(writer, record.lineage);
  writer.integer(record.forgotten);
  writer.number(record.timelineMs);
  writer.text(record.instant.bootId);
  writer.number(record.instant.monotonicMs);
  writer.number(record.instant.wallMs);
  return writer.finish();
}

export function decodeIdentity(bytes: Uint8Array): IdentityRecord {
  const reader = new Reader(bytes, KIND_IDENTITY, VERSION);
  const record = {
    id: reader.id(),
    boot: reader.integer(),
    soundSince: reader.integer(),
    lineage: readLineage(reader),
    forgotten: reader.integer(),
    timelineMs: reader.number(),
    instant: {
      bootId: reader.text(NAME_BYTES_MAX),
      monotonicMs: reader.number(),
      wallMs: reader.number(),
    },
  };
  reader.end();
  return record;
}

export function writeLineage(writer: Writer, lineage: Lineage | null): void {
  writer.boolean(lineage !== null);
  if (lineage === null) return;
  writer.number(lineage.stamp);
  writer.id(lineage.founder);
}

export function readLineage(reader: Reader): Lineage | null {
  return reader.boolean() ? { stamp: readWallMs(reader), founder: reader.id() } : null;
}

/** The last instant that a date can show (ECMA-262, 21.4.1.1), in milliseconds since the epoch. */
const WALL_MS_MAX = 8.64e15;

function readWallMs(reader: Reader): number {
  const wallMs = positive(reader.number());
  if (wallMs > WALL_MS_MAX) throw new Malformed("a time is beyond all dates");
  return wallMs;
}

export function writeStamp(writer: Writer, stamp: Stamp): void {
  writer.integer(stamp.boot);
  writer.integer(stamp.version);
}

export function readStamp(reader: Reader): Stamp {
  return { boot: readBoot(reader), version: reader.integer() };
}

/** A boot leaves room for all that follow it: whoever hears of a later one of its own goes on from there. */
export function readBoot(reader: Reader): number {
  return runningTotal(reader);
}

export function encodeHolding(record: HoldingRecord): Uint8Array {
  const writer = new Writer(KIND_HOLDING, VERSION);
  writer.text(record.key);
  writer.number(record.level.level);
  writer.number(record.level.atMs);
  writer.number(record.level.block);
  writer.integer(record.period + 1);
  writer.integer(record.aheadParts);
  writer.number(record.aheadUnits);
  writer.integer(record.aheadPeriod + 1);
  writeRow(writer, record.row, (id) => writer.id(id));
  return writer.finish();
}

export function decodeHolding(bytes: Uint8Array): HoldingRecord {
  const reader = new Reader(bytes, KIND_HOLDING, VERSION);
  const record = {
    key: reader.text(KEY_BYTES_MAX),
    level: { level: reader.number(), atMs: reader.number(), block: reader.number() },
    period: reader.integer() - 1,
    aheadParts: reader.integer(),
    aheadUnits: reader.number(),
    aheadPeriod: reader.integer() - 1,
    row: readRow(reader, () => reader.id()),
  };
  reader.end();
  return record;
}

export function encodeRow(record: RowRecord): Uint8Array {
  const writer = new Writer(KIND_ROW, VERSION);
  writer.text(record.key);
  writer.id(record.author);
  writeStamp(writer, record.stamp);
  writeRow(writer, record.row, (id) => writer.id(id));
  return writer.finish();
}

export function decodeRow(bytes: Uint8Array): RowRecord {
  const reader = new Reader(bytes, KIND_ROW, VERSION);
  const record = {
    key: reader.text(KEY_BYTES_MAX),
    author: reader.id(),
    stamp: readStamp(reader),
    row: readRow(reader, () => reader.id()),
  };
  reader.end();
  return record;
}

export function encodeMember(record: MemberRecord): Uint8Array {
  const writer = new Writer(KIND_MEMBER, VERSION);
  writer.id(record.id);
  writeStamp(writer, record.known);
  writeStamp(writer, record.profileStamp);
  writeProfile(writer, record.profile, (id) => writer.id(id));
  writer.boolean(record.farewell !== null);
  if (record.farewell !== null) {
    writer.id(record.farewell.by);
    // Not known yet: whoever takes over will say.
    writer.integer(Number.isFinite(record.farewell.edition) ? record.farewell.edition + 1 : 0);
  }
  return writer.finish();
}

export function decodeMember(bytes: Uint8Array): MemberRecord {
  const reader = new Reader(bytes, KIND_MEMBER, VERSION);
  const id = reader.id();
  const record = {
    id,
    known: readStamp(reader),
    profileStamp: readStamp(reader),
    profile: readProfile(reader, () => reader.id()),
    farewell: reader.boolean() ? readFarewell(reader, id) : null,
  };
  reader.end();
  return record;
}

function readFarewell(reader: Reader, gone: string): Farewell {
  const by = reader.id();
  const edition = reader.integer();
  return { gone, by, edition: edition === 0 ? Infinity : edition - 1 };
}

/** How ids are written: in full in the store, as numbers of a table in a message. */
export type WriteId = (id: string) => void;
export type ReadId = () => string;

export function writeProfile(writer: Writer, profile: Profile, writeId: WriteId): void {
  writer.text(profile.name);
  writer.integer(profile.heirs.length);
  for (const heir of profile.heirs) writeId(heir);
  writer.integer(profile.edition);
  writer.integer(profile.claims.size);
  for (const [victim, { edition, known }] of profile.claims) {
    writeId(victim);
    writer.integer(edition);
    writeStamp(writer, known);
  }
  writeCounts(writer, profile.farewells, writeId);
  writeCounts(writer, profile.seen, writeId);
  writer.integer(profile.era);
}

/** A number for each of some replicas. */
function writeCounts(writer: Writer, counts: ReadonlyMap<string, number>, writeId: WriteId): void {
  writer.integer(counts.size);
  for (const [replica, count] of counts) {
    writeId(replica);
    writer.integer(count);
  }
}

function readCounts(reader: Reader, readId: ReadId): Map<string, number> {
  const counts = new Map<string, number>();
  for (let left = reader.count(2); left > 0; left--) counts.set(readId(), readEdition(reader));
  return counts;
}

export function readProfile(reader: Reader, readId: ReadId): Profile {
  const name = reader.text(NAME_BYTES_MAX);
  const heirs = Array.from({ length: reader.count(1) }, readId);
  const edition = readEdition(reader);
  const claims = new Map<string, Claim>();
  for (let left = reader.count(4); left > 0; left--) {
    claims.set(readId(), { edition: readEdition(reader), known: readStamp(reader) });
  }
  const farewells = readCounts(reader, readId);
  const seen = readCounts(reader, readId);
  return { name, heirs, claims, edition, farewells, seen, era: readEdition(reader) };
}

export function writeRow(writer: Writer, row: Row, writeId: WriteId): void {
  writer.number(Math.min(row.spent, AMOUNT_MAX));
  writer.number(Math.min(row.returned, AMOUNT_MAX));
  writer.integer(row.given.size);
  for (const [receiver, edge] of row.given) {
    writeId(receiver);
    writer.integer(edge.parts);
    writer.integer(edge.partsBefore);
    writeUnits(writer, edge);
    writer.integer(edge.boot);
    writer.integer(edge.period);
  }
  writeGauge(writer, row.gauge);
}

export function readRow(reader: Reader, readId: ReadId): Row {
  const spent = readAmount(reader);
  const returned = readAmount(reader);
  const given = new Map<string, Edge>();
  for (let left = reader.count(6); left > 0; left--) {
    given.set(readId(), {
      parts: runningTotal(reader),
      partsBefore: runningTotal(reader),
      ...readUnits(reader),
      boot: reader.integer(),
      period: reader.integer(),
    });
  }
  return { spent, returned, given, gauge: readGauge(reader) };
}

/** Most edges have whole milli-units; the bit above a running total says that steps follow. */
const HAS_FINE = 2 ** 52;

function writeUnits(writer: Writer, { units, fine = 0 }: Edge): void {
  writer.integer(fine === 0 ? units : units + HAS_FINE);
  if (fine !== 0) writer.integer(fine);
}

function readUnits(reader: Reader): Pick<Edge, "units" | "fine"> {
  const units = reader.integer();
  if (units < HAS_FINE) return { units };
  const fine = reader.integer();
  if (!isFine(fine)) throw new Malformed("a running total is out of range");
  return { units: units - HAS_FINE, fine };
}

/** Gauges are hints: single precision will do. */
function writeGauge(writer: Writer, gauge: Gauge): void {
  writer.single(gauge.level);
  writer.single(gauge.demand);
  writer.single(gauge.cost);
  writer.single(gauge.waiting);
  writer.single(gauge.waitingMs);
}

function readGauge(reader: Reader): Gauge {
  return {
    level: reader.single(),
    demand: positive(reader.single()),
    cost: positive(reader.single()),
    waiting: positive(reader.single()),
    waitingMs: positive(reader.single()),
  };
}

function positive(value: number): number {
  if (value < 0) throw new Malformed("an amount is negative");
  return value;
}

/** No fleet counts so far. The totals of those who are gone are added up, and the sum must be a number all the same. */
const AMOUNT_MAX = 1e300;

function readAmount(reader: Reader): number {
  const amount = positive(reader.number());
  if (amount > AMOUNT_MAX) throw new Malformed("an amount is out of range");
  return amount;
}

/** An edition leaves room for all that will ever follow it: the next one must be a number that can be written. */
export function readEdition(reader: Reader): number {
  return runningTotal(reader);
}

function runningTotal(reader: Reader): number {
  const value = reader.integer();
  if (value >= 2 ** 52) throw new Malformed("a running total is out of range");
  return value;
}
