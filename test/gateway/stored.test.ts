// Questions about responses that a provider keeps: asked of that provider, by its own id, counted like every request.
import { describe, expect, test } from "vitest";
import { requestBytes } from "../http/raw-client.ts";
import { formUpstream, type FormRequest } from "./form-upstream.ts";
import { startGateway } from "./gateway-fixture.ts";

const KEEPS = "endpoints: [ chat, responses ]";
const ID = "resp_1__at__a";

const stored = (form: FormRequest): void => {
  form.read();
  form.request.on("end", () =>
    form.answer(200, {
      id: "resp_1",
      object: "response",
      error: null,
      usage: { input_tokens: 5, output_tokens: 500 },
    }),
  );
};

async function keeping(script: (form: FormRequest) => void = stored, config = "") {
  const upstream = await formUpstream(script);
  const gateway = await startGateway({ providers: { a: upstream }, provider: KEEPS, config });
  const ask = (method: string, path: string, body = "") =>
    gateway
      .client()
      .send(requestBytes(method, path, body === "" ? {} : { "content-type": "application/json" }, body))
      .answer();
  return { upstream, gateway, ask };
}

describe("a question about a stored response", () => {
  test.each([
    ["GET", "", "?include=x"],
    ["DELETE", "", ""],
    ["GET", "/input_items", "?limit=5&after=item_1"],
    ["POST", "/cancel", ""],
  ])(
    "%s %s goes to its provider and takes a request, whatever the response has used",
    async (method, rest, query) => {
      const { upstream, gateway, ask } = await keeping();
      const answer = await ask(method, `/v1/responses/${ID}${rest}${query}`);
      expect(answer).toMatchObject({
        status: 200,
        headers: { "x-sluice-provider": "a", "x-sluice-attempts": "1" },
      });
      expect(JSON.parse(answer.body).id).toBe(ID);
      const { request } = await upstream.request(0);
      expect(`${request.method} ${request.url}`).toBe(`${method} /v1/responses/resp_1${rest}${query}`);
      expect(request.headers.authorization).toBe("Bearer sk-a");
      expect(await gateway.settled()).toEqual({ requests: 1, tokens: 0, concurrent: 0 });
      expect(gateway.records).toMatchObject([{ route: "/v1/responses/{id}", provider: "a", outcome: "ok" }]);
    },
  );

  test("is refused where there is no room", async () => {
    const { gateway, ask } = await keeping(stored, "queue: { max_wait: 0s }\nkeys: []");
    const upstream = await formUpstream(stored);
    const tight = await startGateway({
      providers: { a: upstream },
      provider: KEEPS,
      limits: "[ { requests: 1/min } ]",
      config: "queue: { max_wait: 0s }",
    });
    const once = () =>
      tight
        .client()
        .send(requestBytes("GET", `/v1/responses/${ID}`, {}))
        .answer();
    expect((await once()).status).toBe(200);
    expect((await once()).status).toBe(429);
    await ask("GET", `/v1/responses/${ID}`);
    await gateway.settled();
  });

  test("gets a failed response as it is, and its provider's 404 without harm to anyone else", async () => {
    const failed = { id: "resp_1", status: "failed", error: { code: "server_error", message: "it failed" } };
    const { ask } = await keeping((form) => form.answer(200, failed));
    expect(JSON.parse((await ask("GET", `/v1/responses/${ID}`)).body)).toEqual({ ...failed, id: ID });
    const missing = await keeping((form) => form.answer(404, { error: { message: "no such response" } }));
    for (let at = 0; at < 8; at++) expect((await missing.ask("GET", `/v1/responses/${ID}`)).status).toBe(404);
    await missing.gateway.settled();
  });

  test("can be answered by a stream, in which the id is the client's too", async () => {
    const { gateway, ask } = await keeping((form) => {
      form.response.writeHead(200, { "content-type": "text/event-stream" });
      form.response.end(
        'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1"}}\n\nevent: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}\n\n',
      );
    });
    const answer = await ask("GET", `/v1/responses/${ID}?stream=true`);
    expect(answer.body.match(/"id":"resp_1__at__a"/g)).toHaveLength(2);
    await gateway.settled();
  });

  test.each([
    "/v1/responses/..%2f..__at__a",
    "/v1/responses/..%252f..__at__a",
    "/v1/responses/resp_1%2f..%2f..%2ffiles__at__a",
    "/v1/responses/resp_1%3fx__at__a",
    "/v1/responses/resp_1",
    "/v1/responses/resp_1__at__zzz",
    "/v1/responses/__at__a",
    "/v1/responses/resp%201__at__a",
    "/v1/responses/resp_1__at__a%2f..",
    "/v1/responses/resp_1__at__a/..",
  ])("never leads elsewhere: %s", async (path) => {
    const { upstream, gateway, ask } = await keeping();
    const answer = await ask("GET", path);
    expect([400, 404]).toContain(answer.status);
    expect(upstream.requests).toHaveLength(0);
    await gateway.settled();
  });

  test("of another method is refused", async () => {
    const { ask } = await keeping();
    expect(await ask("PUT", `/v1/responses/${ID}`)).toMatchObject({
      status: 405,
      headers: { allow: "GET, DELETE, OPTIONS" },
    });
  });
});
