import { createHash } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Runtime } from "../../src/gateway/runtime.ts";
import { errorOf } from "./envelope.ts";
import { jsonRequest, requestBytes } from "./raw-client.ts";
import { ANONYMOUS, OPEN_RUNTIME, startServer } from "./server-fixture.ts";

const CHAT = { model: "smart", messages: [{ role: "user", content: "hi" }] };

describe("a busy route", () => {
  test.each([
    ["/v1/chat/completions", "chat", CHAT],
    ["/v1/completions", "completions", { model: "smart", prompt: "hi" }],
    ["/v1/embeddings", "embeddings", { model: "smart", input: ["hi"] }],
  ])("%s hands the request over as it came", async (path, route, body) => {
    const { client } = await startServer();
    const answer = await client()
      .send(jsonRequest(body, {}, path))
      .answer();
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({
      route,
      key: "anonymous",
      model: "smart",
      body: JSON.stringify(body),
    });
  });

  test("ignores the query", async () => {
    const { client } = await startServer();
    const answer = await client()
      .send(jsonRequest(CHAT, {}, "/v1/chat/completions?beta=true"))
      .answer();
    expect(answer.status).toBe(200);
  });

  test("reads a body in chunks of one byte", async () => {
    const { client } = await startServer();
    const raw = client().send(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for (const char of JSON.stringify(CHAT)) raw.send(`1\r\n${char}\r\n`);
    const answer = await raw.send("0\r\n\r\n").answer();
    expect(JSON.parse(answer.body)).toMatchObject({ body: JSON.stringify(CHAT) });
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    ["GZIP", gzipSync],
    ["identity", (text: string) => Buffer.from(text)],
  ])("decodes a body in %s", async (encoding, encode) => {
    const { client } = await startServer();
    const body = encode(JSON.stringify(CHAT));
    const answer = await client()
      .send(jsonRequest(body, { "content-encoding": encoding }))
      .answer();
    expect(JSON.parse(answer.body)).toMatchObject({ body: JSON.stringify(CHAT) });
  });

  test.each([
    [
      "a small body that decodes to a large one",
      gzipSync("x".repeat(20_000)),
      "gzip",
      413,
      "request_too_large",
    ],
    ["a body cut short", gzipSync(JSON.stringify(CHAT)).subarray(0, 30), "gzip", 400, "invalid_request"],
    ["a body that is not encoded at all", Buffer.from("{}"), "br", 400, "invalid_request"],
    ["an unknown encoding", Buffer.from("{}"), "compress", 415, "unsupported_media_type"],
    ["two encodings", gzipSync(gzipSync("{}")), "gzip, gzip", 415, "unsupported_media_type"],
  ])("refuses %s", async (_, body, encoding, status, code) => {
    const { client } = await startServer({ limits: { bodyBytesMax: 10_000 } });
    const answer = await client()
      .send(jsonRequest(body, { "content-encoding": encoding }))
      .answer();
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).toMatchObject({ code });
  });

  test.each([
    [undefined, 200],
    ["application/json; charset=utf-8", 200],
    ["Application/JSON", 200],
    ["application/vnd.api+json", 200],
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=x", 415],
  ])("answers content-type %s with %i", async (contentType, status) => {
    const { client } = await startServer();
    const headers: Record<string, string> = contentType === undefined ? {} : { "content-type": contentType };
    const bytes = requestBytes("POST", "/v1/chat/completions", headers, JSON.stringify(CHAT));
    const answer = await client().send(bytes).answer();
    expect(answer.status).toBe(status);
    if (status !== 200) expect(errorOf(answer)).toMatchObject({ code: "unsupported_media_type" });
  });

  test.each(["GET", "PUT", "DELETE", "PATCH"])("refuses %s and says what it answers", async (method) => {
    const { client } = await startServer();
    const answer = await client()
      .send(requestBytes(method, "/v1/chat/completions", {}))
      .answer();
    expect(answer).toMatchObject({ status: 405, headers: { allow: "POST, OPTIONS" } });
    expect(errorOf(answer)).toMatchObject({ code: "method_not_allowed" });
  });

  test("answers OPTIONS with what it allows, and no page of another site", async () => {
    const { client } = await startServer();
    const answer = await client()
      .send(requestBytes("OPTIONS", "/v1/chat/completions", { origin: "https://x.example" }))
      .answer();
    expect(answer).toMatchObject({ status: 204, headers: { allow: "POST, OPTIONS" } });
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("hides an unexpected exception from the client and logs it with the request's id", async () => {
    const secret = new Error("password in the message");
    const { client, logs, records } = await startServer({
      serve() {
        throw secret;
      },
    });
    const answer = await client().send(jsonRequest(CHAT)).answer();
    expect(answer.status).toBe(500);
    expect(errorOf(answer)).toMatchObject({ code: "internal_error", type: "server_error" });
    expect(answer.body).not.toContain("password");
    expect(answer.headers["x-should-retry"]).toBe("false");
    expect(logs).toEqual([
      {
        message: "request failed unexpectedly",
        fields: { requestId: answer.headers["x-request-id"], error: secret },
      },
    ]);
    expect(records).toMatchObject([{ outcome: "internal_error", errorCode: "internal_error", status: 500 }]);
  });

  test("records what it refuses under the route's pattern", async () => {
    const { client, records } = await startServer();
    const answer = await client().send(jsonRequest("{")).answer();
    expect(answer.status).toBe(400);
    expect(records).toMatchObject([
      {
        id: answer.headers["x-request-id"],
        route: "/v1/chat/completions",
        status: 400,
        outcome: "client_error",
        errorCode: "invalid_json",
      },
    ]);
  });

  test("answers pipelined requests in their order", async () => {
    const { client } = await startServer();
    const models = ["first", "second", "third"];
    const raw = client().send(Buffer.concat(models.map((model) => jsonRequest({ ...CHAT, model }))));
    for (const model of models) expect(JSON.parse((await raw.answer()).body)).toMatchObject({ model });
  });

  test("keeps the connection after an error", async () => {
    const { client } = await startServer();
    const raw = client().send(jsonRequest("nonsense"));
    expect((await raw.answer()).status).toBe(400);
    expect((await raw.send(jsonRequest(CHAT)).answer()).status).toBe(200);
  });
});

describe("a failing answer", () => {
  test("gets status, headers and envelope before the head is sent", async () => {
    const { client } = await startServer({
      serve(_, downstream) {
        const error = new GatewayError("rate_limit_exceeded", "Limit of openai/tokens/min.", {
          retryAfterMs: 1234.5,
        });
        downstream.fail(error, ["x-ratelimit-limit-tokens", "100"]);
        downstream.fail(error, []);
      },
    });
    const answer = await client().send(jsonRequest(CHAT)).answer();
    expect(answer).toMatchObject({
      status: 429,
      headers: { "retry-after": "2", "retry-after-ms": "1235", "x-ratelimit-limit-tokens": "100" },
    });
    expect(errorOf(answer)).toMatchObject({ code: "rate_limit_exceeded" });
  });

  test("ends a stream that has begun with an error event and no end mark", async () => {
    const { client } = await startServer({
      serve(_, downstream) {
        downstream.response.writeHead(200, ["content-type", "text/event-stream"]);
        downstream.response.write('data: {"choices":[');
        downstream.fail(new GatewayError("stream_interrupted", "The provider broke off."), []);
      },
    });
    const answer = await client()
      .send(jsonRequest({ ...CHAT, stream: true }))
      .answer();
    const events = answer.body.split("\n\n").filter((event) => event !== "");
    expect(events).toHaveLength(2);
    expect(JSON.parse((events[1] ?? "").slice("data: ".length))).toMatchObject({
      error: { code: "stream_interrupted" },
    });
    expect(answer.body).not.toContain("[DONE]");
  });

  test("cuts off an unstreamed answer that has begun", async () => {
    const { client } = await startServer({
      serve(_, downstream) {
        downstream.response.writeHead(200, ["content-length", "100"]);
        downstream.response.write("half", () =>
          downstream.fail(new GatewayError("stream_interrupted", "x"), []),
        );
      },
    });
    const text = await client().send(jsonRequest(CHAT)).untilClosed();
    expect(text.endsWith("half")).toBe(true);
  });
});

describe("client keys", () => {
  const hash = (secret: string) => createHash("sha256").update(secret).digest("hex");
  const runtime: Runtime = {
    ...OPEN_RUNTIME,
    anonymous: null,
    keys: new Map([[hash("sk-team-a"), { ...ANONYMOUS, name: "team-a", models: new Set(["smart"]) }]]),
  };

  test.each([
    ["authorization", "Bearer sk-team-a"],
    ["authorization", "bearer  sk-team-a"],
    ["x-api-key", "sk-team-a"],
    ["api-key", "sk-team-a"],
  ])("are taken from %s: %s", async (name, value) => {
    const { client } = await startServer({ runtime });
    const raw = client();
    for (let round = 0; round < 2; round++) {
      const answer = await raw.send(jsonRequest(CHAT, { [name]: value })).answer();
      expect(JSON.parse(answer.body)).toMatchObject({ key: "team-a" });
    }
  });

  test("one right key among several suffices", async () => {
    const { client } = await startServer({ runtime });
    const headers = { authorization: "Bearer dummy", "x-api-key": "sk-team-a" };
    expect((await client().send(jsonRequest(CHAT, headers)).answer()).status).toBe(200);
  });

  test.each([
    [{}, "No API key was sent"],
    [{ authorization: "Bearer wrong" }, "not known"],
    [{ authorization: "Basic c2s6dGVhbS1h" }, "not known"],
    [{ authorization: "" }, "not known"],
    [{ "x-api-key": hash("sk-team-a") }, "not known"],
  ])("are refused as %j", async (headers, message) => {
    const { client } = await startServer({ runtime });
    const answer = await client().send(jsonRequest(CHAT, headers)).answer();
    expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
    const error = errorOf(answer);
    expect(error).toMatchObject({ code: "invalid_api_key", type: "authentication_error" });
    expect(error["message"]).toContain(message);
  });

  test("stop working at the instant they expire", async () => {
    let wallMs = 1_000;
    const clock = { ...systemClock, wallMs: () => wallMs };
    const keys = new Map([[hash("sk-team-a"), { ...ANONYMOUS, name: "team-a", expiresMs: 86_400_000 }]]);
    const { client } = await startServer({ runtime: { ...runtime, keys }, clock });
    const send = () =>
      client()
        .send(jsonRequest(CHAT, { authorization: "Bearer sk-team-a" }))
        .answer();
    wallMs = 86_399_999;
    expect((await send()).status).toBe(200);
    wallMs = 86_400_000;
    const answer = await send();
    expect(answer.status).toBe(401);
    expect(errorOf(answer)["message"]).toBe(
      "This secret of the key `team-a` has expired on 1970-01-02T00:00:00.000Z.",
    );
  });

  test("stop working when the runtime no longer has them", async () => {
    const gateway = { runtime, serve: () => {} };
    const { client } = await startServer({
      gateway: {
        get runtime() {
          return gateway.runtime;
        },
        serve(request, downstream) {
          downstream.response.end(request.key.name);
        },
      },
    });
    const bytes = jsonRequest(CHAT, { authorization: "Bearer sk-team-a" });
    const raw = client();
    expect((await raw.send(bytes).answer()).status).toBe(200);
    gateway.runtime = { ...runtime, keys: new Map() };
    expect((await raw.send(bytes).answer()).status).toBe(401);
  });

  test.each([
    ["https://evil.example", 403],
    ["http://localhost.evil.example", 403],
    ["null", 403],
    ["http://localhost:3000", 200],
    ["http://127.0.0.1:8787", 200],
    ["http://[::1]:8787", 200],
  ])("are needed by a web page of %s unless it is of this machine", async (origin, status) => {
    const { client } = await startServer();
    const answer = await client().send(jsonRequest(CHAT, { origin })).answer();
    expect(answer.status).toBe(status);
  });
});
