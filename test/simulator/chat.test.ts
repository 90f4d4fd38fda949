// The pretend model over real HTTP: what a client gets, streamed and not.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator } from "../../src/simulator/simulator.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterAll(() => simulator.close());

interface Chunk {
  readonly id: string;
  readonly model: string;
  readonly created: number;
  readonly choices: {
    readonly index: number;
    readonly delta: { role?: string; content?: string | null; tool_calls?: ToolDelta[] };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: object | null;
}

interface ToolDelta {
  readonly index?: number;
  readonly id?: string;
  readonly type?: string;
  readonly function: { readonly name?: string; readonly arguments: string };
}

async function post(path: string, body: object | string, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(simulator.url + path, { method: "POST", body: text, headers });
}

const ask = (content: string) => [{ role: "user", content }];

interface Completion {
  readonly choices: {
    readonly index: number;
    readonly message: {
      readonly content: string;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly { readonly function: { name: string; arguments: string } }[];
    };
    readonly logprobs: { readonly content: readonly { readonly token: string }[] } | null;
    readonly finish_reason: string;
  }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
    readonly completion_tokens_details: { readonly reasoning_tokens: number };
  };
}

async function chat(body: object): Promise<Completion> {
  const response = await post("/v1/chat/completions", { model: "sim-chat", messages: ask("hello"), ...body });
  return JSON.parse(await response.text());
}

async function stream(body: object): Promise<{ chunks: Chunk[]; isDone: boolean }> {
  const response = await post("/v1/chat/completions", {
    model: "sim-chat",
    messages: ask("hello"),
    stream: true,
    ...body,
  });
  const frames = (await response.text()).split("\n\n").filter((frame) => frame !== "");
  const payloads = frames.map((frame) => frame.replace(/^data: /, ""));
  return {
    isDone: payloads.at(-1) === "[DONE]",
    chunks: payloads.filter((payload) => payload !== "[DONE]").map((payload) => JSON.parse(payload)),
  };
}

const content = (chunks: readonly Chunk[], index = 0) =>
  chunks
    .flatMap((chunk) => chunk.choices.filter((choice) => choice.index === index))
    .map((choice) => choice.delta.content ?? "")
    .join("");

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { enum: ["c", "f"] } },
      required: ["city"],
    },
  },
};
const TIME = {
  type: "function",
  function: { name: "get_time", parameters: { type: "object", properties: {} } },
};

describe("an unstreamed answer", () => {
  test("is the same for the same request and another for another one", async () => {
    const [first, again, other] = [await chat({}), await chat({}), await chat({ messages: ask("bye") })];
    expect(again.choices).toEqual(first.choices);
    expect(other.choices[0]?.message.content).not.toBe(first.choices[0]?.message.content);
  });

  test("reports what it used", async () => {
    const { usage } = await chat({});
    expect(usage.prompt_tokens).toBe(9);
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
    expect(usage.prompt_tokens_details.cached_tokens).toBe(0);
  });

  test("counts the beginning of a long prompt as cached", async () => {
    const messages = [{ role: "system", content: "x".repeat(8000) }, ...ask("hello")];
    const { usage } = await chat({ messages });
    expect(usage.prompt_tokens).toBe(2013);
    expect(usage.prompt_tokens_details.cached_tokens).toBe(1920);
  });

  test("echoes with sim-echo", async () => {
    const answer = await chat({ model: "sim-echo", messages: ask("Say  this,\nplease 🙂!") });
    expect(answer.choices[0]?.message.content).toBe("Say  this,\nplease 🙂!");
  });

  test.each([
    [{ max_tokens: 2 }, "length", "one two"],
    [{ max_completion_tokens: 3 }, "length", "one two three"],
    [{ stop: "thr" }, "stop", "one two "],
    [{ stop: ["four", "two"] }, "stop", "one "],
    [{}, "stop", "one two three four"],
  ])("ends as %o asks", async (limits, reason, text) => {
    const answer = await chat({ model: "sim-echo", messages: ask("one two three four"), ...limits });
    expect(answer.choices[0]).toMatchObject({ finish_reason: reason, message: { content: text } });
  });

  test("has as many choices as were asked for, each its own", async () => {
    const { choices } = await chat({ n: 3 });
    expect(choices.map((choice) => choice.index)).toEqual([0, 1, 2]);
    expect(new Set(choices.map((choice) => choice.message.content)).size).toBe(3);
  });

  test("has one log probability per token when they are asked for", async () => {
    const answer = await chat({ logprobs: true });
    const list = answer.choices[0]?.logprobs?.content ?? [];
    expect(list).toHaveLength(answer.usage.completion_tokens);
    expect(list.map((entry) => entry.token).join("")).toBe(answer.choices[0]?.message.content);
  });

  test("thinks first with sim-reason, and counts it", async () => {
    const answer = await chat({ model: "sim-reason" });
    expect(answer.choices[0]?.message.reasoning_content).not.toBe("");
    expect(answer.usage.completion_tokens_details.reasoning_tokens).toBeGreaterThan(0);
  });
});

