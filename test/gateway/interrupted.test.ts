// Faults behind the first event, and clients that leave: nothing is tried again, the client knows that the answer is not
// whole, and what was produced is settled.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway, WAYS } from "./gateway-fixture.ts";
import { contentFrame, DONE_FRAME, good, scriptedUpstream, type Script } from "./scripted-upstream.ts";

/** Faults behind the first event: the client keeps what it got, and is told. */
const LATE: readonly {
  readonly name: string;
  readonly script: Script;
  readonly advanceMs?: number;
  readonly code: string;
}[] = [
  {
    name: "a reset",
    script: (r) => {
      r.streamHead().chunk(contentFrame("Hel", null));
      setImmediate(() => setImmediate(() => r.reset()));
    },
    code: "stream_interrupted",
  },
  {
    name: "a close without the last chunk",
    script: (r) => void r.streamHead().chunk(contentFrame("Hel", null)).socket.end(),
    code: "stream_interrupted",
  },
  {
    name: "an end without a finish",
    script: (r) => r.streamHead().chunk(contentFrame("Hel", null)).endChunks(),
    code: "stream_interrupted",
  },
  {
    name: "an end in the middle of a frame",
    script: (r) => r.streamHead().chunk(contentFrame("Hel", null)).chunk('data: {"id":"chatcm').endChunks(),
    code: "stream_interrupted",
  },
  {
    name: "silence",
    script: (r) => r.streamHead().chunk(contentFrame("Hel", null)),
    advanceMs: 121_000,
    code: "provider_timeout",
  },
  {
    name: "a line without end",
    script: (r) => {
      r.streamHead().chunk(contentFrame("Hel", null));
      for (let i = 0; i < 17; i++) r.chunk(i === 0 ? `data: ${"x".repeat(1 << 20)}` : "x".repeat(1 << 20));
    },
    code: "provider_bad_response",
  },
  {
    name: "an event that is not JSON",
    script: (r) => {
      r.streamHead()
        .chunk(contentFrame("Hel", null))
        .chunk('data: {"id":"chatcmpl-1","choices":[{}\n\n')
        .chunk(DONE_FRAME)
        .endChunks();
    },
    code: "provider_bad_response",
  },
  {
    name: "broken chunk framing",
    script: (r) => r.streamHead().chunk(contentFrame("Hel", null)).write("zz\r\nnot a chunk"),
    code: "provider_bad_response",
  },
];

describe.each(WAYS)("behind the first event, answers passed on $way:", ({ quirks }) => {
  test.each(LATE)("$name: an error event and no end mark", async ({ script, advanceMs, code }) => {
    const upstream = await scriptedUpstream(script);
    const second = await scriptedUpstream(good);
    const gateway = await startGateway({ providers: { a: upstream, b: second }, quirks });
    const client = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
    await client.until("Hel");
    if (advanceMs !== undefined) gateway.advance(advanceMs);
    const answer = await client.answer();
    expect(answer.status).toBe(200);
    expect(eventsIn(answer.body)).toMatchObject([
      { choices: [{ delta: { content: "Hel" }, finish_reason: null }] },
      { error: { code } },
    ]);
    expect(second.requests).toEqual([]);
    const { requests, tokens } = await gateway.settled();
    expect(requests).toBe(1);
    expect(tokens).toBeGreaterThan(0);
    expect(gateway.records).toMatchObject([{ errorCode: code, status: 200, isUsageEstimated: true }]);
  });

  test("a provider's own error event is told in the envelope, and nothing follows it", async () => {
    const said = '{"error":{"message":"no key sk-vendor here","type":"server_error","code":null}}';
    const upstream = await scriptedUpstream((r) =>
      r
        .streamHead()
        .chunk(contentFrame("Hel", null))
        .chunk(`data: ${said}\n\n`)
        .chunk(DONE_FRAME)
        .endChunks(),
    );
    const gateway = await startGateway({ providers: { vendor: upstream }, quirks });
    const answer = await gateway.ask({ model: "any", stream: true });
    expect(eventsIn(answer.body)).toMatchObject([
      { choices: [{ delta: { content: "Hel" } }] },
      {
        error: {
          message: "Provider `vendor` says: no key [secret] here",
          type: "server_error",
          param: null,
          code: "provider_error",
        },
      },
    ]);
    await gateway.settled();
    expect(gateway.records).toMatchObject([{ outcome: "provider_error", errorCode: "provider_error" }]);
  });
});

/** What a client reads of a stream: every event is JSON, and none is the end mark. */
function eventsIn(body: string): unknown[] {
  return body
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => JSON.parse(event.slice("data: ".length)));
}

