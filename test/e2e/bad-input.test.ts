// Everything that is sent to a gateway by mistake or on purpose: each gets a clear error in the right shape within a
// bounded time and memory, and the process goes on.
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { errorOf } from "../http/envelope.ts";
import { jsonRequest, requestBytes, type RawClient } from "../http/raw-client.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { MEBIBYTE, Probe } from "./probe.ts";

const MESSAGES = [{ role: "user", content: "hi" }];
const CHAT = { model: "sim/sim-chat", messages: MESSAGES };
const CHAT_HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

let simulator: Simulator;
let gateway: GatewayProcess;
let probe: Probe;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway({
    providers: {
      sim: {
        dialect: "openai",
        base_url: `${simulator.url}/v1`,
        limits: [{ requests: "1_000_000/min" }, { tokens: "1_000_000_000/min" }, { concurrent: 8 }],
        models: { "sim-chat": {} },
      },
    },
    queue: { max_wait: "0s" },
    log: { level: "warn" },
  });
  probe = new Probe(gateway, CHAT);
});

afterAll(async () => {
  probe?.close();
  await gateway?.stop();
  await simulator?.close();
});

async function expectRefused(
  bytes: string | Buffer,
  status: number,
  code: string,
  param?: string,
): Promise<void> {
  const answer = await probe.exchange(bytes);
  expect(`${answer.status} ${answer.body}`).toMatch(new RegExp(`^${status} `));
  const error = errorOf(answer);
  expect(error).toMatchObject({ code, ...(param === undefined ? {} : { param }) });
  expect(String(error["message"]).length).toBeLessThan(1000);
  await probe.expectSound();
}

