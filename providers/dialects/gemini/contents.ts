// A chat conversation as Gemini contents. Roles are user and model; results of tools name their function, not only the
// call, and stand in a turn of their own; calls carry the signature of the thought behind them.
import { tryParse } from "../../../src/json.ts";
import { isObject, readString, readText, type Json } from "../json.ts";
import { invalid, unsupported } from "../shared/params.ts";
import { contentParts, type Part, type Source } from "../shared/parts.ts";
import { hasThoughts } from "../shared/thinking.ts";
import { pastCalls, signatureIn, splitToolId, type PastCall } from "../shared/tools.ts";

export interface Contents {
  readonly system: readonly Json[];
  readonly contents: readonly Json[];
}

export interface ContentRules {
  /** The platform refuses ids of calls. */
  readonly withoutIds: boolean;
  /** Calls without a signature are refused. */
  readonly signatures: boolean;
  /** Base URL, for files named by id. */
  readonly baseUrl: string;
  readonly warnings: string[];
}

type Turn =
  | { readonly role: "user" | "model"; readonly kind: "content"; readonly parts: Json[] }
  /** `calls`: the position of each result's call in the conversation. */
  | { readonly role: "user"; readonly kind: "results"; readonly parts: Json[]; readonly calls: number[] };

/** What stands for a signature that was lost: documented for conversations that began elsewhere. */
const NO_SIGNATURE = "skip_thought_signature_validator";

