import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { jsonAnswer, type PlainRoute } from "../../src/http/plain-route.ts";
import { errorOf } from "./envelope.ts";
import { requestBytes, type RawAnswer } from "./raw-client.ts";
import { ANONYMOUS, OPEN_RUNTIME, startServer, type Fixture } from "./server-fixture.ts";

async function ask(
  server: Fixture,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<RawAnswer> {
  return server
    .client()
    .send(requestBytes(method, path, headers))
    .answer();
}

describe("the list of models", () => {
  test("has a shape that both families of clients read", async () => {
    const answer = await ask(await startServer(), "/v1/models?limit=1000");
    expect(answer).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
    expect(JSON.parse(answer.body)).toEqual({
      object: "list",
      first_id: "smart",
      last_id: "local/org/model:7b",
      has_more: false,
      data: [
        expect.objectContaining({
          id: "smart",
          object: "model",
          owned_by: "sluice",
          type: "model",
          display_name: "smart",
        }),
        expect.objectContaining({
          id: "local/org/model:7b",
          created: 0,
          created_at: "1970-01-01T00:00:00.000Z",
        }),
      ],
    });
  });

  test("shows a key only what it may ask for", async () => {
    const anonymous = { ...ANONYMOUS, models: new Set(["smart"]) };
    const server = await startServer({ runtime: { ...OPEN_RUNTIME, anonymous } });
    expect(JSON.parse((await ask(server, "/v1/models")).body).data).toHaveLength(1);
    expect((await ask(server, "/v1/models/local/org/model:7b")).status).toBe(404);
  });

  test.each([
    "/v1/models/local/org/model:7b",
    "/v1/models/local%2Forg%2Fmodel%3A7b",
    "/v1/models/local/org%2fmodel:7b",
  ])("finds the model of %s", async (path) => {
    const answer = await ask(await startServer(), path);
    expect(JSON.parse(answer.body)).toMatchObject({ id: "local/org/model:7b", object: "model" });
  });

  test.each(["/v1/models/none", "/v1/models/local%252Forg", "/v1/models/%22%3Cscript%3E"])(
    "answers %s as a model that does not exist",
    async (path) => {
      const answer = await ask(await startServer(), path);
      expect(answer.status).toBe(404);
      expect(errorOf(answer)).toMatchObject({ code: "model_not_found", param: "model" });
    },
  );

  test.each(["forwarded", "x-forwarded-for", "x-real-ip"])(
    "without client keys is not for callers behind a proxy: %s",
    async (name) => {
      const answer = await ask(await startServer(), "/v1/models", { [name]: "127.0.0.1" });
      expect(answer.status).toBe(401);
      expect(errorOf(answer)).toMatchObject({
        code: "invalid_api_key",
        message: expect.stringContaining("`keys`"),
      });
    },
  );

  test("needs a client key where there are any", async () => {
    const server = await startServer({ runtime: { ...OPEN_RUNTIME, anonymous: null } });
    for (const path of ["/v1/models", "/v1/models/smart"]) {
      const answer = await ask(server, path);
      expect(answer.status).toBe(401);
      expect(errorOf(answer)).toMatchObject({ code: "invalid_api_key" });
    }
  });
});

describe("a path that leads nowhere", () => {
  test.each([
    ["GET", "/nothing", "There is no GET /nothing here."],
    [
      "POST",
      "/chat/completions",
      "Did you mean /v1/chat/completions? The client's base URL must end in /v1.",
    ],
    ["GET", "/models", "Did you mean /v1/models?"],
    ["POST", "/v1/v1/chat/completions", "The client's base URL has /v1 twice."],
    ["POST", "//v1/chat/completions", "Did you mean /v1/chat/completions?"],
    ["POST", "/v1/chat/completions/", "Did you mean /v1/chat/completions?"],
    ["GET", "/v1/models/", "Did you mean /v1/models?"],
    ["GET", `/${"x".repeat(2000)}`, "There is no GET /xxxxx"],
  ])("%s %s says so and shows the way", async (method, path, message) => {
    const answer = await ask(await startServer(), path, {}, method);
    expect(answer.status).toBe(404);
    const error = errorOf(answer);
    expect(error).toMatchObject({ code: "not_found" });
    expect(error["message"]).toContain(message);
    expect(answer.body.length).toBeLessThan(500);
  });

  test.each([
    ["/../etc/passwd", 400],
    ["/v1/models/../../admin/keys", 400],
    ["/v1/models/%2e%2e/x", 400],
    ["/v1/models/..%2f..%2fetc%2fpasswd", 400],
    ["/v1/models/a%2F%2E%2E", 400],
    ["/v1/models/%00", 400],
    ["/v1/models/a%0d%0aset-cookie:x", 400],
    ["/v1/models/a%5Cb", 400],
    ["/v1/models/a\\b", 400],
    ["/v1/models/%", 400],
    ["/v1/models/%zz", 400],
    ["/v1/models/%ff", 400],
    ["http://elsewhere.example/v1/models", 400],
    ["*", 400],
    [`/${"x".repeat(3000)}`, 414],
  ])("%s is refused with %i", async (path, status) => {
    const answer = await ask(await startServer(), path);
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).toMatchObject({ code: "invalid_request" });
  });

  test.each(["/v1/models", "/v1/models/smart", "/"])(
    "%s answers GET, HEAD and OPTIONS alone",
    async (path) => {
      const server = await startServer();
      const post = await ask(server, path, {}, "POST");
      expect(post).toMatchObject({ status: 405, headers: { allow: "GET, HEAD, OPTIONS" } });
      expect(errorOf(post)).toMatchObject({ code: "method_not_allowed" });
      expect(await ask(server, path, {}, "OPTIONS")).toMatchObject({
        status: 204,
        headers: { allow: "GET, HEAD, OPTIONS" },
      });
      const head = server.client().send(requestBytes("HEAD", path, { connection: "close" }));
      expect(await head.untilClosed()).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/);
    },
  );
});

