// Is this frame already what official clients need? Asked of every frame of a "compatible" provider, so it must cost
// less than parsing: one walk over the bytes that follows the few members that matter, skips the rest and allocates
// nothing. "No" only means that the frame is parsed and looked at properly, so every doubt is a "no".
//
// A frame is canonical when it is one `data:` line with one choice; its id, time and model are those of the stream;
// its delta has no role, tool call, foreign reasoning member or content that isn't text; and it holds no usage or error.

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;
const LF = 10;
const SPACE = 32;
const ZERO = 48;
const NINE = 57;
const LOWER_N = 110;

/** The members that are equal in all chunks of a stream, as they stand in its JSON text. */
export interface ChunkHead {
  readonly id: Uint8Array;
  readonly created: Uint8Array;
  readonly model: Uint8Array;
}

/** What a canonical frame holds. */
export interface FrameFacts {
  readonly choice: number;
  /** The finish reason's first letter's code, or 0: `s`top, `l`ength, `t`ool_calls, `c`ontent_filter, `f`unction_call. */
  readonly finish: number;
  /** Where a `"usage":null` member with its comma begins and ends; 0 and 0 without one. */
  readonly usageStart: number;
  readonly usageEnd: number;
}

const encoder = new TextEncoder();
const OBJECT_NAME = encoder.encode('"chat.completion.chunk"');
const NO_HEAD: ChunkHead = {
  id: encoder.encode("?"),
  created: encoder.encode("?"),
  model: encoder.encode("?"),
};

const FINISH_REASONS = ["stop", "length", "tool_calls", "content_filter", "function_call"];
/** Members of a delta that need a closer look. */
const DELTA_SUSPECTS = ["role", "tool_calls", "function_call", "reasoning"];

const Level = { chunk: 0, choice: 1, delta: 2 } as const;
/** Members a canonical chunk must have, as bits. */
const SEEN_ID = 1;
const SEEN_INDEX = 2;
const SEEN_DELTA = 4;
const SEEN_ALL = 7;

/** Walks frames of one stream; reused so that no frame allocates. */
export class FrameScanner implements FrameFacts {
  choice = 0;
  finish = 0;
  usageStart = 0;
  usageEnd = 0;
  readonly #reasoningField: string | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #objectStart = 0;
  #seen = 0;
  #head: ChunkHead = NO_HEAD;

  constructor(reasoningField?: string) {
    this.#reasoningField = reasoningField;
  }

  /** Whether the frame, with its closing blank line, is canonical. The facts are valid until the next call. */
  scan(frame: Uint8Array, head: ChunkHead): boolean {
    this.#bytes = frame;
    this.#at = 0;
    this.finish = 0;
    this.usageStart = 0;
    this.usageEnd = 0;
    const isLine = this.#literal("data:") && (this.#skip(SPACE) || true) && this.#chunk(head);
    return isLine && this.#skip(LF) && this.#skip(LF) && this.#at === frame.length;
  }

