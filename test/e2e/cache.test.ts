// The response cache as users meet it: official clients that notice nothing but the speed, answers that outlive a restart
// and a kill, and a configuration that switches it while it runs.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as AnthropicSdk from "@anthropic-ai/sdk";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";

const KEY = "sk-sluice-test";

let simulator: Simulator;
let gateway: GatewayProcess;
/** What the simulator was asked. */
let asked = 0;

beforeAll(async () => {
  simulator = await startSimulator({
    paceMs: 2,
    onEvent({ kind }) {
      if (kind === "started") asked += 1;
    },
  });
  gateway = await startGateway(configured({ ttl: "1h" }));
});

afterAll(async () => {
  await gateway?.stop();
  await simulator?.close();
});

function configured(cache: object | null): object {
  return {
    providers: {
      sim: {
        dialect: "openai",
        base_url: `${simulator.url}/v1`,
        models: { "sim-chat": {}, "sim-embed": {} },
      },
    },
    models: { smart: ["sim/sim-chat"] },
    keys: [{ name: "team", key: KEY }],
    ...(cache === null ? {} : { cache }),
  };
}

/** The cache's word on one chat request. */
async function ask(gateway: GatewayProcess, content: string): Promise<string | null> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: "smart", messages: [{ role: "user", content }] }),
  });
  expect(response.status).toBe(200);
  await response.text();
  return response.headers.get("x-sluice-cache");
}

describe.each(["openai", "openai-v6"])("the official client %s", (packageName) => {
  let client: Sdk.OpenAI;

  beforeAll(async () => {
    const { default: OpenAI }: typeof Sdk = await import(packageName);
    client = new OpenAI({ apiKey: KEY, maxRetries: 0, baseURL: `${gateway.url}/v1` });
  });

  // Each client asks questions of its own: what the other has asked is kept.
  const rivers = `Tell me about rivers, ${packageName}.`;
  const messages = [{ role: "user" as const, content: rivers }];

  test("gets the same whole answer twice, the provider is asked once", async () => {
    const before = asked;
    const create = () => client.chat.completions.create({ model: "smart", messages }).withResponse();
    const [first, again] = [await create(), await create()];
    expect(again.data).toEqual(first.data);
    expect(again.response.headers.get("x-sluice-cache")).toBe("hit");
    expect(again.response.headers.get("age")).toMatch(/^\d+$/);
    expect(asked - before).toBe(1);
  });

  test("gets the same stream twice, chunk for chunk, with its usage", async () => {
    const create = async () => {
      const options = { include_usage: true };
      const stream = await client.chat.completions.create({
        model: "smart",
        messages,
        stream: true,
        stream_options: options,
      });
      const chunks: unknown[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return chunks;
    };
    const first = await create();
    const until = asked;
    expect(await create()).toEqual(first);
    expect(first.length).toBeGreaterThan(3);
    expect(asked).toBe(until);
  });

  test("gets embeddings, completions and responses that were kept", async () => {
    const calls = [
      () => client.embeddings.create({ model: "sim/sim-embed", input: rivers }),
      () => client.completions.create({ model: "smart", prompt: rivers }),
      () => client.responses.create({ model: "smart", input: rivers, store: false }),
    ];
    for (const call of calls) {
      const first = await call();
      const until = asked;
      expect(await call()).toEqual(first);
      expect(asked).toBe(until);
    }
  });

  test("gets a stream of a response that was kept", async () => {
    const create = async () => {
      const stream = client.responses.stream({ model: "smart", input: rivers, store: false });
      return (await stream.finalResponse()).output_text;
    };
    const first = await create();
    const until = asked;
    expect(await create()).toBe(first);
    expect(asked).toBe(until);
  });
});

test("a client of the Messages API gets kept answers, streamed and not", async () => {
  const { default: Anthropic }: typeof AnthropicSdk = await import("@anthropic-ai/sdk");
  const client = new Anthropic({ apiKey: KEY, maxRetries: 0, baseURL: gateway.url });
  const question = {
    model: "smart",
    max_tokens: 50,
    messages: [{ role: "user" as const, content: "Rivers?" }],
  };
  const whole = await client.messages.create(question);
  const streamed = await client.messages.stream(question).finalMessage();
  const until = asked;
  expect(await client.messages.create(question)).toEqual(whole);
  expect(await client.messages.stream(question).finalMessage()).toEqual(streamed);
  expect(asked).toBe(until);
});

test("answers outlive a clean restart and a kill, and a gateway whose cache is off forgets them", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-cache-e2e-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const life = async (signal: NodeJS.Signals, cache: object | null = { ttl: "1h" }) => {
    const gateway = await startGateway(configured(cache), { dataDir });
    const use = await ask(gateway, "Tell me about rivers.");
    const written = 'sluice_cache_bytes{tier="disk"}';
    if (cache !== null) while ((await gateway.metric(written)) === 0) await ask(gateway, "And lakes?");
    await gateway.stop(signal);
    return use;
  };
  expect(await life("SIGTERM")).toBe("miss");
  expect(await life("SIGKILL")).toBe("hit");
  expect(await life("SIGTERM")).toBe("hit");
  expect(await life("SIGTERM", null)).toBeNull();
  expect(await life("SIGTERM")).toBe("miss");
});

test("the store opens after each of 6 kills under load", { timeout: 400_000 }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-cache-e2e-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  for (let kill = 0; kill < 6; kill++) {
    const gateway = await startGateway(configured({ ttl: "1h", max_disk: "200kb" }), { dataDir });
    let answered = 0;
    const load = Array.from({ length: 60 }, async (_, number) => {
      try {
        await ask(gateway, `Question ${kill * 7 + number}`);
        answered += 1;
        if (answered === 10 + 8 * kill) void gateway.stop("SIGKILL");
      } catch {
        // Killed meanwhile.
      }
    });
    await Promise.all(load);
    await gateway.stop("SIGKILL");
    expect(gateway.output()).not.toContain("could not be read");
  }
});

test("the cache is switched on and off by the file while it runs", async () => {
  const gateway = await startGateway(configured(null));
  onTestFinished(async () => void (await gateway.stop()));
  const apply = async (cache: object | null): Promise<void> => {
    const times = () => gateway.output().split("the new configuration is in force").length;
    const before = times();
    const { configFile } = gateway;
    writeFileSync(
      configFile,
      JSON.stringify({ listen: "127.0.0.1:0", data_dir: join(configFile, "../data"), ...configured(cache) }),
    );
    while (times() === before) await ask(gateway, "Waiting");
  };
  expect(await ask(gateway, "Rivers?")).toBeNull();
  await apply({ ttl: "1h" });
  expect(await ask(gateway, "Rivers?")).toBe("miss");
  expect(await ask(gateway, "Rivers?")).toBe("hit");
  expect(await gateway.metric('sluice_cache_requests_total{result="hit"}')).toBeGreaterThanOrEqual(1);
  await apply(null);
  expect(await ask(gateway, "Rivers?")).toBeNull();
});