describe("tools", () => {
  test.each([
    ["auto, and the prompt speaks of it", { messages: ask("the weather?") }, ["get_weather"]],
    ["auto, and the prompt does not", { messages: ask("hello") }, undefined],
    ["none", { messages: ask("the weather?"), tool_choice: "none" }, undefined],
    ["required", { messages: ask("hello"), tool_choice: "required" }, ["get_weather"]],
    [
      "named",
      { messages: ask("the weather?"), tool_choice: { type: "function", function: { name: "get_time" } } },
      ["get_time"],
    ],
    ["several", { messages: ask("get_weather and get_time") }, ["get_weather", "get_time"]],
    [
      "several, not in parallel",
      { messages: ask("get_weather and get_time"), parallel_tool_calls: false },
      ["get_weather"],
    ],
    [
      "a tool's result",
      { messages: [...ask("the weather?"), { role: "tool", tool_call_id: "call_1", content: "sun" }] },
      undefined,
    ],
  ])("choice %s", async (_, body, names) => {
    const { choices } = await chat({ tools: [WEATHER, TIME], ...body });
    const calls = choices[0]?.message.tool_calls?.map((call) => call.function.name);
    expect(calls).toEqual(names);
    expect(choices[0]?.finish_reason).toBe(names === undefined ? "stop" : "tool_calls");
  });

  test("are called with arguments that fit their schema", async () => {
    const { choices } = await chat({ tools: [WEATHER], tool_choice: "required" });
    const parameters = JSON.parse(choices[0]?.message.tool_calls?.[0]?.function.arguments ?? "");
    expect(parameters).toEqual({ city: expect.any(String), unit: expect.stringMatching(/^[cf]$/) });
  });

  test("are streamed as name first, then arguments, each call with its own index", async () => {
    const { chunks } = await stream({ tools: [WEATHER, TIME], messages: ask("get_weather and get_time") });
    const deltas = chunks.flatMap((chunk) =>
      chunk.choices.flatMap((choice) => choice.delta.tool_calls ?? []),
    );
    const starts = deltas.filter((delta) => delta.id !== undefined);
    expect(starts.map(({ index, type, function: { name } }) => [index, type, name])).toEqual([
      [0, "function", "get_weather"],
      [1, "function", "get_time"],
    ]);
    const text = deltas.filter(({ index }) => index === 0).map((delta) => delta.function.arguments);
    expect(JSON.parse(text.join(""))).toHaveProperty("city");
  });
});

describe("JSON answers", () => {
  test("fit the schema", async () => {
    const schema = {
      type: "object",
      properties: {
        name: { type: "string" },
        tags: { type: "array", items: { $ref: "#/$defs/tag" } },
        next: { anyOf: [{ $ref: "#" }, { type: "null" }] },
      },
      required: ["name", "tags", "next"],
      $defs: { tag: { enum: ["a", "b"] } },
    };
    const answer = await chat({
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    });
    const value = JSON.parse(answer.choices[0]?.message.content ?? "");
    expect(value).toMatchObject({ name: expect.any(String), tags: expect.any(Array) });
    expect(value.tags.every((tag: string) => tag === "a" || tag === "b")).toBe(true);
  });

  test("are an object with json_object", async () => {
    const answer = await chat({ response_format: { type: "json_object" } });
    expect(JSON.parse(answer.choices[0]?.message.content ?? "")).toHaveProperty("answer");
  });
});

