// Whatever is in the file: a configuration, or a ConfigError. And whatever is wrong with it, no secret is told.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/problems.ts";
import { load } from "./setup.ts";

const EXAMPLE = readFileSync(join(import.meta.dirname, "../../config.example.yaml"), "utf8");
const FULL = EXAMPLE.replaceAll(/^#(?=(?: {2})*[^\s#])/gm, "").replaceAll(/^# .*\n/gm, "");

/** What went wrong, or null. Anything but a ConfigError is thrown on. */
async function refusal(content: string | Uint8Array): Promise<ConfigError | null> {
  try {
    await load(content);
    return null;
  } catch (error) {
    if (error instanceof ConfigError && error.code === "invalid_config") return error;
    throw error;
  }
}

async function survives(content: string | Uint8Array): Promise<void> {
  const error = await refusal(content);
  for (const { line, column, message } of error?.problems ?? []) {
    expect(line).toBeGreaterThanOrEqual(1);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(message).not.toBe("");
  }
}

/** What breaks syntax, and what breaks meaning. */
const SPARKS = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ": ",
  "- ",
  "\n",
  "\n  ",
  "&a ",
  "*a",
  "<<: ",
  "!t ",
  '"',
  "'",
  "|",
  ">",
  "#",
  "~",
];
const ODDITIES = [
  "\t",
  "${",
  "$${",
  "0",
  "-1",
  "1e999",
  "NaN",
  "5/min",
  "__proto__",
  "toString",
  "\0",
  "\u2028",
  "\uFFFE",
];

const WORDS = [...new Set(FULL.match(/[A-Za-z_][\w./:-]*/g)), ...SPARKS, ...ODDITIES];

describe("a configuration of", () => {
  test("any bytes is refused properly", async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), survives), { numRuns: 300 });
  });

  test("any text is refused properly", async () => {
    await fc.assert(fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), survives), {
      numRuns: 200,
    });
  });

  test("any words of the manual is refused properly", async () => {
    const words = fc.array(fc.constantFrom(...WORDS), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(words, (parts) => survives(parts.join(""))),
      { numRuns: 300 },
    );
  });

  test("any values is refused properly", async () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const section = fc.constantFrom(
      "providers",
      "models",
      "keys",
      "fleet",
      "queue",
      "listen",
      "admin",
      "log",
      "timeouts",
    );
    await fc.assert(
      fc.asyncProperty(section, value, (name, inner) => survives(JSON.stringify({ [name]: inner }))),
      { numRuns: 300 },
    );
  });

  test("the manual with one place damaged is refused properly", async () => {
    const damage = fc.record({
      at: fc.nat({ max: FULL.length }),
      cut: fc.nat({ max: 12 }),
      put: fc.constantFrom(...WORDS),
    });
    await fc.assert(
      fc.asyncProperty(damage, ({ at, cut, put }) =>
        survives(FULL.slice(0, at) + put + FULL.slice(at + cut)),
      ),
      { numRuns: 100 },
    );
  });
});

describe("a secret", () => {
  // Each in its place, in the file and in the environment; everything else is damaged.
  const SECRET = "Zq7-very-secret-value";
  const PLACES = [
    "providers: { a: { type: openai, api_key: SECRET, BAD } }",
    "providers: { a: { type: openai, api_key: [ SECRET ] } }",
    "providers: { a: { type: openai, api_key: 'SECRET with blanks' } }",
    'providers: { a: { type: openai, headers: { x: "SECRET\\n" } } }',
    "providers: { a: { type: bedrock, credentials: { access_key_id: a, secret_access_key: SECRET, BAD } } }",
    "providers: { a: { type: vllm, base_url: 'http://u:SECRET@host/' } }",
    "providers: { a: { type: azure, api_key: k, options: { resource: 'SECRET/x' } } }",
    "keys: [ { name: a, key: SECRET, BAD }, { name: b, key: SECRET } ]",
    "keys: [ { name: a, key: SECRET }, { name: b, key: SECRET } ]",
    "keys: [ { name: a, key: { SECRET } } ]",
    "providers: { a: { type: SECRET } }",
    "models: { a: [ SECRET, SECRET/x ] }",
    "keys: [ { name: a, key: b, models: [ SECRET ] } ]",
    "keys: [ SECRET ]",
    "keys: { a: SECRET }",
    "keys: SECRET",
    "admin: SECRET",
    "admin: { key: [ SECRET ] }",
    "fleet: { secret: SECRET, peers: [ SECRET ] }",
    "fleet: { peers: [ 'http://u:SECRET@host:1' ], secret: x }",
    "listen: SECRET",
    "data_dir: [ SECRET ]",
    "log: { level: SECRET }",
    "log: { merges: SECRET }",
    "queue: { max_wait: SECRET, max_length: SECRET }",
    "models: { a: { strategy: SECRET, targets: [ { to: x/y, weight: SECRET } ] } }",
    "providers: { a: { type: openai, limits: [ { requests: SECRET }, { requests: 5/SECRET }, { dimension: SECRET } ] } }",
    "providers: { a: { type: openai, dialect: SECRET, endpoints: [ SECRET ], base_url: SECRET } }",
    'keys: [ { name: a, key: "SECRET ]',
    "keys: [ { name: a, key: SECRET ]",
    "admin: { key: @SECRET }",
    "admin: { key: !SECRET x }",
    "admin: { key: a: SECRET }",
    "admin:\n\tkey: SECRET",
    "admin: { key: SECRET, key: SECRET }",
    'admin: { key: "\\qSECRET" }',
    "admin: { key: %SECRET }",
    "admin: { key: SECRET }\nSECRET\n: x",
  ];

  test.each(PLACES)("in %s is never told", async (place) => {
    const literal = place.replaceAll("SECRET", SECRET).replaceAll("BAD", "bad: 1");
    const referenced = place.replaceAll("SECRET", "${HIDDEN}").replaceAll("BAD", "bad: 1");
    for (const content of [literal, referenced]) {
      const message = await load(content, { env: { HIDDEN: SECRET, OPENAI_API_KEY: SECRET } }).then(
        () => "",
        (error: unknown) =>
          String(error) + (error instanceof ConfigError ? JSON.stringify(error.problems) : ""),
      );
      expect(message).not.toContain(SECRET);
    }
  });
});
