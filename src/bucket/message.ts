// The one message that replicas exchange: who I am, what I know (my vector), and what you lack of it. The answer is a
// message of the same kind. Ids and bucket keys are written once, in tables, and referred to by number:
//
//     sender  boot  serial  lineage  flags │ ids … │ keys … │ vector … │ section (author, from, to, entries, profile) …
//
// A reader bounds everything before it allocates and refuses what no honest replica sends: entries out of
// order, two entries of one bucket, running totals out of range.
import { Malformed, Reader, Writer } from "./codec.ts";
import type { Lineage, Vector } from "./ledger.ts";
import type { Section, SectionEntry } from "./sections.ts";
import type { Farewell } from "./member.ts";
import {
  KEY_BYTES_MAX,
  readBoot,
  readEdition,
  readLineage,
  readProfile,
  readRow,
  readStamp,
  writeLineage,
  writeProfile,
  writeRow,
  writeStamp,
} from "./record.ts";
import { compareStamps, type Stamp } from "./row.ts";

const KIND_MESSAGE = 0x4d + 0x80;
const VERSION = 1;

/** How a section ends. */
const MORE_FOLLOWS = 0;
const PROFILE_FOLLOWS = 1;
const PROFILE_KNOWN = 2;

export interface Message {
  readonly sender: string;
  readonly boot: number;
  /** Counts the sender's messages of this boot, so that a repeated one is noticed. */
  readonly serial: number;
  /** `null`: the sender belongs to no fleet yet, and knows nothing. */
  readonly lineage: Lineage | null;
  readonly wantsAnswer: boolean;
  /** The sender is about to leave, and is to be given nothing more. */
  readonly isLeaving: boolean;
  /** The sender knows that the receiver is about to leave, and nothing that it gave to that one is still to come. */
  readonly isAware: boolean;
  /** Whom the sender takes the receiver to be, and the latest boot under which that one has spoken to it, also where it said nothing of itself; null: nobody it has heard. */
  readonly receiver: { readonly id: string; readonly boot: number } | null;
  readonly vector: Vector;
  /** What the sender has carried out, and what it has forgotten (see farewell.ts). */
  readonly era: number;
  readonly forgotten: number;
  /**
   * All farewells that the sender tells of, to be carried out before the sections are merged; null: the receiver has said
   * that it knows them, in the boot that it is addressed by. While one that is gone can't be forgotten, because somebody
   * is silent, nothing has to be said of it again and again.
   */
  readonly farewells: readonly Farewell[] | null;
  /** The digest of the farewells that the sender tells of. */
  readonly carriedOut: number;
  readonly sections: readonly Section[];
}

/** A message of which it is known what farewells come with it. */
export interface WholeMessage extends Message {
  readonly farewells: readonly Farewell[];
}

/** Gives each value a number at its first use. */
class Table {
  readonly values: string[] = [];
  readonly #numbers = new Map<string, number>();

  number(value: string): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.values.length;
      this.values.push(value);
      this.#numbers.set(value, number);
    }
    return number;
  }
}

/** Every id and key of a message, in the order of use. */
function tablesOf(message: Message): { readonly ids: Table; readonly keys: Table } {
  const ids = new Table();
  const keys = new Table();
  for (const id of message.vector.keys()) ids.number(id);
  for (const { gone, by } of message.farewells ?? []) {
    ids.number(gone);
    ids.number(by);
  }
  for (const { author, entries, profile } of message.sections) {
    ids.number(author);
    for (const { bucket, row } of entries) {
      keys.number(bucket);
      for (const receiver of row.given.keys()) ids.number(receiver);
    }
    if (profile === null || profile === "known") continue;
    for (const id of profile.profile.heirs) ids.number(id);
    for (const id of profile.profile.claims.keys()) ids.number(id);
    for (const id of profile.profile.farewells.keys()) ids.number(id);
    for (const id of profile.profile.seen.keys()) ids.number(id);
  }
  return { ids, keys };
}

export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(KIND_MESSAGE, VERSION);
  const { ids, keys } = tablesOf(message);
  const writeId = (id: string): void => writer.integer(ids.number(id));
  writer.id(message.sender);
  writer.integer(message.boot);
  writer.integer(message.serial);
  writeLineage(writer, message.lineage);
  writer.integer(signsOf(message));
  writer.boolean(message.receiver !== null);
  if (message.receiver !== null) {
    writer.id(message.receiver.id);
    writer.integer(message.receiver.boot);
  }
  writer.integer(ids.values.length);
  for (const id of ids.values) writer.id(id);
  writer.integer(keys.values.length);
  for (const key of keys.values) writer.text(key);
  writer.integer(message.vector.size);
  for (const [id, stamp] of message.vector) {
    writeId(id);
    writeStamp(writer, stamp);
  }
  writer.integer(message.era);
  writer.integer(message.forgotten);
  writer.integer(message.carriedOut);
  writer.boolean(message.farewells !== null);
  if (message.farewells !== null) writeFarewells(writer, message.farewells, writeId);
  writer.integer(message.sections.length);
  for (const section of message.sections) writeSection(writer, section, writeId, keys);
  return writer.finish();
}

