// Whether bytes that come in pieces are one JSON object (RFC 8259): an answer that breaks off, or is something else, is
// found at any size without being kept. A state machine over bytes, one or two nanoseconds each; nothing is built.
// Where all of it is at hand anyway, `JSON.parse` is as fast and strict.
//
// Numbers and literals are only checked for their characters: what damages answers is cut, mixed up or not JSON at all.

/** How deep arrays and objects may nest; answers stay below 30. */
const DEPTH_MAX = 512;

// What may come next.
const VALUE = 0;
/** The first of a list: a value or its end. */
const FIRST_ITEM = 1;
/** The first of an object: a name or its end. */
const FIRST_NAME = 2;
const NAME = 3;
const AFTER_NAME = 4;
/** A comma or the end of the list or object. */
const AFTER_VALUE = 5;
const IN_STRING = 6;
const IN_ESCAPE = 7;
const IN_WORD = 8;
/** Spaces, at the beginning and at the end. */
const BEFORE_ALL = 9;
const AFTER_ALL = 10;
const BROKEN = 11;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const IS_SPACE = classOf(" \t\n\r");
const IS_WORD = classOf("0123456789+-.Eaeflnrstu");
const BEGINS_WORD = classOf("-0123456789tfn");
const IS_ESCAPE = classOf('"\\/bfnrtu');

function classOf(chars: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of chars) table[char.charCodeAt(0)] = 1;
  return table;
}

export class JsonCheck {
  #state = BEFORE_ALL;
  #isName = false;
  /** The brackets that close what is open. */
  readonly #open: number[] = [];

  /** Whether all of it has come. */
  get isWhole(): boolean {
    return this.#state === AFTER_ALL;
  }

  /** Takes the next bytes; `false`: this is not JSON, and nothing that follows can make it so. */
  push(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; at++) {
      if (this.#state === IN_STRING) at = textEnd(bytes, at);
      else if (this.#state === IN_WORD) at = wordEnd(bytes, at);
      if (at === bytes.length) break;
      this.#step(bytes[at] ?? 0);
      if (this.#state === BROKEN) return false;
    }
    return this.#state !== BROKEN;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case IN_STRING:
        this.#state = byte === QUOTE ? this.#afterString() : byte === BACKSLASH ? IN_ESCAPE : BROKEN;
        return;
      case IN_ESCAPE:
        this.#state = IS_ESCAPE[byte] === 1 ? IN_STRING : BROKEN;
        return;
      case IN_WORD:
        this.#state = AFTER_VALUE;
    }
    if (IS_SPACE[byte] !== 1) this.#state = this.#next(byte);
  }

  #next(byte: number): number {
    switch (this.#state) {
      case AFTER_NAME:
        return byte === COLON ? VALUE : BROKEN;
      case AFTER_VALUE:
        if (byte === COMMA) return this.#open.at(-1) === CLOSE_OBJECT ? NAME : VALUE;
        return this.#close(byte);
      case FIRST_NAME:
        return byte === QUOTE ? this.#string(true) : this.#close(byte);
      case NAME:
        return byte === QUOTE ? this.#string(true) : BROKEN;
      case FIRST_ITEM:
        return byte === CLOSE_ARRAY ? this.#close(byte) : this.#value(byte);
      case VALUE:
        return this.#value(byte);
      case BEFORE_ALL:
        return byte === OPEN_OBJECT ? this.#value(byte) : BROKEN;
      default:
        return BROKEN;
    }
  }

  #value(byte: number): number {
    if (byte === QUOTE) return this.#string(false);
    if (BEGINS_WORD[byte] === 1) return IN_WORD;
    if ((byte !== OPEN_OBJECT && byte !== OPEN_ARRAY) || this.#open.length >= DEPTH_MAX) return BROKEN;
    this.#open.push(byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY);
    return byte === OPEN_OBJECT ? FIRST_NAME : FIRST_ITEM;
  }

  #close(byte: number): number {
    if (this.#open.pop() !== byte) return BROKEN;
    return this.#open.length === 0 ? AFTER_ALL : AFTER_VALUE;
  }

  #string(isName: boolean): number {
    this.#isName = isName;
    return IN_STRING;
  }

  #afterString(): number {
    return this.#isName ? AFTER_NAME : AFTER_VALUE;
  }
}

/** The offset of the next byte of a string that is more than text. */
function textEnd(bytes: Uint8Array, at: number): number {
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE || byte === BACKSLASH || byte < SPACE) break;
  }
  return at;
}

function wordEnd(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && IS_WORD[bytes[at] ?? 0] === 1) at++;
  return at;
}
