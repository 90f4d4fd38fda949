// Reads a JSON request without building it: one pass over the raw bytes validates the whole text by RFC 8259 and
// notes where the top-level members lie.
//
//   {"model":"smart","messages":[ … 500 KB … ],"stream":true}
//            ^start ^end                                ^start ^end
//
// Parsing and writing back a 512 KB body blocks the loop for 1.4 ms and loses the client's own bytes (number
// precision, member order); finding the few members that the gateway reads costs 0.35 ms and loses nothing. Bytes are
// looked at through tables of character classes, and nothing is allocated per token. Whether the bytes are UTF-8 is
// not checked here: `buffer.isUtf8` is native.
import { type Media, MediaCensus } from "./media-census.ts";
import { equalBytes, type MemberTable } from "./member-table.ts";

/** How deep arrays and objects may nest. Tool schemas reach about 30; parsers elsewhere give up near 1,000. */
export const DEPTH_MAX = 512;

/** How many members the top-level object may have. The largest request type has about 40. */
export const MEMBERS_MAX = 1000;

/** Why a text was refused, and where. */
export interface ScanFault {
  readonly kind: "fault";
  /** Offset of the byte at fault; the text's length where it ends too early. */
  readonly at: number;
  /** Completes the sentence "The body is not valid JSON: …". */
  readonly reason: string;
  /** The top-level member at fault, where one is: a doubled name. */
  readonly member: string | null;
}

/** Where the known members of the top-level object lie, and what the pass saw on its way. */
export interface Scan extends Media {
  readonly kind: "scanned";
  /**
   * For the name with index `i` in the table, `spans[2 * i]` is the first byte of its value and `spans[2 * i + 1]`
   * the byte after the last. Both are 0 when the member is absent.
   */
  readonly spans: readonly number[];
  /** The byte after the object's `{`, where a member can be inserted. */
  readonly insertAt: number;
  readonly memberCount: number;
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** What `#peek` gives behind the end: no byte has this value. */
const END = -1;

function classOf(chars: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of chars) table[char.charCodeAt(0)] = 1;
  return table;
}

const IS_SPACE = classOf(" \t\n\r");
const IS_DIGIT = classOf("0123456789");
const IS_HEX = classOf("0123456789abcdefABCDEF");
const IS_SHORT_ESCAPE = classOf('"\\/bfnrt');
/** What ends a run of plain string content: quote, backslash and the control characters. */
const ENDS_RUN = classOf('"\\').fill(1, 0, 0x20);

const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const NULL = Buffer.from("null");

/**
 * Validates `bytes` as one JSON object and locates the members that `table` names. Linear in the text's length.
 * A top-level name that occurs twice is a fault: parsers disagree about which one counts.
 */
export function scanJson(bytes: Uint8Array, table: MemberTable): Scan | ScanFault {
  return new Scanner(bytes, table).run();
}

/** Recursive descent over the bytes. Each rule leaves `#at` behind what it read, or notes the fault and returns false. */
class Scanner {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #table: MemberTable;
  readonly #spans: number[];
  readonly #media: MediaCensus;
  /** Top-level names outside the table, to find doubled ones; made when the first is met. */
  #others: Set<string> | undefined;
  #at = 0;
  #depth = 0;
  #reason = "";
  #member: string | null = null;
  #memberCount = 0;

