// What reaches the server below the level of requests: framing, sizes, silence, too many connections.
import { connect } from "node:net";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { ClientDownstream } from "../../src/http/downstream.ts";
import { errorOf } from "./envelope.ts";
import { jsonRequest, requestBytes } from "./raw-client.ts";
import { startServer, type Fixture } from "./server-fixture.ts";

const CHAT = { model: "smart", messages: [{ role: "user", content: "hi" }] };
const CHAT_HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

/** The server still answers. */
async function expectAlive(server: Fixture): Promise<void> {
  expect((await server.client().send(jsonRequest(CHAT)).answer()).status).toBe(200);
}

describe("malformed framing", () => {
  test.each([
    ["no request at all", "\u0016\u0003\u0001\u0002\r\n\r\n", 400, "invalid_request"],
    ["a request line of one word", "nonsense\r\n\r\n", 400, "invalid_request"],
    ["an unknown method", "BREW /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", 400, "invalid_request"],
    ["an unknown version", "GET /v1/models HTTP/9.9\r\nhost: x\r\n\r\n", 400, "invalid_request"],
    ["no Host", "GET /v1/models HTTP/1.1\r\n\r\n", 400, "invalid_request"],
    ["two Hosts", "GET /v1/models HTTP/1.1\r\nhost: x\r\nHOST: x\r\n\r\n", 400, "invalid_request"],
    ["two Hosts of an old client", "GET / HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n", 400, "invalid_request"],
    ["a Host that is none", "GET /v1/models HTTP/1.1\r\nhost: a b\r\n\r\n", 400, "invalid_request"],
    [
      "a header name with a space",
      "GET /v1/models HTTP/1.1\r\nhost: x\r\nbad name: x\r\n\r\n",
      400,
      "invalid_request",
    ],
    [
      "a header folded over two lines",
      "GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n",
      400,
      "invalid_request",
    ],
    [
      "a NUL in a header",
      "GET /v1/models HTTP/1.1\r\nhost: x\r\na: b\u0000c\r\n\r\n",
      400,
      "invalid_request",
    ],
    ["a bare LF after a header", "GET /v1/models HTTP/1.1\r\nhost: x\na: b\r\n\r\n", 400, "invalid_request"],
    ["two lengths", `${CHAT_HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400, "invalid_request"],
    [
      "a length twice",
      `${CHAT_HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      "invalid_request",
    ],
    ["a negative length", `${CHAT_HEAD}content-length: -1\r\n\r\n`, 400, "invalid_request"],
    ["a length that is no number", `${CHAT_HEAD}content-length: 2x\r\n\r\n{}`, 400, "invalid_request"],
    [
      "a length and chunks",
      `${CHAT_HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      "invalid_request",
    ],
    [
      "an unknown transfer encoding",
      `${CHAT_HEAD}transfer-encoding: gzip\r\n\r\n`,
      501,
      "unsupported_media_type",
    ],
    [
      "a transfer encoding besides chunks",
      `${CHAT_HEAD}transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      501,
      "unsupported_media_type",
    ],
    [
      "a transfer encoding besides chunks on another route",
      "POST /v1/models HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      501,
      "unsupported_media_type",
    ],
    [
      "a chunk size that is no number",
      `${CHAT_HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      400,
      "invalid_request",
    ],
    [
      "a chunk that is longer than its size",
      `${CHAT_HEAD}transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n`,
      400,
      "invalid_request",
    ],
    [
      "endless chunk extensions",
      `${CHAT_HEAD}transfer-encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}\r\n{\r\n`,
      413,
      "request_too_large",
    ],
    [
      "a head that is too large",
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(40_000)}\r\n\r\n`,
      431,
      "headers_too_large",
    ],
    [
      "too many headers",
      `GET / HTTP/1.1\r\nhost: x\r\n${"a: b\r\n".repeat(10_000)}\r\n`,
      431,
      "headers_too_large",
    ],
    [
      "a path that is too long for a head",
      `GET /${"y".repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      431,
      "headers_too_large",
    ],
    ["CONNECT", "CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: x\r\n\r\n", 405, "method_not_allowed"],
    [
      "an expectation that can't be met",
      `${CHAT_HEAD}expect: miracles\r\ncontent-length: 2\r\n\r\n{}`,
      417,
      "invalid_request",
    ],
  ])("%s is answered in the envelope", async (_, bytes, status, code) => {
    const server = await startServer();
    const answer = await server.client().send(Buffer.from(bytes, "latin1")).answer();
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).toMatchObject({ code });
    await expectAlive(server);
  });

  test("is answered also when the client goes on sending", async () => {
    const server = await startServer();
    const client = server.client().send("GET / HTTP/1.1\r\nhost: x\r\nx: ");
    const block = Buffer.alloc(262_144, "y");
    for (let sent = 0; sent < 40 && !client.socket.destroyed; sent++) {
      if (!client.socket.write(block))
        await Promise.race([once(client.socket, "drain"), once(client.socket, "close")]);
    }
    expect((await client.answer()).status).toBe(431);
    client.socket.end();
    await client.untilClosed();
    await expectAlive(server);
  });

  test("after an answer has begun ends the connection and adds nothing to it", async () => {
    const server = await startServer({
      serve(_, downstream) {
        downstream.response.writeHead(200, ["content-type", "text/event-stream"]);
        downstream.response.write("data: 1\n\n");
      },
    });
    const client = server.client().send(jsonRequest(CHAT));
    await client.until("data: 1");
    const text = await client.send("garbage\r\n\r\n").untilClosed();
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

describe("an old client", () => {
  test("of HTTP/1.0 is served and its connection closed", async () => {
    const { client } = await startServer();
    const text = await client().send("GET /v1/models HTTP/1.0\r\n\r\n").untilClosed();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*"object":"list"/);
  });
});

describe("a body that is too large", () => {
  const limits = { bodyBytesMax: 100_000 };

  test("is refused by its announced length, before it is sent", async () => {
    const server = await startServer({ limits });
    const client = server.client().send(`${CHAT_HEAD}content-length: 100000000\r\n\r\n`);
    const answer = await client.answer();
    expect(answer).toMatchObject({ status: 413, headers: { connection: "close" } });
    expect(errorOf(answer)).toMatchObject({ code: "request_too_large" });
    await expectAlive(server);
  });

  test("is refused while it streams in, and the answer reaches a client that goes on sending", async () => {
    const server = await startServer({ limits });
    const client = server.client().send(`${CHAT_HEAD}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    for (let sent = 0; sent < 300; sent++) {
      if (!client.socket.write(chunk)) await once(client.socket, "drain");
    }
    const answer = await client.answer();
    expect(answer.status).toBe(413);
    expect(errorOf(answer)).toMatchObject({ code: "request_too_large" });
    await expectAlive(server);
  });

  test("is not asked for when the client awaits 100 Continue", async () => {
    const server = await startServer({ limits });
    const client = server.client().send(`${CHAT_HEAD}expect: 100-continue\r\ncontent-length: 200000\r\n\r\n`);
    expect((await client.answer()).status).toBe(413);
  });
});

describe("large bodies together", () => {
  const held = (server: Fixture) =>
    server.samples().find(({ name }) => name === "sluice_http_large_bodies_bytes")?.value;
  const large = { ...CHAT, padding: "x".repeat(300_000) };

  test("are bounded until their answers are over", async () => {
    const pending: ClientDownstream[] = [];
    const server = await startServer({
      limits: { bodyBytesTotalMax: 700_000 },
      serve: (_, downstream) => void pending.push(downstream),
    });
    const first = [server.client().send(jsonRequest(large)), server.client().send(jsonRequest(large))];
    while (pending.length < 2) await nextTurn();
    expect(held(server)).toBeGreaterThan(600_000);
    const refused = await server.client().send(jsonRequest(large)).answer();
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "2" } });
    expect(errorOf(refused)).toMatchObject({ code: "overloaded" });
    const small = server.client().send(jsonRequest(CHAT));
    while (pending.length < 3) await nextTurn();
    for (const downstream of pending) downstream.response.end("{}");
    for (const client of [...first, small]) expect((await client.answer()).status).toBe(200);
    while (held(server) !== 0) await nextTurn();
  });

  test("count while they come in, decoded, and no longer when the client has gone", async () => {
    const server = await startServer({ limits: { bodyBytesTotalMax: 1_000_000, bodyBytesMax: 2_000_000 } });
    const begun = server.client().send(`${CHAT_HEAD}content-length: 1000000\r\n\r\n${"x".repeat(800_000)}`);
    while (held(server) !== 800_000) await nextTurn();
    const bomb = gzipSync(JSON.stringify(large));
    const refused = await server
      .client()
      .send(jsonRequest(bomb, { "content-encoding": "gzip" }))
      .answer();
    expect(refused.status).toBe(503);
    begun.close();
    while (held(server) !== 0) await nextTurn();
    const served = await server
      .client()
      .send(jsonRequest(bomb, { "content-encoding": "gzip" }))
      .answer();
    expect(served.status).toBe(200);
  });
});

