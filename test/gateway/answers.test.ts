// What passes and in which form: headers both ways, compressed answers, embeddings, large answers.
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { startGateway } from "./gateway-fixture.ts";
import {
  answerBody,
  contentFrame,
  DONE_FRAME,
  FINISH_FRAME,
  good,
  scriptedUpstream,
  whole,
} from "./scripted-upstream.ts";

describe("the request that a provider gets", () => {
  test("is the client's, with the provider's model and key", async () => {
    const upstream = await scriptedUpstream(whole);
    const gateway = await startGateway({ providers: { a: upstream } });
    await gateway.ask({ model: "any", unknown: { nested: [1, 2.5] } }, undefined, {
      "x-other": "1",
      traceparent: "00-ab-cd-01",
      tracestate: "a".repeat(1025),
    });
    const request = await upstream.request(0);
    expect(request.head.split("\r\n")[0]).toBe("POST /v1/chat/completions HTTP/1.1");
    expect(request.json()).toEqual({ messages: [], model: "m", unknown: { nested: [1, 2.5] } });
    expect(request.header("authorization")).toBe("Bearer sk-a");
    expect(request.header("traceparent")).toBe("00-ab-cd-01");
    // Too long to be of use, and a burden for the head.
    expect(request.header("tracestate")).toBeUndefined();
    expect(request.header("x-other")).toBeUndefined();
    expect(request.header("accept-encoding")).toBe("identity");
    await gateway.settled();
  });

  test("asks for usage in a stream, and keeps the client's other stream options", async () => {
    const upstream = await scriptedUpstream(good);
    const gateway = await startGateway({ providers: { a: upstream } });
    await gateway.ask({ model: "any", stream: true, stream_options: { include_obfuscation: false } });
    expect((await upstream.request(0)).json()["stream_options"]).toEqual({
      include_obfuscation: false,
      include_usage: true,
    });
    await gateway.settled();
  });

  test("a provider that refuses stream options is not sent any, and usage is estimated", async () => {
    const upstream = await scriptedUpstream((r) =>
      r.streamHead().chunk(contentFrame("a")).chunk(FINISH_FRAME).chunk(DONE_FRAME).endChunks(),
    );
    const gateway = await startGateway({
      providers: { a: upstream },
      quirks: "{ stream_options: false, canonical: true }",
    });
    await gateway.ask({ model: "any", stream: true });
    expect((await upstream.request(0)).json()).not.toHaveProperty("stream_options");
    expect((await gateway.settled()).tokens).toBeGreaterThan(0);
    expect(gateway.records).toMatchObject([{ outcome: "ok", isUsageEstimated: true }]);
  });

  test("connections are used again", async () => {
    const upstream = await scriptedUpstream(whole);
    const gateway = await startGateway({ providers: { a: upstream } });
    for (let i = 0; i < 3; i++) await gateway.ask({ model: "any" });
    expect(new Set(upstream.requests.map(({ socket }) => socket)).size).toBe(1);
    await gateway.settled();
  });
});

describe("the headers of an answer", () => {
  test("say who answered and what is left, and pass on what is of use", async () => {
    const upstream = await scriptedUpstream((r) =>
      r.answer(200, answerBody(), {
        "x-request-id": "req_upstream",
        "x-processing-ms": "12",
        "x-ratelimit-remaining-requests": "1",
        "set-cookie": "a=b",
        connection: "keep-alive",
        server: "cloud",
        "cache-control": "max-age=9",
      }),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const { headers } = await gateway.ask({ model: "any" });
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "x-sluice-provider": "a",
      "x-sluice-model": "m",
      "x-sluice-attempts": "1",
      "x-sluice-upstream-request-id": "req_upstream",
      "x-processing-ms": "12",
      "x-ratelimit-limit-requests": "1000",
      "x-ratelimit-remaining-requests": "999",
      "x-ratelimit-reset-requests": "60ms",
      "x-ratelimit-limit-tokens": "1000000",
    });
    expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    for (const name of ["set-cookie", "server", "cache-control"]) expect(headers).not.toHaveProperty(name);
    await gateway.settled();
  });

  test("can't be added by a model's name", async () => {
    const upstream = await scriptedUpstream(whole);
    const gateway = await startGateway({ providers: { a: upstream } });
    const evil = await gateway.ask({ model: "a/x\r\nx-evil: 1" });
    expect(evil.status).toBe(404);
    expect(evil.headers).not.toHaveProperty("x-evil");
    const odd = await gateway.ask({ model: "a/modèle ☃" });
    expect(odd.headers["x-sluice-model"]).toBe("mod%C3%A8le %E2%98%83");
    await gateway.settled();
  });

  test("of a refusal name the limit and what is left", async () => {
    const upstream = await scriptedUpstream(whole);
    const gateway = await startGateway({
      providers: { a: upstream },
      limits: "[ { requests: 1/min } ]",
      config: "queue: { max_wait: 0s }",
    });
    await gateway.ask({ model: "any" });
    const refused = await gateway.ask({ model: "any" });
    expect(refused).toMatchObject({
      status: 429,
      headers: {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "retry-after": "60",
      },
    });
    expect(refused.body).toContain("requests: 1/min");
    expect(upstream.requests).toHaveLength(1);
    await gateway.settled();
  });
});

