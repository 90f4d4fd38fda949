// The official clients, both majors in use, against a real gateway process with a simulated provider behind it. Nothing
// but the base URL differs from talking to the vendor.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator, type Simulator, type SimulatorEvent } from "../../src/simulator/simulator.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { quickest } from "./quickest.ts";

const KEY = "sk-sluice-test";
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
} as const;

const PACKAGES = ["openai", "openai-v6"];
/** What simulated providers fail with. Each client meets each on a provider of its own: one that fails is left alone. */
const FAULTS = ["quota", "filter", "context", "cut", "early-end", "error-in-stream", "401"];

let simulator: Simulator;
let gateway: GatewayProcess;
let onSimulatorEvent: (event: SimulatorEvent) => void = () => {};

beforeAll(async () => {
  simulator = await startSimulator({
    paceMs: 2,
    onEvent(event) {
      onSimulatorEvent(event);
    },
  });
  const base = { dialect: "openai", base_url: `${simulator.url}/v1` };
  const failing = PACKAGES.flatMap((name) => FAULTS.map((fault) => [`${name}-${fault}`, base]));
  gateway = await startGateway({
    providers: {
      ...Object.fromEntries(failing),
      sim: {
        ...base,
        limits: [{ requests: "100000/min" }, { tokens: "10_000_000/min" }, { concurrent: 16 }],
        models: { "sim-chat": {}, "sim-embed": {}, "org/model:7b": {} },
      },
      // One request at a time: whoever holds the slot for too long is noticed.
      single: { ...base, limits: [{ concurrent: 1 }], models: { "sim-chat": {} } },
      // Half a request per second, in bursts of one.
      slow: {
        ...base,
        limits: [{ dimension: "requests", amount: 3, per: "s", burst: 1 }],
        models: { "sim-chat": {} },
      },
    },
    models: { smart: ["sim/sim-chat"] },
    keys: [{ name: "team", key: KEY }],
    queue: { max_wait: "0s" },
    retry: { attempts: 1 },
  });
});

afterAll(async () => {
  await gateway?.stop();
  await simulator?.close();
});

