// Which requests ask the same. Two bodies are the same question when their top-level members are, in whatever order
// and with whatever white space, but for those that do not change the answer. The members are found in the raw bytes,
// and nothing is built: the SHA-256 of
//
//   "who and where" \n {"member":value,"member":value, … sorted by name}
//
// is the key. Inside members the order counts, and so does how a number or a character is written: clients write the
// same thing in the same way, and a difference costs a miss at most.
import { hash } from "node:crypto";

/** A member of the top-level object. */
export interface Member {
  /** As written between its quotes. */
  readonly name: string;
  /** Where its value lies in the body. */
  readonly start: number;
  readonly end: number;
  /** Whether there is white space to be left out. */
  readonly isSpaced: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/** Up to here a string's end is looked for byte by byte, which is quicker than asking for it. */
const SHORT_STRING_BYTES = 64;

/** The members of a body, which is known to be a valid JSON object. */
export function membersOf(body: Buffer): Member[] {
  const members: Member[] = [];
  let at = skipSpace(body, 0) + 1;
  for (;;) {
    at = skipSpace(body, at);
    const byte = body[at];
    if (byte === COMMA) {
      at += 1;
    } else if (byte === QUOTE) {
      const nameEnd = stringEnd(body, at);
      const start = skipSpace(body, skipSpace(body, nameEnd) + 1);
      const value = valueEnd(body, start);
      members.push({ name: body.toString("latin1", at + 1, nameEnd - 1), start, ...value });
      at = value.end;
    } else {
      return members;
    }
  }
}

/** A member's value as written. */
export function valueText(body: Buffer, members: readonly Member[], name: string): string | null {
  const member = members.find((each) => each.name === name);
  return member === undefined ? null : body.toString("utf8", member.start, member.end);
}

/** The key of a question: `about` tells who asks where, `ignored` names the members that change nothing. */
export function questionKey(
  about: string,
  body: Buffer,
  members: readonly Member[],
  ignored: ReadonlySet<string>,
): string {
  const counted = members.filter(({ name }) => !ignored.has(name));
  counted.sort((left, right) => (left.name < right.name ? -1 : 1));
  const head = Buffer.byteLength(about);
  let bytes = head + 3;
  for (const { name, start, end } of counted) bytes += name.length + 4 + end - start;
  const text = Buffer.allocUnsafe(bytes);
  let to = text.write(about, 0);
  to += text.write("\n{", to, "latin1");
  for (const member of counted) {
    to += text.write(`"${member.name}":`, to, "latin1");
    to += member.isSpaced
      ? copyCompact(body, text, member, to)
      : body.copy(text, to, member.start, member.end);
    to += text.write(",", to, "latin1");
  }
  return hash("sha256", text.subarray(0, to), "base64url");
}

/** Copies a value without the white space between its parts; returns how many bytes that are. */
function copyCompact(body: Buffer, target: Buffer, { start, end }: Member, targetStart: number): number {
  let to = targetStart;
  for (let at = start; at < end;) {
    const byte = body[at] ?? 0;
    if (byte === QUOTE) {
      const next = stringEnd(body, at);
      to += body.copy(target, to, at, next);
      at = next;
    } else {
      if (byte > SPACE) target[to++] = byte;
      at += 1;
    }
  }
  return to - targetStart;
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && (body[at] ?? 0) <= SPACE) at += 1;
  return at;
}

/** The byte after the closing quote of the string that begins here. */
function stringEnd(body: Buffer, start: number): number {
  let at = start + 1;
  let plainUntil = at + SHORT_STRING_BYTES;
  for (;;) {
    while (at < plainUntil && at < body.length && body[at] !== QUOTE && body[at] !== BACKSLASH) at += 1;
    if (at >= body.length) return body.length;
    if (body[at] === QUOTE) return at + 1;
    if (body[at] === BACKSLASH) {
      at += 2;
      plainUntil = at + SHORT_STRING_BYTES;
      continue;
    }
    const quote = body.indexOf(QUOTE, at);
    if (quote < 0) return body.length;
    const escape = body.subarray(at, quote).indexOf(BACKSLASH);
    at = escape < 0 ? quote : at + escape;
    plainUntil = at + 1;
  }
}

/** Where the value that begins here ends. */
function valueEnd(body: Buffer, start: number): { readonly end: number; readonly isSpaced: boolean } {
  let depth = 0;
  let isSpaced = false;
  for (let at = start; at < body.length;) {
    const byte = body[at] ?? 0;
    if (byte === QUOTE) {
      at = stringEnd(body, at);
      if (depth === 0) return { end: at, isSpaced };
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
    else if (depth === 0 && (byte === COMMA || byte === CLOSE_OBJECT || byte <= SPACE))
      return { end: at, isSpaced };
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth -= 1;
      if (depth === 0) return { end: at + 1, isSpaced };
    } else if (byte <= SPACE) isSpaced = true;
    at += 1;
  }
  return { end: body.length, isSpaced };
}