type Signs = Pick<Message, "wantsAnswer" | "isLeaving" | "isAware">;

function signsOf({ wantsAnswer, isLeaving, isAware }: Signs): number {
  return (wantsAnswer ? 1 : 0) + (isLeaving ? 2 : 0) + (isAware ? 4 : 0);
}

function readSigns(reader: Reader): Signs {
  const signs = reader.integer();
  if (signs > 7) throw new Malformed("a message has an unknown sign");
  return { wantsAnswer: (signs & 1) > 0, isLeaving: (signs & 2) > 0, isAware: (signs & 4) > 0 };
}

function writeFarewells(writer: Writer, farewells: readonly Farewell[], writeId: (id: string) => void): void {
  writer.integer(farewells.length);
  for (const { gone, by, edition } of farewells) {
    writeId(gone);
    writeId(by);
    writer.integer(edition);
  }
}

function readFarewells(reader: Reader, readId: () => string): Farewell[] {
  const farewells: Farewell[] = [];
  for (let left = reader.count(3); left > 0; left--) {
    farewells.push({ gone: readId(), by: readId(), edition: readEdition(reader) });
  }
  return farewells;
}

function writeSection(writer: Writer, section: Section, writeId: (id: string) => void, keys: Table): void {
  writeId(section.author);
  writeStamp(writer, section.from);
  writeStamp(writer, section.to);
  writer.integer(section.entries.length);
  let { boot } = section.from;
  for (const { stamp, bucket, row } of section.entries) {
    // Boots are long and rarely change within a section: zero stands for the one before.
    writer.integer(stamp.boot === boot ? 0 : stamp.boot);
    boot = stamp.boot;
    writer.integer(stamp.version);
    writer.integer(keys.number(bucket));
    writeRow(writer, row, writeId);
  }
  const { profile } = section;
  if (profile === null || profile === "known") {
    writer.integer(profile === null ? MORE_FOLLOWS : PROFILE_KNOWN);
    return;
  }
  writer.integer(PROFILE_FOLLOWS);
  writeStamp(writer, profile.stamp);
  writeProfile(writer, profile.profile, writeId);
}

/** Parses a message; throws `Malformed`. */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes, KIND_MESSAGE, VERSION);
  const sender = reader.id();
  const boot = readBoot(reader);
  const serial = reader.integer();
  const lineage = readLineage(reader);
  const signs = readSigns(reader);
  const receiver = reader.boolean() ? { id: reader.id(), boot: readBoot(reader) } : null;
  const ids = readTable(reader, 16, () => reader.id());
  const keys = readTable(reader, 1, () => reader.text(KEY_BYTES_MAX));
  const readId = (): string => at(ids, reader.integer());
  const vector = new Map<string, Stamp>();
  for (let left = reader.count(3); left > 0; left--) vector.set(readId(), readStamp(reader));
  const era = readEdition(reader);
  const forgotten = readEdition(reader);
  const carriedOut = reader.integer();
  const farewells = reader.boolean() ? readFarewells(reader, readId) : null;
  const sections: Section[] = [];
  for (let left = reader.count(7); left > 0; left--) sections.push(readSection(reader, readId, keys));
  reader.end();
  const head = { sender, boot, serial, lineage, ...signs, receiver, vector, era, forgotten };
  return { ...head, farewells, carriedOut, sections };
}

function readTable(reader: Reader, sizeMin: number, read: () => string): string[] {
  return Array.from({ length: reader.count(sizeMin) }, read);
}

function at(table: readonly string[], number: number): string {
  const value = table[number];
  if (value === undefined) throw new Malformed("a reference is outside its table");
  return value;
}

function readSection(reader: Reader, readId: () => string, keys: readonly string[]): Section {
  const author = readId();
  const from = readStamp(reader);
  const to = readStamp(reader);
  const entries: SectionEntry[] = [];
  let last = from;
  for (let left = reader.count(20); left > 0; left--) {
    const boot = readBoot(reader);
    const stamp = { boot: boot === 0 ? last.boot : boot, version: reader.integer() };
    if (compareStamps(stamp, last) <= 0) throw new Malformed("an entry is out of order");
    last = stamp;
    const bucket = at(keys, reader.integer());
    const row = readRow(reader, readId);
    if (row.given.has(author)) throw new Malformed("a replica gives to itself");
    entries.push({ stamp, bucket, row });
  }
  return { author, from, to, entries, profile: readProfileOf(reader, readId) };
}

function readProfileOf(reader: Reader, readId: () => string): Section["profile"] {
  const end = reader.integer();
  switch (end) {
    case MORE_FOLLOWS:
      return null;
    case PROFILE_FOLLOWS:
      return { stamp: readStamp(reader), profile: readProfile(reader, readId) };
    case PROFILE_KNOWN:
      return "known";
    default:
      throw new Malformed("a section ends in an unknown way");
  }
}
