// The simulator inside a gateway, as docs/SIMULATOR.md shows it to somebody who has just started one.
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type GatewayProcess } from "./harness.ts";

let gateway: GatewayProcess;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startGateway({ providers: { simulator: { options: { first_ms: 0, pace_ms: 0 } } } });
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(() => gateway.stop());

test("keeps responses: they are fetched, continued and deleted by id", async () => {
  const made = await client.responses.create({ model: "simulator/sim-echo", input: "first" });
  expect((await client.responses.retrieve(made.id)).output_text).toBe("first");
  const next = await client.responses.create({
    model: "simulator/sim-echo",
    input: "second",
    previous_response_id: made.id,
  });
  expect(next.output_text).toBe("second");
  await client.responses.delete(made.id);
  await expect(client.responses.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
});

test("shows its counts and takes faults through the gateway", async () => {
  const control = `${gateway.url}/providers/simulator/simulator`;
  const injected = await fetch(`${control}/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ fault: "filter", times: 1 }),
  });
  expect(injected.status).toBe(200);
  const ask = client.chat.completions.create({
    model: "simulator/sim-chat",
    messages: [{ role: "user", content: "hello" }],
  });
  await expect(ask).rejects.toMatchObject({ status: 400, code: "content_filter" });
  const stats: unknown = await (await fetch(`${control}/stats`)).json();
  expect(stats).toMatchObject({ faults: { filter: 1 } });
});
