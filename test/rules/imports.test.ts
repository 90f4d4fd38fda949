// The architecture as a table: which folder may import which, and which package lives where. Every import of the
// source is checked against it, and planted faults show that the check can fail.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** Folder (or top file) of the source → what it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/errors.ts": [],
  "src/clock.ts": [],
  "src/roster.ts": [],
  "src/json.ts": [],
  "src/bucket": [],
  "src/routing": ["src/errors.ts"],
  "providers/dialects": ["src/errors.ts", "src/json.ts"],
  "src/observe": ["src/errors.ts", "src/clock.ts"],
  "src/store": ["src/errors.ts", "src/observe"],
  "src/cache": ["src/store", "src/errors.ts", "src/clock.ts", "src/observe", "src/json.ts"],
  "src/fleet": ["src/bucket", "src/store", "src/errors.ts", "src/clock.ts", "src/observe"],
  "src/keys": ["src/config", "src/fleet", "src/errors.ts", "src/clock.ts", "src/observe", "src/json.ts"],
  "src/usage": ["src/fleet", "src/errors.ts", "src/clock.ts", "src/observe", "src/json.ts"],
  "src/limiter": ["src/fleet", "src/bucket", "src/errors.ts", "src/clock.ts", "src/observe"],
  "src/upstream": ["src/errors.ts", "src/clock.ts", "src/roster.ts", "src/observe"],
  "src/config": ["src/errors.ts", "src/clock.ts", "src/bucket", "providers/dialects", "src/json.ts"],
  "src/credentials": ["src/errors.ts", "src/clock.ts", "src/observe", "src/json.ts"],
  "src/simulator": ["src/errors.ts", "src/clock.ts"],
  "src/gateway": [
    "src/routing",
    "src/limiter",
    "src/upstream",
    "src/cache",
    "providers/dialects",
    "src/errors.ts",
    "src/clock.ts",
    "src/roster.ts",
    "src/json.ts",
    "src/observe",
  ],
  "src/http": ["src/gateway", "src/errors.ts", "src/clock.ts", "src/roster.ts", "src/observe"],
  "src/cli": ["*"],
  "src/main.ts": ["*"],
};

/** Package → the folders that may import it. */
const PACKAGE_HOMES: Readonly<Record<string, readonly string[]>> = {
  hono: ["src/http"],
  "@hono/node-server": ["src/http"],
  undici: ["src/upstream", "src/fleet"],
  lmdb: ["src/store"],
  zod: ["src/config", "src/http", "src/cli", "src/keys"],
  yaml: ["src/config"],
  "@nats-io/transport-node": ["src/fleet"],
};

/** Folders that take values and return values: no module of Node's, no package, no clock, no randomness. */
const PURE = new Set(["src/bucket", "src/routing", "providers/dialects"]);

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s*"([^"]+)"|import\s*\(\s*"([^"]+)"\s*\)|(?:^|\n)\s*import\s+"([^"]+)"/g;

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith(".ts"));
}

/** The table's row a file belongs to. */
function home(file: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((row) => file === row || file.startsWith(`${row}/`));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

/** What is wrong with one import, or undefined. */
function importFault(file: string, specifier: string): string | undefined {
  const from = home(file);
  if (from === undefined) return `${file} is in no row of the import table`;
  if (!specifier.startsWith(".")) return packageFault(from, specifier);
  const target = relative(ROOT, join(ROOT, dirname(file), specifier));
  const to = home(target);
  if (to === undefined) return `${file} imports ${target}, which is in no row of the import table`;
  const allowed = MAY_IMPORT[from] ?? [];
  if (to === from || allowed.includes("*") || allowed.includes(to)) return undefined;
  return `${file} imports ${target}: ${from} may not import ${to}`;
}

function packageFault(from: string, specifier: string): string | undefined {
  if (PURE.has(from)) return `${from} is pure and may not import ${specifier}`;
  if (specifier.startsWith("node:")) return undefined;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const homes = PACKAGE_HOMES[name];
  if (homes === undefined) return `${name} is in no row of the package table`;
  return homes.includes(from)
    ? undefined
    : `${name} may be imported only in ${homes.join(", ")}, not in ${from}`;
}

function importFaults(file: string, text: string): string[] {
  return [...text.matchAll(IMPORT)].flatMap(
    (match) => importFault(file, match[1] ?? match[2] ?? match[3] ?? "") ?? [],
  );
}

/** Time and randomness come in as arguments; clock.ts alone reads them. */
const IMPURE =
  /\b(Date\.now|performance\.now|Math\.random|new Date\(\)|process\.hrtime|randomUUID|randomBytes)\b/;

function timeFaults(file: string, text: string): string[] {
  if (file === "src/clock.ts") return [];
  const match = IMPURE.exec(withoutComments(text));
  return match ? [`${file} uses ${match[0]}; take it from a Clock or Random`] : [];
}

/** Vendors' names, as they would be written in code. Words that are also English (together, local) can't be told apart. */
const VENDOR =
  /openai|anthropic|claude|gemini|vertex|bedrock|azure|mistral|groq|deepseek|openrouter|perplexity|fireworks|cerebras|cohere|ollama|vllm|moonshot|sambanova|deepinfra|siliconflow|huggingface/i;

function vendorFaults(file: string, text: string): string[] {
  if (!file.startsWith("src/")) return [];
  const match = VENDOR.exec(withoutComments(text));
  return match ? [`${file} names a vendor: ${match[0]}`] : [];
}

const FILES = [...sourceFiles("src"), ...sourceFiles("providers")];

describe("the import table", () => {
  test("holds for every import of the source", () => {
    const faults = FILES.flatMap((file) => importFaults(file, readFileSync(join(ROOT, file), "utf8")));
    expect(faults).toEqual([]);
  });

  test.each([
    ["src/bucket/x.ts", 'import { get } from "../store/store.ts";', "src/bucket may not import src/store"],
    ["src/bucket/x.ts", 'import { readFileSync } from "node:fs";', "is pure"],
    ["src/gateway/x.ts", 'import { Hono } from "hono";', "only in src/http"],
    ["src/gateway/x.ts", 'export { serve } from "../http/server.ts";', "src/gateway may not import src/http"],
    ["src/fleet/x.ts", 'const lmdb = await import("lmdb");', "only in src/store"],
    ["src/cli/x.ts", 'import "left-pad";', "in no row of the package table"],
    ["src/shared/x.ts", 'import { assert } from "../errors.ts";', "in no row of the import table"],
  ])("finds the planted fault %s: %s", (file, text, fault) => {
    expect(importFaults(file, text).join()).toContain(fault);
  });
});

describe("time and randomness", () => {
  test("are read in clock.ts alone", () => {
    expect(FILES.flatMap((file) => timeFaults(file, readFileSync(join(ROOT, file), "utf8")))).toEqual([]);
  });

  test("are found where they are planted", () => {
    expect(timeFaults("src/fleet/x.ts", "const now = Date.now();")).toHaveLength(1);
    expect(timeFaults("src/fleet/x.ts", "// Date.now() would step")).toHaveLength(0);
  });
});

describe("vendors' names", () => {
  test("occur nowhere in src/", () => {
    expect(FILES.flatMap((file) => vendorFaults(file, readFileSync(join(ROOT, file), "utf8")))).toEqual([]);
  });

  test("are found where they are planted", () => {
    expect(vendorFaults("src/gateway/x.ts", 'if (provider === "anthropic") retry();')).toHaveLength(1);
    expect(vendorFaults("providers/dialects/anthropic.ts", "const anthropic = 1;")).toHaveLength(0);
  });
});
