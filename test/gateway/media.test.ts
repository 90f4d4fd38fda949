// The routes beside chat whose requests are JSON: moderations, rerank, images and speech. Their answers are JSON, event
// streams or plain bytes, and few of them say what they used.
import { describe, expect, test } from "vitest";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import { scriptedUpstream, type Script } from "./scripted-upstream.ts";

const IMAGE_USAGE = { input_tokens: 10, output_tokens: 200, total_tokens: 210 };

async function gatewayTo(script: Script, config = "") {
  const upstream = await scriptedUpstream(script);
  const gateway = await startGateway({ providers: { a: upstream }, config });
  return { upstream, gateway };
}

function post(gateway: GatewayFixture, path: string, body: object): Promise<Response> {
  return fetch(`http://127.0.0.1:${gateway.port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;

describe("a route beside chat", () => {
  test.each([
    ["/v1/moderations", "/v1/moderations", { input: "hello" }],
    ["/v1/rerank", "/v1/rerank", { query: "water", documents: ["a", "b"] }],
    ["/v1/images/generations", "/v1/images/generations", { prompt: "a gate", n: 2 }],
    ["/v1/audio/speech", "/v1/audio/speech", { input: "hello", voice: "alto" }],
  ])("%s reaches the provider with its own name for the model", async (path, upstreamPath, body) => {
    const { upstream, gateway } = await gatewayTo((r) => r.answer(200, '{"id":"1"}'));
    const answer = await post(gateway, path, { model: "any", ...body });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('{"id":"1"}');
    expect(answer.headers.get("x-sluice-provider")).toBe("a");
    const request = await upstream.request(0);
    expect(request.head.split("\r\n")[0]).toBe(`POST ${upstreamPath} HTTP/1.1`);
    expect(request.json()).toEqual({ model: "m", ...body });
    expect(gateway.records).toMatchObject([{ route: path, outcome: "ok", provider: "a", model: "m" }]);
    expect((await gateway.settled()).requests).toBe(1);
  });

  test("may lie beside the base URL, at the root of the provider's host", async () => {
    const upstream = await scriptedUpstream((r) => r.answer(200, '{"results":[]}'));
    const provider = 'paths: { rerank: "{origin}/v2/rerank" }, query: { tier: "1" }';
    const gateway = await startGateway({ providers: { a: upstream }, provider });
    const asked = { query: "water", documents: ["a", "b"] };
    expect((await post(gateway, "/v1/rerank", { model: "any", ...asked })).status).toBe(200);
    expect((await upstream.request(0)).head.split("\r\n")[0]).toBe("POST /v2/rerank?tier=1 HTTP/1.1");
    expect((await upstream.request(0)).json()).toEqual({ model: "m", ...asked });
    await gateway.settled();
  });

  test.each([
    ["/v1/moderations", {}, "input"],
    ["/v1/rerank", {}, "query"],
    ["/v1/images/generations", { prompt: 3 }, "prompt"],
    ["/v1/audio/speech", { input: null }, "input"],
  ])("%s refuses a request without what it is about", async (path, body, param) => {
    const { gateway } = await gatewayTo((r) => r.answer(200, "{}"));
    const answer = await post(gateway, path, { model: "any", ...body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { param, code: "invalid_request" } });
  });

  test("is settled with what was reported, else with what the request alone tells", async () => {
    const cases: readonly (readonly [string, object, object, number | null])[] = [
      ["/v1/images/generations", { prompt: "x" }, { data: [{ b64_json: "A".repeat(40_000) }] }, null],
      ["/v1/images/generations", { prompt: "x" }, { data: [], usage: IMAGE_USAGE }, 210],
      ["/v1/rerank", { query: "x" }, { results: [], usage: { total_tokens: 33 } }, 33],
      ["/v1/moderations", { input: "x" }, { results: [{ flagged: false }] }, null],
    ];
    for (const [path, body, answer, tokens] of cases) {
      const { gateway } = await gatewayTo((r) => r.answer(200, JSON.stringify(answer)));
      await (await post(gateway, path, { model: "any", ...body })).text();
      const used = await gateway.settled();
      if (tokens === null) expect(used.tokens).toBeLessThan(50);
      else expect(used.tokens).toBe(tokens);
      expect(gateway.records[0]?.isUsageEstimated).toBe(tokens === null);
    }
  });

  test.each(["moderations", "images"])(
    "gives requests without a model to the alias `%s` where there is one",
    async (alias) => {
      const path = alias === "images" ? "/v1/images/generations" : "/v1/moderations";
      const body = alias === "images" ? { prompt: "x" } : { input: "x" };
      const { upstream, gateway } = await gatewayTo((r) => r.answer(200, "{}"), `  ${alias}: [ a/m ]`);
      expect((await post(gateway, path, body)).status).toBe(200);
      expect((await upstream.request(0)).json()).toEqual({ model: "m", ...body });
      const { gateway: other } = await gatewayTo((r) => r.answer(200, "{}"));
      expect(await (await post(other, path, body)).json()).toMatchObject({ error: { param: "model" } });
    },
  );
});

describe("speech", () => {
  const AUDIO = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7) & 255));
  const ask = { model: "any", input: "hello", voice: "alto" };

  test("passes as bytes, with the provider's content type and length", async () => {
    const { gateway, upstream } = await gatewayTo((r) =>
      r.answer(200, AUDIO, { "content-type": "audio/mpeg" }),
    );
    const answer = await post(gateway, "/v1/audio/speech", ask);
    expect(answer.headers.get("content-type")).toBe("audio/mpeg");
    expect(answer.headers.get("content-length")).toBe("5000");
    expect(Buffer.from(await answer.arrayBuffer()).equals(AUDIO)).toBe(true);
    expect((await upstream.request(0)).header("accept")).toBe("*/*");
    expect((await gateway.settled()).tokens).toBeLessThan(50);
  });

  test("that breaks off is torn, so that nobody takes it for whole", async () => {
    const { gateway } = await gatewayTo((r) => {
      r.streamHead({ "content-type": "audio/mpeg" }).chunk(AUDIO);
      setImmediate(() => r.reset());
    });
    const answer = await post(gateway, "/v1/audio/speech", ask);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    await gateway.settled();
    expect(gateway.records).toMatchObject([{ outcome: "interrupted", errorCode: "stream_interrupted" }]);
  });

  test("comes as events where the provider sends them, settled with their usage", async () => {
    const events = [
      event({ type: "speech.audio.delta", audio: "AAAA" }),
      event({ type: "speech.audio.done", usage: { input_tokens: 3, output_tokens: 9, total_tokens: 12 } }),
    ];
    const { gateway } = await gatewayTo((r) => {
      r.streamHead();
      for (const frame of events) r.chunk(frame);
      r.endChunks();
    });
    const answer = await post(gateway, "/v1/audio/speech", { ...ask, stream_format: "sse" });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    expect(await answer.text()).toBe(events.join(""));
    expect((await gateway.settled()).tokens).toBe(12);
    expect(gateway.records).toMatchObject([{ isStream: true, outcome: "ok" }]);
  });

  test("answered with a page or an error is no speech", async () => {
    const html = await gatewayTo((r) => r.answer(200, "<html>", { "content-type": "text/html" }));
    expect((await post(html.gateway, "/v1/audio/speech", ask)).status).toBe(502);
    const error = await gatewayTo((r) => r.answer(200, '{"error":{"message":"no voice","type":"x"}}'));
    expect((await post(error.gateway, "/v1/audio/speech", ask)).status).toBeGreaterThanOrEqual(400);
    await html.gateway.settled();
    await error.gateway.settled();
  });
});

describe("a success that is an error in disguise", () => {
  const REQUESTS = [
    ["/v1/moderations", { input: "hello" }],
    ["/v1/rerank", { query: "water", documents: ["a", "b"] }],
    ["/v1/images/generations", { prompt: "a gate" }],
    ["/v1/audio/speech", { input: "hello", voice: "alto" }],
    ["/v1/embeddings", { input: "hello" }],
    ["/v1/completions", { prompt: "hello" }],
    ["/v1/chat/completions", { messages: [] }],
  ] as const;
  const ERRORS = [
    '{"error":{"message":"Overloaded","type":"server_error","code":"503"}}',
    `{"id":"1","about":"${"x".repeat(300)}","error":{"message":"Overloaded","code":"503"}}`,
    '{"error":"Overloaded"}',
    '{"choices":[],"error":{"message":"Overloaded"}}',
    '{"object":"error","message":"Overloaded","code":503}',
    '{"base_resp":{"status_code":1002,"status_msg":"Overloaded"}}',
  ] as const;

  test.each(REQUESTS.flatMap(([path, body]) => ERRORS.map((error) => [path, body, error] as const)))(
    "on %s, asked for %j: %s takes nothing, and the next provider is asked",
    async (path, body, error) => {
      const alone = await gatewayTo((r) => r.answer(200, error), "retry: { attempts: 1 }");
      const answer = await post(alone.gateway, path, { model: "any", ...body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect((await alone.gateway.settled()).tokens).toBe(0);
      expect(alone.gateway.records).toMatchObject([{ outcome: "provider_error" }]);
      const bad = await scriptedUpstream((r) => r.answer(200, error));
      const good = await scriptedUpstream((r) => r.answer(200, '{"id":"1"}'));
      const gateway = await startGateway({ providers: { a: bad, b: good } });
      const second = await post(gateway, path, { model: "any", ...body });
      expect([second.status, second.headers.get("x-sluice-provider")]).toEqual([200, "b"]);
      await gateway.settled();
    },
  );
});

describe("streamed images", () => {
  const partial = event({ type: "image_generation.partial_image", b64_json: "AAAA" });
  const completed = event({ type: "image_generation.completed", b64_json: "BBBB", usage: IMAGE_USAGE });
  const ask = { model: "any", prompt: "a gate", stream: true };

  test("end with their last event and nothing else", async () => {
    const { gateway, upstream } = await gatewayTo((r) =>
      r.streamHead().chunk(partial).chunk(completed).endChunks(),
    );
    const answer = await post(gateway, "/v1/images/generations", ask);
    expect(await answer.text()).toBe(partial + completed);
    expect((await upstream.request(0)).json()).not.toHaveProperty("stream_options");
    expect((await gateway.settled()).tokens).toBe(210);
  });

  test("that break off end with an error event", async () => {
    const { gateway } = await gatewayTo((r) => r.streamHead().chunk(partial).endChunks());
    const text = await (await post(gateway, "/v1/images/generations", ask)).text();
    expect(text.startsWith(partial)).toBe(true);
    expect(text).toContain('data: {"error":');
    await gateway.settled();
    expect(gateway.records).toMatchObject([{ outcome: "interrupted" }]);
  });

  test("are a whole answer where the provider does not stream", async () => {
    const { gateway } = await gatewayTo((r) => r.answer(200, '{"data":[]}'));
    const answer = await post(gateway, "/v1/images/generations", ask);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.text()).toBe('{"data":[]}');
    await gateway.settled();
  });
});
