// How many tokens a Messages request has, about: `count_tokens` for providers that can't tell. Clients use it to decide
// when to compact a conversation, so it leans to the high side. No tokenizer: text by its characters, media by kind.
import { isObject, readString, type Json } from "../json.ts";

/** Characters of English text or code in a token; the makers say about 3.5. */
const CHARACTERS_PER_TOKEN = 3.5;
const IMAGE_TOKENS = 1600;
/** Base64 characters of a PDF that make a token: a page of 50 KB has about 2,500. */
const DOCUMENT_CHARACTERS_PER_TOKEN = 27;
/** Names, roles and brackets around each object. */
const OBJECT_TOKENS = 3;
const TOOLS_TOKENS = 300;

/** An estimate of the input tokens; at least 1. */
export function countTokens(request: Json): number {
  const { messages, system, tools } = request;
  const hasTools = Array.isArray(tools) && tools.length > 0;
  return Math.max(
    1,
    Math.ceil(weigh(messages) + weigh(system) + weigh(tools) + (hasTools ? TOOLS_TOKENS : 0)),
  );
}

/** Weighs a value without recursion, so that no nesting is too deep. */
function weigh(root: unknown): number {
  const open: unknown[] = [root];
  let tokens = 0;
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "string") tokens += textTokens(value);
    else if (typeof value === "number" || typeof value === "boolean") tokens += 1;
    else if (Array.isArray(value)) for (const item of value) open.push(item);
    else if (isObject(value)) tokens += OBJECT_TOKENS + openObject(value, open);
  }
  return tokens;
}

/** Puts an object's members up for weighing; media are weighed at once. */
function openObject(object: Json, open: unknown[]): number {
  const data = readString(object, "data");
  const mediaType = readString(object, "media_type");
  if (data !== undefined && mediaType !== undefined && mediaType !== "text/plain") {
    return mediaType.startsWith("image/") ? IMAGE_TOKENS : data.length / DOCUMENT_CHARACTERS_PER_TOKEN;
  }
  if (readString(object, "type") === "image") return IMAGE_TOKENS;
  let names = 0;
  for (const [name, value] of Object.entries(object)) {
    names += name.length;
    open.push(value);
  }
  return names / CHARACTERS_PER_TOKEN;
}

/** Characters beyond Latin cost about a token each. */
function textTokens(text: string): number {
  let wide = 0;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x2ff) wide++;
  return (text.length - wide) / CHARACTERS_PER_TOKEN + wide;
}
