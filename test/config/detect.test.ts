import { describe, expect, test } from "vitest";
import { openCatalog } from "../../src/config/catalog.ts";
import type { ListedModel, Probe } from "../../src/config/detect.ts";
import { load } from "./setup.ts";

/** Servers on this machine, by port. */
function machineWith(servers: Readonly<Record<number, readonly ListedModel[]>>): Probe {
  return async (url) => servers[Number(new URL(url).port)] ?? null;
}

async function providersWith(env: Record<string, string>, probe?: Probe, yaml = ""): Promise<string[]> {
  const { config } = await load(yaml, { env, probe });
  return [...config.providers.keys()];
}

describe("without a word about providers", () => {
  test.each([
    [{}, ["simulator"]],
    [{ OPENAI_API_KEY: "k" }, ["openai"]],
    [{ OPENAI_API_KEY: "" }, ["simulator"]],
    [{ GEMINI_API_KEY: "k", ANTHROPIC_API_KEY: "k", OPENAI_API_KEY: "k" }, ["anthropic", "gemini", "openai"]],
    [{ GOOGLE_API_KEY: "k" }, ["gemini"]],
    [{ AZURE_OPENAI_API_KEY: "k" }, ["simulator"]],
    [{ AZURE_OPENAI_API_KEY: "k", AZURE_OPENAI_RESOURCE: "r" }, ["azure"]],
    [{ AWS_BEARER_TOKEN_BEDROCK: "k" }, ["bedrock"]],
    // These serve other purposes too.
    [{ AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" }, ["simulator"]],
    [
      { GITHUB_TOKEN: "k", HF_TOKEN: "k", CLOUDFLARE_API_TOKEN: "k", CLOUDFLARE_ACCOUNT_ID: "a" },
      ["simulator"],
    ],
  ])("%j makes %j", async (env, providers) => {
    expect(await providersWith(env)).toEqual(providers);
    expect(await providersWith(env, undefined, "providers: {}\nqueue: { max_length: 5 }")).toEqual(providers);
  });

  test("servers on this machine are used, with the models they list", async () => {
    const probe = machineWith({
      11434: [{ id: "llama3.2", ownedBy: "library" }],
      8000: [{ id: "qwen", ownedBy: "vllm" }],
    });
    const { config } = await load("", { env: {}, probe });
    expect([...config.providers.keys()]).toEqual(["ollama", "vllm"]);
    expect([...(config.providers.get("ollama")?.models.keys() ?? [])]).toEqual(["llama3.2"]);
  });

  test("another server on a popular port is not taken for one", async () => {
    expect(await providersWith({}, machineWith({ 8000: [{ id: "x", ownedBy: "me" }] }))).toEqual([
      "simulator",
    ]);
  });

  test("a model's strange name does no harm", async () => {
    const probe = machineWith({
      11434: [
        { id: "__proto__", ownedBy: "" },
        { id: "ok", ownedBy: "" },
      ],
    });
    expect(await providersWith({}, probe)).toEqual(["ollama"]);
  });

  test("the simulator has limits of its own", async () => {
    const { config } = await load("", { env: {} });
    const simulator = config.providers.get("simulator");
    expect(simulator?.limits.map((limit) => limit.dimension)).toEqual(["requests", "tokens", "concurrent"]);
    expect(simulator?.options).toHaveProperty("requests_per_min", "600");
  });
});

describe("with providers in the file", () => {
  test("nothing is looked for", async () => {
    const probe: Probe = () => Promise.reject(new Error("asked"));
    const yaml = "providers: { main: { type: vllm } }";
    expect(await providersWith({ OPENAI_API_KEY: "k" }, probe, yaml)).toEqual(["main"]);
  });
});

describe("a catalog", () => {
  test("has no entry outside of its folder", () => {
    const catalog = openCatalog();
    expect(["../../package", "", "openai.yaml", "OPENAI"].map((id) => catalog.get(id))).toEqual(
      Array(4).fill(undefined),
    );
  });
});