describe("a body", () => {
  test.each([
    ["cut in the middle", '{"model":"sim/sim-chat","messages":[{"role":'],
    ["with nothing in it", ""],
    ["of spaces", "   \n\t "],
    ["that is HTML", "<html></html>"],
    ["that is a form", "model=sim-chat&messages=hi"],
    ["of single quotes", "{'model':'sim-chat'}"],
    ["with a comment", '{"model":"x" /* no */}'],
    ["with a comma too many", '{"model":"x",}'],
    ["with NaN", '{"model":"x","temperature":NaN,"messages":[]}'],
    ["with two values", '{"model":"x"}{"model":"y"}'],
    ["that is an array", '[{"model":"x"}]'],
    ["that is null", "null"],
    ["with a control character in a string", '{"model":"a\u0000b"}'],
    ["that begins with a byte order mark", "\ufeff{}"],
    ["with half a surrogate escape", '{"model":"\\ud8"}'],
    ["nested 100,000 deep", `{"model":"x","messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["nested 100,000 objects deep", `{"model":"x","a":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`],
    [
      "with 100,000 members",
      `{"model":"x",${Array.from({ length: 100_000 }, (_, i) => `"m${i}":1`).join(",")}}`,
    ],
  ])("%s is not valid JSON", async (_, body) => {
    await expectRefused(jsonRequest(body, body === "" ? { "content-length": "0" } : {}), 400, "invalid_json");
  });

  test.each([
    ["0xff", Buffer.from([0xff])],
    ["an overlong slash", Buffer.from([0xc0, 0xaf])],
    ["half a character", Buffer.from([0xe2, 0x82])],
    ["an encoded surrogate", Buffer.from([0xed, 0xa0, 0x80])],
    ["UTF-16", Buffer.from('"x"', "utf16le")],
  ])("with %s is not UTF-8 or not JSON", async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"model":"'), bytes, Buffer.from('","messages":[]}')]);
    await expectRefused(jsonRequest(body), 400, "invalid_json");
  });

  test.each([
    [{ messages: MESSAGES }, "model"],
    [{ ...CHAT, model: 5 }, "model"],
    [{ ...CHAT, model: "" }, "model"],
    [{ ...CHAT, model: ["a"] }, "model"],
    [{ ...CHAT, model: "x".repeat(100_000) }, "model"],
    [{ model: "sim/sim-chat" }, "messages"],
    [{ ...CHAT, messages: "hi" }, "messages"],
    [{ ...CHAT, messages: { role: "user" } }, "messages"],
    [{ ...CHAT, stream: "yes" }, "stream"],
    [{ ...CHAT, stream_options: [] }, "stream_options"],
    [{ ...CHAT, stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
    [{ ...CHAT, max_tokens: "100" }, "max_tokens"],
    [{ ...CHAT, max_tokens: -1 }, "max_tokens"],
    [{ ...CHAT, max_completion_tokens: 1.5 }, "max_completion_tokens"],
    [{ ...CHAT, n: 0 }, "n"],
    [{ ...CHAT, n: 1_000_000 }, "n"],
    [{ ...CHAT, user: 7 }, "user"],
  ])("with the wrong type in it names the member: %.80j", async (body, param) => {
    await expectRefused(jsonRequest(body), 400, "invalid_request", param);
  });

  test.each([
    ['{"model":"a","model":"b","messages":[]}', "model"],
    ['{"model":"a","mod\\u0065l":"b","messages":[]}', "model"],
    ['{"model":"a","messages":[],"stream":true,"stream":false}', "stream"],
    ['{"model":"a","messages":[],"x":1,"x":2}', "x"],
  ])("with a doubled member is ambiguous: %s", async (body, param) => {
    await expectRefused(jsonRequest(body), 400, "invalid_request", param);
  });

  test("with a thousand tools is served", async () => {
    const tools = Array.from({ length: 1000 }, (_, i) => ({
      type: "function",
      function: { name: `tool_${i}`, parameters: { type: "object", properties: { a: { type: "string" } } } },
    }));
    expect((await probe.exchange(jsonRequest({ ...CHAT, tools }))).status).toBe(200);
    await probe.expectSound();
  });

  test("of 10 MiB is served, and others meanwhile", async () => {
    const image = {
      type: "image_url",
      image_url: { url: `data:image/png;base64,${"A".repeat(10 * MEBIBYTE)}` },
    };
    const large = probe
      .client()
      .send(jsonRequest({ ...CHAT, messages: [{ role: "user", content: [image] }] }));
    const others = await Promise.all(Array.from({ length: 5 }, () => probe.exchange(jsonRequest(CHAT))));
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await large.answer()).status).toBe(200);
    await probe.expectSound();
  });

  test("of 100 MB is refused by its announced length before it is sent", async () => {
    await expectRefused(`${CHAT_HEAD}content-length: 100000000\r\n\r\n`, 413, "request_too_large");
  });

  test("of 100 MB that comes all the same is refused, and the answer arrives", async () => {
    const raw = probe.client().send(`${CHAT_HEAD}content-length: 100000000\r\n\r\n`);
    await pour(raw, Buffer.alloc(MEBIBYTE, 0x20), 95);
    expect(errorOf(await raw.answer())).toMatchObject({ code: "request_too_large" });
    await probe.expectSound();
  });

  test("of 100 MB in chunks is refused while it comes in", async () => {
    const raw = probe.client().send(`${CHAT_HEAD}transfer-encoding: chunked\r\n\r\n`);
    const chunk = Buffer.concat([
      Buffer.from("100000\r\n"),
      Buffer.alloc(MEBIBYTE, 0x20),
      Buffer.from("\r\n"),
    ]);
    await pour(raw, chunk, 95);
    expect(errorOf(await raw.answer())).toMatchObject({ code: "request_too_large" });
    await probe.expectSound();
  });
});

/** Sends the block so many times, or until the connection is closed. */
async function pour(raw: RawClient, block: Buffer, times: number): Promise<void> {
  for (let sent = 0; sent < times && !raw.socket.destroyed; sent++) {
    if (raw.socket.write(block)) continue;
    // A reset while it still writes is a way of closing: a busy machine may take longer than the gateway waits.
    await new Promise<void>((resolve) => {
      raw.socket.once("drain", resolve).once("close", resolve);
    });
  }
}

describe("a name that would break a header", () => {
  test.each([
    "sim/a\r\nset-cookie: x=1",
    "sim/a\nx-injected: 1",
    "sim/a\u0000b",
    "sim/\u007f",
    "sim/模型-ü",
    "a\r\nx-injected: 1",
    "\r\n\r\nHTTP/1.1 200 OK",
    "__proto__",
    "constructor",
    "../../etc/passwd",
    "sim/../../admin",
    "sim//",
    "/",
  ])("%j reaches no header as such", async (model) => {
    for (const stream of [false, true]) {
      const answer = await probe.exchange(jsonRequest({ ...CHAT, model, stream }));
      expect(answer.headers["set-cookie"]).toBeUndefined();
      expect(answer.headers["x-injected"]).toBeUndefined();
      if (answer.status !== 200) errorOf(answer);
      expect([200, 400, 404]).toContain(answer.status);
    }
    await probe.expectSound();
  });
});

describe("a path trick", () => {
  test.each([
    ["//v1/chat/completions", 404],
    ["/v1/chat/completions/", 404],
    ["/v1/chat/completions%00", 400],
    ["/v1/../admin/keys", 400],
    ["/v1/%2e%2e/admin/keys", 400],
    ["/v1/models/..%2f..%2fetc%2fpasswd", 400],
    ["/v1\\chat\\completions", 400],
    ["/admin", 404],
    ["/.env", 404],
    ["/metrics/../admin", 400],
    ["http://elsewhere.example/v1/models", 400],
    [`/${"a".repeat(3000)}`, 414],
    ["/v1/models/%f0%9f%92", 400],
  ])("%s is answered with %i", async (path, status) => {
    for (const method of ["GET", "POST"]) {
      const answer = await probe.exchange(requestBytes(method, path, {}));
      expect(answer.status).toBe(status);
      errorOf(answer);
    }
    await probe.expectSound();
  });
});

describe("framing", () => {
  test.each([
    ["TLS to the plain port", Buffer.from("16030100a5010000a10303", "hex"), 400],
    ["garbage", "\0\0\0\0\r\n\r\n", 400],
    ["two lengths", `${CHAT_HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400],
    [
      "a length and chunks",
      `${CHAT_HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["a huge header", `${CHAT_HEAD}x: ${"y".repeat(100_000)}\r\n\r\n`, 431],
    ["a chunk of 256 EiB", `${CHAT_HEAD}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n`, 400],
  ])("%s is answered in the envelope", async (_, bytes, status) => {
    const answer = await probe.exchange(bytes);
    errorOf(answer);
    expect(answer.status).toBe(status);
    await probe.expectSound();
  });

  test("of a thousand clients that never finish their heads keeps nobody out", async () => {
    const slow = Array.from({ length: 1000 }, () =>
      probe.client().send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-"),
    );
    await Promise.all(slow.map(({ socket }) => once(socket, "ready")));
    await probe.expectSound();
    for (const { socket } of slow) expect(socket.destroyed).toBe(false);
    for (const raw of slow) raw.close();
  });

  test("of bodies that stall keeps nobody out and holds no slot", async () => {
    const stalled = Array.from({ length: 50 }, () =>
      probe.client().send(`${CHAT_HEAD}content-length: 1000\r\n\r\n{"model":`),
    );
    await Promise.all(stalled.map(({ socket }) => once(socket, "ready")));
    await probe.expectSound();
    for (const raw of stalled) raw.close();
  });
});