  constructor(bytes: Uint8Array, table: MemberTable) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#table = table;
    this.#spans = table.noSpans.slice();
    this.#media = new MediaCensus(bytes);
  }

  run(): Scan | ScanFault {
    this.#skipSpace();
    const insertAt = this.#at + 1;
    if (!this.#readRoot()) {
      return { kind: "fault", at: this.#at, reason: this.#reason, member: this.#member };
    }
    return {
      kind: "scanned",
      spans: this.#spans,
      insertAt,
      memberCount: this.#memberCount,
      imageCount: this.#media.imageCount,
      mediaBytes: this.#media.mediaBytes,
      largeMedia: this.#media.largeMedia,
    };
  }

  #readRoot(): boolean {
    if (this.#at === this.#end) return this.#fail("it is empty");
    if (this.#peek() !== OPEN_OBJECT)
      return this.#fail(this.#peek() === 0xef ? "it begins with a byte order mark" : "it must be an object");
    if (!this.#readObject()) return false;
    this.#skipSpace();
    return this.#at === this.#end || this.#fail("there is more text after its end");
  }

  #readValue(): boolean {
    switch (this.#peek()) {
      case QUOTE:
        return this.#readString();
      case OPEN_OBJECT:
        return this.#readObject();
      case OPEN_ARRAY:
        return this.#readArray();
      case LOWER_T:
        return this.#readLiteral(TRUE);
      case LOWER_F:
        return this.#readLiteral(FALSE);
      case LOWER_N:
        return this.#readLiteral(NULL);
      default:
        return this.#readNumber();
    }
  }

  #readObject(): boolean {
    if (++this.#depth > DEPTH_MAX) return this.#fail(`it nests deeper than ${DEPTH_MAX} levels`);
    this.#at++;
    this.#skipSpace();
    if (this.#peek() !== CLOSE_OBJECT) {
      for (;;) {
        if (!this.#readMember()) return false;
        this.#skipSpace();
        const next = this.#peek();
        if (next === CLOSE_OBJECT) break;
        if (next !== COMMA) return this.#fail("a comma or a closing brace is missing");
        this.#at++;
        this.#skipSpace();
      }
    }
    this.#at++;
    this.#depth--;
    return true;
  }

  #readArray(): boolean {
    if (++this.#depth > DEPTH_MAX) return this.#fail(`it nests deeper than ${DEPTH_MAX} levels`);
    this.#at++;
    this.#skipSpace();
    if (this.#peek() !== CLOSE_ARRAY) {
      for (;;) {
        if (!this.#readValue()) return false;
        this.#skipSpace();
        const next = this.#peek();
        if (next === CLOSE_ARRAY) break;
        if (next !== COMMA) return this.#fail("a comma or a closing bracket is missing");
        this.#at++;
        this.#skipSpace();
      }
    }
    this.#at++;
    this.#depth--;
    return true;
  }

  #readMember(): boolean {
    if (this.#peek() !== QUOTE) return this.#fail("a member's name in double quotes is missing");
    const nameAt = this.#at;
    if (!this.#readString()) return false;
    const nameEnd = this.#at - 1;
    this.#skipSpace();
    if (this.#peek() !== COLON) return this.#fail("a colon is missing after a member's name");
    this.#at++;
    this.#skipSpace();
    const valueAt = this.#at;
    if (!this.#readValue()) return false;
    if (this.#bytes[valueAt] === QUOTE) this.#media.inspect(nameAt + 1, nameEnd, valueAt + 1, this.#at - 1);
    if (this.#depth > 1) return true;
    return this.#note(nameAt + 1, nameEnd, valueAt);
  }

  /** Records a top-level member; its value has just been read. */
  #note(nameStart: number, nameEnd: number, valueAt: number): boolean {
    const index = this.#table.find(this.#bytes, nameStart, nameEnd);
    if (index >= 0) return this.#noteKnown(index, valueAt);
    const written = this.#text(nameStart, nameEnd);
    if (!written.includes("\\")) return this.#noteOther(written);
    // `"mod\u0065l"` is `model` to every parser behind us.
    const name = String(JSON.parse(`"${written}"`));
    const bytes = Buffer.from(name);
    const known = this.#table.find(bytes, 0, bytes.length);
    return known < 0 ? this.#noteOther(name) : this.#noteKnown(known, valueAt);
  }

  #noteKnown(index: number, valueAt: number): boolean {
    if (this.#spans[2 * index] !== 0) return this.#failDoubled(this.#table.names[index] ?? "");
    this.#spans[2 * index] = valueAt;
    this.#spans[2 * index + 1] = this.#at;
    this.#memberCount++;
    return true;
  }

  #noteOther(name: string): boolean {
    this.#others ??= new Set();
    if (this.#others.has(name)) return this.#failDoubled(name);
    this.#others.add(name);
    return ++this.#memberCount <= MEMBERS_MAX || this.#fail(`it has more than ${MEMBERS_MAX} members`);
  }

  #readString(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at + 1;
    for (;;) {
      at = contentEnd(bytes, at, end);
      const byte = at < end ? bytes[at] : END;
      this.#at = at;
      if (byte === QUOTE) {
        this.#at++;
        return true;
      }
      if (byte === END) return this.#fail("it ends inside a string");
      if (byte !== BACKSLASH) return this.#fail("a control character in a string is not escaped");
      if (!this.#readEscape()) return false;
      at = this.#at;
    }
  }

  #readEscape(): boolean {
    this.#at++;
    const byte = this.#peek();
    if (byte === LOWER_U) {
      this.#at++;
      for (let digit = 0; digit < 4; digit++, this.#at++) {
        if (!this.#isAt(IS_HEX)) return this.#fail("an escape in a string lacks its four hexadecimal digits");
      }
      return true;
    }
    if (!this.#isAt(IS_SHORT_ESCAPE)) return this.#fail("an escape in a string is unknown");
    this.#at++;
    return true;
  }

  #readNumber(): boolean {
    if (this.#peek() === MINUS) this.#at++;
    if (!this.#isAt(IS_DIGIT)) return this.#fail("a value is missing or misspelt");
    if (this.#peek() === ZERO) this.#at++;
    else this.#skipDigits();
    if (this.#peek() === DOT) {
      this.#at++;
      if (!this.#isAt(IS_DIGIT)) return this.#fail("a number lacks digits after its point");
      this.#skipDigits();
    }
    const next = this.#peek();
    if (next !== LOWER_E && next !== UPPER_E) return true;
    this.#at++;
    const sign = this.#peek();
    if (sign === PLUS || sign === MINUS) this.#at++;
    if (!this.#isAt(IS_DIGIT)) return this.#fail("a number lacks digits in its exponent");
    this.#skipDigits();
    return true;
  }

  #readLiteral(literal: Uint8Array): boolean {
    if (!equalBytes(this.#bytes, this.#at, Math.min(this.#at + literal.length, this.#end), literal)) {
      return this.#fail("a value is missing or misspelt");
    }
    this.#at += literal.length;
    return true;
  }

  #skipDigits(): void {
    while (this.#isAt(IS_DIGIT)) this.#at++;
  }

  #skipSpace(): void {
    while (this.#isAt(IS_SPACE)) this.#at++;
  }

  #isAt(charClass: Uint8Array): boolean {
    return this.#at < this.#end && charClass[this.#bytes[this.#at] ?? 0] === 1;
  }

  #peek(): number {
    return this.#at < this.#end ? (this.#bytes[this.#at] ?? END) : END;
  }

  #text(start: number, end: number): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString("utf8");
  }

  #fail(reason: string): false {
    this.#reason = this.#at >= this.#end && this.#at > 0 ? "it ends too early" : reason;
    return false;
  }

  #failDoubled(name: string): false {
    this.#member = name.length > 100 ? `${name.slice(0, 100)}…` : name;
    this.#reason = `the member ${JSON.stringify(this.#member)} occurs twice`;
    return false;
  }
}

/**
 * The first byte of string content in `bytes[at, end)` that needs a closer look: the closing quote, a control character, a
 * `\u` escape or a wrong one; `end` when there is none. Eight bytes a round; short escapes are stepped over.
 */
function contentEnd(bytes: Uint8Array, at: number, end: number): number {
  const last = end - 8;
  for (;;) {
    while (
      at <= last &&
      ((ENDS_RUN[bytes[at] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 1] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 2] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 3] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 4] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 5] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 6] ?? 0] ?? 0) |
        (ENDS_RUN[bytes[at + 7] ?? 0] ?? 0)) ===
        0
    ) {
      at += 8;
    }
    while (at < end && ENDS_RUN[bytes[at] ?? 0] === 0) at++;
    if (at + 1 >= end || bytes[at] !== BACKSLASH || IS_SHORT_ESCAPE[bytes[at + 1] ?? 0] === 0) return at;
    at += 2;
  }
}
