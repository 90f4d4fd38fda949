// Bytes of the replicated map: what one replica tells another (what it has heard, and what the other lacks), and one
// stored entry. Ages travel instead of times of day, so that a deadline means the same to clocks that disagree.
//
//     message   word (since, digest, (author, time) …)  │  stretch (author, base, to, entries (key, time, age, value) …) …
//     record    key  author  time  wall time of writing  value
import { Malformed, Reader, Writer } from "./codec.ts";
import { type Entry, isFitting, type Stretch, type Value, VALUE_BYTES_MAX } from "./lww-map.ts";
import type { Word } from "./lww-word.ts";

const KIND_MESSAGE = 0x42 + 0x80;
const KIND_RECORD = 0x42;
const MESSAGE_VERSION = 2;
const RECORD_VERSION = 1;

/** The longest key, in bytes as it is and in bytes as it is stored. */
const KEY_BYTES_MAX = 200;
const STORED_KEY_BYTES_MAX = 480;

const DELETED = 0;
const BYTES = 1;
const TOTAL = 2;

export interface MapMessage {
  readonly word: Word;
  readonly stretches: readonly Stretch[];
}

/** `nowMs`: the elapsed clock that the entries' births are on. */
export function encodeMapMessage({ word, stretches }: MapMessage, nowMs: number): Uint8Array {
  const writer = new Writer(KIND_MESSAGE, MESSAGE_VERSION);
  writer.integer(word.since);
  writer.integer(word.digest);
  writer.integer(word.recent.size);
  for (const [author, time] of word.recent) {
    writer.id(author);
    writer.integer(time - word.since);
  }
  writer.integer(stretches.length);
  for (const { author, base, to, entries } of stretches) {
    writer.id(author);
    writer.integer(base);
    writer.integer(to);
    writer.integer(entries.length);
    let last = base;
    for (const { key, time, bornMs, value } of entries) {
      writer.text(key);
      writer.integer(time - last);
      last = time;
      writer.integer(Math.max(0, Math.floor(nowMs - bornMs)));
      writeValue(writer, value);
    }
  }
  return writer.finish();
}

/** Parses a message that arrived at `nowMs`; throws `Malformed`. */
export function decodeMapMessage(bytes: Uint8Array, nowMs: number): MapMessage {
  const reader = new Reader(bytes, KIND_MESSAGE, MESSAGE_VERSION);
  const word = readWord(reader);
  const stretches: Stretch[] = [];
  for (let left = reader.count(19); left > 0; left--) stretches.push(readStretch(reader, nowMs));
  reader.end();
  return { word, stretches };
}

function readWord(reader: Reader): Word {
  const since = reader.integer();
  const digest = reader.integer();
  const recent = new Map<string, number>();
  for (let left = reader.count(17); left > 0; left--) recent.set(reader.id(), since + reader.integer());
  return { since, digest, recent };
}

function readStretch(reader: Reader, nowMs: number): Stretch {
  const author = reader.id();
  const base = reader.integer();
  const to = reader.integer();
  const entries: Entry[] = [];
  let time = base;
  for (let left = reader.count(4); left > 0; left--) {
    const key = readKey(reader);
    const step = reader.integer();
    time += step;
    if (step === 0 || time > to) throw new Malformed("an entry is out of order");
    const bornMs = nowMs - reader.integer();
    entries.push({ key, time, author, bornMs, value: readValue(reader, key) });
  }
  if (to < base) throw new Malformed("a stretch ends before it begins");
  return { author, base, to, entries };
}

/** A clock's two readings at one moment. */
interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

export function encodeMapRecord(entry: Entry, { nowMs, wallMs }: Moment): Uint8Array {
  const writer = new Writer(KIND_RECORD, RECORD_VERSION);
  writer.text(entry.key);
  writer.id(entry.author);
  writer.integer(entry.time);
  writer.integer(Math.max(0, Math.floor(wallMs - (nowMs - entry.bornMs))));
  writeValue(writer, entry.value);
  return writer.finish();
}

/** Parses a stored entry; throws `Malformed`. Its age is what the wall clock says, at least none. */
export function decodeMapRecord(bytes: Uint8Array, { nowMs, wallMs }: Moment): Entry {
  const reader = new Reader(bytes, KIND_RECORD, RECORD_VERSION);
  const key = readKey(reader);
  const author = reader.id();
  const time = reader.integer();
  const bornMs = nowMs - Math.max(0, wallMs - reader.integer());
  const value = readValue(reader, key);
  reader.end();
  return { key, author, time, bornMs, value };
}

/** A key in printable ASCII, for the store. */
export function storedKey(key: string): string {
  return key.replaceAll(/[^\x20-\x24\x26-\x7e]/gu, (char) => encodeURIComponent(char));
}

/** Whether a text can be a key: 1 to 200 bytes, and fewer when most of them are beyond ASCII. */
export function isMapKey(key: string): boolean {
  // Every character takes at least a byte; a longer text is not worth being looked at.
  if (key === "" || key.length > KEY_BYTES_MAX || !key.isWellFormed()) return false;
  return (
    new TextEncoder().encode(key).length <= KEY_BYTES_MAX && storedKey(key).length <= STORED_KEY_BYTES_MAX
  );
}

function readKey(reader: Reader): string {
  const key = reader.text(KEY_BYTES_MAX);
  if (!isMapKey(key)) throw new Malformed("a key is empty or too long");
  return key;
}

function writeValue(writer: Writer, value: Value): void {
  if (value === null) {
    writer.integer(DELETED);
  } else if (typeof value === "number") {
    writer.integer(TOTAL);
    writer.integer(value);
  } else {
    writer.integer(BYTES);
    writer.bytes(value);
  }
}

function readValue(reader: Reader, key: string): Value {
  const value = readAnyValue(reader);
  if (!isFitting(key, value)) throw new Malformed("a value does not fit its key");
  return value;
}

function readAnyValue(reader: Reader): Value {
  switch (reader.integer()) {
    case DELETED:
      return null;
    case BYTES:
      return reader.bytes(VALUE_BYTES_MAX);
    case TOTAL:
      return reader.integer();
    default:
      throw new Malformed("a value is of an unknown kind");
  }
}
