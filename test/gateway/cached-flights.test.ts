// The same question at the same time: it is asked once, whoever leaves, fails or does not read.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { BODY, CACHE, cached, ERROR, useOf } from "./cached-fixture.ts";
import type { GatewayFixture } from "./gateway-fixture.ts";
import {
  contentFrame,
  DONE_FRAME,
  good,
  USAGE_FRAME,
  whole,
  type Script,
  type ScriptedUpstream,
} from "./scripted-upstream.ts";

describe("identical requests at the same time", () => {
  const hold: Script = () => undefined;
  const send = (gateway: GatewayFixture, members: object = {}) =>
    gateway.client().send(jsonRequest({ ...BODY, ...members }));

  /** Sends so many, one after the other, and waits until all but the first follow. */
  async function crowd(
    gateway: GatewayFixture,
    upstream: ScriptedUpstream,
    count: number,
    members: object = {},
  ) {
    const leader = send(gateway, members);
    await upstream.request(0);
    const followers = Array.from({ length: count - 1 }, () => send(gateway, members));
    while (gateway.plant.cache.flights.followerCount < count - 1)
      await new Promise((resolve) => setImmediate(resolve));
    return { leader, followers };
  }

  test.each([{}, { stream: true }])("are asked once, and all get the answer: %j", async (members) => {
    const { gateway, upstream } = await cached({ scripts: [hold] });
    const { leader, followers } = await crowd(gateway, upstream, 20, members);
    good(await upstream.request(0));
    const first = await leader.answer();
    expect(useOf(first)).toBe("miss");
    for (const follower of followers) {
      const answer = await follower.answer();
      expect(useOf(answer)).toBe("wait");
      expect(answer.headers["age"]).toBe("0");
      expect(answer.body).toBe(first.body);
    }
    expect(upstream.requests).toHaveLength(1);
    expect((await gateway.settled()).requests).toBe(1);
  });

  test("are led by the next one when the leader leaves", async () => {
    const { gateway, upstream } = await cached({ scripts: [hold, whole] });
    const { leader, followers } = await crowd(gateway, upstream, 4);
    leader.socket.destroy();
    const answers = await Promise.all(followers.map((follower) => follower.answer()));
    expect(answers.map(useOf)).toEqual(["miss", "wait", "wait"]);
    expect(upstream.requests).toHaveLength(2);
    expect((await upstream.request(0)).isClosed).toBe(true);
    await gateway.settled();
  });

  test("are led by the next one when the leader leaves in the middle of its stream, and get all of theirs", async () => {
    const { gateway, upstream } = await cached({
      scripts: [(r) => void r.streamHead().chunk(contentFrame("Hel")), good],
    });
    const { leader, followers } = await crowd(gateway, upstream, 3, { stream: true });
    await leader.until("Hel");
    leader.socket.destroy();
    const answers = await Promise.all(followers.map((follower) => follower.answer()));
    expect(answers.map(useOf)).toEqual(["miss", "wait"]);
    for (const { body } of answers) expect(body.endsWith(DONE_FRAME)).toBe(true);
    await gateway.settled();
  });

  test("are led by the next one when the leader fails, and each go alone when that one fails too", async () => {
    const fail: Script = (r) => r.answer(400, ERROR);
    const { gateway, upstream } = await cached({ scripts: [hold, fail, whole] });
    const { leader, followers } = await crowd(gateway, upstream, 5);
    fail(await upstream.request(0));
    expect((await leader.answer()).status).toBe(400);
    const answers = await Promise.all(followers.map((follower) => follower.answer()));
    expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([
      200, 200, 200, 400,
    ]);
    expect(upstream.requests).toHaveLength(5);
    await gateway.settled();
  });

  test("go on alone as soon as the answer is too large to be kept", async () => {
    const { gateway, upstream } = await cached({
      scripts: [hold, good],
      config: "cache: { ttl: 60s, max_answer: 2kb }",
    });
    const { leader, followers } = await crowd(gateway, upstream, 3, { stream: true });
    (await upstream.request(0)).streamHead().chunk(contentFrame("x".repeat(3000)));
    const answers = await Promise.all(followers.map((follower) => follower.answer()));
    expect(answers.map(useOf)).toEqual(["miss", "miss"]);
    (await upstream.request(0)).chunk(USAGE_FRAME).chunk(DONE_FRAME).endChunks();
    expect((await leader.answer()).body.length).toBeGreaterThan(3000);
    await gateway.settled();
  });

  test("may leave while they wait, and only the leader is asked for", async () => {
    const { gateway, upstream } = await cached({ scripts: [hold] });
    const { leader, followers } = await crowd(gateway, upstream, 3);
    followers[0]?.socket.destroy();
    while (gateway.plant.cache.flights.followerCount > 1)
      await new Promise((resolve) => setImmediate(resolve));
    whole(await upstream.request(0));
    expect(useOf(await leader.answer())).toBe("miss");
    expect(followers[1] && useOf(await followers[1].answer())).toBe("wait");
    await gateway.settled();
    expect(gateway.records.map(({ outcome }) => outcome).sort()).toEqual(["client_gone", "ok", "ok"]);
  });

  test("wait no longer than their own time", async () => {
    const { gateway, upstream } = await cached({
      scripts: [hold],
      config: `${CACHE}\ntimeouts: { total: 5s }\nretry: { attempts: 1 }`,
    });
    const { leader, followers } = await crowd(gateway, upstream, 2);
    // The leader's own end is noticed at the next look of the watch, the follower's by its timer.
    gateway.solo.clock.advance(5000);
    const late = await followers[0]?.answer();
    expect(late?.status).toBe(504);
    expect(late?.headers["x-sluice-error"]).toBe("provider_timeout");
    leader.socket.destroy();
    await gateway.settled();
  });

  test("are told when the gateway ends", async () => {
    const { gateway, upstream } = await cached({ scripts: [hold] });
    const { leader, followers } = await crowd(gateway, upstream, 3);
    gateway.gateway.abortAll();
    for (const client of [leader, ...followers]) {
      expect((await client.answer()).headers["x-sluice-error"]).toBe("shutting_down");
    }
    await gateway.settled();
  });

  test("whoever wants it fresh asks for itself", async () => {
    const { gateway, upstream } = await cached({ scripts: [hold, whole] });
    const { leader } = await crowd(gateway, upstream, 1);
    const fresh = await gateway.ask(BODY, undefined, { "cache-control": "no-cache" });
    expect(useOf(fresh)).toBe("miss");
    expect(upstream.requests).toHaveLength(2);
    whole(await upstream.request(0));
    await leader.answer();
    await gateway.settled();
  });
});

test("a client that does not read its stream holds back nobody who waits for the same answer", async () => {
  const { gateway, upstream } = await cached({
    config: "cache: { ttl: 60s, max_memory: 100mb, max_answer: 50mb }",
    scripts: [() => undefined],
  });
  const stalled = gateway.client();
  stalled.socket.pause();
  stalled.send(jsonRequest({ ...BODY, stream: true }));
  const request = await upstream.request(0);
  const follower = gateway.client().send(jsonRequest({ ...BODY, stream: true }));
  while (gateway.plant.cache.flights.followerCount < 1) await new Promise((resolve) => setImmediate(resolve));
  // More than all the buffers on the way hold.
  request.streamHead();
  for (let chunks = 0; chunks < 300; chunks++) request.chunk(contentFrame("x".repeat(100_000)));
  request.chunk(USAGE_FRAME).chunk(DONE_FRAME).endChunks();
  expect((await follower.answer()).body.length).toBeGreaterThan(30_000_000);
  stalled.socket.destroy();
});
