// The opaque pass-through: what the client sends is what the provider gets and the other way round, but for credentials,
// connections and units.
import { describe, expect, test } from "vitest";
import { errorOf } from "../http/envelope.ts";
import { requestBytes } from "../http/raw-client.ts";
import { formUpstream, type FormRequest } from "./form-upstream.ts";
import { startGateway } from "./gateway-fixture.ts";

/** Answers with what it got. */
const echo = (form: FormRequest): void => {
  form.read();
  const { request, response } = form;
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "x-own": "1", "set-cookie": "a=b" });
    response.end(JSON.stringify({ method: request.method, url: request.url, body: form.body.toString() }));
  });
};

describe("what is passed through", () => {
  test.each(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "is any %s, with its query",
    async (method) => {
      const upstream = await formUpstream(echo);
      const gateway = await startGateway({ providers: { a: upstream } });
      const body = method === "GET" || method === "OPTIONS" ? "" : '{"x":1}';
      const path = "/providers/a/files/f%20%C3%A4?after=x%2Fy&limit=2";
      const type: Record<string, string> = body === "" ? {} : { "content-type": "application/json" };
      const answer = await gateway
        .client()
        .send(requestBytes(method, path, type, body))
        .answer();
      expect(answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "a", "x-own": "1" } });
      expect(JSON.parse(answer.body)).toEqual({
        method,
        url: "/v1/files/f%20%C3%A4?after=x%2Fy&limit=2",
        body,
      });
      expect(answer.headers).not.toHaveProperty("set-cookie");
      expect(gateway.records).toMatchObject([
        { route: "/providers/{name}/*", outcome: "ok", modelAsked: "a/*" },
      ]);
      expect((await gateway.settled()).requests).toBe(1);
    },
  );

  test("is a HEAD, with the length of what it does not bring", async () => {
    const upstream = await formUpstream(
      ({ response }) => void response.writeHead(200, { "content-length": "1234" }).end(),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/providers/a/files`, { method: "HEAD" });
    expect(answer.headers.get("content-length")).toBe("1234");
    await gateway.settled();
  });

  test("has the provider's credentials instead of the client's, and nothing of the connection's", async () => {
    const upstream = await formUpstream(echo);
    const gateway = await startGateway({
      providers: { a: upstream },
      config: "keys: [ { name: team, key: sk-client-secret } ]",
    });
    const headers = {
      authorization: "Bearer sk-client-secret",
      "x-api-key": "sk-client-secret",
      "x-goog-api-key": "sk-client-secret",
      cookie: "a=b",
      "x-forwarded-for": "10.0.0.1",
      connection: "keep-alive, x-mine",
      "x-mine": "1",
      "keep-alive": "timeout=5",
      te: "trailers",
      "x-sluice-timeout": "20",
      "openai-beta": "assistants=v2",
      range: "bytes=0-9",
      accept: "text/csv",
    };
    await gateway
      .client()
      .send(requestBytes("GET", "/providers/a/files", headers))
      .answer();
    const sent = (await upstream.request(0)).request.headers;
    expect(sent).toMatchObject({
      authorization: "Bearer sk-a",
      "openai-beta": "assistants=v2",
      range: "bytes=0-9",
      accept: "text/csv",
      "accept-encoding": "identity",
    });
    expect(JSON.stringify(sent)).not.toContain("sk-client");
    for (const name of ["cookie", "x-forwarded-for", "x-mine", "te", "x-sluice-timeout", "content-type"]) {
      expect(sent).not.toHaveProperty(name);
    }
    await gateway.settled();
  });

  test("flows both ways", async () => {
    const upstream = await formUpstream((form) => {
      form.read();
      form.response.writeHead(200, { "content-type": "application/x-ndjson" }).write("first\n");
    });
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway
      .client()
      .send("POST /providers/a/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    const form = await upstream.request(0);
    await form.bytes(3);
    await client.until("first");
    client.send("3\r\ntwo\r\n0\r\n\r\n");
    expect((await form.whole()).toString()).toBe("onetwo");
    form.response.end("last\n");
    await client.until("last");
    await gateway.settled();
  });

  test("takes units, and is settled with the usage of whatever language", async () => {
    const answers: readonly (readonly [string, string, number])[] = [
      ["application/json", '{"usage":{"prompt_tokens":11,"completion_tokens":5}}', 16],
      ["application/json", '{"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":3}}', 23],
      ["application/json", '{"usage":{"inputTokens":7,"outputTokens":2}}', 9],
      [
        "text/event-stream",
        `data: {"message":{"usage":{"input_tokens":30,"output_tokens":1}}}\n\n${"data: {}\n\n".repeat(20)}data: {"usage":{"output_tokens":12}}\n\n`,
        42,
      ],
    ];
    for (const [type, body, tokens] of answers) {
      const upstream = await formUpstream((form) => {
        form.read();
        form.request.on("end", () => form.response.writeHead(200, { "content-type": type }).end(body));
      });
      const gateway = await startGateway({ providers: { a: upstream } });
      const request = requestBytes(
        "POST",
        "/providers/a/x",
        { "content-type": "application/json" },
        '{"model":"m"}',
      );
      expect((await gateway.client().send(request).answer()).body).toBe(body);
      expect(await gateway.settled()).toEqual({ requests: 1, tokens, concurrent: 0 });
      expect(gateway.records).toMatchObject([{ modelAsked: "a/m", model: "m" }]);
    }
  });

  test("holds the model's limits where the model is known, by the body or by the path", async () => {
    const upstream = await formUpstream(echo);
    const gateway = await startGateway({
      providers: { a: upstream },
      models: "{ small: { limits: [ { requests: 1/min } ] }, m: {} }",
      config: "queue: { max_wait: 0s }",
    });
    const send = (path: string, body = "") =>
      gateway
        .client()
        .send(requestBytes("POST", path, body === "" ? {} : { "content-type": "application/json" }, body))
        .answer();
    expect((await send("/providers/a/models/small:generate")).status).toBe(200);
    expect((await send("/providers/a/chat", '{"model":"small"}')).status).toBe(429);
    expect((await send("/providers/a/chat", '{"model":"other"}')).status).toBe(200);
    await gateway.settled();
  });
});

describe("a provider's failure that is passed through", () => {
  test.each([400, 404, 409, 422, 302, 304, 206])(
    "%i reaches the client as it is and is nobody's fault",
    async (status) => {
      const upstream = await formUpstream((form) => {
        form.response
          .writeHead(status, { "content-type": "text/plain", location: "/elsewhere" })
          .end(status === 304 ? "" : "why");
      });
      const gateway = await startGateway({ providers: { a: upstream } });
      for (let at = 0; at < 8; at++) {
        const answer = await gateway
          .client()
          .send(requestBytes("GET", "/providers/a/x", {}))
          .answer();
        expect(answer).toMatchObject({
          status,
          headers: { location: "/elsewhere", "x-sluice-provider": "a" },
        });
      }
      expect((await gateway.settled()).tokens).toBe(0);
    },
  );

  test.each([429, 500, 529])("%i is understood, keeps its body, and is not tried again", async (status) => {
    const upstream = await formUpstream((form) =>
      form.answer(status, { error: { message: "no", type: "own" } }),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway
      .client()
      .send(requestBytes("POST", "/providers/a/x", {}))
      .answer();
    expect(answer).toMatchObject({ status, body: '{"error":{"message":"no","type":"own"}}' });
    expect(upstream.requests).toHaveLength(1);
    expect(await gateway.settled()).toEqual({ requests: 1, tokens: 0, concurrent: 0 });
  });

  test("of the gateway's own key is told as that", async () => {
    const upstream = await formUpstream((form) => form.answer(401, { error: { message: "bad key sk-a" } }));
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway
      .client()
      .send(requestBytes("GET", "/providers/a/x", {}))
      .answer();
    expect(answer.status).toBe(502);
    expect(answer.body).not.toContain("sk-a");
    await gateway.settled();
  });
});

describe("nothing is passed through", () => {
  const KEYS = `keys: [ { name: all, key: sk-all-secret }, { name: some, key: sk-some-secret, models: [ any ] }, { name: direct, key: sk-direct-secret, models: [ "a/*" ] } ]`;

  test.each([
    ["all", 200],
    ["direct", 200],
    ["some", 403],
  ])("for a key that may not use the provider: %s", async (name, status) => {
    const upstream = await formUpstream(echo);
    const gateway = await startGateway({ providers: { a: upstream }, config: KEYS });
    const request = requestBytes("GET", "/providers/a/x", { authorization: `Bearer sk-${name}-secret` });
    expect((await gateway.client().send(request).answer()).status).toBe(status);
    const nowhere = requestBytes("GET", "/providers/zzz/x", { authorization: `Bearer sk-${name}-secret` });
    expect((await gateway.client().send(nowhere).answer()).status).toBe(name === "all" ? 404 : 403);
    const nobody = await gateway
      .client()
      .send(requestBytes("GET", "/providers/a/x", {}))
      .answer();
    expect(nobody.status).toBe(401);
    await gateway.settled();
  });

  test.each([
    "/providers/a/..",
    "/providers/a/../b",
    "/providers/a/%2e%2e/b",
    "/providers/a/x%2f..%2f..",
    "/providers/a/%252e%252e/b",
    "/providers/a/%25%32%65%25%32%65/b",
    "/providers/a/x%252f%252e%252e",
    "/providers/a/%25252e%25252e/b",
    "/providers/a/%2525252525252e/b",
    "/providers/a/..;/b",
    "/providers/a/x%5c..%5cb",
    "/providers/a/x%00",
    "/providers/a/x%0d%0ay",
    "/providers/a/x#y",
    "/providers/%2e%2e/x",
    "/providers/a%2f..%2fb/x",
    "/providers/a/%zz",
  ])("along %s", async (path) => {
    const upstream = await formUpstream(echo);
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway
      .client()
      .send(requestBytes("GET", path, {}))
      .answer();
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(errorOf(answer)).toMatchObject({ type: "invalid_request_error" });
    expect(upstream.requests).toHaveLength(0);
    await gateway.settled();
  });

  test("as a WebSocket or a TRACE; another upgrade is ignored", async () => {
    const upstream = await formUpstream(echo);
    const gateway = await startGateway({ providers: { a: upstream } });
    const upgrade = (to: string) =>
      gateway
        .client()
        .send(requestBytes("GET", "/providers/a/realtime", { connection: "upgrade", upgrade: to }))
        .answer();
    const refused = await upgrade("websocket");
    expect(refused.status).toBe(501);
    expect(errorOf(refused)).toMatchObject({ message: expect.stringContaining("WebSocket") });
    expect((await upgrade("h2c")).status).toBe(200);
    expect((await upstream.request(0)).request.headers).not.toHaveProperty("upgrade");
    const trace = await gateway
      .client()
      .send(requestBytes("TRACE", "/providers/a/x", {}))
      .answer();
    expect(trace.status).toBe(405);
    await gateway.settled();
  });
});
