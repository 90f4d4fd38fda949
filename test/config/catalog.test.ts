import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCatalog } from "../../src/config/catalog.ts";
import type { CatalogEntry } from "../../src/config/schema.ts";
import { folder, load } from "./setup.ts";

const FOLDER = join(import.meta.dirname, "../../providers/catalog");
const catalog = openCatalog();

function entryOf(id: string): CatalogEntry {
  const entry = catalog.get(id);
  if (entry === undefined) throw new Error(`no entry ${id}`);
  return entry;
}

/** A value for every variable that an entry may want. */
function fullEnvironment(entry: CatalogEntry): Record<string, string> {
  const { env = [], access_key_id = [], secret_access_key = [] } = entry.auth;
  const options = Object.values(entry.options ?? {}).flatMap((option) => option.env ?? []);
  return Object.fromEntries(
    [...env, ...access_key_id, ...secret_access_key, ...options].map((name) => [name, "x1"]),
  );
}

describe("the catalog", () => {
  test("holds at least 35 vendors and the servers that people run themselves", () => {
    expect(catalog.ids.length).toBeGreaterThanOrEqual(41);
    const own = ["vllm", "sglang", "ollama", "lmstudio", "llamacpp", "tgi", "simulator"];
    expect(catalog.ids).toEqual(expect.arrayContaining(own));
  });

  test.each(catalog.ids)("%s is a provider when its variables are set", async (id) => {
    const entry = entryOf(id);
    expect(entry.docs).toMatch(entry.builtin ? /^docs\// : /^https:\/\//);
    const { config, warnings } = await load(`providers: { ${id}: }`, { env: fullEnvironment(entry) });
    const provider = config.providers.get(id);
    expect(warnings).toEqual([]);
    expect(provider).toMatchObject({ name: id, type: id, dialect: entry.dialect });
    if (entry.builtin !== true) expect(URL.canParse(provider?.baseUrl ?? "")).toBe(true);
    if (entry.auth.env !== undefined) expect(provider?.apiKey).toBe("x1");
    expect(JSON.stringify(provider)).not.toMatch(/\{(?!model|origin)[a-z_]+\}/);
  });

  test.each(catalog.ids)(
    "%s is switched on by its variables, unless they serve other purposes",
    async (id) => {
      const entry = entryOf(id);
      const { config } = await load("", { env: fullEnvironment(entry), catalog: { ...catalog, ids: [id] } });
      const isOn = entry.builtin === true || (entry.auth.shared !== true && entry.auth.env !== undefined);
      expect([...config.providers.keys()]).toEqual(isOn ? [id] : []);
    },
  );

  test.each(catalog.ids)("%s says when its prices were valid, if it has any", (id) => {
    const entry = catalog.get(id);
    const isPriced = Object.values(entry?.models ?? {}).some((model) => model.prices !== undefined);
    if (isPriced && entry?.builtin !== true) expect(entry?.prices_as_of).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  test.each(catalog.ids)("%s declares every placeholder it uses", (id) => {
    const text = readFileSync(join(FOLDER, `${id}.yaml`), "utf8").replaceAll(/^#.*$/gm, "");
    const used = [...text.matchAll(/\{([a-z_]+)\}/g)]
      .map(([, name]) => name)
      .filter((name) => name !== "model" && name !== "origin");
    expect(Object.keys(catalog.get(id)?.options ?? {})).toEqual(expect.arrayContaining(used));
  });

  test("declares every option that a dialect reads", () => {
    const folder = join(import.meta.dirname, "../../providers/dialects");
    const code = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(folder, name), "utf8"))
      .join("");
    const read = [...code.matchAll(/options\["(\w+)"\]/g)].map(([, name]) => name);
    const declared = new Set(catalog.ids.flatMap((id) => Object.keys(catalog.get(id)?.options ?? {})));
    expect(read.length).toBeGreaterThan(0);
    expect([...declared]).toEqual(expect.arrayContaining(read));
  });

  test("has one entry alone that is switched on by each variable", () => {
    const owners = new Map<string, string[]>();
    for (const id of catalog.ids) {
      const { env = [], shared = false } = catalog.get(id)?.auth ?? {};
      for (const name of shared ? [] : env) owners.set(name, [...(owners.get(name) ?? []), id]);
    }
    expect([...owners].filter(([, ids]) => ids.length > 1)).toEqual([]);
  });
});

test("a vendor is added by the ten lines that the catalog's page shows", async () => {
  const example = /```yaml\n(.*?)```/s.exec(readFileSync(join(FOLDER, "README.md"), "utf8"))?.[1] ?? "";
  expect(example.trim().split("\n").length).toBeLessThanOrEqual(10);
  const own = mkdtempSync(join(folder, "catalog-"));
  writeFileSync(join(own, "example.yaml"), example);
  const { config, warnings } = await load("", {
    env: { EXAMPLE_API_KEY: "sk-example" },
    catalog: openCatalog(own),
  });
  expect(warnings).toEqual([]);
  const provider = config.providers.get("example");
  expect(provider).toMatchObject({
    baseUrl: "https://api.example.com/v1",
    apiKey: "sk-example",
    dialect: "openai",
  });
  expect(provider?.models.get("example-large")?.prices).toMatchObject({ input: 2, cachedInput: 0.2 });
});