describe.each(PACKAGES)("the official client %s", (packageName) => {
  /** How often the client has called, retries included. */
  let calls = 0;

  async function makeClient(options: { readonly apiKey?: string; readonly maxRetries?: number } = {}) {
    const { default: OpenAI }: typeof Sdk = await import(packageName);
    const { apiKey = KEY, maxRetries = 0 } = options;
    return new OpenAI({
      apiKey,
      maxRetries,
      baseURL: `${gateway.url}/v1`,
      fetch(url, init) {
        calls++;
        return fetch(url, init);
      },
    });
  }

  /** A model that fails like this, at a provider of this client's own. */
  const failing = (fault: string) => `${packageName}-${fault}/sim-${fault}`;
  const ask = (content: string) => [{ role: "user" as const, content }];

  /** What a call is rejected with. */
  async function failureOf(call: Promise<unknown>): Promise<Record<string, unknown>> {
    const [outcome] = await Promise.allSettled([call]);
    if (outcome.status === "fulfilled") throw new Error("The call succeeded.");
    const { status, code, type, param, requestID, message, headers, name } = outcome.reason;
    return { status, code, type, param, requestID, message, headers, name };
  }

  test("needs nothing but OPENAI_BASE_URL and a key in its environment", async () => {
    const script = join(import.meta.dirname, "sdk-script.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [script, packageName], {
      env: { PATH: process.env["PATH"], OPENAI_BASE_URL: `${gateway.url}/v1`, OPENAI_API_KEY: KEY },
      timeout: 20_000,
    });
    const { whole, streamed } = JSON.parse(stdout);
    expect(whole.length).toBeGreaterThan(20);
    expect(streamed).toBe(whole);
  });

  test("gets a whole answer with usage and the request's id", async () => {
    const client = await makeClient();
    const call = client.chat.completions.create({ model: "smart", messages: ask("Tell me about rivers.") });
    const { data, response } = await call.withResponse();
    expect(data.object).toBe("chat.completion");
    expect(data.choices[0]?.message.role).toBe("assistant");
    expect(data.choices[0]?.finish_reason).toBe("stop");
    expect(data.usage?.total_tokens).toBeGreaterThan(10);
    const requestId: unknown = Reflect.get(data, "_request_id");
    expect(requestId).toMatch(/^[\w-]{20,}$/);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "x-request-id": requestId,
      "x-sluice-provider": "sim",
      "x-sluice-model": "sim-chat",
      "x-sluice-attempts": "1",
      "x-ratelimit-limit-requests": "100000",
      "x-ratelimit-remaining-tokens": expect.stringMatching(/^\d+$/),
      "x-ratelimit-reset-tokens": expect.stringMatching(/^[\dhms.]+$/),
    });
  });

  test("gets the same text streamed, with usage only when it asks", async () => {
    const client = await makeClient();
    const request = { model: "smart", messages: ask("Tell me about rivers.") };
    const whole = await client.chat.completions.create(request);
    for (const include_usage of [undefined, false, true]) {
      const options = include_usage === undefined ? {} : { stream_options: { include_usage } };
      const stream = await client.chat.completions.create({ ...request, ...options, stream: true });
      const chunks = await Array.fromAsync(stream);
      expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe(
        whole.choices[0]?.message.content,
      );
      expect(new Set(chunks.map(({ id, model, created }) => `${id} ${model} ${created}`)).size).toBe(1);
      if (include_usage === true) {
        expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
        expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
      } else {
        expect(chunks.every((chunk) => chunk.choices.length > 0 && !("usage" in chunk))).toBe(true);
      }
    }
  });

  test("accumulates a stream with its helper", async () => {
    const client = await makeClient();
    const stream = client.chat.completions.stream({
      model: "smart",
      messages: ask("Tell me about rivers."),
      stream_options: { include_usage: true },
    });
    const deltas: string[] = [];
    stream.on("content", (delta) => deltas.push(delta));
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message).toMatchObject({ role: "assistant", content: deltas.join("") });
    expect(final.choices[0]?.finish_reason).toBe("stop");
    expect(final.usage?.completion_tokens).toBeGreaterThan(5);
  });

  test("holds a conversation with tools, streamed and whole", async () => {
    const client = await makeClient();
    const request = { model: "smart", messages: ask("What is the weather in Lisbon?"), tools: [WEATHER] };
    const whole = await client.chat.completions.create(request);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    for (const { finish_reason, message } of [whole.choices[0], streamed.choices[0]].filter(
      (c) => c !== undefined,
    )) {
      expect(finish_reason).toBe("tool_calls");
      const [call] = message.tool_calls ?? [];
      if (call?.type !== "function") return expect.fail("no function was called");
      expect(call.function.name).toBe("get_weather");
      expect(typeof JSON.parse(call.function.arguments).city).toBe("string");
      const answer = await client.chat.completions.create({
        ...request,
        messages: [
          ...request.messages,
          { role: "assistant", tool_calls: [{ ...call, function: { ...call.function } }] },
          { role: "tool", tool_call_id: call.id, content: "Sunny, 22 degrees." },
        ],
      });
      expect(answer.choices[0]?.finish_reason).toBe("stop");
      expect(answer.choices[0]?.message.content).not.toBe("");
    }
  });

  test("gets several choices", async () => {
    const client = await makeClient();
    const request = { model: "smart", messages: ask("Tell me about rivers."), n: 3 };
    const whole = await client.chat.completions.create(request);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    expect(whole.choices.map((choice) => choice.message.content)).toEqual(
      streamed.choices.map((choice) => choice.message.content),
    );
    expect(new Set(whole.choices.map((choice) => choice.message.content)).size).toBe(3);
  });

  test("gets JSON that fits the schema", async () => {
    const client = await makeClient();
    const schema = {
      type: "object",
      properties: { river: { type: "string" }, km: { type: "integer" } },
      required: ["river", "km"],
      additionalProperties: false,
    };
    const answer = await client.chat.completions.parse({
      model: "smart",
      messages: ask("Name a river."),
      response_format: { type: "json_schema", json_schema: { name: "river", strict: true, schema } },
    });
    expect(JSON.parse(answer.choices[0]?.message.content ?? "")).toEqual({
      river: expect.any(String),
      km: expect.any(Number),
    });
  });

  test("gets legacy completions, whole and streamed", async () => {
    const client = await makeClient();
    const request = { model: "smart", prompt: "Once upon a time" };
    const whole = await client.completions.create(request);
    expect(whole.object).toBe("text_completion");
    const chunks = await Array.fromAsync(await client.completions.create({ ...request, stream: true }));
    expect(chunks.map((chunk) => chunk.choices[0]?.text ?? "").join("")).toBe(whole.choices[0]?.text);
  });

  test("gets the same embeddings by default, as floats and from a provider that ignores base64", async () => {
    const client = await makeClient();
    const input = ["rivers", "seas"];
    const request = { model: "sim/sim-embed", input };
    const standard = await client.embeddings.create(request);
    const floats = await client.embeddings.create({ ...request, encoding_format: "float" });
    const ignored = await client.embeddings.create({ ...request, model: "sim/sim-floats" });
    expect(standard.data).toHaveLength(2);
    for (const [index, { embedding }] of standard.data.entries()) {
      expect(embedding.length).toBe(256);
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 3);
      const exact = floats.data[index]?.embedding ?? [];
      for (const [place, value] of embedding.entries())
        expect(value).toBeCloseTo(exact[place] ?? Number.NaN, 5);
    }
    expect(ignored.data[0]?.embedding).toHaveLength(256);
    expect(Math.hypot(...(ignored.data[0]?.embedding ?? []))).toBeCloseTo(1, 3);
    expect(standard.usage.total_tokens).toBeGreaterThan(0);
  });

  test("lists models and finds one whose id holds slashes", async () => {
    const client = await makeClient();
    const ids = (await Array.fromAsync(client.models.list())).map((model) => model.id);
    expect(ids).toContain("smart");
    expect(ids).toContain("sim/org/model:7b");
    expect(await client.models.retrieve("sim/org/model:7b")).toMatchObject({
      object: "model",
      id: "sim/org/model:7b",
    });
    expect(await failureOf(client.models.retrieve("none"))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });

  test.each([
    ["a wrong key", { apiKey: "wrong" }, { model: "smart" }, 401, "invalid_api_key"],
    ["an unknown model", {}, { model: "none" }, 404, "model_not_found"],
    ["a member of the wrong type", {}, { model: "smart", n: -1 }, 400, "invalid_request"],
    ["a spent account", {}, { model: failing("quota") }, 429, "insufficient_quota"],
    ["a filtered prompt", {}, { model: failing("filter") }, 400, "content_filter"],
    ["a prompt that is too long", {}, { model: failing("context") }, 400, "context_length_exceeded"],
  ])("understands %s", async (_, options, request, status, code) => {
    const client = await makeClient(options);
    const failure = await failureOf(client.chat.completions.create({ messages: ask("hi"), ...request }));
    expect(failure).toMatchObject({ status, requestID: expect.stringMatching(/^[\w-]{20,}$/) });
    expect(failure["code"]).toBe(code);
    expect(failure["message"]).not.toContain("no body");
  });

  test("waits as long as it is told and then succeeds", async () => {
    const patient = await makeClient({ maxRetries: 2 });
    const request = { model: "slow/sim-chat", messages: ask("hi"), max_tokens: 5 };
    const outcomes = await Promise.allSettled([1, 2].map(() => patient.chat.completions.create(request)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    const impatient = await makeClient();
    const failure = await failureOf(
      Promise.all([1, 2].map(() => impatient.chat.completions.create(request))),
    );
    expect(failure).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    expect(failure["message"]).toContain("slow");
  });

  test("does not call again for what only another provider could serve", async () => {
    const client = await makeClient({ maxRetries: 2 });
    calls = 0;
    const request = { model: failing("401"), messages: ask("hi") };
    expect(await failureOf(client.chat.completions.create(request))).toMatchObject({
      status: 502,
      code: "provider_auth",
    });
    expect(calls).toBe(1);
  });

  test.each(["cut", "early-end", "error-in-stream"])(
    "sees a stream that fails by %s as an error, not as an answer",
    async (fault) => {
      const client = await makeClient();
      const stream = await client.chat.completions.create({
        model: failing(fault),
        messages: ask("Tell me about rivers."),
        stream: true,
      });
      const received: unknown[] = [];
      const failure = await failureOf(
        (async () => {
          for await (const chunk of stream) received.push(chunk);
        })(),
      );
      expect(received.length).toBeGreaterThan(0);
      expect(failure["name"] ?? failure["message"]).toBeDefined();
    },
  );

  test("stops the provider within 50 ms when it breaks off, and frees the slot", async () => {
    const client = await makeClient();
    const request = { model: "single/sim-stall", messages: ask("Tell me about rivers.") };
    const breakOff = async (): Promise<number> => {
      const aborted = new Promise<SimulatorEvent>((resolve) => {
        onSimulatorEvent = (event) => event.kind === "aborted" && resolve(event);
      });
      const stream = await client.chat.completions.create({ ...request, stream: true });
      for await (const chunk of stream) {
        expect(chunk.object).toBe("chat.completion.chunk");
        break;
      }
      const brokenOffMs = performance.now();
      stream.controller.abort();
      await aborted;
      return performance.now() - brokenOffMs;
    };
    expect(await quickest(50, breakOff)).toBeLessThan(50);
    onSimulatorEvent = () => {};
    const next = await client.chat.completions.create({ ...request, model: "single/sim-chat" });
    expect(next.choices).toHaveLength(1);
  });
});
