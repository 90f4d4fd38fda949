// A deterministic instance of a JSON Schema: what the pretend model answers when JSON is asked for, and what it passes
// to a tool. It covers what structured output and tool definitions use: references, unions, const and enum, bounds of
// numbers, lengths, formats. Patterns are not solved.
import { isObject } from "./json.ts";
import type { JsonObject } from "./json.ts";
import { word } from "./prose.ts";
import type { Draw } from "./prose.ts";

/** Below this depth optional members are left out, so that recursive schemas end. */
const OPTIONAL_DEPTH = 4;
/** Below this depth nothing is followed any more. */
const DEPTH_MAX = 24;

interface Walk {
  readonly root: unknown;
  readonly draw: Draw;
}

/** An instance of `schema`; the same one for the same draws. */
export function instanceOf(schema: unknown, draw: Draw): unknown {
  return build(schema, { root: schema, draw }, 0);
}

function build(schema: unknown, walk: Walk, depth: number): unknown {
  if (!isObject(schema) || depth > DEPTH_MAX) return depth > DEPTH_MAX ? null : word(walk.draw);
  const reference = schema["$ref"];
  if (typeof reference === "string") return build(resolve(reference, walk.root), walk, depth + 1);
  if ("const" in schema) return schema["const"];
  const choices: readonly unknown[] = firstList(schema, ["enum"]);
  if (choices.length > 0) return choices[walk.draw(choices.length)];
  const union = firstList(schema, ["anyOf", "oneOf"]);
  if (union.length > 0) return build(pickOf(union, depth), walk, depth + 1);
  const all = firstList(schema, ["allOf"]);
  if (all.length > 0) return build(merged(schema, all, walk.root), walk, depth + 1);
  return byType(schema, walk, depth);
}

function firstList(schema: JsonObject, names: readonly string[]): readonly unknown[] {
  for (const name of names) {
    const value = schema[name];
    if (Array.isArray(value)) return value;
  }
  return [];
}

/** The first member of a union; deep down the last, which in recursive schemas tends to be the way out. */
function pickOf(union: readonly unknown[], depth: number): unknown {
  if (depth < OPTIONAL_DEPTH) return union[0];
  return union.find((member) => isObject(member) && member["type"] === "null") ?? union.at(-1);
}

function resolve(reference: string, root: unknown): unknown {
  let target: unknown = root;
  for (const part of reference.replace(/^#\/?/, "").split("/")) {
    if (part === "") continue;
    const name = decodePointer(part);
    target = isObject(target) ? target[name] : undefined;
  }
  return target;
}

function decodePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function merged(schema: JsonObject, all: readonly unknown[], root: unknown): JsonObject {
  const { allOf: _, ...own } = schema;
  const members = all.map((member) =>
    isObject(member) && typeof member["$ref"] === "string" ? resolve(member["$ref"], root) : member,
  );
  const parts = [...members, own].filter(isObject);
  const union: Record<string, unknown> = Object.assign({}, ...parts);
  union["properties"] = Object.assign({}, ...parts.map((part) => objectAt(part, "properties")));
  union["required"] = parts.flatMap((part) => firstList(part, ["required"]));
  return union;
}

function objectAt(schema: JsonObject, name: string): JsonObject {
  const value = schema[name];
  return isObject(value) ? value : {};
}

function byType(schema: JsonObject, walk: Walk, depth: number): unknown {
  const types: readonly unknown[] = Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]];
  switch (types[0] ?? (isObject(schema["properties"]) ? "object" : "string")) {
    case "object":
      return objectOf(schema, walk, depth);
    case "array":
      return arrayOf(schema, walk, depth);
    case "integer":
      return numberOf(schema, walk.draw, 1);
    case "number":
      return numberOf(schema, walk.draw, 0.5);
    case "boolean":
      return walk.draw(2) === 1;
    case "null":
      return null;
    default:
      return stringOf(schema, walk.draw);
  }
}

function objectOf(schema: JsonObject, walk: Walk, depth: number): JsonObject {
  const required = new Set(firstList(schema, ["required"]));
  const members = Object.entries(objectAt(schema, "properties"))
    .filter(([name]) => required.has(name) || depth < OPTIONAL_DEPTH)
    .map(([name, member]) => [name, build(member, walk, depth + 1)] as const);
  return Object.fromEntries(members);
}

function arrayOf(schema: JsonObject, walk: Walk, depth: number): readonly unknown[] {
  const least = numberAt(schema, "minItems") ?? (depth < OPTIONAL_DEPTH ? 2 : 0);
  const length = Math.min(least, numberAt(schema, "maxItems") ?? least, 64);
  const first = firstList(schema, ["prefixItems"]);
  return Array.from({ length: Math.max(length, first.length) }, (_, at) =>
    build(first[at] ?? schema["items"], walk, depth + 1),
  );
}

function numberAt(schema: JsonObject, name: string): number | undefined {
  const value = schema[name];
  return typeof value === "number" ? value : undefined;
}

function numberOf(schema: JsonObject, draw: Draw, natural: number): number {
  const step = numberAt(schema, "multipleOf") ?? natural;
  const above = numberAt(schema, "exclusiveMinimum");
  const below = numberAt(schema, "exclusiveMaximum");
  const low = numberAt(schema, "minimum") ?? (above === undefined ? undefined : above + step);
  const high = numberAt(schema, "maximum") ?? (below === undefined ? undefined : below - step);
  const from = low ?? (high === undefined ? 0 : Math.min(0, high));
  const first = Math.ceil(from / step);
  const last = Math.floor((high ?? from + 100 * step) / step);
  const value = (first + draw(Math.max(1, last - first + 1))) * step;
  return Number(value.toPrecision(12));
}

const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-01-31",
  time: "12:30:00Z",
  "date-time": "2026-01-31T12:30:00Z",
  duration: "PT90S",
  email: "keeper@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
};

function stringOf(schema: JsonObject, draw: Draw): string {
  const format = schema["format"];
  const known = typeof format === "string" ? FORMATS[format] : undefined;
  if (known !== undefined) return known;
  const least = numberAt(schema, "minLength") ?? 0;
  let text = word(draw);
  while (text.length < least && text.length < 4096) text += ` ${word(draw)}`;
  return text.slice(0, numberAt(schema, "maxLength") ?? text.length);
}
