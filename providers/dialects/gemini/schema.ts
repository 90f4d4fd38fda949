// JSON Schema as the subset of OpenAPI 3.0 that older models take: references inlined, `const` as an `enum`, lists of
// types as `nullable` or `anyOf`, `allOf` merged, and everything unknown left out. References can multiply a small
// schema into a huge one, so the number of nodes is bounded.
// https://ai.google.dev/api/caching#Schema
import { isObject, readArray, readObject, readString, type Json } from "../json.ts";
import { invalid } from "../shared/params.ts";

const NODES_MAX = 5000;
const DEPTH_MAX = 40;

/** Members that pass as they are. */
const PLAIN = new Set([
  "title",
  "description",
  "nullable",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "minLength",
  "maxLength",
  "pattern",
  "minimum",
  "maximum",
  "propertyOrdering",
]);

const FORMATS = new Set(["date-time", "enum", "int32", "int64", "float", "double"]);

/** Throws `invalid_request` when the schema is too large once its references are inlined. */
export function openApiSchema(schema: Json, param: string): Json {
  return new Converter(schema, param).convert(schema, 0);
}

class Converter {
  readonly #root: Json;
  readonly #param: string;
  /** The references being inlined right now: one of them inside itself can't be. */
  readonly #open = new Set(["#"]);
  #nodes = 0;

  constructor(root: Json, param: string) {
    this.#root = root;
    this.#param = param;
  }

  convert(written: unknown, depth: number): Json {
    this.#count();
    const { schema, references } = this.#resolve(written);
    if (schema === undefined || depth > DEPTH_MAX) return { type: "object" };
    for (const reference of references) this.#open.add(reference);
    const converted = this.#node(this.#merged(schema, depth), depth);
    for (const reference of references) this.#open.delete(reference);
    return converted;
  }

  #count(): void {
    if (++this.#nodes > NODES_MAX) throw invalid(this.#param, "is too large once its references are inlined");
  }

  #node(schema: Json, depth: number): Json {
    const plain = Object.entries(schema).filter(([key, value]) => PLAIN.has(key) && value !== undefined);
    const format = readString(schema, "format");
    return {
      ...Object.fromEntries(plain),
      ...(format !== undefined && FORMATS.has(format) ? { format } : {}),
      ...this.#type(schema, depth),
      ...enumOf(schema),
      ...this.#children(schema, depth),
    };
  }

  /** Follows `$ref` inside the document. One that leads nowhere, or into itself, gives no schema: any object. */
  #resolve(written: unknown): { readonly schema: Json | undefined; readonly references: readonly string[] } {
    const references: string[] = [];
    let schema = isObject(written) ? written : undefined;
    while (schema !== undefined) {
      const reference = readString(schema, "$ref");
      if (reference === undefined) break;
      const isCircular = this.#open.has(reference) || references.includes(reference);
      schema = isCircular ? undefined : this.#lookUp(reference);
      references.push(reference);
    }
    return { schema, references };
  }

  #lookUp(reference: string): Json | undefined {
    if (reference === "#") return this.#root;
    if (!reference.startsWith("#/")) return undefined;
    let found: Json | undefined = this.#root;
    for (const step of reference.slice(2).split("/")) {
      found = readObject(found, step.replaceAll("~1", "/").replaceAll("~0", "~"));
    }
    return found;
  }

  /** `allOf` as one schema: properties and required names of all, other members of the last that has them. */
  #merged(schema: Json, depth: number): Json {
    const listed = readArray(schema, "allOf");
    if (listed.length === 0) return schema;
    const { allOf: _allOf, ...own } = schema;
    const parts = listed.flatMap((part) => {
      this.#count();
      const { schema: resolved } = this.#resolve(part);
      return resolved === undefined || depth > DEPTH_MAX ? [] : [this.#merged(resolved, depth + 1)];
    });
    const all = [...parts, own];
    const properties = Object.fromEntries(
      all.flatMap((part) => Object.entries(readObject(part, "properties") ?? {})),
    );
    const required = [...new Set(all.flatMap((part) => readArray(part, "required")))];
    return {
      ...Object.fromEntries(all.flatMap((part) => Object.entries(part))),
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required }),
    };
  }

  #type(schema: Json, depth: number): Json {
    const { type } = schema;
    const choices = [...readArray(schema, "anyOf"), ...readArray(schema, "oneOf")];
    if (choices.length > 0) return this.#anyOf(choices, depth);
    if (typeof type === "string") return { type };
    if (!Array.isArray(type)) return impliedType(schema);
    const types = type.filter((each) => typeof each === "string" && each !== "null");
    const nullable = type.includes("null") ? { nullable: true } : {};
    if (types.length === 1) return { type: types[0], ...nullable };
    return { anyOf: types.map((each) => ({ type: each })), ...nullable };
  }

  #anyOf(choices: readonly unknown[], depth: number): Json {
    const others = choices.filter((choice) => readString(choice, "type") !== "null");
    const nullable = others.length < choices.length ? { nullable: true } : {};
    const converted = others.map((choice) => this.convert(choice, depth + 1));
    const [only] = converted;
    return only !== undefined && converted.length === 1
      ? { ...only, ...nullable }
      : { anyOf: converted, ...nullable };
  }

  #children(schema: Json, depth: number): Json {
    const properties = Object.entries(readObject(schema, "properties") ?? {});
    const required = readArray(schema, "required").filter((name) => properties.some(([key]) => key === name));
    const children = properties.map(([name, child]) => [name, this.convert(child, depth + 1)] as const);
    return {
      ...(children.length === 0 ? {} : { properties: Object.fromEntries(children) }),
      ...(required.length === 0 ? {} : { required }),
      ...(schema["items"] === undefined ? {} : { items: this.convert(schema["items"], depth + 1) }),
    };
  }
}

/** The type of a schema that doesn't say. */
function impliedType(schema: Json): Json {
  if (schema["properties"] !== undefined) return { type: "object" };
  if (schema["items"] !== undefined) return { type: "array" };
  return "const" in schema && typeof schema["const"] !== "string"
    ? { type: typeof schema["const"] }
    : { type: "string" };
}

/** Only strings can be listed. */
function enumOf(schema: Json): Json {
  const values = "const" in schema ? [schema["const"]] : readArray(schema, "enum");
  const texts = values.filter((value) => typeof value === "string");
  return texts.length === 0 ? {} : { enum: texts };
}