/** Throws a `GatewayError` that names what can't be carried over. */
export function contentsOf(messages: readonly Json[], rules: ContentRules): Contents {
  const turns: Turn[] = [];
  const system: Json[] = [];
  const names = new Map<string, string>();
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`;
    if (message["name"] !== undefined && message["role"] !== "tool") {
      rules.warnings.push("messages[].name was dropped: turns have no names.");
    }
    switch (readString(message, "role") ?? "") {
      case "system":
      case "developer":
        if (turns.length > 0)
          rules.warnings.push(
            "A later system message was moved to the top: there is no place for it between turns.",
          );
        system.push(...messageParts(message, param, rules));
        break;
      case "user":
        addTo(turns, { role: "user", kind: "content", parts: messageParts(message, param, rules) });
        break;
      case "assistant":
        addTo(turns, {
          role: "model",
          kind: "content",
          parts: modelParts(message, param, { ...rules, names }),
        });
        break;
      case "tool":
        addResult(turns, message, { ...rules, names, param });
        break;
      default:
        throw unsupported(`${param}.role`, "the role must be system, developer, user, assistant or tool");
    }
  }
  const contents = turns.map(({ role, parts }) => ({ role, parts }));
  if (contents.length > 0 || system.length === 0) return { system, contents };
  rules.warnings.push("The system message was sent as the user's: the API wants at least one user turn.");
  return { system: [], contents: [{ role: "user", parts: system }] };
}

function addTo(turns: Turn[], turn: Turn): void {
  if (turn.parts.length === 0) return;
  const last = turns.at(-1);
  if (last?.role === turn.role && last.kind === turn.kind) last.parts.push(...turn.parts);
  else turns.push(turn);
}

/**
 * All results of a turn stand together, in the order of their calls: where calls have no ids, their order is what a result
 * is known by. What came beside results stands behind them.
 */
function addToResults(turns: Turn[], result: Json, call: number): void {
  const last = turns.findLast((turn) => turn.role === "model" || turn.kind === "results");
  if (last?.kind !== "results") {
    turns.push({ role: "user", kind: "results", parts: [result], calls: [call] });
    return;
  }
  const { parts, calls } = last;
  const later = calls.findIndex((other) => other > call);
  const place = later === -1 ? parts.length : later;
  parts.splice(place, 0, result);
  calls.splice(place, 0, call);
}

function messageParts(message: Json, param: string, rules: ContentRules): Json[] {
  if (message["cache_control"] !== undefined) warnOfCaching(rules);
  return contentParts(message["content"], `${param}.content`).map((part, index) =>
    partOf(part, `${param}.content[${index}]`, rules),
  );
}

function warnOfCaching(rules: ContentRules): void {
  rules.warnings.push("cache_control was dropped: caching is automatic, or by cached_content.");
}

function partOf(part: Part, param: string, rules: ContentRules): Json {
  if (part.raw["cache_control"] !== undefined) warnOfCaching(rules);
  switch (part.kind) {
    case "text":
      return { text: part.text };
    case "image":
      return mediaPart(part.source, "image/jpeg", rules);
    case "video":
      return mediaPart(part.source, "video/mp4", rules);
    case "file":
      return mediaPart(part.source, "application/pdf", rules);
    case "audio":
      return { inlineData: { mimeType: `audio/${part.format}`, data: part.data } };
    case "native":
      throw unsupported(param, `content of type ${part.type} has no counterpart`);
  }
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  pdf: "application/pdf",
  txt: "text/plain",
  mp4: "video/mp4",
  webm: "video/webm",
  mov: "video/quicktime",
  mp3: "audio/mp3",
  wav: "audio/wav",
};

/** Media by data or by address; an address must be given a type, which its ending tells or else the part's kind. */
function mediaPart(source: Source, fallbackType: string, rules: ContentRules): Json {
  switch (source.kind) {
    case "data":
      return { inlineData: { mimeType: source.mediaType, data: source.data } };
    case "url":
      return { fileData: { mimeType: typeOfUrl(source.url) ?? fallbackType, fileUri: source.url } };
    case "file": {
      const uri = source.id.includes("://") ? source.id : `${rules.baseUrl}/${source.id}`;
      return { fileData: { mimeType: fallbackType, fileUri: uri } };
    }
  }
}

function typeOfUrl(url: string): string | undefined {
  const ending = /\.([a-z0-9]{2,5})(?:[?#]|$)/i.exec(url.slice(-200))?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(MEDIA_TYPES, ending) ? MEDIA_TYPES[ending] : undefined;
}

interface CallRules extends ContentRules {
  /** Function names by call id, for the results that follow. */
  readonly names: Map<string, string>;
}

function modelParts(message: Json, param: string, rules: CallRules): Json[] {
  if (hasThoughts(message))
    rules.warnings.push("Thinking was dropped: only the provider that made it can read it.");
  const texts = messageParts(message, param, rules);
  const refusal = readText(message, "refusal");
  if (texts.length === 0 && refusal !== undefined) texts.push({ text: refusal });
  const signature = signatureIn(message);
  const last = texts.at(-1);
  if (last !== undefined && signature !== undefined)
    texts[texts.length - 1] = { ...last, thoughtSignature: signature };
  const calls = pastCalls(message, param);
  const isSigned = calls.some((call) => signatureOf(call) !== undefined);
  return [...texts, ...calls.map((call, index) => callPart(call, !isSigned && index === 0, rules))];
}

/** Only the first of parallel calls is signed; where that signature was lost, a placeholder takes its place. */
function callPart(call: PastCall, wantsPlaceholder: boolean, rules: CallRules): Json {
  const { id } = splitToolId(call.id);
  rules.names.set(id, call.name);
  const placeholder = wantsPlaceholder && rules.signatures ? NO_SIGNATURE : undefined;
  const signature = signatureOf(call) ?? placeholder;
  return {
    functionCall: { name: call.name, args: call.input, ...(rules.withoutIds ? {} : { id }) },
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  };
}

/** The signature of a call: in `extra_content`, or smuggled in its id. */
function signatureOf(call: PastCall): string | undefined {
  return signatureIn(call.raw) ?? splitToolId(call.id).signature;
}

interface ResultRules extends CallRules {
  readonly param: string;
}

/** A result, and what it holds besides text in a turn after it: nothing may stand beside results. */
function addResult(turns: Turn[], message: Json, rules: ResultRules): void {
  const { param, names } = rules;
  const id = splitToolId(readString(message, "tool_call_id") ?? "").id;
  const name = names.get(id) ?? readText(message, "name");
  if (name === undefined) throw invalid(`${param}.tool_call_id`, "answers no call of the conversation");
  const parts = contentParts(message["content"], `${param}.content`);
  const text = parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
  const key = message["is_error"] === true ? "error" : "content";
  const parsed = text.startsWith("{") ? tryParse(text) : undefined;
  const response = isObject(parsed) && key === "content" ? parsed : { [key]: text };
  const result = { functionResponse: { name, response, ...(rules.withoutIds ? {} : { id }) } };
  addToResults(turns, result, [...names.keys()].indexOf(id));
  const media = parts.filter((part) => part.kind !== "text");
  const mediaParts = media.map((part, index) => partOf(part, `${param}.content[${index}]`, rules));
  addTo(turns, { role: "user", kind: "content", parts: mediaParts });
}
