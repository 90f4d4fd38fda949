// A limit on running requests is the provider's as well as ours: a slot is given to another request only when the
// provider does not count the one before any more, whatever ended it. The provider here lets in exactly as many.
import { describe, expect, test } from "vitest";
import { LINGER_MS, NOTICE_MS } from "../../src/upstream/call.ts";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway, type GatewayFixture, type GatewayOptions } from "./gateway-fixture.ts";
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

/** Everything a client needs, and no end. */
const linger: Script = (request) =>
  void request.streamHead().chunk(contentFrame("Hello")).chunk(FINISH_FRAME).chunk(DONE_FRAME);
const silent: Script = () => undefined;
const STREAM = { model: "any", stream: true };

/** Turns of the event loop, for what is under way on loopback. */
async function soon(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** One provider with one slot, on both sides. */
async function oneSlot(script: Script, options: Partial<GatewayOptions> = {}) {
  const provider = await scriptedUpstream(script, whole);
  const gateway = await startGateway({
    providers: { a: provider },
    limits: "[ { concurrent: 1 } ]",
    config: "queue: { max_wait: 10s }\nretry: { attempts: 1 }",
    ...options,
  });
  return { provider, gateway };
}

/** Lets the time pass until the provider must have noticed that its connection was closed. */
async function notice(gateway: GatewayFixture): Promise<void> {
  gateway.advance(0);
  gateway.advance(NOTICE_MS);
  await soon();
}

describe("a slot whose request", () => {
  test("has its whole answer is the next one's when the provider has ended it too", async () => {
    const { provider, gateway } = await oneSlot(linger);
    expect((await gateway.ask(STREAM)).body.endsWith(DONE_FRAME)).toBe(true);
    const next = gateway.ask({ model: "any" });
    await soon();
    gateway.advance(LINGER_MS / 2);
    await soon();
    expect(provider.requests).toHaveLength(1);
    (await provider.request(0)).endChunks();
    expect((await next).body).toBe(answerBody());
    await gateway.settled();
  });

  test("is never ended by the provider is free a second later", async () => {
    const { provider, gateway } = await oneSlot(linger);
    await gateway.ask(STREAM);
    const next = gateway.ask({ model: "any" });
    await soon();
    gateway.advance(LINGER_MS + 1);
    await (
      await provider.request(0)
    ).closed;
    await soon();
    expect(provider.requests).toHaveLength(1);
    await notice(gateway);
    expect((await next).status).toBe(200);
    await gateway.settled();
  });

  test("was left by its client is free when the provider could notice", async () => {
    const { provider, gateway } = await oneSlot(silent);
    const client = gateway.client();
    client.send(jsonRequest({ model: "any", messages: [] }));
    const first = await provider.request(0);
    const next = gateway.ask({ model: "any" });
    await soon();
    client.close();
    await first.closed;
    await soon();
    expect(provider.requests).toHaveLength(1);
    await notice(gateway);
    expect((await next).status).toBe(200);
    await gateway.settled();
  });

  test("was given up for its silence is free when the provider could notice", async () => {
    const { provider, gateway } = await oneSlot(silent, {
      config: "queue: { max_wait: 10s }\nretry: { attempts: 1 }\ntimeouts: { first_token: 1s }",
    });
    const given = gateway.ask(STREAM);
    const first = await provider.request(0);
    const next = gateway.ask({ model: "any" });
    await soon();
    gateway.advance(1050);
    expect((await given).status).toBe(504);
    await first.closed;
    await soon();
    expect(provider.requests).toHaveLength(1);
    await notice(gateway);
    expect((await next).status).toBe(200);
    await gateway.settled();
  });

  test("was outrun by another target's is free when the provider could notice", async () => {
    const [a, b] = [await scriptedUpstream(silent, whole), await scriptedUpstream(good)];
    const gateway = await startGateway({
      providers: { a, b },
      limits: "[ { concurrent: 1 } ]",
      config: "hedge: { after: 1s }\nqueue: { max_wait: 10s }",
    });
    const answer = gateway.ask({ model: "any" });
    const loser = await a.request(0);
    gateway.advance(1000);
    expect((await answer).headers["x-sluice-provider"]).toBe("b");
    await loser.closed;
    const next = gateway.ask({ model: "a/m" });
    await soon();
    expect(a.requests).toHaveLength(1);
    await notice(gateway);
    expect((await next).status).toBe(200);
    await gateway.settled();
  });

  test.each([
    ["was answered", whole, 200],
    ["was refused", (request) => request.answer(500, "{}"), 502],
    ["was torn off", (request) => request.reset(), 502],
  ] satisfies [string, Script, number][])("%s is free at once", async (_how, script, status) => {
    const { gateway } = await oneSlot(script, {
      config: "queue: { max_wait: 0s }\nretry: { attempts: 1 }",
    });
    expect((await gateway.ask({ model: "any" })).status).toBe(status);
    expect((await gateway.ask({ model: "any" })).status).toBe(200);
    await gateway.settled();
  });
});

describe("a request that would not wait for room", () => {
  const config = "queue: { max_wait: 0s }\nretry: { attempts: 1 }";

  test("waits for a slot whose request has ended, as long as the provider may take", async () => {
    const { provider, gateway } = await oneSlot(linger, { config });
    await gateway.ask(STREAM);
    const next = gateway.ask({ model: "any" });
    await soon();
    gateway.advance(LINGER_MS + 1);
    await soon();
    expect(provider.requests).toHaveLength(1);
    await notice(gateway);
    expect((await next).status).toBe(200);
    await gateway.settled();
  });

  test("does not wait for one whose request runs, nor behind another for the same", async () => {
    const { provider, gateway } = await oneSlot(silent, { config });
    const running = gateway.ask(STREAM);
    const first = await provider.request(0);
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    linger(first);
    await running;
    const next = gateway.ask({ model: "any" });
    await soon();
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    first.endChunks();
    expect((await next).status).toBe(200);
    await gateway.settled();
  });

  test("goes to another target that has room meanwhile", async () => {
    const [a, b] = [await scriptedUpstream(linger, whole), await scriptedUpstream(whole)];
    const gateway = await startGateway({ providers: { a, b }, limits: "[ { concurrent: 1 } ]", config });
    expect((await gateway.ask(STREAM)).headers["x-sluice-provider"]).toBe("a");
    expect((await gateway.ask({ model: "any" })).headers["x-sluice-provider"]).toBe("b");
    (await a.request(0)).endChunks();
    await soon();
    await gateway.settled();
  });
});

test("a client key's own limit ends with the answer: a client that asks one by one never waits for itself", async () => {
  const { provider, gateway } = await oneSlot(linger, {
    limits: "[ { concurrent: 8 } ]",
    config: `queue: { max_wait: 0s }\nkeys: [ { name: one, key: ${"k".repeat(32)}, limits: [ { concurrent: 1 } ] } ]`,
  });
  const headers = { authorization: `Bearer ${"k".repeat(32)}` };
  expect((await gateway.ask(STREAM, undefined, headers)).status).toBe(200);
  expect((await gateway.ask({ model: "any" }, undefined, headers)).status).toBe(200);
  (await provider.request(0)).endChunks();
  await soon();
  await gateway.settled();
});