describe("a client that leaves", () => {
  test.each([
    ["before the head", (() => undefined) satisfies Script],
    ["behind the head of a stream", ((r) => void r.streamHead()) satisfies Script],
  ])("%s takes the provider's request with it", async (_, script) => {
    const upstream = await scriptedUpstream(script);
    const second = await scriptedUpstream(good);
    const gateway = await startGateway({ providers: { a: upstream, b: second } });
    const client = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
    const request = await upstream.request(0);
    client.close();
    await request.closed;
    const { requests, tokens } = await gateway.settled();
    expect(requests).toBe(1);
    expect(tokens).toBeGreaterThan(0);
    expect(second.requests).toEqual([]);
    expect(gateway.records).toMatchObject([
      { outcome: "client_gone", errorCode: "client_gone", status: 499 },
    ]);
  });

  test("in the middle of a stream pays for what was produced", async () => {
    const upstream = await scriptedUpstream((r) => {
      r.streamHead();
      for (let i = 0; i < 50; i++) r.chunk(contentFrame(`word${i} `, null));
    });
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
    await client.until("word49");
    client.close();
    const request = await upstream.request(0);
    await request.closed;
    const { tokens } = await gateway.settled();
    expect(tokens).toBeGreaterThanOrEqual(50);
    expect(tokens).toBeLessThan(200);
    expect(gateway.records).toMatchObject([{ outcome: "client_gone", status: 200, isUsageEstimated: true }]);
  });

  test("while it waits for room leaves the line and costs nothing", async () => {
    const upstream = await scriptedUpstream(() => undefined);
    const gateway = await startGateway({ providers: { a: upstream }, limits: "[ { concurrent: 1 } ]" });
    const first = gateway.client().send(jsonRequest({ model: "any", messages: [] }));
    await upstream.request(0);
    const second = gateway.client().send(jsonRequest({ model: "any", messages: [] }));
    await expect.poll(() => gateway.solo.limiter.waiting).toBe(1);
    second.close();
    await expect.poll(() => gateway.solo.limiter.waiting).toBe(0);
    expect(upstream.requests).toHaveLength(1);
    first.close();
    await gateway.settled();
    expect(gateway.records.map(({ outcome }) => outcome)).toEqual(["client_gone", "client_gone"]);
  });
});

test.each(WAYS)(
  "a refusal inside a stream holds its provider back, answers passed on $way",
  async ({ quirks }) => {
    const refusal = { message: "Rate limit reached. Please try again in 7s.", code: "rate_limit_exceeded" };
    const upstream = await scriptedUpstream(
      (r) =>
        r
          .streamHead()
          .chunk(contentFrame("Hel", null))
          .chunk(`data: ${JSON.stringify({ error: refusal })}\n\n`),
      good,
    );
    const config = "queue: { max_wait: 0s }";
    const gateway = await startGateway({ providers: { a: upstream }, quirks, config });
    await gateway.ask({ model: "any", stream: true });
    expect(await gateway.ask({ model: "any" })).toMatchObject({
      status: 429,
      headers: { "retry-after": "7" },
    });
    gateway.advance(7001);
    expect(await gateway.ask({ model: "any" })).toMatchObject({ status: 200 });
    await gateway.settled();
  },
);

describe("the end of the gateway", () => {
  test("reaches what runs: a stream gets an error event, a waiting request an error", async () => {
    const upstream = await scriptedUpstream((r) => void r.streamHead().chunk(contentFrame("Hel", null)));
    const gateway = await startGateway({ providers: { a: upstream }, limits: "[ { concurrent: 1 } ]" });
    const streaming = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
    await streaming.until("Hel");
    const waiting = gateway.client().send(jsonRequest({ model: "any", messages: [] }));
    await expect.poll(() => gateway.solo.limiter.waiting).toBe(1);
    gateway.gateway.abortAll();
    const cut = await streaming.answer();
    expect(cut.body).toContain('"code":"shutting_down"');
    expect(cut.body).not.toContain("[DONE]");
    expect(await waiting.answer()).toMatchObject({ status: 503 });
    await gateway.settled();
  });
});

test("a slow reader holds the provider back, and gets everything", async () => {
  const frame = contentFrame("x".repeat(60_000), null);
  const upstream = await scriptedUpstream((r) => {
    r.streamHead();
    for (let i = 0; i < 400; i++) r.chunk(frame);
    r.chunk(DONE_FRAME).endChunks();
  });
  const gateway = await startGateway({ providers: { a: upstream } });
  const client = gateway.client();
  client.socket.pause();
  client.send(jsonRequest({ model: "any", messages: [], stream: true }));
  const request = await upstream.request(0);
  // 24 MB can't lie in the gateway and in sockets: the provider's own buffer has to stay full.
  await expect.poll(() => request.socket.writableLength).toBeLessThan(24_000_000);
  expect(await atRest(() => request.socket.writableLength)).toBeGreaterThan(10_000_000);
  // Silence by our own doing is not the provider's fault.
  gateway.advance(200_000);
  expect(request.isClosed).toBe(false);
  client.socket.resume();
  const answer = await client.answer();
  expect(answer.body.length).toBe(400 * contentFrame("x".repeat(60_000)).length + DONE_FRAME.length);
  await gateway.settled();
});

/** A reading that has not changed for a hundred turns of the event loop. */
async function atRest(read: () => number): Promise<number> {
  let last = read();
  for (let turns = 0; turns < 100; turns++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    if (read() !== last) turns = 0;
    last = read();
  }
  return last;
}
