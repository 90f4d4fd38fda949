// What the gateway must know of a JSON request before it can route, count and send it: a dozen members, read out of
// the raw bytes. Everything else stays as the client wrote it; `rewriteRequest` splices the few changes a provider
// needs into those bytes. Types are checked only for what is read here and for the one member that each route cannot
// do without: the rest is the provider's to judge.
import { isUtf8 } from "node:buffer";
import { GatewayError } from "../../errors.ts";
import { scanJson, type ScanFault } from "./json-scan.ts";
import { AT, MEMBERS, Members, wrongType, type RequiredMember } from "./request-members.ts";
import { bareMembers, type BodyMembers } from "./request.ts";

/** The options are the one member that is parsed here; they hold two booleans. */
const STREAM_OPTIONS_CHARS_MAX = 4096;

/**
 * Reads a whole JSON body. Throws `invalid_json` for bytes that are not UTF-8 or not one JSON object, and
 * `invalid_request` with `param` for a member that is missing, doubled or of the wrong type. `unnamed`: what a request
 * without a model asks for; null: it has to name one.
 */
export function scanRequest(
  body: Buffer,
  required: RequiredMember | null,
  unnamed: string | null = null,
): BodyMembers {
  if (!isUtf8(body)) throw new GatewayError("invalid_json", "The body is not valid UTF-8.");
  const scan = scanJson(body, MEMBERS);
  if (scan.kind === "fault") throw faultError(body, scan);
  const members = new Members(body, scan);
  const model = members.model(unnamed);
  if (required !== null) members.require(required);
  const streamOptions = members.object(AT.streamOptions);
  return {
    model,
    modelSpan: members.span(AT.model) ?? { start: scan.insertAt, end: scan.insertAt },
    isStream: members.boolean(AT.stream) ?? false,
    streamOptionsSpan: members.span(AT.streamOptions),
    includeUsage: streamOptions !== null && includesUsage(streamOptions),
    maxTokens: maxTokens(members),
    choices: members.choices(),
    encodingFormat: members.string(AT.encodingFormat),
    imageCount: scan.imageCount,
    mediaBytes: scan.mediaBytes,
    largeMedia: scan.largeMedia,
    previousResponse: members.isText(AT.previousResponse) ? members.string(AT.previousResponse) : null,
    hasTools: members.isFilled(AT.tools) || members.isFilled(AT.functions),
    session: session(members),
    insertAt: scan.insertAt,
  };
}

/** What there is to know of a body that is passed through whatever it is: its model, empty when it names none, and its media. */
export function scanPassed(body: Buffer): BodyMembers {
  const scan = body.length > 0 && isUtf8(body) ? scanJson(body, MEMBERS) : null;
  if (scan?.kind !== "scanned") return bareMembers("");
  const members = new Members(body, scan);
  const model = members.isText(AT.model) ? (members.string(AT.model) ?? "") : "";
  return { ...bareMembers(model), imageCount: scan.imageCount, mediaBytes: scan.mediaBytes };
}

/** All three are checked, though one counts: a wrong one would be refused later, by a provider that was paid for it. */
function maxTokens(members: Members): number | null {
  const completion = members.count(AT.maxCompletionTokens);
  const total = members.count(AT.maxTokens);
  const output = members.count(AT.maxOutputTokens);
  return completion ?? total ?? output;
}

function session(members: Members): string | null {
  const user = members.string(AT.user);
  return members.string(AT.promptCacheKey) ?? user;
}

function includesUsage(streamOptions: string): boolean {
  if (streamOptions.length > STREAM_OPTIONS_CHARS_MAX) {
    throw new GatewayError("invalid_request", "`stream_options` is too long.", { param: "stream_options" });
  }
  const options: unknown = JSON.parse(streamOptions);
  if (typeof options !== "object" || options === null || !("include_usage" in options)) return false;
  if (typeof options.include_usage === "boolean") return options.include_usage;
  if (options.include_usage === null) return false;
  throw wrongType("stream_options.include_usage", "a boolean");
}

/** Says where the text is wrong; a doubled member is the request's fault rather than the text's. */
function faultError(body: Buffer, fault: ScanFault): GatewayError {
  if (fault.member !== null) {
    const message = `The body is ambiguous: ${fault.reason}.`;
    return new GatewayError("invalid_request", message, { param: fault.member });
  }
  const message = `The body is not a valid JSON request: ${fault.reason} (${position(body, fault.at)}).`;
  return new GatewayError("invalid_json", message);
}

/** A byte offset as people count: line and column, both from 1, the column in characters. */
function position(body: Buffer, at: number): string {
  let line = 1;
  let lineStart = 0;
  for (;;) {
    const newline = body.indexOf(0x0a, lineStart);
    if (newline < 0 || newline >= at) break;
    line++;
    lineStart = newline + 1;
  }
  const column = body.toString("utf8", lineStart, Math.min(at, lineStart + 10_000)).length + 1;
  return `line ${line}, column ${column}`;
}
