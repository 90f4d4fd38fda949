import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openApiSchema } from "../../../providers/dialects/gemini/schema.ts";
import { isObject, readArray, readObject, type Json } from "../../../providers/dialects/json.ts";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedFile } from "../recordings.ts";

describe("a schema for older models", () => {
  test.each<[string, Json, Json]>([
    [
      "what is known stays",
      { type: "string", title: "t", description: "d", format: "date-time", minLength: 1, pattern: "a" },
      { type: "string", title: "t", description: "d", format: "date-time", minLength: 1, pattern: "a" },
    ],
    [
      "what is not known goes",
      {
        type: "object",
        $schema: "s",
        additionalProperties: false,
        propertyNames: {},
        patternProperties: {},
        examples: [],
      },
      { type: "object" },
    ],
    ["an unknown format", { type: "string", format: "uri" }, { type: "string" }],
    ["const", { const: "a" }, { type: "string", enum: ["a"] }],
    ["const that is no text", { const: 5 }, { type: "number" }],
    ["enum of numbers", { type: "integer", enum: [1, 2] }, { type: "integer" }],
    ["nullable", { type: ["string", "null"] }, { type: "string", nullable: true }],
    ["several types", { type: ["string", "number"] }, { anyOf: [{ type: "string" }, { type: "number" }] }],
    [
      "anyOf with null",
      { anyOf: [{ type: "string", minLength: 1 }, { type: "null" }], description: "d" },
      { type: "string", minLength: 1, nullable: true, description: "d" },
    ],
    [
      "oneOf",
      { oneOf: [{ type: "string" }, { const: "a" }] },
      { anyOf: [{ type: "string" }, { type: "string", enum: ["a"] }] },
    ],
    [
      "allOf",
      {
        allOf: [
          { properties: { a: { type: "string" } }, required: ["a"] },
          { properties: { b: {} }, required: ["b"] },
        ],
      },
      { type: "object", properties: { a: { type: "string" }, b: { type: "string" } }, required: ["a", "b"] },
    ],
    [
      "references",
      {
        $defs: { p: { type: "object", properties: { x: { type: "number" } } } },
        type: "array",
        items: { $ref: "#/$defs/p" },
      },
      { type: "array", items: { type: "object", properties: { x: { type: "number" } } } },
    ],
    [
      "a reference that leads nowhere",
      { type: "object", properties: { a: { $ref: "#/$defs/x" } } },
      { type: "object", properties: { a: { type: "object" } } },
    ],
    ["a reference to another document", { $ref: "https://x" }, { type: "object" }],
    ["a reference to itself", { $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }, { type: "object" }],
    [
      "required names without a property",
      { type: "object", properties: { a: {} }, required: ["a", "b"] },
      { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
    ],
    [
      "escaped names",
      { definitions: { "a/b": { type: "number" } }, properties: { x: { $ref: "#/definitions/a~1b" } } },
      { type: "object", properties: { x: { type: "number" } } },
    ],
  ])("is written in their subset: %s", (_, schema, expected) => {
    expect(openApiSchema(schema, "p")).toEqual(expected);
  });

  test("that refers to itself ends", () => {
    const child = { $ref: "#/$defs/t" };
    const tree = { $defs: { t: { type: "object", properties: { left: child, right: child } } }, ...child };
    expect(openApiSchema(tree, "p")).toEqual({
      type: "object",
      properties: { left: { type: "object" }, right: { type: "object" } },
    });
  });

  test("that multiplies itself is refused", () => {
    const defs = Object.fromEntries(
      Array.from({ length: 30 }, (_, level) => [
        `l${level}`,
        {
          type: "object",
          properties: { a: { $ref: `#/$defs/l${level + 1}` }, b: { $ref: `#/$defs/l${level + 1}` } },
        },
      ]),
    );
    expect(() => openApiSchema({ $defs: defs, $ref: "#/$defs/l0" }, "tools[0]")).toThrow(
      expect.objectContaining({ code: "invalid_request", param: "tools[0]" }),
    );
  });

  test("whatever it is, keeps to the subset", () => {
    const allowed = new Set([
      "type",
      "format",
      "title",
      "description",
      "nullable",
      "enum",
      "items",
      "properties",
      "required",
      "anyOf",
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
    const walk = (schema: unknown): void => {
      if (!isObject(schema)) return;
      for (const key of Object.keys(schema)) expect(allowed).toContain(key);
      for (const child of Object.values(readObject(schema, "properties") ?? {})) walk(child);
      for (const child of readArray(schema, "anyOf")) walk(child);
      walk(schema["items"]);
    };
    const leaf = fc.jsonValue({ maxDepth: 2 });
    const reference = fc.record({
      $ref: fc.constantFrom("#", "#/properties", "#/properties/a", "#/allOf/0", "x"),
    });
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        leaf,
        reference,
        fc.record(
          {
            type: fc.oneof(fc.constantFrom("string", "object", "null"), leaf),
            properties: fc.dictionary(fc.constantFrom("a", "b", "__proto__"), tie("schema"), { maxKeys: 2 }),
            anyOf: fc.array(tie("schema"), { maxLength: 2 }),
            allOf: fc.array(tie("schema"), { maxLength: 2 }),
            items: tie("schema"),
            const: leaf,
            enum: leaf,
            required: leaf,
          },
          { requiredKeys: [] },
        ),
      ),
    }));
    fc.assert(
      fc.property(schema, (written) => {
        if (!isObject(written)) return;
        try {
          walk(openApiSchema(written, "p"));
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_request" });
        }
      }),
    );
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`recorded schemas${NOTICE}`, () => {
  test("of a coding agent's tools can all be written", () => {
    const tools = readArray(JSON.parse(recordedFile("inbound/claude-code-request.json") || "{}"), "tools");
    for (const tool of tools) {
      const text = JSON.stringify(openApiSchema(readObject(tool, "input_schema") ?? {}, "p"));
      expect(text).not.toMatch(/\$schema|additionalProperties|allOf|propertyNames|"const"/);
    }
  });
});
