import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCatalog } from "../../src/config/catalog.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { CatalogEntry } from "../../src/config/schema.ts";

const FOLDER = join(import.meta.dirname, "../../providers/catalog");
const catalog = openCatalog();

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
    const entry = catalog.get(id);
    if (entry === undefined) throw new Error("no entry");
    expect(entry.docs).toMatch(entry.builtin ? /^docs\// : /^https:\/\//);
    const { config } = await loadConfig({
      cwd: "/nowhere",
      env: fullEnvironment(entry),
      hostName: "host",
      catalog: { ...catalog, ids: [id] },
    }).catch(() => ({ config: undefined }));
    // Shared variables switch nothing on, so the provider is asked for by name below.
    if (config === undefined) throw new Error("does not load");
    if (entry.auth.shared !== true && entry.auth.env !== undefined)
      expect([...config.providers.keys()]).toEqual([id]);
  });

  test.each(catalog.ids)("%s says when its prices were valid, if it has any", (id) => {
    const entry = catalog.get(id);
    const isPriced = Object.values(entry?.models ?? {}).some((model) => model.prices !== undefined);
    if (isPriced && entry?.builtin !== true) expect(entry?.prices_as_of).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  test.each(catalog.ids)("%s declares every placeholder it uses", (id) => {
    const text = readFileSync(join(FOLDER, `${id}.yaml`), "utf8").replaceAll(/^#.*$/gm, "");
    const used = [...text.matchAll(/\{([a-z_]+)\}/g)]
      .map(([, name]) => name)
      .filter((name) => name !== "model");
    expect(Object.keys(catalog.get(id)?.options ?? {})).toEqual(expect.arrayContaining(used));
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
