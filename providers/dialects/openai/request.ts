// A chat request for a provider that claims to speak chat completions, with its catalog's quirks applied. Nothing is
// changed that no quirk names, and members nobody knows pass through.
import { GatewayError } from "../../../src/errors.ts";
import type { DialectTarget } from "../dialect.ts";
import { isObject, readString, without, type Json } from "../json.ts";
import { FOREIGN_MEMBERS, type Quirks } from "../quirks.ts";
import { plainToolId, signatureExtra, splitToolId } from "../shared/tools.ts";

const NO_QUIRKS: Quirks = {};
const NOTHING: ReadonlySet<string> = new Set();

/** The request's body with this target's model and quirks. Warnings are added to `warnings`. */
export function chatRequest(request: Json, target: DialectTarget, warnings: string[]): Json {
  const quirks = target.quirks ?? NO_QUIRKS;
  const members = Object.fromEntries(topLevel(request, quirks, warnings));
  const strip = new Set(quirks.strip ?? FOREIGN_MEMBERS);
  const { messages, tools } = members;
  return {
    ...quirks.set,
    ...members,
    model: target.model,
    ...(Array.isArray(messages) ? { messages: chatMessages(messages, quirks, { strip, warnings }) } : {}),
    ...(Array.isArray(tools) ? { tools: tools.map((tool) => chatTool(tool, quirks, strip)) } : {}),
  };
}

function* topLevel(request: Json, quirks: Quirks, warnings: string[]): Generator<[string, unknown]> {
  const dropped = new Set(quirks.drop);
  for (const [name, value] of Object.entries(request)) {
    if (dropped.has(name)) {
      warnings.push(`${name} was dropped: the provider does not take it.`);
      continue;
    }
    if (name === "stream_options" && quirks.streamOptions === false) continue;
    const renames = quirks.rename ?? {};
    const other = Object.hasOwn(renames, name) ? renames[name] : undefined;
    // The provider's own name wins where the client sent both.
    if (other !== undefined && other in request) continue;
    yield [other ?? name, value];
  }
}

interface Strip {
  readonly strip: ReadonlySet<string>;
  readonly warnings: string[];
}

function chatMessages(messages: readonly unknown[], quirks: Quirks, { strip, warnings }: Strip): unknown[] {
  const stripped = new Set<string>();
  const mended = messages.map((message, index) => {
    if (!isObject(message)) {
      throw new GatewayError("invalid_request", "A message must be an object.", {
        param: `messages[${index}]`,
      });
    }
    for (const name of strip) if (name !== "cache_control" && message[name] !== undefined) stripped.add(name);
    return chatMessage(without(message, strip), quirks, strip);
  });
  for (const name of stripped)
    warnings.push(`messages[].${name} was dropped: only the provider that made it can read it.`);
  return mended;
}

function chatMessage(message: Json, quirks: Quirks, strip: ReadonlySet<string>): Json {
  const role = readString(message, "role") ?? "";
  const roles = quirks.roles ?? {};
  const { content, tool_calls: calls, tool_call_id: callId } = message;
  return {
    ...message,
    ...(Object.hasOwn(roles, role) ? { role: roles[role] } : {}),
    ...(Array.isArray(content) ? { content: chatContent(content, quirks, strip) } : {}),
    ...(Array.isArray(calls) ? { tool_calls: calls.map((call) => pastCall(call, quirks, strip)) } : {}),
    ...(typeof callId === "string" ? { tool_call_id: toolId(splitToolId(callId).id, quirks) } : {}),
  };
}

/** A call with the id that the provider gave it; the signature that travelled in it goes where the provider has it, if it has. */
function pastCall(call: unknown, quirks: Quirks, strip: ReadonlySet<string>): unknown {
  const kept = stripped(call, strip);
  const sent = readString(kept, "id");
  if (!isObject(kept) || sent === undefined) return kept;
  const { id, signature } = splitToolId(sent);
  const isKept = signature === undefined || strip.has("extra_content") || kept["extra_content"] !== undefined;
  return { ...kept, id: toolId(id, quirks), ...(isKept ? {} : signatureExtra(signature)) };
}

function toolId(id: string, { toolIdLength }: Quirks): string {
  return toolIdLength === undefined ? id : plainToolId(id, toolIdLength);
}

function chatContent(parts: readonly unknown[], quirks: Quirks, strip: ReadonlySet<string>): unknown {
  const isText = (part: unknown): boolean => readString(part, "type") === "text";
  if (quirks.flattenContent === true && parts.every(isText)) {
    return parts.map((part) => readString(part, "text") ?? "").join("\n");
  }
  return parts.map((part) => {
    const kept = stripped(part, strip);
    const image = isObject(kept) ? kept["image_url"] : undefined;
    if (quirks.noImageDetail !== true || !isObject(image) || !isObject(kept)) return kept;
    return { ...kept, image_url: without(image, IMAGE_DETAIL) };
  });
}

const IMAGE_DETAIL = new Set(["detail"]);
const STRICT = new Set(["strict"]);

function chatTool(tool: unknown, quirks: Quirks, strip: ReadonlySet<string>): unknown {
  const kept = stripped(tool, strip);
  const definition = isObject(kept) ? kept["function"] : undefined;
  if (!isObject(kept) || !isObject(definition)) return kept;
  return { ...kept, function: without(definition, quirks.noStrictTools === true ? STRICT : NOTHING) };
}

/** The value without the members to strip; the same value when there are none. */
function stripped(value: unknown, strip: ReadonlySet<string>): unknown {
  if (!isObject(value)) return value;
  for (const name of strip) if (value[name] !== undefined) return without(value, strip);
  return value;
}
