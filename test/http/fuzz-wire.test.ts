// Requests with damaged bytes, over a real connection: whatever arrives is answered in the envelope or not at all, nothing
// is logged as a fault of the gateway's, and the next client is served.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { jsonRequest, RawClient, requestBytes } from "./raw-client.ts";
import { startServer } from "./server-fixture.ts";

const CHAT = { model: "smart", messages: [{ role: "user", content: "hi" }] };
const CHUNKED = Buffer.from(
  "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" +
    `${JSON.stringify(CHAT).length.toString(16)}\r\n${JSON.stringify(CHAT)}\r\n0\r\n\r\n`,
);
const REQUESTS = [
  jsonRequest(CHAT),
  jsonRequest(CHAT, { "content-encoding": "gzip", expect: "100-continue" }),
  CHUNKED,
  requestBytes("GET", "/v1/models/local%2Forg", { accept: "*/*" }),
  Buffer.concat([requestBytes("GET", "/", {}), jsonRequest(CHAT), CHUNKED]),
];

const damage = fc.record({
  at: fc.nat(),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 3 }),
    fc.constantFrom("\r\n", "\0", ": ", "0\r\n\r\n", "\n\n", " ", "%", "-1").map((text) => Buffer.from(text)),
  ),
  removed: fc.nat(4),
});

function damaged(
  request: Buffer,
  places: readonly { at: number; bytes: Uint8Array; removed: number }[],
): Buffer {
  return places.reduce<Buffer>((bytes, { at, bytes: put, removed }) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + removed)]);
  }, request);
}

/** The answers on a connection, apart: each begins with its status line. */
function answersIn(text: string): readonly string[] {
  return text.split(/(?=HTTP\/1\.1 \d{3} )/).filter((answer) => answer !== "");
}

test("a request with damaged bytes is answered properly, and the server goes on", async () => {
  const server = await startServer();
  const property = fc.asyncProperty(
    fc.constantFrom(...REQUESTS),
    fc.array(damage, { maxLength: 4 }),
    async (request, places) => {
      const client = new RawClient(server.port);
      client.socket.end(damaged(request, places));
      for (const answer of answersIn(await client.untilClosed())) {
        const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
        expect(status).toBeGreaterThanOrEqual(100);
        expect(status).not.toBe(500);
        if (status < 400) continue;
        expect(answer).toMatch(/\r\nx-request-id: [\w-]{20,}\r\n/i);
        expect(answer).toMatch(/\r\nx-sluice-attempts: 0\r\n/i);
        expect(answer).toMatch(/"error":\{"message":"|\r\n\r\n$/);
      }
    },
  );
  await fc.assert(property, { numRuns: 600 });
  expect(server.logs).toEqual([]);
  expect((await server.client().send(jsonRequest(CHAT)).answer()).status).toBe(200);
}, 30_000);
