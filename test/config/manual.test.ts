// config.example.yaml is the manual: it loads as it stands, it loads with every setting in use, and no key is missing from it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { loadConfig } from "../../src/config/load.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLE = readFileSync(join(ROOT, "config.example.yaml"), "utf8");

/** With every setting in use: after the `#` of a setting comes its indentation, which is even. */
const FULL = EXAMPLE.replaceAll(/^#(?=(?: {2})*[^\s#])/gm, "");

const folder = mkdtempSync(join(tmpdir(), "sluice-manual-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(join(folder, "sluice.yaml"), text);
  return loadConfig({ cwd: folder, env, hostName: "host" });
}

/** A value for each variable that the manual speaks of. */
function variables(): Record<string, string> {
  const names = [...FULL.matchAll(/\$\{([A-Z_]+)/g)].map(([, name = ""]) => name);
  return Object.fromEntries(names.map((name) => [name, `secret-of-${name}`]));
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly description?: string;
}

/** Limits and targets are the same wherever they stand. */
function canonical(key: string): string {
  return key.replace(/^.*\.limits\./, "limits.").replace("models.*.targets.", "models.*.");
}

/** Every key of the schema; what users name themselves is `*`. */
function* keysOf(node: Node, path: string): Generator<readonly [string, Node]> {
  for (const [key, inner] of Object.entries(node.properties ?? {})) {
    yield [`${path}${key}`, inner];
    yield* keysOf(inner, `${path}${key}.`);
  }
  if (typeof node.additionalProperties === "object") yield* keysOf(node.additionalProperties, `${path}*.`);
  if (node.items !== undefined) yield* keysOf(node.items, path);
  for (const inner of node.anyOf ?? []) yield* keysOf(inner, path);
}

/** The keys of the schema that a value uses. */
function* keysUsed(node: Node, value: unknown, path: string): Generator<string> {
  for (const inner of node.anyOf ?? []) yield* keysUsed(inner, value, path);
  if (Array.isArray(value)) {
    for (const item of value) if (node.items !== undefined) yield* keysUsed(node.items, item, path);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      const known = node.properties?.[key];
      if (known !== undefined) {
        yield `${path}${key}`;
        yield* keysUsed(known, inner, `${path}${key}.`);
      } else if (typeof node.additionalProperties === "object") {
        yield* keysUsed(node.additionalProperties, inner, `${path}*.`);
      }
    }
  }
}

const SCHEMA: Node = JSON.parse(configJsonSchema());

describe("the manual", () => {
  test("as it stands does what no file does", async () => {
    const { config, warnings } = await load(EXAMPLE);
    const { config: defaults } = await loadConfig({ cwd: "/nowhere", env: {}, hostName: "host" });
    expect({ ...config, file: null, dataDir: "" }).toEqual({ ...defaults, dataDir: "" });
    expect(warnings).toEqual([]);
  });

  test("loads without a warning when every setting is in use", async () => {
    const { config, warnings } = await load(FULL, variables());
    expect(warnings).toEqual([]);
    expect([...config.providers.keys()]).toEqual([
      "openai",
      "openai-eu",
      "openai-pool",
      "mistral",
      "claude",
      "azure",
      "vertex",
      "azure-entra",
      "bedrock",
      "bedrock-role",
      "bedrock-container",
      "local",
      "own",
    ]);
    expect(config.fleet.peers).toHaveLength(2);
  });

  test("explains every key of the schema", () => {
    const used = new Set(Array.from(keysUsed(SCHEMA, parse(FULL), ""), canonical));
    const all = new Set(Array.from(keysOf(SCHEMA, ""), ([key]) => canonical(key)));
    expect([...all].filter((key) => !used.has(key))).toEqual([]);
  });

  test("begins by telling editors its schema", () => {
    expect(EXAMPLE.split("\n")[0]).toBe("# yaml-language-server: $schema=./config.schema.json");
  });
});

describe("the JSON Schema", () => {
  test("is current; `npm run config-schema` writes it", () => {
    expect(readFileSync(join(ROOT, "config.schema.json"), "utf8")).toBe(configJsonSchema());
  });

  test("has one sentence for every key", () => {
    const bare = [...keysOf(SCHEMA, "")].filter(
      ([, node]) => !/^[A-Z][^.]*(\.[^.]+)*\.$/.test(node.description ?? ""),
    );
    expect(bare.map(([key]) => key).filter((key) => !key.startsWith("providers.*.paths."))).toEqual([]);
  });
});
