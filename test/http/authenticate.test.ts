import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { Authenticator, authenticateOperator } from "../../src/http/authenticate.ts";
import { recordRefusal } from "../../src/http/refusal.ts";
import { silentLog, type RequestRecord } from "../../src/observe/events.ts";
import { jsonAnswer } from "../../src/http/plain-route.ts";
import { jsonRequest, requestBytes } from "./raw-client.ts";
import { OPEN_RUNTIME, startServer } from "./server-fixture.ts";

// A connection that has closed by the time its request is looked at has no address any more.
const left = new IncomingMessage(new Socket());

test.each([
  ["client", () => new Authenticator(systemClock).authenticate(left, OPEN_RUNTIME)],
  ["operator", () => authenticateOperator(left, null)],
])("a %s that has gone is not taken for a stranger", (_, authenticate) => {
  expect(authenticate).toThrow(expect.objectContaining({ code: "client_gone" }));
});

test("a client that has gone is counted as that", () => {
  const records: RequestRecord[] = [];
  const observer = {
    log: silentLog,
    requestEnded: (record: RequestRecord) => void records.push(record),
    addSource: () => undefined,
  };
  const refused = { id: "1", route: "/v1/chat/completions", startedMs: 0, endedMs: 0 };
  recordRefusal(observer, refused, new GatewayError("client_gone", "Left."));
  expect(records).toMatchObject([{ outcome: "client_gone", errorCode: "client_gone", status: 499 }]);
});

describe("without keys, a page whose own name leads to this machine is not served:", () => {
  test.each([
    ["evil.example", 403],
    ["evil.example:8787", 403],
    ["a.b.evil.co.uk.", 403],
    ["localhost.evil.example:80", 403],
    ["evil.xn--p1ai", 403],
    ["localhost", 200],
    ["localhost:8787", 200],
    ["app.localhost:8787", 200],
    ["127.0.0.1:8787", 200],
    ["[::1]:8787", 200],
    ["gateway:8787", 200],
    ["host.docker.internal:8787", 200],
    ["printer.local", 200],
  ])("asked as %s it answers %i", async (host, status) => {
    const { client } = await startServer({
      operatorRoutes: [{ method: "GET", path: "/admin/x", handle: () => jsonAnswer({}) }],
    });
    const served = await client()
      .send(jsonRequest({ model: "smart", messages: [] }, { host }))
      .answer();
    expect(served.status).toBe(status);
    const list = await client()
      .send(requestBytes("GET", "/v1/models", { host }))
      .answer();
    expect(list.status).toBe(status);
    const operated = await client()
      .send(requestBytes("GET", "/admin/x", { host }))
      .answer();
    expect(operated.status).toBe(status === 200 ? 200 : 401);
  });
});
