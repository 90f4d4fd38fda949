// Clients of the Responses API, at providers of chat completions and at providers that have it themselves.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway } from "./gateway-fixture.ts";
import { scriptedUpstream, type Script } from "./scripted-upstream.ts";

const PATH = "/v1/responses";
const ASK = { model: "any", input: "Hi" };
const USAGE = { input_tokens: 7, output_tokens: 4, total_tokens: 11 };
const RESPONSE = { id: "resp_1", object: "response", status: "completed", output: [], usage: USAGE };

function event(type: string, members: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

const STREAM = [
  event("response.created", {
    sequence_number: 0,
    response: { ...RESPONSE, status: "in_progress", usage: null },
  }),
  event("response.output_text.delta", { sequence_number: 1, delta: 'say \\"resp_1\\"' }),
  event("response.completed", { sequence_number: 2, response: RESPONSE }),
].join("");

async function native(...scripts: readonly Script[]) {
  const upstream = await scriptedUpstream(...scripts);
  const gateway = await startGateway({
    providers: { one: upstream },
    provider: "endpoints: [chat, responses]",
    config: "retry: { attempts: 1 }",
  });
  const ask = (body: object) =>
    gateway
      .client()
      .send(jsonRequest(body, {}, PATH))
      .answer();
  return { upstream, gateway, ask };
}

describe("at a provider with several API keys", () => {
  test("a conversation goes on with the key that its beginning was kept with", async () => {
    const upstream = await scriptedUpstream((request) => request.answer(200, JSON.stringify(RESPONSE)));
    const gateway = await startGateway({
      providers: { one: upstream },
      provider: "endpoints: [chat, responses]",
      keys: "[ key-one, { name: two, key: key-two } ]",
    });
    const ask = (body: object) =>
      gateway
        .client()
        .send(jsonRequest(body, {}, PATH))
        .answer();
    const { id } = JSON.parse((await ask(ASK)).body);
    const first = (await upstream.request(0)).header("authorization");
    expect(id).toBe(`resp_1__at__one~${first === "Bearer key-one" ? "1" : "two"}`);
    for (let turn = 1; turn < 6; turn++) {
      await ask({ ...ASK, previous_response_id: id });
      expect((await upstream.request(turn)).header("authorization")).toBe(first);
      expect((await upstream.request(turn)).json()["previous_response_id"]).toBe("resp_1");
    }
    await gateway.settled();
  });
});

describe("at a provider that has the API itself", () => {
  test("a response passes as it is, but for its id, which names the provider", async () => {
    const { upstream, gateway, ask } = await native((request) =>
      request.answer(200, JSON.stringify(RESPONSE)),
    );
    const answer = await ask({ ...ASK, unknown: 1 });
    expect(JSON.parse(answer.body)).toEqual({ ...RESPONSE, id: "resp_1__at__one" });
    expect((await upstream.request(0)).json()).toEqual({ model: "m", input: "Hi", unknown: 1 });
    expect((await upstream.request(0)).head).toMatch(/^POST \/v1\/responses HTTP/);
    expect((await gateway.settled()).tokens).toBe(11);
  });

  test("a stream passes event by event and is settled with its usage", async () => {
    const { gateway, ask } = await native((request) => {
      request.streamHead();
      for (const at of Array(STREAM.length).keys()) request.chunk(STREAM.charAt(at));
      request.endChunks();
    });
    const answer = await ask({ ...ASK, stream: true });
    expect(answer.body).toBe(STREAM.replaceAll('"id":"resp_1"', '"id":"resp_1__at__one"'));
    expect((await gateway.settled()).tokens).toBe(11);
  });

  test("a request that builds on a response goes to the provider that keeps it", async () => {
    const { upstream, ask } = await native((request) => request.answer(200, JSON.stringify(RESPONSE)));
    await ask({ ...ASK, previous_response_id: "resp_1__at__one" });
    expect((await upstream.request(0)).json()["previous_response_id"]).toBe("resp_1");
    const lost = await ask({ ...ASK, previous_response_id: "resp_1__at__other" });
    expect(lost.status).toBe(400);
    expect(upstream.requests).toHaveLength(1);
  });

  test("a failure inside a 200 keeps its meaning while nothing has gone out", async () => {
    const error = { type: "insufficient_quota", code: "insufficient_quota", message: "Quota." };
    const { gateway, ask } = await native((request) =>
      request
        .streamHead()
        .chunk(event("error", { sequence_number: 0, error }))
        .endChunks(),
    );
    const answer = await ask({ ...ASK, stream: true });
    expect(answer.status).toBe(429);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { type: "insufficient_quota" } });
    await gateway.settled();
  });

  test("an end before the response was complete is told", async () => {
    const { gateway, ask } = await native((request) =>
      request
        .streamHead()
        .chunk(STREAM.slice(0, STREAM.indexOf("event: response.completed")))
        .endChunks(),
    );
    const answer = await ask({ ...ASK, stream: true });
    expect(answer.body).toContain("stream_interrupted");
    await gateway.settled();
  });
});

describe("at a provider of chat completions", () => {
  const chunk = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

  async function translated(script: Script) {
    const upstream = await scriptedUpstream(script);
    return { upstream, gateway: await startGateway({ providers: { chat: upstream } }) };
  }

  test("a response is made of a chat answer", async () => {
    const { upstream, gateway } = await translated((request) =>
      request.answer(
        200,
        JSON.stringify({
          id: "c1",
          choices: [{ index: 0, message: { role: "assistant", content: "Hi." }, finish_reason: "stop" }],
          usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
        }),
      ),
    );
    const answer = await gateway
      .client()
      .send(jsonRequest(ASK, {}, PATH))
      .answer();
    expect(JSON.parse(answer.body)).toMatchObject({
      object: "response",
      status: "completed",
      output: [{ type: "message", content: [{ type: "output_text", text: "Hi." }] }],
      usage: { input_tokens: 5, output_tokens: 2 },
    });
    expect((await upstream.request(0)).json()).toMatchObject({ messages: [{ role: "user", content: "Hi" }] });
    expect((await gateway.settled()).tokens).toBe(7);
  });

  test("a stream has named, numbered events and no end mark; a broken one fails in the same language", async () => {
    const { gateway } = await translated((request) =>
      request
        .streamHead()
        .chunk(chunk({ role: "assistant", content: "Hi" }))
        .endChunks(),
    );
    const answer = await gateway
      .client()
      .send(jsonRequest({ ...ASK, stream: true }, {}, PATH))
      .answer();
    const names = [...answer.body.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
    expect(names[0]).toBe("response.created");
    expect(names.at(-1)).toBe("response.failed");
    expect(answer.body).not.toContain("[DONE]");
    await gateway.settled();
  });
});
