// What is known about a request when its life begins: http/ has read the bounded body, found the few members that the
// gateway needs by scanning the bytes (nothing was parsed whole), and found out whose key it carries. All of it is
// read-only from here on; a changed body is spliced from the original bytes.
import type { IncomingHttpHeaders } from "node:http";
import type { Direct } from "../direct.ts";
import type { Route } from "../routes.ts";
import type { ClientKey } from "../runtime.ts";
import type { Upload } from "./upload.ts";

/** A value's place in the body: its first byte and the byte after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The members of a request whose body is no JSON. */
export function bareMembers(model: string): BodyMembers {
  return { ...NO_MEMBERS, model };
}

/** The top-level members of the body that the gateway reads. `null`: absent (a JSON `null` counts as absent). */
export interface BodyMembers {
  /** As the client wrote it, decoded; never empty. It may hold any character: never put it into a header unchecked. */
  readonly model: string;
  /** Empty where the client named none: that is where it is to be named. */
  readonly modelSpan: Span;
  /** `stream: true` was asked. */
  readonly isStream: boolean;
  /** The whole value of `stream_options`, even where that is a JSON `null`. */
  readonly streamOptionsSpan: Span | null;
  /** `stream_options.include_usage: true` was asked. */
  readonly includeUsage: boolean;
  /** `max_completion_tokens`, else `max_tokens`: a whole number ≥ 0. */
  readonly maxTokens: number | null;
  /** `n`: how many answers are asked for; 1 when absent. */
  readonly choices: number;
  /** `encoding_format` of embeddings. */
  readonly encodingFormat: string | null;
  /** How many content parts are images. */
  readonly imageCount: number;
  /** Bytes of inlined media: they are not text and don't count as such. */
  readonly mediaBytes: number;
  /** Where large media stand, as pairs of offsets. */
  readonly largeMedia: readonly number[];
  /** `previous_response_id`. */
  readonly previousResponse: string | null;
  readonly hasTools: boolean;
  /** The end user or session as the client names it: `prompt_cache_key`, else `user`. */
  readonly session: string | null;
  /** The byte after the object's `{`, where a member can be inserted. */
  readonly insertAt: number;
}

export interface RequestFacts {
  /** `x-request-id` of the answer; safe in a header. */
  readonly id: string;
  readonly route: Route;
  readonly key: ClientKey;
  readonly headers: IncomingHttpHeaders;
  /** The body as the client sent it, decoded if it came compressed: valid JSON, an object. */
  readonly body: Buffer;
  /** The form that takes the place of the body, which is empty then; null: there is none. */
  readonly upload: Upload | null;
  /** What is asked of a provider rather than of a model; null: it is a model's. */
  readonly direct: Direct | null;
  readonly members: BodyMembers;
  /** `Clock.elapsedMs()` at the arrival of the request's head. */
  readonly receivedMs: number;
  /** How long the client is ready to wait for all of it; null: it did not say. */
  readonly timeoutMs: number | null;
}

const NO_MEMBERS: BodyMembers = {
  model: "",
  modelSpan: { start: 0, end: 0 },
  isStream: false,
  streamOptionsSpan: null,
  includeUsage: false,
  maxTokens: null,
  choices: 1,
  encodingFormat: null,
  imageCount: 0,
  mediaBytes: 0,
  largeMedia: [],
  previousResponse: null,
  hasTools: false,
  session: null,
  insertAt: 0,
};