describe("the home page", () => {
  test("says what this is", async () => {
    const answer = await ask(await startServer(), "/");
    expect(answer).toMatchObject({ status: 200, headers: { "content-type": "text/html; charset=utf-8" } });
    expect(answer.body).toContain("Sluice");
  });
});

const COMMANDS: readonly PlainRoute[] = [
  { method: "GET", path: "/fleet", handle: () => jsonAnswer({ replicas: [] }) },
  {
    method: "POST",
    path: "/admin/keys/:name",
    handle: ({ params, query, body }) => jsonAnswer({ params, query: query.get("q"), body }, 201),
  },
  {
    method: "POST",
    path: "/admin/fails",
    handle() {
      throw new GatewayError("invalid_request", "No such key.", { param: "name" });
    },
  },
  { method: "POST", path: "/admin/breaks", handle: () => Promise.reject(new Error("secret")) },
];

describe("an operator's route", () => {
  const options = {
    operatorRoutes: COMMANDS,
    adminKeySha256: () => createHash("sha256").update("admin-secret").digest("hex"),
  };
  const bearer = { authorization: "Bearer admin-secret" };

  test.each([{}, { authorization: "Bearer wrong" }, { authorization: "admin-secret" }, { "x-api-key": "" }])(
    "is closed to %j",
    async (headers) => {
      const answer = await ask(await startServer(options), "/fleet", headers);
      expect(answer.status).toBe(401);
      expect(errorOf(answer)).toMatchObject({ code: "invalid_api_key" });
    },
  );

  test.each([bearer, { "x-api-key": "admin-secret" }])("is open to %j", async (headers) => {
    const answer = await ask(await startServer(options), "/fleet", headers);
    expect(answer).toMatchObject({ status: 200, body: '{"replicas":[]}' });
    expect(answer.headers["x-request-id"]).toBeDefined();
  });

  test("gets the path's parts, the query and the body", async () => {
    const { client } = await startServer(options);
    const bytes = requestBytes("POST", "/admin/keys/team%20a?q=1", bearer, "{}");
    const answer = await client().send(bytes).answer();
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.body)).toEqual({ params: { name: "team a" }, query: "1", body: "{}" });
  });

  test("fails in the envelope, and hides what was not expected", async () => {
    const server = await startServer(options);
    const failed = await ask(server, "/admin/fails", bearer, "POST");
    expect(failed.status).toBe(400);
    expect(errorOf(failed)).toMatchObject({ message: "No such key.", param: "name" });
    const broken = await ask(server, "/admin/breaks", bearer, "POST");
    expect(broken.status).toBe(500);
    expect(errorOf(broken)).toMatchObject({ code: "internal_error" });
    expect(broken.body).not.toContain("secret");
    expect(server.logs).toMatchObject([{ fields: { requestId: broken.headers["x-request-id"] } }]);
  });

  test("takes no body of more than a mebibyte", async () => {
    const { client } = await startServer(options);
    const bytes = requestBytes("POST", "/admin/keys/a", bearer, "x".repeat(1_100_000));
    const answer = await client().send(bytes).answer();
    expect(answer.status).toBe(413);
    expect(errorOf(answer)).toMatchObject({ code: "request_too_large" });
  });

  test.each(["forwarded", "x-forwarded-for", "x-real-ip"])(
    "without an admin key is not served through a proxy: %s",
    async (name) => {
      const server = await startServer({ operatorRoutes: COMMANDS });
      expect((await ask(server, "/fleet", { [name]: "127.0.0.1" })).status).toBe(401);
    },
  );

  test("without an admin key serves this machine, but no foreign web page", async () => {
    const server = await startServer({ operatorRoutes: COMMANDS });
    expect((await ask(server, "/fleet")).status).toBe(200);
    expect((await ask(server, "/fleet", { origin: "https://evil.example" })).status).toBe(401);
  });
});

describe("an open route", () => {
  test("is served to anyone, as it was brought", async () => {
    const handle = () => ({ status: 503, headers: { "content-type": "text/plain" }, body: "draining" });
    const server = await startServer({
      runtime: { ...OPEN_RUNTIME, anonymous: null },
      openRoutes: [{ method: "GET", path: "/readyz", handle }],
    });
    expect(await ask(server, "/readyz")).toMatchObject({
      status: 503,
      body: "draining",
      headers: { "content-type": "text/plain" },
    });
  });
});
