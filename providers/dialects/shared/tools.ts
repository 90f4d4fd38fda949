// The tools of a chat request in one form for every language: what is declared, what the model may or must call, and
// the calls and results of the conversation so far.
import { tryParse } from "../../../src/json.ts";
import { isObject, readArray, readBoolean, readObject, readString, readText, type Json } from "../json.ts";
import { invalid, unsupported } from "./params.ts";

export interface FunctionTool {
  readonly name: string;
  readonly description: string | undefined;
  /** JSON Schema of the arguments; an empty object's when none was given. */
  readonly schema: Json;
  readonly strict: boolean | undefined;
  /** The tool as the client wrote it, for members only some languages have. */
  readonly raw: Json;
}

export type ToolChoice =
  | { readonly kind: "auto" }
  | { readonly kind: "none" }
  | { readonly kind: "required" }
  | { readonly kind: "named"; readonly name: string };

export interface ToolPlan {
  readonly functions: readonly FunctionTool[];
  /** Tools of the target language itself, passed on as they are. */
  readonly native: readonly Json[];
  /** Undefined when the client did not say. */
  readonly choice: ToolChoice | undefined;
  /** Whether several calls at once are allowed; undefined when the client did not say. */
  readonly parallel: boolean | undefined;
}

const NO_ARGUMENTS: Json = { type: "object", properties: {} };

/** Reads `tools`, `tool_choice` and `parallel_tool_calls`. Throws a `GatewayError` that names what is wrong. */
export function toolPlan(request: Json): ToolPlan {
  const functions: FunctionTool[] = [];
  const native: Json[] = [];
  for (const [index, tool] of readArray(request, "tools").entries()) {
    const param = `tools[${index}]`;
    if (!isObject(tool)) throw invalid(param, "must be an object");
    const type = readString(tool, "type");
    if (type === "custom" && readObject(tool, "custom") !== undefined) {
      throw unsupported(param, "tools with free-form input have no counterpart");
    }
    if (readObject(tool, "function") === undefined && type !== "function") native.push(tool);
    else functions.push(functionTool(tool, param));
  }
  const allowed = allowedTools(request);
  return {
    functions: allowed === undefined ? functions : functions.filter((tool) => allowed.has(tool.name)),
    native,
    choice: toolChoice(request),
    parallel: readBoolean(request, "parallel_tool_calls"),
  };
}

function functionTool(tool: Json, param: string): FunctionTool {
  const definition = readObject(tool, "function");
  const name = readText(definition, "name");
  if (name === undefined) throw invalid(`${param}.function.name`, "must be a string");
  const schema = readObject(definition, "parameters");
  return {
    name,
    description: readText(definition, "description"),
    schema: schema === undefined || Object.keys(schema).length === 0 ? NO_ARGUMENTS : schema,
    strict: readBoolean(definition, "strict"),
    raw: tool,
  };
}

/** The names of `tool_choice: { type: "allowed_tools" }`; undefined when all are allowed. */
function allowedTools(request: Json): ReadonlySet<string> | undefined {
  const choice = readObject(request, "tool_choice");
  if (readString(choice, "type") !== "allowed_tools") return undefined;
  const allowed = readObject(choice, "allowed_tools") ?? choice;
  const names = readArray(allowed, "tools").map(
    (tool) => readText(readObject(tool, "function"), "name") ?? readText(tool, "name") ?? "",
  );
  return new Set(names);
}

function toolChoice(request: Json): ToolChoice | undefined {
  const choice = request["tool_choice"];
  if (choice === undefined || choice === null) return undefined;
  const allowed =
    readString(choice, "type") === "allowed_tools" ? readObject(choice, "allowed_tools") : undefined;
  const word = allowed === undefined ? choice : (readString(allowed, "mode") ?? "auto");
  if (word === "auto" || word === "none" || word === "required") return { kind: word };
  const name = readText(readObject(choice, "function"), "name");
  if (name === undefined) throw invalid("tool_choice", "must be auto, none, required or name a function");
  return { kind: "named", name };
}

/** A tool call of the conversation, with its arguments parsed. */
export interface PastCall {
  readonly id: string;
  readonly name: string;
  readonly input: Json;
  readonly raw: Json;
}