describe("a stream", () => {
  test("says the same as the unstreamed answer", async () => {
    const [{ chunks, isDone }, whole] = [await stream({}), await chat({})];
    expect(content(chunks)).toBe(whole.choices[0]?.message.content);
    expect(isDone).toBe(true);
  });

  test("has one id, the role first and only once, and one finish reason per choice", async () => {
    const { chunks } = await stream({ n: 2 });
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    for (const index of [0, 1]) {
      const choices = chunks.flatMap((chunk) => chunk.choices.filter((choice) => choice.index === index));
      expect(choices.map((choice) => choice.delta.role).filter(Boolean)).toEqual(["assistant"]);
      expect(choices[0]?.delta.role).toBe("assistant");
      expect(choices.map((choice) => choice.finish_reason).filter(Boolean)).toEqual(["stop"]);
    }
  });

  test("ends with usage on a chunk without choices when that was asked for", async () => {
    const { chunks } = await stream({ stream_options: { include_usage: true } });
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 9 });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  test("does not speak of usage otherwise", async () => {
    const { chunks } = await stream({});
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
  });
});

describe("a request that makes no sense", () => {
  test.each([
    ["{", 400, "invalid_json", null],
    ["[]", 400, "invalid_request", null],
    [{ messages: ask("x") }, 400, "invalid_request", "model"],
    [{ model: "m" }, 400, "invalid_request", "messages"],
    [{ model: "m", messages: [{ content: "x" }] }, 400, "invalid_request", "messages[0].role"],
    [{ model: "m", messages: [{ role: "user", content: 1 }] }, 400, "invalid_request", "messages[0].content"],
    [{ model: "m", messages: ask("x"), n: 0 }, 400, "invalid_request", "n"],
    [{ model: "m", messages: ask("x"), tools: [{}] }, 400, "invalid_request", "tools[0].function.name"],
  ])("%j is refused with %i %s", async (body, status, code, param) => {
    const response = await post("/v1/chat/completions", body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code, param, message: expect.any(String) } });
  });

  test("is a 404 for a route that does not exist", async () => {
    expect((await fetch(`${simulator.url}/v1/nothing`)).status).toBe(404);
  });
});

interface EmbeddingList<T> {
  readonly data: readonly { readonly embedding: T }[];
  readonly usage: object;
}

async function embed<T>(body: object): Promise<EmbeddingList<T>> {
  return JSON.parse(await (await post("/v1/embeddings", body)).text());
}

describe("other routes", () => {
  test("models are listed, and found by id", async () => {
    const list = await (await fetch(`${simulator.url}/v1/models`)).json();
    expect(list).toMatchObject({ data: [{ object: "model", id: "sim-chat" }, {}, {}, {}] });
    expect((await fetch(`${simulator.url}/v1/models/sim-echo`)).status).toBe(200);
    expect((await fetch(`${simulator.url}/v1/models/nothing`)).status).toBe(404);
  });

  test("embeddings hold the same numbers as base64 and as a list", async () => {
    const body = { model: "sim-embed", input: ["a", "b"], dimensions: 8 };
    const floats = await embed<number[]>(body);
    const base64 = await embed<string>({ ...body, encoding_format: "base64" });
    const decoded = base64.data.map(({ embedding }) =>
      Array.from(new Float32Array(new Uint8Array(Buffer.from(embedding, "base64")).buffer)),
    );
    expect(decoded).toEqual(floats.data.map(({ embedding }) => embedding));
    expect(decoded[0]).not.toEqual(decoded[1]);
    expect(floats.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
  });

  test("completions answer each prompt", async () => {
    const body = { model: "sim-echo", prompt: ["one two", "three"] };
    const answer = await (await post("/v1/completions", body)).json();
    expect(answer).toMatchObject({ choices: [{ text: "one two" }, { text: "three" }] });
    const streamed = await (await post("/v1/completions", { ...body, stream: true })).text();
    expect(streamed.endsWith("data: [DONE]\n\n")).toBe(true);
  });
});
