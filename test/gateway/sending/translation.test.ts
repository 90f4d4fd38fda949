// Requests whose provider speaks another language than their client, over real HTTP before and behind.
import { describe, expect, test } from "vitest";
import { jsonRequest, requestBytes } from "../../http/raw-client.ts";
import { startGateway } from "../gateway-fixture.ts";
import { event, OVERLOADED, over, START, streamed, TEXT, whole } from "../messages-provider.ts";
import { scriptedUpstream, type Script } from "../scripted-upstream.ts";

const CHAT = { model: "any", messages: [{ role: "user", content: "Hi" }] };

describe("a chat request to a provider of another language", () => {
  test("is written in that language, and so is its answer in the client's", async () => {
    const { upstream, gateway } = await over(whole);
    const answer = await gateway.ask({ ...CHAT, n: 1, max_tokens: 9 });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({
      object: "chat.completion",
      choices: [{ message: { role: "assistant", content: "Hello." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 },
    });
    const sent = await upstream.request(0);
    expect(sent.head).toMatch(/^POST \/v1\/messages HTTP/);
    expect(sent.json()).toMatchObject({
      model: "m",
      max_tokens: 9,
      messages: [{ role: "user", content: expect.anything() }],
    });
    expect((await gateway.settled()).tokens).toBe(13);
    expect(gateway.records[0]).toMatchObject({ outcome: "ok", isUsageEstimated: false });
  });

  test("streams chunks, one usage chunk if asked for, and the end mark", async () => {
    const { gateway } = await over(streamed);
    const answer = await gateway.ask({ ...CHAT, stream: true, stream_options: { include_usage: true } });
    const events = answer.body.split("\n\n").filter((line) => line !== "");
    expect(events.at(-1)).toBe("data: [DONE]");
    const chunks = events.slice(0, -1).map((line) => JSON.parse(line.slice("data: ".length)));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(text).toBe("Hello.");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 3 } });
    expect((await gateway.settled()).tokens).toBe(13);
  });

  test("has no usage chunk if it was not asked for, and is settled with the usage all the same", async () => {
    const { gateway } = await over(streamed);
    const answer = await gateway.ask({ ...CHAT, stream: true });
    expect(answer.body).not.toContain('"usage"');
    expect(answer.body).toMatch(/data: \[DONE\]\n\n$/);
    expect((await gateway.settled()).tokens).toBe(13);
  });

  test("is told what could not be carried over", async () => {
    const { gateway } = await over(whole);
    const answer = await gateway.ask({ ...CHAT, seed: 7, max_tokens: 9 });
    expect(answer.headers["x-sluice-warning"]).toContain("seed was dropped");
  });

  test("is refused if the other language can't ask it, and takes nothing", async () => {
    const { upstream, gateway } = await over(whole);
    const answer = await gateway.ask({ ...CHAT, n: 3 });
    expect(answer.status).toBe(400);
    expect(upstream.requests).toHaveLength(0);
    expect(await gateway.settled()).toEqual({ requests: 0, tokens: 0, concurrent: 0 });
  });
});

