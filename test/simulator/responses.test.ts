// The responses and moderations routes, read by the official client, whose accumulators are the strictest judge.
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator } from "../../src/simulator/simulator.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";

let simulator: Simulator;
let client: OpenAI;

beforeAll(async () => {
  simulator = await startSimulator();
  client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(() => simulator.close());

const TOOL = {
  type: "function" as const,
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  strict: true,
};

describe("a response", () => {
  test("has the text, and the usage in its own words", async () => {
    const response = await client.responses.create({ model: "sim-echo", input: "hello there" });
    expect(response.output_text).toBe("hello there");
    expect(response.usage).toMatchObject({ input_tokens: 10, output_tokens: 2, total_tokens: 12 });
    expect(response.status).toBe("completed");
  });

  test("streams to the same end", async () => {
    const stream = client.responses.stream({ model: "sim-chat", input: "hello" });
    const types: string[] = [];
    const numbers: number[] = [];
    for await (const event of stream) {
      types.push(event.type);
      numbers.push(event.sequence_number);
    }
    const final = await stream.finalResponse();
    const whole = await client.responses.create({ model: "sim-chat", input: "hello" });
    expect(final.output_text).toBe(whole.output_text);
    expect([types[0], types.at(-1)]).toEqual(["response.created", "response.completed"]);
    expect(numbers).toEqual(numbers.map((_, at) => at));
  });

  test("is incomplete when it is cut", async () => {
    const response = await client.responses.create({
      model: "sim-chat",
      input: "hello",
      max_output_tokens: 3,
    });
    expect(response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
    });
  });

  test("calls a tool, streamed and not, and answers its result in prose", async () => {
    const ask = { model: "sim-chat", input: "the weather?", tools: [TOOL] };
    const response = await client.responses.create(ask);
    const [call] = response.output;
    expect(call).toMatchObject({ type: "function_call", name: "get_weather" });
    const streamed = await client.responses.stream(ask).finalResponse();
    expect(streamed.output).toMatchObject([
      { type: "function_call", arguments: expect.stringContaining("city") },
    ]);
    if (call?.type !== "function_call") throw new Error("no call");
    const result = { type: "function_call_output" as const, call_id: call.call_id, output: "sun" };
    const answer = await client.responses.create({
      ...ask,
      input: [{ role: "user", content: "the weather?" }, call, result],
    });
    expect(answer.output_text).not.toBe("");
  });

  test("is JSON that fits a schema", async () => {
    const schema = {
      type: "object",
      properties: { n: { type: "integer" } },
      required: ["n"],
      additionalProperties: false,
    };
    const format = { type: "json_schema" as const, name: "x", schema, strict: true };
    const response = await client.responses.create({ model: "sim-chat", input: "hello", text: { format } });
    expect(JSON.parse(response.output_text)).toEqual({ n: expect.any(Number) });
  });

  test("can be fetched, continued and deleted, where it was made", async () => {
    const first = await client.responses.create({ model: "sim-chat", input: "hello" });
    expect((await client.responses.retrieve(first.id)).output_text).toBe(first.output_text);
    const next = await client.responses.create({
      model: "sim-chat",
      input: "go on",
      previous_response_id: first.id,
    });
    expect(next.previous_response_id).toBe(first.id);
    await client.responses.delete(first.id);
    await expect(client.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
    const lost = client.responses.create({
      model: "sim-chat",
      input: "go on",
      previous_response_id: first.id,
    });
    await expect(lost).rejects.toMatchObject({ status: 404, code: "not_found" });
  });

  test("counts against the quota and meets faults like every request", async () => {
    simulator.reset({ requests: { capacity: 1, perMinute: 0 } });
    await client.responses.create({ model: "sim-chat", input: "hello" });
    await expect(client.responses.create({ model: "sim-chat", input: "hello" })).rejects.toMatchObject({
      status: 429,
    });
    simulator.reset({});
    await expect(client.responses.create({ model: "sim-500", input: "hello" })).rejects.toMatchObject({
      status: 500,
    });
  });
});

test("moderations flag one word", async () => {
  const { results } = await client.moderations.create({ input: ["a forbidden thing", "a fine thing"] });
  expect(results.map(({ flagged }) => flagged)).toEqual([true, false]);
});
