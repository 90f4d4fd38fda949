// A request whose answer is slow in coming goes to a second target too: who wins, what becomes of the other, what it
// costs, and when it is left alone.
import { describe, expect, test } from "vitest";
import { startGateway, type GatewayFixture, type GatewayOptions } from "./gateway-fixture.ts";
import { answerBody, DONE_FRAME, good, scriptedUpstream, type Script } from "./scripted-upstream.ts";

const silent: Script = () => undefined;
const busy: Script = (request) => request.answer(503, '{"error":{"message":"busy"}}');

/** What some languages have no words for. */
const SPOKEN = [
  { role: "user", content: [{ type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }] },
];

/** Two providers in order, and hedges after a second. */
async function pair(first: Script, second: Script, options: Partial<GatewayOptions> = {}) {
  const [a, b] = [await scriptedUpstream(first), await scriptedUpstream(second)];
  const gateway = await startGateway({ providers: { a, b }, config: "hedge: { after: 1s }", ...options });
  return { a, b, gateway };
}

/** Units that a provider's bucket has lost for good. */
function spent(gateway: GatewayFixture, bucket: string): number {
  const values = new Map(
    [...gateway.solo.limiter.samples()]
      .filter(({ labels }) => labels["bucket"] === bucket)
      .map(({ name, value }) => [name, value]),
  );
  const of = (name: string): number => values.get(`sluice_bucket_${name}_units_total`) ?? 0;
  return of("taken") + of("overrun") - of("returned");
}

const FORMS = [false, true];

describe("a slow first target", () => {
  test.each(FORMS)("loses to the second, and is cancelled and counted (streamed: %s)", async (stream) => {
    const { a, b, gateway } = await pair(silent, good);
    const answer = gateway.ask({ model: "any", ...(stream && { stream }) });
    const first = await a.request(0);
    gateway.advance(999);
    expect(b.requests).toEqual([]);
    gateway.advance(1);
    const { status, headers, body } = await answer;
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "x-sluice-provider": "b", "x-sluice-attempts": "2" });
    expect(stream ? body.endsWith(DONE_FRAME) : body === answerBody()).toBe(true);
    await first.closed;
    const { requests } = await gateway.settled();
    expect(requests).toBe(2);
    expect(spent(gateway, "b/tokens/min")).toBe(17);
    // It has read the prompt, as far as anybody knows.
    expect(spent(gateway, "a/tokens/min")).toBeGreaterThan(0);
    expect(gateway.records).toMatchObject([
      { provider: "b", attempts: 2, outcome: "ok", usage: { outputTokens: 5 } },
    ]);
    expect([...gateway.hedges.samples()].map(({ value }) => value)).toEqual([1, 1]);
    // Being outrun says nothing against a provider.
    const states = [...gateway.plant.health.circuits(gateway.solo.clock.elapsedMs())];
    expect(states.every(({ state }) => state === "closed")).toBe(true);
  });

  test.each(FORMS)("wins if it begins first all the same (streamed: %s)", async (stream) => {
    const { a, b, gateway } = await pair(silent, silent);
    const answer = gateway.ask({ model: "any", ...(stream && { stream }) });
    const first = await a.request(0);
    gateway.advance(1000);
    const second = await b.request(0);
    good(first);
    const { status, headers } = await answer;
    expect([status, headers["x-sluice-provider"]]).toEqual([200, "a"]);
    await second.closed;
    await gateway.settled();
    expect([...gateway.hedges.samples()].map(({ value }) => value)).toEqual([1, 0]);
  });

  test("that fails while the second runs leaves the answer to it", async () => {
    const { a, b, gateway } = await pair(silent, silent);
    const answer = gateway.ask({ model: "any" });
    const first = await a.request(0);
    gateway.advance(1000);
    const second = await b.request(0);
    busy(first);
    await new Promise((resolve) => setImmediate(resolve));
    good(second);
    expect(await answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "b" } });
    await gateway.settled();
  });

  test("and a second that can't be asked this: the client waits for the first", async () => {
    const { a, b, gateway } = await pair(silent, good, { dialects: { b: "anthropic" } });
    const answer = gateway.ask({ model: "any", messages: SPOKEN });
    const first = await a.request(0);
    gateway.advance(1000);
    good(first);
    expect(await answer).toMatchObject({
      status: 200,
      headers: { "x-sluice-provider": "a", "x-sluice-attempts": "1" },
    });
    expect(b.requests).toEqual([]);
    expect((await gateway.settled()).requests).toBe(1);
    expect(gateway.records).toMatchObject([{ provider: "a", outcome: "ok" }]);
    expect([...gateway.hedges.samples()]).toEqual([]);
  });

  test("and a second that fails before it: the client waits for the first", async () => {
    const { a, gateway } = await pair(silent, busy);
    const answer = gateway.ask({ model: "any" });
    const first = await a.request(0);
    gateway.advance(1000);
    await untilRunning(gateway, 1);
    good(first);
    expect(await answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "a" } });
    await gateway.settled();
  });

  test("both fail: the last failure is the client's, and nobody is asked a third time", async () => {
    const { a, b, gateway } = await pair(silent, busy);
    const answer = gateway.ask({ model: "any" });
    const first = await a.request(0);
    gateway.advance(1000);
    await b.request(0);
    await untilRunning(gateway, 1);
    first.answer(500, '{"error":{"message":"broken"}}');
    expect(await answer).toMatchObject({ status: 502, headers: { "x-sluice-attempts": "2" } });
    expect(a.requests).toHaveLength(1);
    expect(b.requests).toHaveLength(1);
    await gateway.settled();
  });

  test("a third target is tried when both have failed", async () => {
    const [a, b, c] = await Promise.all([
      scriptedUpstream(silent),
      scriptedUpstream(busy),
      scriptedUpstream(good),
    ]);
    const gateway = await startGateway({
      providers: { a, b, c },
      config: "hedge: { after: 1s }\nretry: { attempts: 3 }",
    });
    const answer = gateway.ask({ model: "any" });
    const first = await a.request(0);
    gateway.advance(1000);
    await b.request(0);
    await untilRunning(gateway, 1);
    busy(first);
    expect(await answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "c" } });
    await gateway.settled();
  });

  test("a client that leaves ends both", async () => {
    const { a, b, gateway } = await pair(silent, silent);
    const client = gateway.client();
    client.send(
      'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 29\r\n\r\n{"model":"any","messages":[]}',
    );
    const first = await a.request(0);
    gateway.advance(1000);
    const second = await b.request(0);
    client.close();
    await Promise.all([first.closed, second.closed]);
    await gateway.settled();
    expect(gateway.records).toMatchObject([{ outcome: "client_gone", attempts: 2 }]);
  });
});