const COMPATIBLE = {
  choices: [{ index: 0, message: { role: "assistant", content: "Hello." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 },
};

describe("an answer that comes whole where a stream was asked for", () => {
  const compatible = async (body: object) => {
    const upstream = await scriptedUpstream((r) => r.answer(200, JSON.stringify(body)));
    return startGateway({ providers: { a: upstream }, quirks: "{}", config: "retry: { attempts: 1 }" });
  };

  test.each([
    ["another language", async () => (await over(whole)).gateway],
    ["chat", () => compatible(COMPATIBLE)],
  ])("at a provider of %s is a stream to every client", async (_, start) => {
    const gateway = await start();
    const chat = await gateway.ask({ ...CHAT, stream: true });
    expect(chat.headers["content-type"]).toContain("text/event-stream");
    expect(chat.body).toContain('"content":"Hello."');
    expect(chat.body).not.toContain("usage");
    expect(chat.body.endsWith("data: [DONE]\n\n")).toBe(true);
    const { messages } = CHAT;
    const response = await gateway.ask({ model: "any", input: messages, stream: true }, "/v1/responses");
    expect(response.body).toContain("event: response.completed");
    expect((await gateway.settled()).tokens).toBe(26);
    expect(gateway.records).toMatchObject([
      { outcome: "ok", isUsageEstimated: false },
      { outcome: "ok", isUsageEstimated: false },
    ]);
  });

  test.each([
    ["an error", { error: { message: "The model is overloaded.", code: 503 } }, 503],
    ["no answer at all", { something: "else" }, 502],
  ])("is %s if it says so", async (_, body, status) => {
    const gateway = await compatible(body);
    expect((await gateway.ask({ ...CHAT, stream: true })).status).toBe(status);
    await gateway.settled();
  });
});

test("a client that leaves ends a translated stream at the provider, and what was produced is settled", async () => {
  const { upstream, gateway } = await over((request) => request.streamHead().chunk(START).chunk(TEXT));
  const client = gateway.client();
  client.send(jsonRequest({ ...CHAT, stream: true }));
  const sent = await upstream.request(0);
  await new Promise((resolve) => {
    client.socket.once("data", resolve);
  });
  client.socket.destroy();
  await sent.closed;
  expect((await gateway.settled()).tokens).toBeGreaterThan(0);
  expect(gateway.records[0]?.outcome).toBe("client_gone");
});

test("a request with nothing that a provider's quirks are about passes as it was written", async () => {
  const upstream = await scriptedUpstream((r) => r.answer(200, JSON.stringify(COMPATIBLE)));
  const quirks = "{ roles: { developer: system }, rename: { max_completion_tokens: max_tokens } }";
  const gateway = await startGateway({ providers: { a: upstream }, quirks });
  const written = (role: string, rest = "") =>
    `{ "model":"any",  "messages": [ {"role":"${role}","content":"Hi"} ]${rest} }`;
  const send = (body: string) =>
    gateway
      .client()
      .send(requestBytes("POST", "/v1/chat/completions", { "content-type": "application/json" }, body))
      .answer();
  expect((await send(written("user"))).status).toBe(200);
  expect((await upstream.request(0)).body).toBe(written("user").replace("any", "m"));
  await send(written("developer"));
  expect((await upstream.request(1)).json()["messages"]).toEqual([{ role: "system", content: "Hi" }]);
  await send(written("user", ', "max_completion_tokens": 5'));
  expect((await upstream.request(2)).json()).toMatchObject({ max_tokens: 5 });
  await gateway.settled();
});

test("what another language left in the conversation does not reach a provider of chat", async () => {
  const upstream = await scriptedUpstream((request) =>
    request.answer(200, '{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"}}]}'),
  );
  const gateway = await startGateway({ providers: { chat: upstream } });
  const before = {
    role: "assistant",
    content: "Hi",
    thinking_blocks: [{ type: "thinking", thinking: "Hm." }],
  };
  const answer = await gateway.ask({ model: "any", messages: [...CHAT.messages, before, ...CHAT.messages] });
  expect((await upstream.request(0)).body).not.toContain("thinking_blocks");
  expect(answer.headers["x-sluice-warning"]).toContain("thinking_blocks was dropped");
});

describe("a failure in another language", () => {
  test.each([
    ["as an answer's status", (request) => request.answer(529, JSON.stringify(OVERLOADED)), 503],
    ["as the first event", (request) => request.streamHead().chunk(event(OVERLOADED)).endChunks(), 503],
    [
      "right behind the first event",
      (request) =>
        request
          .streamHead()
          .chunk(START + event(OVERLOADED))
          .endChunks(),
      503,
    ],
    ["as an empty stream", (request) => request.streamHead().endChunks(), 502],
    ["as something else than JSON", (request) => request.answer(200, "<html>"), 502],
  ] satisfies [string, Script, number][])("%s keeps its status", async (_name, script, status) => {
    const { gateway } = await over(script);
    const answer = await gateway.ask({ ...CHAT, stream: !_name.includes("JSON") });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { message: expect.any(String) } });
    await gateway.settled();
  });

  test("leads to the next target, which may speak yet another language", async () => {
    const first = await scriptedUpstream((request) => request.answer(529, JSON.stringify(OVERLOADED)));
    const second = await scriptedUpstream((request) =>
      request.answer(
        200,
        JSON.stringify({
          candidates: [{ content: { role: "model", parts: [{ text: "Hi." }] }, finishReason: "STOP" }],
          usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 2 },
        }),
      ),
    );
    const gateway = await startGateway({
      providers: { first, second },
      dialects: { first: "anthropic", second: "gemini" },
    });
    const answer = await gateway.ask(CHAT);
    expect(JSON.parse(answer.body)).toMatchObject({ choices: [{ message: { content: "Hi." } }] });
    expect(answer.headers["x-sluice-provider"]).toBe("second");
    expect((await gateway.settled()).tokens).toBe(6);
  });

  test("in the middle of a stream ends it with an error event and without the end mark", async () => {
    const { upstream, gateway } = await over((request) => request.streamHead().chunk(START).chunk(TEXT));
    const client = gateway.ask({ ...CHAT, stream: true });
    (await upstream.request(0)).chunk(event(OVERLOADED)).endChunks();
    const answer = await client;
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('data: {"error":');
    expect(answer.body).not.toContain("[DONE]");
    await gateway.settled();
  });

  test("is an end before the answer was complete", async () => {
    const { gateway } = await over((request) => request.streamHead().chunk(START).chunk(TEXT).endChunks());
    const answer = await gateway.ask({ ...CHAT, stream: true });
    expect(answer.body).toContain("stream_interrupted");
    expect(answer.body).not.toContain("[DONE]");
    const used = await gateway.settled();
    expect(used.tokens).toBeGreaterThan(0);
  });
});

