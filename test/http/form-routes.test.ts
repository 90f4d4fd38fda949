// Forms at the door: what their head says, how long they may take and how much they may hold before the gateway has them.
import { describe, expect, test } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import type { Upload } from "../../src/gateway/request/upload.ts";
import { errorOf } from "./envelope.ts";
import { startServer, type Fixture } from "./server-fixture.ts";

const MIB = 1024 * 1024;
const MODEL = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nsmart\r\n';
const FILE = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n';

function head(framing: string, method = "POST", extra = ""): string {
  return `${method} /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n${framing}\r\n${extra}\r\n`;
}

/** A server whose gateway takes forms and never answers; resolves with the form it was given. */
async function holding(limits: object) {
  const { promise, resolve } = Promise.withResolvers<Upload>();
  const server = await startServer({
    limits,
    serve: ({ upload }) => {
      if (upload !== null) resolve(upload);
    },
  });
  return { ...server, given: promise };
}

describe("a form", () => {
  test("is the gateway's as soon as its model is known", async () => {
    const { client, given } = await holding({});
    client().send(`${head("content-length: 1000000")}${MODEL}${FILE}`);
    expect(await given).toMatchObject({ model: "smart", isEnded: false });
  });

  test.each([
    ["announced", (bytes: number) => `content-length: ${bytes}`],
    ["found", () => "transfer-encoding: chunked"],
  ])("that is too large is refused when that is %s", async (_, framing) => {
    const { client } = await holding({ uploadBytesMax: 1000 });
    const raw = client().send(head(framing(2000)));
    raw.send(`7d0\r\n${FILE}${"x".repeat(2000 - FILE.length)}\r\n`);
    expect(errorOf(await raw.answer())).toMatchObject({ code: "request_too_large" });
  });

  test("holds no more than its bound before its model comes", async () => {
    const { client, samples } = await holding({});
    const raw = client().send(`${head(`content-length: ${100 * MIB}`)}${FILE}`);
    const piece = Buffer.alloc(MIB, 1);
    for (let sent = 0; sent < 65; sent++) raw.send(piece);
    const answer = await raw.answer();
    expect(answer.status).toBe(413);
    expect(errorOf(answer)).toMatchObject({ param: "model", message: expect.stringContaining("64 MiB") });
    expect(samples().find(({ name }) => name === "sluice_http_large_bodies_bytes")?.value).toBe(0);
  });

  test("is refused where there is no memory for it", async () => {
    const { client } = await holding({ bodyBytesTotalMax: 10_000 });
    const raw = client().send(`${head("content-length: 50000")}${FILE}${"x".repeat(40_000)}`);
    expect(errorOf(await raw.answer())).toMatchObject({ code: "overloaded" });
  });

  test.each([
    ["before its model is known", FILE],
    ["of which nothing comes", ""],
  ])("that stops %s is given up", async (_, text) => {
    const { client } = await holding({ bodyStallMs: 20, sweepMs: 5 });
    const answer = await client()
      .send(`${head("content-length: 1000")}${text}`)
      .answer();
    expect(errorOf(answer)).toMatchObject({ code: "request_timeout" });
  });

  test("that stops while it is sent on fails the gateway's request", async () => {
    const { client, given, samples } = await holding({ bodyStallMs: 20, sweepMs: 5 });
    client().send(`${head("content-length: 1000")}${MODEL}${FILE}`);
    const upload = await given;
    const failure = new Promise<GatewayError>((resolve) => {
      upload.onFailure = resolve;
    });
    // An attempt that wants more than there is.
    const { body } = upload.open("m", 1000);
    body.resume();
    expect((await failure).code).toBe("request_timeout");
    expect(samples().find(({ name }) => name === "sluice_http_large_bodies_bytes")?.value).toBe(0);
  });

  test("that nobody reads yet is not blamed for its silence", async () => {
    const { client, given } = await holding({ bodyStallMs: 1, sweepMs: 1 });
    const raw = client().send(`${head("content-length: 1000")}${MODEL}${FILE}`);
    const upload = await given;
    let failed = false;
    upload.onFailure = () => (failed = true);
    // Another form stops and is given up meanwhile: the sweep has been there.
    await client()
      .send(`${head("content-length: 1000")}${FILE}`)
      .answer();
    expect(failed).toBe(false);
    raw.close();
  });

  test("of another method or compressed is refused", async () => {
    const { client } = await holding({});
    const get = await client().send(head("content-length: 0", "GET")).answer();
    expect(get).toMatchObject({ status: 405, headers: { allow: "POST, OPTIONS" } });
    const options = await client().send(head("content-length: 0", "OPTIONS")).answer();
    expect(options).toMatchObject({ status: 204, headers: { allow: "POST, OPTIONS" } });
    const gzip = await client()
      .send(head("content-length: 4", "POST", "content-encoding: gzip\r\n"))
      .answer();
    expect(gzip.status).toBe(415);
  });
});

/** Open connections, forms that are on their way, and the bytes that they hold. */
function held({ samples }: Pick<Fixture, "samples">): readonly (number | undefined)[] {
  const values = new Map(samples().map(({ name, value }) => [name, value]));
  return ["connections", "uploads", "large_bodies_bytes"].map((name) => values.get(`sluice_http_${name}`));
}

describe("a form that is answered before it is whole, and whose client leaves then, is not kept", () => {
  const few = `${MODEL.replace("smart", "")}${FILE}`;

  test.each([
    ["small", `${head("content-length: 60000")}${few}`],
    ["of unknown length", `${head("transfer-encoding: chunked")}${few.length.toString(16)}\r\n${few}\r\n`],
    [
      "passed through",
      `POST /providers/local/files HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\nx-sluice-timeout: soon\r\ncontent-length: 60000\r\n\r\n${"x".repeat(20_000)}`,
    ],
  ])("%s", async (_, sent) => {
    const server = await startServer();
    const raw = server.client().send(sent);
    expect((await raw.answer()).status).toBe(400);
    raw.close();
    while (held(server)[0] !== 0) await new Promise((resolve) => setImmediate(resolve));
    expect(held(server)).toEqual([0, 0, 0]);
  });
});
