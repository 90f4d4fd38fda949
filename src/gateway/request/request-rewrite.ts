// Changes a request in its own bytes: the model's name at the provider, and the wish for a final usage chunk. The rest
// reaches the provider exactly as the client wrote it.
import type { BodyMembers, Span } from "./request.ts";

/** What a provider needs changed in a request. */
export interface RequestChanges {
  /** The model's name at the provider, as JSON text in quotes; null to keep the client's. Make it once per target. */
  readonly model: Buffer | null;
  /** Ask for the final usage chunk, whether or not the client did. */
  readonly addUsage: boolean;
}

const USAGE_MEMBER = Buffer.from('"stream_options":{"include_usage":true},');
const MODEL_NAME = Buffer.from('"model":');
const COMMA = Buffer.from(",");
const USAGE_VALUE = Buffer.from('{"include_usage":true}');

/** The body with `changes` spliced in; the very same buffer when there is nothing to change. */
export function rewriteRequest(body: Buffer, members: BodyMembers, changes: RequestChanges): Buffer {
  const edits: Edit[] = [];
  if (changes.model !== null && !isAlready(body, members.modelSpan, changes.model)) {
    edits.push({ ...members.modelSpan, bytes: modelBytes(members.modelSpan, changes.model) });
  }
  if (changes.addUsage && !members.includeUsage) edits.push(usageEdit(body, members));
  return edits.length === 0 ? body : splice(body, edits);
}

/** Replaces `body[start, end)` by `bytes`. */
export interface Edit extends Span {
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

/** The value, or all of the member where there is none yet; other members follow, for none is sent empty. */
function modelBytes({ start, end }: Span, model: Buffer): Buffer {
  return start < end ? model : Buffer.concat([MODEL_NAME, model, COMMA]);
}

function isAlready(body: Buffer, span: Span, model: Buffer): boolean {
  return body.compare(model, 0, model.length, span.start, span.end) === 0;
}

/** Adds `include_usage` to the client's stream options, or the options to the request. */
function usageEdit(body: Buffer, members: BodyMembers): Edit {
  const { streamOptionsSpan: span, insertAt } = members;
  // The object has at least `model`, so the inserted member's comma is right.
  if (span === null) return { start: insertAt, end: insertAt, bytes: USAGE_MEMBER };
  const options: unknown = JSON.parse(body.toString("utf8", span.start, span.end));
  if (typeof options !== "object" || options === null) return { ...span, bytes: USAGE_VALUE };
  return { ...span, bytes: Buffer.from(JSON.stringify({ ...options, include_usage: true })) };
}
