// The fault matrix: everything that can go wrong with a provider, streamed or not, with and without a second provider:
// what the client gets, and what was settled. `settled` fails when a slot is held or an invariant broke.
import { describe, expect, test } from "vitest";
import type { RawAnswer } from "../http/raw-client.ts";
import { startGateway, WAYS, type GatewayFixture } from "./gateway-fixture.ts";
import {
  answerBody,
  closedPort,
  DONE_FRAME,
  good,
  scriptedUpstream,
  stream,
  whole,
  type Script,
  type ScriptedUpstream,
} from "./scripted-upstream.ts";

const silent: Script = () => undefined;

const ERROR = '{"error":{"message":"broken","type":"server_error","code":null}}';

interface Fault {
  /** Only where answers are passed on as they are. */
  readonly isUnread?: boolean;
  readonly name: string;
  /** How it is asked for; both when absent. */
  readonly isStream?: boolean;
  readonly script: Script;
  /** Time to let pass once the request has arrived. */
  readonly advanceMs?: number;
  readonly status: number;
  readonly code: string;
  /** Whether another provider is tried. */
  readonly isFinal?: boolean;
  /** Whether the provider may have read the prompt, so that it is counted. */
  readonly countsPrompt?: boolean;
}

/** Faults before the answer has begun: the client never sees a part of them. */
const EARLY: readonly Fault[] = [
  {
    name: "a reset before the head",
    script: (r) => r.reset(),
    status: 502,
    code: "provider_unreachable",
    countsPrompt: true,
  },
  {
    name: "a close before the head",
    script: (r) => void r.socket.end(),
    status: 502,
    code: "provider_unreachable",
    countsPrompt: true,
  },
  {
    name: "429",
    script: (r) => r.answer(429, ERROR, { "retry-after": "7" }),
    status: 429,
    code: "provider_rate_limited",
  },
  {
    name: "a spent quota",
    script: (r) =>
      r.answer(429, '{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}'),
    status: 429,
    code: "provider_quota_spent",
  },
  { name: "500", script: (r) => r.answer(500, ERROR), status: 502, code: "provider_error" },
  { name: "503", script: (r) => r.answer(503, ERROR), status: 503, code: "provider_overloaded" },
  {
    name: "529",
    script: (r) => r.answer(529, "overloaded", { "content-type": "text/plain" }),
    status: 503,
    code: "provider_overloaded",
  },
  { name: "a refused key", script: (r) => r.answer(401, ERROR), status: 502, code: "provider_auth" },
  {
    name: "a bad request",
    script: (r) =>
      r.answer(400, '{"error":{"message":"no","type":"invalid_request_error","param":"messages[0]"}}'),
    status: 400,
    code: "invalid_request",
    isFinal: true,
  },
  {
    name: "an HTML page",
    script: (r) => r.answer(200, "<html>hello</html>", { "content-type": "text/html" }),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "a redirect",
    script: (r) => r.answer(302, "", { location: "http://elsewhere/" }),
    status: 502,
    code: "provider_bad_response",
  },
  {
    name: "an answer that has not changed since",
    script: (r) => r.write("HTTP/1.1 304 Not Modified\r\n\r\n"),
    status: 502,
    code: "provider_bad_response",
  },
  {
    name: "a part of an answer",
    isStream: false,
    script: (r) => r.answer(206, answerBody()),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "an error inside a 200",
    isStream: false,
    script: (r) => r.answer(200, ERROR),
    status: 502,
    code: "provider_error",
  },
  {
    name: "an error inside a 200 instead of a stream",
    isStream: true,
    script: (r) => r.answer(200, ERROR),
    status: 502,
    code: "provider_error",
  },
  {
    name: "an answer that is not an object",
    isStream: false,
    script: (r) => r.answer(200, "[1,2]"),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "an empty answer",
    isStream: false,
    script: (r) => r.answer(200, ""),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "half an answer",
    isStream: false,
    script: (r) =>
      void r.socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n${answerBody()}`,
      ),
    status: 502,
    code: "provider_unreachable",
    countsPrompt: true,
  },
  {
    name: "half an answer of unknown length",
    isStream: false,
    script: (r) =>
      void r.socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n${answerBody().slice(0, 90)}`,
      ),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "a stream that was not asked for",
    isStream: false,
    script: stream,
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "a whole answer instead of a stream",
    // Where answers are looked at, it becomes one.
    isUnread: true,
    isStream: true,
    script: whole,
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "something that is not HTTP",
    script: (r) => r.write("SSH-2.0-OpenSSH\r\n\r\n").socket.end(),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "a head without end",
    script: (r) => r.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}`),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "silence",
    isStream: true,
    script: silent,
    advanceMs: 61_000,
    status: 504,
    code: "provider_timeout",
    countsPrompt: true,
  },
  {
    name: "silence for a whole answer",
    isStream: false,
    script: silent,
    advanceMs: 601_000,
    status: 504,
    code: "provider_timeout",
    countsPrompt: true,
    isFinal: true,
  },
  {
    name: "silence behind the head",
    isStream: true,
    script: (r) => r.streamHead(),
    advanceMs: 61_000,
    status: 504,
    code: "provider_timeout",
    countsPrompt: true,
  },
  {
    name: "comments and nothing else",
    isStream: true,
    script: (r) => r.streamHead().chunk(": wait\n\n").chunk(": wait\n\n"),
    advanceMs: 61_000,
    status: 504,
    code: "provider_timeout",
    countsPrompt: true,
  },
  {
    name: "comments, then the end",
    isStream: true,
    script: (r) => r.streamHead().chunk(": wait\n\n").endChunks(),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "an empty stream",
    isStream: true,
    script: (r) => r.streamHead().endChunks(),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "an end mark alone",
    isStream: true,
    script: (r) => r.streamHead().chunk(DONE_FRAME).endChunks(),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "a first event that is not JSON",
    isStream: true,
    script: (r) => r.streamHead().chunk('data: {"id":"1","choices":[{}\n\n').chunk(DONE_FRAME).endChunks(),
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
  {
    name: "an error event first",
    isStream: true,
    script: (r) => r.streamHead().chunk(`data: {"error":{"message":"m","type":"overloaded_error"}}\n\n`),
    status: 503,
    code: "provider_overloaded",
  },
  {
    name: "a first line without end",
    isStream: true,
    script: (r) => {
      r.streamHead();
      for (let i = 0; i < 17; i++) r.chunk(i === 0 ? `data: ${"x".repeat(1 << 20)}` : "x".repeat(1 << 20));
    },
    status: 502,
    code: "provider_bad_response",
    countsPrompt: true,
  },
];

const CASES = EARLY.flatMap((fault) =>
  [false, true]
    .filter((isStream) => fault.isStream === undefined || fault.isStream === isStream)
    .map((isStream) =>
      Object.assign({}, fault, { isStream, title: `${fault.name}, ${isStream ? "streamed" : "whole"}` }),
    ),
);

async function play(
  gateway: GatewayFixture,
  upstream: ScriptedUpstream,
  fault: Pick<Fault, "advanceMs"> & { readonly isStream: boolean },
): Promise<RawAnswer> {
  const answer = gateway.ask({ model: "any", ...(fault.isStream && { stream: true }) });
  if (fault.advanceMs !== undefined) {
    await upstream.request(0);
    gateway.advance(fault.advanceMs);
  }
  return answer;
}

/** What the client of a provider in good health sees. */
function seen({ status, body }: RawAnswer): string {
  if (status !== 200) return `${status} ${body}`;
  return body.endsWith(DONE_FRAME) ? "a whole stream" : body === answerBody() ? "a whole answer" : body;
}

describe.each(WAYS)("before an answer has begun, answers passed on $way:", ({ way, quirks }) => {
  const cases = CASES.filter(({ isUnread = false }) => !isUnread || way === "as they are");
  test.each(cases)("$title: the client gets the error", async (fault) => {
    const upstream = await scriptedUpstream(fault.script);
    const gateway = await startGateway({
      providers: { a: upstream },
      quirks,
      config: "retry: { attempts: 1 }",
    });
    const answer = await play(gateway, upstream, fault);
    expect(answer).toMatchObject({
      status: fault.status,
      headers: { "content-type": "application/json", "x-sluice-attempts": "1", "x-sluice-provider": "a" },
    });
    expect(answer.headers["x-sluice-error"]).toBe(fault.code);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: expect.any(String) } });
    const { requests, tokens } = await gateway.settled();
    expect(requests).toBe(1);
    if (fault.countsPrompt === true) expect(tokens).toBeGreaterThan(0);
    else expect(tokens).toBe(0);
    expect(gateway.records).toMatchObject([{ status: fault.status, errorCode: fault.code, attempts: 1 }]);
  });

  test.each(cases)("$title: another provider answers instead", async (fault) => {
    const upstream = await scriptedUpstream(fault.script);
    const second = await scriptedUpstream(good);
    const gateway = await startGateway({ providers: { a: upstream, b: second }, quirks });
    const answer = await play(gateway, upstream, fault);
    if (fault.isFinal === true) {
      expect(answer.status).toBe(fault.status);
      expect(second.requests).toEqual([]);
    } else {
      expect(seen(answer)).toBe(fault.isStream ? "a whole stream" : "a whole answer");
      expect(answer.headers).toMatchObject({ "x-sluice-attempts": "2", "x-sluice-provider": "b" });
      expect((await gateway.settled()).requests).toBe(2);
    }
    await gateway.settled();
  });

  test("a provider that can't be reached costs nothing", async () => {
    const gateway = await startGateway({
      providers: { a: { port: await closedPort() } },
      config: "retry: { attempts: 1 }",
    });
    const answer = await gateway.ask({ model: "any" });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "provider_unreachable" } });
    expect(await gateway.settled()).toEqual({ requests: 0, tokens: 0, concurrent: 0 });
  });

  test("the same provider is tried again when there is no other", async () => {
    const upstream = await scriptedUpstream((r) => r.answer(500, ERROR), whole);
    const gateway = await startGateway({ providers: { a: upstream }, quirks });
    const answer = await gateway.ask({ model: "any" });
    expect(seen(answer)).toBe("a whole answer");
    expect(answer.headers["x-sluice-attempts"]).toBe("2");
    expect(await gateway.settled()).toEqual({ requests: 2, tokens: 17, concurrent: 0 });
  });

  test("a client is told not to repeat what was repeated already", async () => {
    const upstream = await scriptedUpstream((r) => r.answer(500, ERROR));
    const gateway = await startGateway({ providers: { a: upstream }, quirks });
    const answer = await gateway.ask({ model: "any" });
    expect(answer).toMatchObject({
      status: 502,
      headers: { "x-should-retry": "false", "x-sluice-attempts": "2" },
    });
    await gateway.settled();
  });

  test("a provider that asks for a pause gets it from all requests", async () => {
    const upstream = await scriptedUpstream((r) => r.answer(429, ERROR, { "retry-after": "7" }), whole);
    const gateway = await startGateway({
      providers: { a: upstream },
      config: "retry: { attempts: 1 }\nqueue: { max_wait: 0s }",
    });
    const first = await gateway.ask({ model: "any" });
    expect(first.headers).toMatchObject({ "retry-after": "7", "retry-after-ms": "7000" });
    const second = await gateway.ask({ model: "any" });
    expect(second.status).toBe(429);
    expect(upstream.requests).toHaveLength(1);
    gateway.advance(7001);
    expect(seen(await gateway.ask({ model: "any" }))).toBe("a whole answer");
    await gateway.settled();
  });
});
