// Shadows: copies to a second target that nobody waits for and nobody sees.
import { describe, expect, test } from "vitest";
import { startGateway, type GatewayFixture, type GatewayOptions } from "./gateway-fixture.ts";
import { answerBody, DONE_FRAME, good, scriptedUpstream, type Script } from "./scripted-upstream.ts";

const silent: Script = () => undefined;
const broken: Script = (request) => request.reset();
const refusing: Script = (request) => request.answer(401, '{"error":{"message":"no"}}');

async function shadowed(shadow: Script, options: Partial<GatewayOptions> = {}, percent = 100) {
  const [a, b] = [await scriptedUpstream(good), await scriptedUpstream(shadow)];
  const gateway = await startGateway({
    providers: { a, b },
    models: "{ m: {}, n: {} }",
    ...options,
    config: `  seen: { targets: [ a/m ], shadow: { to: b/n, percent: ${percent} } }\n${options.config ?? ""}`,
  });
  return { a, b, gateway };
}

function samples(gateway: GatewayFixture): Record<string, number> {
  return Object.fromEntries(
    [...gateway.shadows.samples()].map(({ name, labels, value }) => [
      `${name.replace("sluice_shadow_", "")} ${labels["outcome"] ?? ""}`.trim(),
      value,
    ]),
  );
}

async function untilEnded(gateway: GatewayFixture): Promise<void> {
  while (gateway.shadows.size > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("a shadow", () => {
  test.each([false, true])("gets a copy and takes units of its own (streamed: %s)", async (stream) => {
    const { b, gateway } = await shadowed(good);
    gateway.advance(10);
    const answer = await gateway.ask({ model: "seen", user: "u", ...(stream && { stream }) });
    expect(stream ? answer.body.endsWith(DONE_FRAME) : answer.body === answerBody()).toBe(true);
    expect(answer.headers).toMatchObject({ "x-sluice-provider": "a", "x-sluice-attempts": "1" });
    await untilEnded(gateway);
    const copy = (await b.request(0)).json();
    expect(copy).toMatchObject({ model: "n", user: "u", messages: [] });
    expect(await gateway.settled()).toEqual({ requests: 2, tokens: 34, concurrent: 0 });
    expect(gateway.records).toMatchObject([{ provider: "a", attempts: 1, outcome: "ok" }]);
    expect(samples(gateway)).toMatchObject({
      "requests_total ok": 1,
      "requests_total failed": 0,
      answers_total: 1,
      output_tokens_total: 5,
    });
  });

  test("that can't be asked this is one that failed, and nobody's fault", async () => {
    const { b, gateway } = await shadowed(good, { dialects: { b: "anthropic" } });
    const content = [{ type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }];
    const answer = await gateway.ask({ model: "seen", messages: [{ role: "user", content }] });
    expect(answer.body).toBe(answerBody());
    await untilEnded(gateway);
    expect(b.requests).toEqual([]);
    expect(samples(gateway)).toMatchObject({ "requests_total failed": 1 });
    expect((await gateway.settled()).requests).toBe(1);
  });

  test.each([
    ["is broken", broken],
    ["is refused", refusing],
  ] as const)("that %s concerns nobody", async (_, script) => {
    const { gateway } = await shadowed(script);
    expect((await gateway.ask({ model: "seen" })).body).toBe(answerBody());
    await untilEnded(gateway);
    await gateway.settled();
    expect(samples(gateway)).toMatchObject({ "requests_total failed": 1, answers_total: 0 });
  });

  test("that is slow holds up neither the client nor a stop", async () => {
    const { b, gateway } = await shadowed(silent);
    expect((await gateway.ask({ model: "seen" })).body).toBe(answerBody());
    const copy = await b.request(0);
    await gateway.gateway.idle();
    expect(gateway.shadows.size).toBe(1);
    gateway.gateway.stopShadows();
    await copy.closed;
    await untilEnded(gateway);
    await gateway.settled();
    // From now on none is sent.
    await gateway.ask({ model: "seen" });
    expect(b.requests).toHaveLength(1);
  });

  test("outlives its client", async () => {
    const { b, gateway } = await shadowed(silent);
    await gateway.ask({ model: "seen" });
    good(await b.request(0));
    await untilEnded(gateway);
    expect(samples(gateway)).toMatchObject({ "requests_total ok": 1 });
    await gateway.settled();
  });

  test("is left out where there is no room, and waits for none", async () => {
    const { b, gateway } = await shadowed(silent, { limits: "[ { requests: 60/min, burst: 2 } ]" });
    for (let count = 0; count < 2; count++) {
      expect((await gateway.ask({ model: "seen" })).status).toBe(200);
      gateway.solo.flush();
    }
    expect(b.requests).toHaveLength(2);
    gateway.solo.limiter.holdBack("b", Infinity);
    gateway.advance(1100);
    expect((await gateway.ask({ model: "seen" })).status).toBe(200);
    expect(samples(gateway)).toMatchObject({ "requests_total skipped": 1 });
    expect(gateway.solo.limiter.waiting).toBe(0);
    gateway.gateway.stopShadows();
    await untilEnded(gateway);
    await gateway.settled();
  });

  test("takes nothing from the client's key", async () => {
    const { gateway } = await shadowed(good, {
      config: "keys: [ { name: k, key: secret-of-k, limits: [ { requests: 5/min } ] } ]",
    });
    await gateway.ask({ model: "seen" }, undefined, { authorization: "Bearer secret-of-k" });
    await untilEnded(gateway);
    const used = [...gateway.solo.limiter.samples()].find(
      ({ name, labels }) => name.endsWith("taken_units_total") && labels["bucket"] === "key/k/requests/min",
    );
    expect(used?.value).toBe(1);
    await gateway.settled();
  });

  test("is never more than so many at a time", async () => {
    const { b, gateway } = await shadowed(silent, { limits: "[]" });
    const client = gateway.client();
    for (let count = 0; count < 70; count++) await gateway.ask({ model: "seen" });
    client.close();
    expect(gateway.shadows.size).toBe(64);
    expect(samples(gateway)).toMatchObject({ "requests_total skipped": 6 });
    while (b.requests.length < 64) await new Promise((resolve) => setImmediate(resolve));
    gateway.gateway.stopShadows();
    await untilEnded(gateway);
    await gateway.settled();
  });

  test.each([
    [0, 0],
    [30, 9],
  ])("of %i percent gets about that share", async (percent, expected) => {
    let draw = 0;
    const { gateway } = await shadowed(good, { random: () => (draw++ % 10) / 10, limits: "[]" }, percent);
    for (let count = 0; count < 30; count++) await gateway.ask({ model: "seen" });
    await untilEnded(gateway);
    expect(samples(gateway)["requests_total ok"] ?? 0).toBe(expected);
    await gateway.settled();
  });

  test("gets nothing that leaves something behind at the provider", async () => {
    const { b, gateway } = await shadowed(good, { provider: "endpoints: [chat, responses]" });
    await gateway.ask({ model: "seen", input: "x" }, "/v1/responses");
    await gateway.settled();
    expect(b.requests).toHaveLength(0);
  });
});