describe("a compressed answer", () => {
  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ])("by %s is decoded whole", async (encoding, compress) => {
    const upstream = await scriptedUpstream((r) =>
      r.answer(200, compress(Buffer.from(answerBody())), { "content-encoding": encoding }),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.ask({ model: "any" });
    expect(answer.body).toBe(answerBody());
    expect(answer.headers).not.toHaveProperty("content-encoding");
    expect((await gateway.settled()).tokens).toBe(17);
  });

  test("that is an error says what it says", async () => {
    const error =
      '{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}';
    const upstream = await scriptedUpstream((r) =>
      r.answer(400, gzipSync(error), { "content-encoding": "gzip" }),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.ask({ model: "any" });
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "context_length_exceeded" } });
    await gateway.settled();
  });

  test.each([
    ["cut short", "gzip", gzipSync(answerBody()).subarray(0, 60)],
    ["damaged", "gzip", Buffer.from("not gzip at all")],
    ["in an unknown way", "x-secret", Buffer.from("????")],
  ])("%s is an error, not half an answer", async (_, encoding, body) => {
    const upstream = await scriptedUpstream((r) => r.answer(200, body, { "content-encoding": encoding }));
    const gateway = await startGateway({ providers: { a: upstream }, config: "retry: { attempts: 1 }" });
    const answer = await gateway.ask({ model: "any" });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "provider_bad_response" } });
    await gateway.settled();
  });

  test("as a stream is a stream", async () => {
    const text = contentFrame("Hel") + FINISH_FRAME + DONE_FRAME;
    const upstream = await scriptedUpstream((r) =>
      r.streamHead({ "content-encoding": "gzip" }).chunk(gzipSync(text)).endChunks(),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.ask({ model: "any", stream: true, stream_options: { include_usage: true } });
    expect(answer.body).toBe(text);
    await gateway.settled();
  });
});

describe("embeddings", () => {
  const floats = [0.5, -1.25, 3];
  const base64 = Buffer.from(new Float32Array(floats).buffer).toString("base64");
  const answerOf = (embedding: unknown): string =>
    JSON.stringify({
      object: "list",
      data: [{ object: "embedding", index: 0, embedding }],
      model: "m",
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });

  test.each([
    ["base64", "base64", floats, base64],
    ["base64", "base64", base64, base64],
    ["numbers", "float", base64, floats],
    ["numbers", "float", floats, floats],
    ["numbers", undefined, base64, floats],
  ])("come as %s when %s is asked for", async (_, encoding_format, sent, expected) => {
    const upstream = await scriptedUpstream((r) => r.answer(200, answerOf(sent)));
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.ask(
      { model: "any", input: "x", ...(encoding_format !== undefined && { encoding_format }) },
      "/v1/embeddings",
    );
    expect(JSON.parse(answer.body)).toEqual(JSON.parse(answerOf(expected)));
    expect((await upstream.request(0)).head).toMatch(/^POST \/v1\/embeddings /);
    expect((await gateway.settled()).tokens).toBe(3);
  });

  test.each([
    ["words in a list", '{"data":[{"embedding":["a"]}]}'],
    ["no list", '{"data":{"embedding":[1]}}'],
    ["something else", '{"data":[{"embedding":[1]},7]}'],
  ])("with %s are an error", async (_, body) => {
    const upstream = await scriptedUpstream((r) => r.answer(200, body));
    const gateway = await startGateway({ providers: { a: upstream }, config: "retry: { attempts: 1 }" });
    const answer = await gateway.ask(
      { model: "any", input: "x", encoding_format: "base64" },
      "/v1/embeddings",
    );
    expect(answer.status).toBe(502);
    await gateway.settled();
  });
});