/** An assistant message's calls. Throws `invalid_request` for arguments that are not a JSON object. */
export function pastCalls(message: Json, param: string): readonly PastCall[] {
  return readArray(message, "tool_calls").map((call, index) => {
    const place = `${param}.tool_calls[${index}]`;
    if (!isObject(call)) throw invalid(place, "must be an object");
    const custom = readObject(call, "custom");
    const definition = custom ?? readObject(call, "function");
    const name = readText(definition, "name");
    if (name === undefined) throw invalid(`${place}.function.name`, "must be a string");
    const id = readText(call, "id");
    if (id === undefined) throw invalid(`${place}.id`, "must be a string");
    // Free text has no other place in languages whose calls have objects.
    const input =
      custom === undefined
        ? callInput(definition, `${place}.function.arguments`)
        : { input: readString(custom, "input") ?? "" };
    return { id, name, input, raw: call };
  });
}

/** Arguments as an object: empty text is no arguments. */
function callInput(definition: Json | undefined, param: string): Json {
  const text = definition?.["arguments"];
  if (text === undefined || text === null || text === "") return {};
  const parsed = typeof text === "string" ? tryParse(text) : text;
  if (!isObject(parsed)) throw invalid(param, "must be the JSON text of an object");
  return parsed;
}

/** The names of all tools called in the conversation, for languages that want them declared. */
export function calledNames(messages: readonly Json[]): readonly string[] {
  const names = messages.flatMap((message) =>
    readArray(message, "tool_calls").flatMap((call) => readText(readObject(call, "function"), "name") ?? []),
  );
  return [...new Set(names)];
}

/** Some providers refuse ids of calls that are longer than 40 characters: this much of a request's id is in ours. */
const REQUEST_ID_CHARS = 16;

/** An id for a call that the provider gave none: the request's, the choice's and the call's own place in it. */
export function newCallId(requestId: string, choice: number, call: number): string {
  return `call_${requestId.replaceAll("-", "").slice(0, REQUEST_ID_CHARS)}_${choice}_${call}`;
}

const ID_CHARACTERS = /[^a-zA-Z0-9_-]/g;

/**
 * Between a tool call's id and the signature of the thought behind it. Some models want the signature back with the
 * call, and the id is the one member that every client returns; other gateways use the same mark.
 */
export const THOUGHT_MARK = "__thought__";

/** An id that carries a signature to the client and back. */
export function idWithSignature(id: string, signature: string): string {
  return `${id}${THOUGHT_MARK}${signature}`;
}

/** Where a signature stands on a message or call in chat's language, as its maker's own chat endpoint has it. */
export function signatureExtra(signature: string): Json {
  return { extra_content: { google: { thought_signature: signature } } };
}

/** The signature that stands there. */
export function signatureIn(carrier: unknown): string | undefined {
  return readText(readObject(readObject(carrier, "extra_content"), "google"), "thought_signature");
}

/** The id as the provider knows it, and the signature that travelled with it. */
export function splitToolId(id: string): { readonly id: string; readonly signature: string | undefined } {
  const mark = id.indexOf(THOUGHT_MARK);
  if (mark === -1) return { id, signature: undefined };
  const signature = id.slice(mark + THOUGHT_MARK.length);
  return { id: id.slice(0, mark), signature: signature === "" ? undefined : signature };
}

/** Warns when calls carry signatures that the target can't read. */
export function warnOfSignatures(calls: readonly PastCall[], warnings: string[]): void {
  if (calls.some((call) => call.id.includes(THOUGHT_MARK))) {
    warnings.push(
      "A thought's signature in a tool call's id was dropped: only the provider that made it can read it.",
    );
  }
}

/**
 * A tool call's id in the characters and length a provider takes, without a signature. Equal ids stay equal, so a
 * result still finds its call; one that is too long ends in a hash of the whole.
 */
export function safeToolId(id: string, lengthMax = 64): string {
  const plain = splitToolId(id).id;
  const safe = plain.replaceAll(ID_CHARACTERS, "_");
  return safe.length <= lengthMax ? safe : `${safe.slice(0, lengthMax - 9)}_${hash(plain)}`;
}

/** A tool call's id in letters and digits and of exactly this length, for providers that take no other. Equal ids stay equal. */
export function plainToolId(id: string, length: number): string {
  if (id.length === length && /^[a-zA-Z0-9]+$/.test(id)) return id;
  let plain = "";
  for (let round = 0; plain.length < length; round++) plain += hash(`${round}${id}`);
  return plain.slice(0, length);
}

/** FNV-1a, 32 bits, as 8 hexadecimal digits. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return (value >>> 0).toString(16).padStart(8, "0");
}

/** The request's messages as objects. Throws `invalid_request` when there are none. */
export function chatMessages(request: Json): readonly Json[] {
  const { messages } = request;
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid("messages", "must be a list of messages");
  return messages.map((message, index) => {
    if (!isObject(message)) throw invalid(`messages[${index}]`, "must be an object");
    return message;
  });
}
