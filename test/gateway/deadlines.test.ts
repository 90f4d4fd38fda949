// Deadlines: of one attempt, of the whole request, and the client's own.
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { startGateway } from "./gateway-fixture.ts";
import { jsonRequest } from "../http/raw-client.ts";
import {
  answerBody,
  contentFrame,
  DONE_FRAME,
  FINISH_FRAME,
  good,
  scriptedUpstream,
  whole,
  type Script,
} from "./scripted-upstream.ts";

const silent: Script = () => undefined;
const busy: Script = (request) => request.answer(503, '{"error":{"message":"busy"}}');

describe("the deadline of an attempt", () => {
  test.each([false, true])("sends a request elsewhere, whole answers too (streamed: %s)", async (stream) => {
    const upstream = await scriptedUpstream(silent);
    const second = await scriptedUpstream(good);
    const gateway = await startGateway({
      providers: { a: upstream, b: second },
      config: "timeouts: { attempt: 3s }",
    });
    const answer = gateway.ask({ model: "any", ...(stream && { stream }) });
    await upstream.request(0);
    gateway.advance(2900);
    expect(second.requests).toEqual([]);
    gateway.advance(200);
    expect(await answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "b" } });
    await gateway.settled();
  });

  test("ends the last attempt too", async () => {
    const upstream = await scriptedUpstream(silent);
    const gateway = await startGateway({ providers: { a: upstream }, config: "timeouts: { attempt: 3s }" });
    const answer = gateway.ask({ model: "any" });
    await upstream.request(0);
    gateway.advance(3100);
    expect(await answer).toMatchObject({ status: 504, headers: { "x-sluice-error": "provider_timeout" } });
    await gateway.settled();
  });
});

describe("a client that says how long it waits", () => {
  test.each([
    ["2", 2000],
    ["1.5s", 1500],
    ["800ms", 800],
    ["0.5m", 30_000],
  ])("%s gets its answer or an error by then", async (timeout, timeoutMs) => {
    const upstream = await scriptedUpstream(silent);
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = gateway.ask({ model: "any" }, undefined, { "x-sluice-timeout": timeout });
    await upstream.request(0);
    gateway.advance(timeoutMs - 100);
    expect(gateway.gateway.runningCount).toBe(1);
    gateway.advance(200);
    expect(await answer).toMatchObject({ status: 504, headers: { "x-sluice-error": "provider_timeout" } });
    await gateway.settled();
  });

  test("never gets more time than the configuration gives", async () => {
    const upstream = await scriptedUpstream(silent);
    const gateway = await startGateway({ providers: { a: upstream }, config: "timeouts: { total: 2s }" });
    const answer = gateway.ask({ model: "any" }, undefined, { "x-sluice-timeout": "1h" });
    await upstream.request(0);
    gateway.advance(2100);
    expect(await answer).toMatchObject({ status: 504 });
    await gateway.settled();
  });

  test("is not put in a line or a pause that it would not see the end of", async () => {
    const upstream = await scriptedUpstream(whole, busy);
    const gateway = await startGateway({
      providers: { a: upstream },
      limits: "[ { requests: 60/min, burst: 1 } ]",
      config: "retry: { attempts: 3, backoff: { first: 5s, max: 5s } }",
      random: () => 0.9,
    });
    expect((await gateway.ask({ model: "any" })).body).toBe(answerBody());
    const refused = await gateway.ask({ model: "any" }, undefined, { "x-sluice-timeout": "500ms" });
    expect(refused).toMatchObject({ status: 429, headers: { "retry-after-ms": "1000" } });
    gateway.advance(1000);
    const failed = await gateway.ask({ model: "any" }, undefined, { "x-sluice-timeout": "2s" });
    expect(failed).toMatchObject({ status: 503, headers: { "x-sluice-attempts": "1" } });
    await gateway.settled();
  });

  test.each(["0", "-1", "soon", "1d", "", "1e3", "0ms"])("%j is refused", async (timeout) => {
    const upstream = await scriptedUpstream(whole);
    const gateway = await startGateway({ providers: { a: upstream } });
    const answer = await gateway.ask({ model: "any" }, undefined, { "x-sluice-timeout": timeout });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { param: "x-sluice-timeout" } });
    expect(upstream.requests).toEqual([]);
  });
});

describe("retries as the configuration wants them", () => {
  test("stop where the budget ends", async () => {
    const upstream = await scriptedUpstream(busy);
    const gateway = await startGateway({
      providers: { a: upstream },
      config: "retry: { attempts: 5, budget: { percent: 0, saved: 2 }, backoff: { first: 0ms } }",
    });
    expect((await gateway.ask({ model: "any" })).headers["x-sluice-attempts"]).toBe("3");
    expect((await gateway.ask({ model: "any" })).headers["x-sluice-attempts"]).toBe("1");
    await gateway.settled();
  });

  test("a circuit opens after as many failures as they say", async () => {
    const upstream = await scriptedUpstream(busy);
    const gateway = await startGateway({
      providers: { a: upstream },
      config: "retry: { attempts: 1 }\ncircuit: { failures: 2, open: 7s }",
    });
    for (const asked of [1, 2, 2]) {
      expect((await gateway.ask({ model: "any" })).status).toBe(503);
      expect(upstream.requests).toHaveLength(asked);
    }
    gateway.advance(7001);
    await gateway.ask({ model: "any" });
    expect(upstream.requests).toHaveLength(3);
    await gateway.settled();
  });
});

describe("a compressed stream that has arrived", () => {
  const big: Script = (request) => {
    const frames = Array.from({ length: 300 }, () => contentFrame("x".repeat(64 * 1024))).join("");
    const body = gzipSync(`${frames}${FINISH_FRAME}${DONE_FRAME}`);
    request.streamHead({ "content-encoding": "gzip" }).chunk(body).endChunks();
  };

  test("still ends by the deadline when its client does not read it", async () => {
    const upstream = await scriptedUpstream(big);
    const gateway = await startGateway({ providers: { a: upstream }, config: "timeouts: { total: 20s }" });
    const client = gateway.client();
    client.socket.pause();
    client.send(jsonRequest({ model: "any", stream: true, messages: [] }));
    while (gateway.records.length === 0 && gateway.used().concurrent === 0) await turn();
    const served = await upstream.request(0);
    // All of it has been sent; its decoder has stopped, since nobody reads.
    while (served.socket.writableLength > 0) await turn();
    for (let turns = 0; turns < 200; turns++) await turn();
    expect(gateway.gateway.runningCount).toBe(1);
    gateway.advance(20_100);
    await gateway.settled();
    expect(gateway.records).toMatchObject([{ outcome: "provider_error", errorCode: "provider_timeout" }]);
  });

  function turn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
});