describe("a provider that only claims the client's language", () => {
  const chunk = (id: string, delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const CALL = { function: { name: "f", arguments: "{}" }, id: "call_1" };

  async function claims(script: Script) {
    const upstream = await scriptedUpstream(script);
    return startGateway({ providers: { claims: upstream }, quirks: "{}" });
  }

  test("has its canonical chunks passed on as they are, and its own ways mended", async () => {
    const text = chunk("c1", { content: "Hello" });
    const gateway = await claims((request) =>
      request
        .streamHead()
        .chunk(": keep-alive\n\n")
        .chunk(chunk("c1", { role: "assistant", content: "" }))
        .chunk(text)
        .chunk(chunk("c1", { tool_calls: [CALL] }))
        .chunk(chunk("c1", {}, "stop"))
        .chunk("data: [DONE]\n\n")
        .endChunks(),
    );
    const answer = await gateway.ask({ model: "any", stream: true });
    expect(answer.body).toContain(text);
    expect(answer.body).toContain('"tool_calls":[{"index":0,"id":"call_1","type":"function"');
    expect(answer.body).toContain('"finish_reason":"tool_calls"');
    expect(answer.body).toMatch(/data: \[DONE\]\n\n$/);
    expect(answer.body).not.toContain("keep-alive");
    await gateway.settled();
  });

  test("has its usage read wherever it puts it", async () => {
    const gateway = await claims((request) =>
      request
        .streamHead()
        .chunk(chunk("c1", { role: "assistant", content: "Hello" }))
        .chunk(
          chunk("c1", {}, "stop").replace(
            /\}\n\n$/,
            ',"x_groq":{"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}}\n\n',
          ),
        )
        .chunk("data: [DONE]\n\n")
        .endChunks(),
    );
    const answer = await gateway.ask({ model: "any", stream: true });
    expect(answer.status).toBe(200);
    expect((await gateway.settled()).tokens).toBe(17);
  });

  test("that breaks off is told as such", async () => {
    const gateway = await claims((request) =>
      request
        .streamHead()
        .chunk(chunk("c1", { role: "assistant", content: "Hello" }))
        .endChunks(),
    );
    const answer = await gateway.ask({ model: "any", stream: true });
    expect(answer.body).toContain("stream_interrupted");
    expect(answer.body).not.toContain("[DONE]");
    expect((await gateway.settled()).tokens).toBeGreaterThan(0);
  });
});
