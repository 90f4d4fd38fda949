// Changes a request in its own bytes: the model's name at the provider, and the wish for a final usage chunk. The rest
// reaches the provider exactly as the client wrote it.
import type { Places, ScannedRequest } from "./request-scan.ts";

/** What a provider needs changed in a request. */
export interface RequestChanges {
  /** The model's name at the provider, as JSON text in quotes; null to keep the client's. Make it once per target. */
  readonly model: Buffer | null;
  /** Ask for the final usage chunk, whether or not the client did. */
  readonly addUsage: boolean;
}

const USAGE_MEMBER = Buffer.from('"stream_options":{"include_usage":true},');
const USAGE_VALUE = Buffer.from('{"include_usage":true}');

/** The body with `changes` spliced in; the very same buffer when there is nothing to change. */
export function rewriteRequest(body: Buffer, request: ScannedRequest, changes: RequestChanges): Buffer {
  const edits: Edit[] = [];
  const { places } = request;
  if (changes.model !== null && !isAlready(body, places, changes.model)) {
    edits.push({ start: places.modelStart, end: places.modelEnd, bytes: changes.model });
  }
  if (changes.addUsage && !request.wantsUsage) edits.push(usageEdit(body, places));
  return edits.length === 0 ? body : splice(body, edits);
}

/** Replaces `body[start, end)` by `bytes`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** Applies edits that do not overlap, in any order. One copy of the body, none of its parts. */
export function splice(body: Buffer, edits: readonly Edit[]): Buffer {
  const sorted = edits.length === 1 ? edits : edits.toSorted((left, right) => left.start - right.start);
  let length = body.length;
  for (const edit of sorted) length += edit.bytes.length - (edit.end - edit.start);
  const result = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const edit of sorted) {
    to += body.copy(result, to, from, edit.start);
    result.set(edit.bytes, to);
    to += edit.bytes.length;
    from = edit.end;
  }
  body.copy(result, to, from);
  return result;
}

function isAlready(body: Buffer, places: Places, model: Buffer): boolean {
  return body.compare(model, 0, model.length, places.modelStart, places.modelEnd) === 0;
}

/** Adds `include_usage` to the client's stream options, or the options to the request. */
function usageEdit(body: Buffer, places: Places): Edit {
  const { streamOptionsStart: start, streamOptionsEnd: end } = places;
  // The object has at least `model`, so the inserted member's comma is right.
  if (end === 0) return { start: places.insertAt, end: places.insertAt, bytes: USAGE_MEMBER };
  const options: unknown = JSON.parse(body.toString("utf8", start, end));
  if (typeof options !== "object" || options === null) return { start, end, bytes: USAGE_VALUE };
  return { start, end, bytes: Buffer.from(JSON.stringify({ ...options, include_usage: true })) };
}