describe("100 Continue", () => {
  test("is sent when the head is found good", async () => {
    const server = await startServer();
    const body = JSON.stringify(CHAT);
    const client = server
      .client()
      .send(`${CHAT_HEAD}expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`);
    expect((await client.answer()).status).toBe(100);
    expect((await client.send(body).answer()).status).toBe(200);
  });

  test("is not sent when the head is refused, and the connection is not used again", async () => {
    const server = await startServer();
    const head = CHAT_HEAD.replace("application/json", "text/plain");
    const client = server.client().send(`${head}expect: 100-continue\r\ncontent-length: 10\r\n\r\n`);
    expect(await client.answer()).toMatchObject({ status: 415, headers: { connection: "close" } });
  });
});

describe("a client that is silent", () => {
  const limits = { headTimeoutMs: 100, bodyStallMs: 100, requestTimeoutMs: 10_000, sweepMs: 20 };

  test.each([
    ["in the middle of its head", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "],
    ["in the middle of a short body", `${CHAT_HEAD}content-length: 100\r\n\r\n{"model":`],
    ["in the middle of a long body", `${CHAT_HEAD}content-length: 1000000\r\n\r\n{"model":`],
    ["between chunks", `${CHAT_HEAD}transfer-encoding: chunked\r\n\r\n1\r\n{\r\n`],
    ["before its body", `${CHAT_HEAD}content-length: 100\r\n\r\n`],
  ])("%s gets 408 and its connection is closed", async (_, bytes) => {
    const server = await startServer({ limits });
    const client = server.client().send(bytes);
    const answer = await client.answer();
    expect(answer).toMatchObject({ status: 408, headers: { connection: "close" } });
    expect(errorOf(answer)).toMatchObject({ code: "request_timeout" });
    await expectAlive(server);
  });

  test("from the start is closed", async () => {
    const { client } = await startServer({ limits });
    await client().untilClosed();
  });

  test("but for a drop now and then is bounded by the time of a whole request", async () => {
    const server = await startServer({ limits: { ...limits, bodyStallMs: 10_000, requestTimeoutMs: 200 } });
    const client = server.client().send(`${CHAT_HEAD}content-length: 100000\r\n\r\n`);
    const drip = setInterval(() => client.send(" "), 10);
    const answer = await client.answer().finally(() => clearInterval(drip));
    expect(answer.status).toBe(408);
    expect(errorOf(answer)).toMatchObject({ code: "request_timeout" });
  });

  test("for as long as its answer takes is not disturbed", async () => {
    const pending: ClientDownstream[] = [];
    const server = await startServer({
      limits: { ...limits, requestTimeoutMs: 150 },
      serve: (_, downstream) => void pending.push(downstream),
    });
    const slow = server.client().send(jsonRequest(CHAT));
    // Another client's timeout shows that the server's bounds have passed while the first one waited.
    expect((await server.client().send("GET / HTTP/1.1\r\n").answer()).status).toBe(408);
    pending[0]?.response.end("{}");
    expect((await slow.answer()).status).toBe(200);
  });
});

describe("a client that goes away", () => {
  test("in the middle of its body leaves nothing behind", async () => {
    const server = await startServer();
    const client = server.client().send(`${CHAT_HEAD}content-length: 100\r\n\r\n{`);
    const waiting = () => server.samples().find(({ name }) => name === "sluice_http_bodies_waiting")?.value;
    while (waiting() !== 1) await nextTurn();
    client.close();
    while (waiting() !== 0) await nextTurn();
    expect(server.records).toEqual([]);
    await expectAlive(server);
  });
});

describe("connections", () => {
  test("beyond the limit are closed at once and counted", async () => {
    const server = await startServer({ limits: { connectionsMax: 1 } });
    const first = server.client().send(jsonRequest(CHAT));
    await first.answer();
    const second = connect(server.port, "127.0.0.1").resume();
    await once(second, "close");
    const dropped = server.samples().find(({ name }) => name === "sluice_http_connections_dropped_total");
    expect(dropped?.value).toBe(1);
    first.close();
  });

  test("are kept for longer than load balancers keep theirs", async () => {
    const { client } = await startServer();
    const answer = await client()
      .send(requestBytes("GET", "/v1/models", {}))
      .answer();
    expect(answer.headers["keep-alive"]).toMatch(/^timeout=6[0-9][0-9]$/);
  });

  test("an address in use is an error that names it", async () => {
    const { port } = await startServer();
    const message: unknown = expect.stringContaining(`127.0.0.1:${port}`);
    await expect(startServer({}, port)).rejects.toMatchObject({ code: "invalid_config", message });
  });
});