/** Lets the loop turn until only so many calls are under way. */
async function untilRunning(gateway: GatewayFixture, calls: number): Promise<void> {
  while (gateway.watch.size > calls) await new Promise((resolve) => setImmediate(resolve));
}

describe("nothing is hedged", () => {
  async function isHedged(
    options: Partial<GatewayOptions>,
    body: object = {},
    path?: string,
  ): Promise<boolean> {
    // An answer on each of these routes.
    const fits: Script = (request) => request.answer(200, answerBody("Hello", { output: [] }));
    const { a, b, gateway } = await pair(silent, fits, options);
    const answer = gateway.ask({ model: "any", input: "x", prompt: "x", ...body }, path);
    const first = await a.request(0);
    gateway.advance(5000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    const hedged = b.requests.length > 0;
    if (!hedged) fits(first);
    await answer;
    await gateway.settled();
    return hedged;
  }
  const native = "endpoints: [chat, responses, completions]";

  test.each([
    ["unless it is wanted", { config: "" }, {}, undefined, false],
    ["beyond the share of requests", { config: "hedge: { after: 1s, percent: 0 }" }, {}, undefined, false],
    [
      "beyond the retry budget",
      { config: "hedge: { after: 1s }\nretry: { budget: { percent: 0, saved: 0 } }" },
      {},
      undefined,
      false,
    ],
    ["beyond the attempts", { config: "hedge: { after: 1s }\nretry: { attempts: 1 }" }, {}, undefined, false],
    ["that leaves something behind", { provider: native }, {}, "/v1/responses", false],
    [
      "else, unless it is allowed",
      { provider: native, config: "hedge: { after: 1s, endpoints: [ responses ] }" },
      {},
      "/v1/responses",
      true,
    ],
    ["but completions are", { provider: native }, {}, "/v1/completions", true],
    ["before anything is known of the target", { config: "hedge: { after: p95 }" }, {}, undefined, false],
    ["where there is one target", {}, { model: "a/m" }, undefined, false],
  ] as const)("%s", async (_, options, body, path, expected) => {
    expect(await isHedged(options, body, path)).toBe(expected);
  });

  test("where the second target has no room: it is not waited for", async () => {
    const { a, b, gateway } = await pair(silent, good, { limits: "[ { concurrent: 1 } ]" });
    const direct = gateway.ask({ model: "b/m" });
    await direct;
    const holding = gateway.ask({ model: "any" });
    const first = await a.request(0);
    gateway.solo.limiter.holdBack("b", gateway.solo.clock.elapsedMs() + 60_000);
    gateway.advance(2000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(b.requests).toHaveLength(1);
    good(first);
    expect((await holding).status).toBe(200);
    await gateway.settled();
  });
});

test("a percentile is that of the target's own answers in the same form", async () => {
  const [a, b] = [await scriptedUpstream(silent), await scriptedUpstream(good)];
  const gateway = await startGateway({ providers: { a, b }, config: "hedge: { after: p90, min: 10ms }" });
  const { latencies } = gateway.plant.health.of("a", "m", "");
  for (let count = 0; count < 100; count++) latencies.whole.observe(count < 80 ? 300 : 3000);
  const answer = gateway.ask({ model: "any" });
  await a.request(0);
  gateway.advance(2900);
  expect(b.requests).toEqual([]);
  // The histogram is up to 19 % coarse.
  gateway.advance(700);
  expect(await answer).toMatchObject({ status: 200, headers: { "x-sluice-provider": "b" } });
  await gateway.settled();
});
