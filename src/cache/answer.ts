// An answer that is kept, and its bytes on disk. The bytes carry a checksum, so that a damaged entry is a miss and
// never an answer:
//
//   version u8 │ CRC-32 of the rest u32 │ head length u32 │ head, JSON │ body, as the client got it
import { crc32 } from "node:zlib";
import { tryParse } from "../json.ts";

/** One complete, successful answer. Read-only: several clients may be getting it. */
export interface CachedAnswer {
  /** When it was given, in milliseconds since the epoch. */
  readonly storedMs: number;
  readonly isStream: boolean;
  /** Who gave it. */
  readonly provider: string;
  readonly model: string;
  /** What it cost then; 0 where that is not known. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** What the client was told about how its request was changed. */
  readonly warnings: readonly string[];
  /** JSON, or the whole event stream. */
  readonly body: Buffer;
}

const VERSION = 1;
const CHECKSUM_AT = 1;
const HEAD_LENGTH_AT = 5;
const HEAD_AT = 9;

/** What an answer takes in memory beside its body: the objects, their texts, its place in the index. */
const OBJECT_BYTES = 700;

/** About how much memory an answer takes. */
export function memoryBytes({ body }: CachedAnswer): number {
  return body.length + OBJECT_BYTES;
}

/** The answer as it is written to disk. */
export function encodeAnswer({ body, ...head }: CachedAnswer): Buffer {
  const headBytes = Buffer.from(JSON.stringify(head));
  const bytes = Buffer.allocUnsafeSlow(HEAD_AT + headBytes.length + body.length);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt32LE(headBytes.length, HEAD_LENGTH_AT);
  headBytes.copy(bytes, HEAD_AT);
  body.copy(bytes, HEAD_AT + headBytes.length);
  bytes.writeUInt32LE(crc32(bytes.subarray(HEAD_LENGTH_AT)), CHECKSUM_AT);
  return bytes;
}

/** The answer in these bytes; null when they are not what was written. The body stays a part of `value`. */
export function decodeAnswer(value: Uint8Array): CachedAnswer | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < HEAD_AT || bytes[0] !== VERSION) return null;
  if (crc32(bytes.subarray(HEAD_LENGTH_AT)) !== bytes.readUInt32LE(CHECKSUM_AT)) return null;
  const bodyAt = HEAD_AT + bytes.readUInt32LE(HEAD_LENGTH_AT);
  if (bodyAt > bytes.length) return null;
  return withBody(tryParse(bytes.toString("utf8", HEAD_AT, bodyAt)), bytes.subarray(bodyAt));
}

function withBody(head: unknown, body: Buffer): CachedAnswer | null {
  if (typeof head !== "object" || head === null) return null;
  const member = (name: string): unknown => Reflect.get(head, name);
  const [storedMs, inputTokens, outputTokens] = [
    member("storedMs"),
    member("inputTokens"),
    member("outputTokens"),
  ];
  const [provider, model, isStream, warnings] = [
    member("provider"),
    member("model"),
    member("isStream"),
    member("warnings"),
  ];
  if (typeof storedMs !== "number" || typeof inputTokens !== "number" || typeof outputTokens !== "number")
    return null;
  if (typeof provider !== "string" || typeof model !== "string" || typeof isStream !== "boolean") return null;
  if (!Array.isArray(warnings) || !warnings.every((each) => typeof each === "string")) return null;
  return { storedMs, isStream, provider, model, inputTokens, outputTokens, warnings, body };
}