describe("an answer that is not JSON", () => {
  const inside = answerBody().replace('"message"', "}message");
  test.each([
    ["cut behind a brace", answerBody().replace(/\}[^}]*$/, "")],
    ["broken inside", inside],
    ["with more behind it", `${answerBody()}}`],
    ["large and broken in what was collected", answerBody("x".repeat(9_000_000)).replace(":", "::")],
  ])("is an error: %s", async (_, body) => {
    const upstream = await scriptedUpstream((r) => r.answer(200, body));
    const gateway = await startGateway({ providers: { a: upstream }, config: "retry: { attempts: 1 }" });
    const answer = await gateway.ask({ model: "any" });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "provider_bad_response" } });
    await gateway.settled();
  });

  const large = answerBody("x".repeat(9_000_000));
  test.each([
    ["cut behind a brace", large.replace(/\}[^}]*$/, "")],
    ["cut in a string", large.slice(0, 8_000_000)],
    ["broken behind what was collected", large.replace(/"usage"/, "oops")],
  ])("and large is torn off: %s", async (_, body) => {
    const upstream = await scriptedUpstream((r) => r.answer(200, body));
    const gateway = await startGateway({ providers: { a: upstream } });
    await expect(gateway.ask({ model: "any" })).rejects.toThrow("Closed before a whole answer");
    const { requests, tokens } = await gateway.settled();
    expect(requests).toBe(1);
    expect(tokens).toBeGreaterThan(0);
    expect(gateway.records).toMatchObject([
      { outcome: "provider_error", errorCode: "provider_bad_response" },
    ]);
  });
});

describe("a large answer", () => {
  test("is passed on as it comes, and its usage is found at its end", async () => {
    const body = answerBody("x".repeat(9_000_000));
    const upstream = await scriptedUpstream((r) => r.answer(200, body));
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.ask({ model: "any" });
    expect(answer.body).toBe(body);
    expect(answer.headers["transfer-encoding"]).toBe("chunked");
    expect((await gateway.settled()).tokens).toBe(17);
  });
});

test.each([200, 201, 203])("a success is passed on with its own status: %i", async (status) => {
  const upstream = await scriptedUpstream((r) => r.answer(status, answerBody()));
  const gateway = await startGateway({ providers: { a: upstream } });
  expect(await gateway.ask({ model: "any" })).toMatchObject({ status, body: answerBody() });
  await gateway.settled();
});

test("legacy completions live the same life", async () => {
  const body = JSON.stringify({
    id: "c",
    object: "text_completion",
    choices: [{ text: "x", index: 0, finish_reason: "stop" }],
    usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
  });
  const upstream = await scriptedUpstream((r) => r.answer(200, body));
  const gateway = await startGateway({ providers: { a: upstream } });
  const answer = await gateway.ask({ model: "any", prompt: "x" }, "/v1/completions");
  expect(answer.body).toBe(body);
  expect((await upstream.request(0)).head).toMatch(/^POST \/v1\/completions /);
  expect((await gateway.settled()).tokens).toBe(5);
});

test("a provider that takes no head as large as ours is left for the next; the client's own was not too large", async () => {
  const refusing = await scriptedUpstream((r) => r.answer(431, "<html>Header Fields Too Large</html>"));
  const other = await scriptedUpstream(good);
  const gateway = await startGateway({ providers: { a: refusing, b: other } });
  const [beside, alone] = [await gateway.ask({ model: "any" }), await gateway.ask({ model: "a/m" })];
  expect([beside.status, beside.headers["x-sluice-provider"]]).toEqual([200, "b"]);
  expect([alone.status, alone.headers["x-sluice-error"]]).toEqual([502, "provider_error"]);
  await gateway.settled();
});