  #chunk(head: ChunkHead): boolean {
    this.#head = head;
    this.#seen = 0;
    this.#objectStart = this.#at;
    return this.#members(Level.chunk) && this.#seen === SEEN_ALL;
  }

  /** An object whose members are those of a level. One method, so that no closure is made per frame. */
  #members(level: number): boolean {
    if (!this.#skip(OPEN_OBJECT)) return false;
    if (this.#skip(CLOSE_OBJECT)) return true;
    do {
      this.#skip(SPACE);
      const from = this.#at + 1;
      if (!this.#skipString()) return false;
      const to = this.#at - 1;
      if (!this.#skip(COLON)) return false;
      this.#skip(SPACE);
      if (!this.#member(level, from, to)) return false;
    } while (this.#skip(COMMA));
    return this.#skip(CLOSE_OBJECT);
  }

  #member(level: number, from: number, to: number): boolean {
    if (level === Level.chunk) return this.#chunkMember(from, to);
    return level === Level.choice ? this.#choiceMember(from, to) : this.#deltaMember(from, to);
  }

  #chunkMember(from: number, to: number): boolean {
    if (this.#isKey(from, to, "id")) return this.#raw(this.#head.id) && this.#note(SEEN_ID);
    if (this.#isKey(from, to, "created")) return this.#raw(this.#head.created);
    if (this.#isKey(from, to, "model")) return this.#raw(this.#head.model);
    if (this.#isKey(from, to, "object")) return this.#raw(OBJECT_NAME);
    if (this.#isKey(from, to, "choices")) return this.#onlyChoice();
    if (this.#isKey(from, to, "usage")) return this.#nullUsage(from - 1);
    if (this.#isKey(from, to, "error")) return this.#literal("null");
    return !this.#isKey(from, to, "x_groq") && this.#skipValue();
  }

  #onlyChoice(): boolean {
    return this.#skip(OPEN_ARRAY) && this.#members(Level.choice) && this.#skip(CLOSE_ARRAY);
  }

  #choiceMember(from: number, to: number): boolean {
    if (this.#isKey(from, to, "index")) return this.#digit() && this.#note(SEEN_INDEX);
    if (this.#isKey(from, to, "delta")) return this.#members(Level.delta) && this.#note(SEEN_DELTA);
    if (this.#isKey(from, to, "finish_reason")) return this.#finishReason();
    return !this.#isKey(from, to, "usage") && !this.#isKey(from, to, "message") && this.#skipValue();
  }

  #deltaMember(from: number, to: number): boolean {
    if (this.#isKey(from, to, "content")) return this.#textOrNull();
    if (this.#isKey(from, to, "reasoning_content")) return this.#textOrNull();
    for (const suspect of DELTA_SUSPECTS) if (this.#isKey(from, to, suspect)) return false;
    const field = this.#reasoningField;
    if (field !== undefined && this.#isKey(from, to, field)) return false;
    return this.#skipValue();
  }

  /** Notes a required member; a second one of the same name is a doubt. */
  #note(member: number): boolean {
    if ((this.#seen & member) !== 0) return false;
    this.#seen |= member;
    return true;
  }

  #isKey(from: number, to: number, key: string): boolean {
    if (to - from !== key.length) return false;
    for (let at = 0; at < key.length; at++) {
      if (this.#bytes[from + at] !== key.charCodeAt(at)) return false;
    }
    return true;
  }

  #skip(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #literal(text: string): boolean {
    if (!this.#isKey(this.#at, this.#at + text.length, text)) return false;
    this.#at += text.length;
    return true;
  }

  #raw(expected: Uint8Array): boolean {
    for (let at = 0; at < expected.length; at++) {
      if (this.#bytes[this.#at + at] !== expected[at]) return false;
    }
    this.#at += expected.length;
    return true;
  }

  /** Positions the `"usage":null` member with one comma, so that it can be cut out. */
  #nullUsage(from: number): boolean {
    if (!this.#literal("null")) return false;
    const isFirst = from === this.#objectStart + 1;
    this.usageStart = isFirst ? from : from - 1;
    // The comma before the member goes with it; any space between would be left behind, so it is a doubt.
    if (!isFirst && this.#bytes[from - 1] !== COMMA) return false;
    this.usageEnd = isFirst && this.#bytes[this.#at] === COMMA ? this.#at + 1 : this.#at;
    return true;
  }

  #digit(): boolean {
    const byte = this.#bytes[this.#at] ?? 0;
    const next = this.#bytes[this.#at + 1];
    if (byte < ZERO || byte > NINE || (next !== COMMA && next !== CLOSE_OBJECT)) return false;
    this.choice = byte - ZERO;
    this.#at++;
    return true;
  }

  #finishReason(): boolean {
    if (this.#bytes[this.#at] === LOWER_N) return this.#literal("null");
    const from = this.#at + 1;
    if (!this.#skipString()) return false;
    const to = this.#at - 1;
    this.finish = this.#bytes[from] ?? 0;
    return FINISH_REASONS.some((reason) => this.#isKey(from, to, reason));
  }

  #textOrNull(): boolean {
    return this.#bytes[this.#at] === LOWER_N ? this.#literal("null") : this.#skipString();
  }

  #skipString(): boolean {
    if (!this.#skip(QUOTE)) return false;
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    this.#at = at + 1;
    return at < bytes.length;
  }

  /** Any value; nesting is counted, not checked. */
  #skipValue(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let depth = 0;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at];
      if (byte === QUOTE) {
        if (!this.#skipString()) return false;
        continue;
      }
      if (depth === 0 && (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY)) break;
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--;
      else if (byte === LF) return false;
      this.#at++;
    }
    return this.#at > start && this.#at < bytes.length;
  }
}

/** The head of a stream whose chunks hold these values. */
export function chunkHead(id: string, created: number, model: string): ChunkHead {
  return {
    id: encoder.encode(JSON.stringify(id)),
    created: encoder.encode(JSON.stringify(created)),
    model: encoder.encode(JSON.stringify(model)),
  };
}
