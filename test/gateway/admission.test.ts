// Requests that wait with more than one place to go.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import { answerBody, scriptedUpstream, type UpstreamRequest } from "./scripted-upstream.ts";

/** Providers `a` and `b`, each of which runs one request at a time and answers when told to. */
async function busyPair(config = "") {
  const asked: Record<string, UpstreamRequest[]> = { a: [], b: [] };
  const a = await scriptedUpstream((request) => void asked["a"]?.push(request));
  const b = await scriptedUpstream((request) => void asked["b"]?.push(request));
  const gateway = await startGateway({ providers: { a, b }, limits: "[ { concurrent: 1 } ]", config });
  const answers = [gateway.ask({ model: "any" }), gateway.ask({ model: "any" })];
  await until(() => a.requests.length === 1 && b.requests.length === 1);
  return { gateway, asked, answers, a, b };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

function waiting(gateway: GatewayFixture): number {
  return gateway.solo.limiter.waiting;
}

/** The limiter's own alarm rings in vain and is not set again; one that looks round would be. */
function expectNoTimer(gateway: GatewayFixture): void {
  gateway.advance(60_000);
  expect(gateway.solo.clock.pending()).toBe(0);
}

describe("a request in line", () => {
  test("goes to another target that gets room sooner, and nobody is left in the line it came from", async () => {
    const { gateway, asked, answers, b } = await busyPair();
    const third = gateway.ask({ model: "any" });
    await until(() => waiting(gateway) === 1);
    asked["b"]?.[0]?.answer(200, answerBody("first of b"));
    await answers[1];
    gateway.advance(100);
    await until(() => b.requests.length === 2);
    expect(waiting(gateway)).toBe(0);
    asked["b"]?.[1]?.answer(200, answerBody("second of b"));
    expect((await third).headers["x-sluice-provider"]).toBe("b");
    expect(gateway.records.at(-1)?.waitedMs).toBe(100);
    asked["a"]?.[0]?.answer(200, answerBody("a"));
    await Promise.all(answers);
    await gateway.settled();
  });

  test("is served where it stands when that comes first, and looks no further", async () => {
    const { gateway, asked, answers } = await busyPair();
    const third = gateway.ask({ model: "any" });
    await until(() => waiting(gateway) === 1);
    asked["a"]?.[0]?.answer(200, answerBody());
    await until(() => asked["a"]?.length === 2);
    gateway.advance(500);
    asked["a"]?.[1]?.answer(200, answerBody());
    expect((await third).headers["x-sluice-provider"]).toBe("a");
    asked["b"]?.[0]?.answer(200, answerBody());
    await Promise.all(answers);
    await gateway.settled();
    expectNoTimer(gateway);
  });

  test("that leaves is in no line any more", async () => {
    const { gateway, asked, answers } = await busyPair();
    const client = gateway.client();
    client.send(jsonRequest({ model: "any", messages: [] }));
    await until(() => waiting(gateway) === 1);
    client.close();
    await until(() => waiting(gateway) === 0);
    gateway.advance(500);
    for (const name of ["a", "b"]) asked[name]?.[0]?.answer(200, answerBody());
    await Promise.all(answers);
    await gateway.settled();
    expectNoTimer(gateway);
  });

  test("stands in the next line when the soonest is full", async () => {
    const { gateway, asked, answers, a, b } = await busyPair("queue: { max_length: 1 }");
    gateway.solo.limiter.lineLengthMax = 1;
    const more = [gateway.ask({ model: "any" }), gateway.ask({ model: "any" })];
    await until(() => waiting(gateway) === 2);
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    for (const name of ["a", "b"]) asked[name]?.[0]?.answer(200, answerBody());
    await until(() => a.requests.length === 2 && b.requests.length === 2);
    for (const name of ["a", "b"]) asked[name]?.[1]?.answer(200, answerBody());
    for (const answer of await Promise.all([...answers, ...more])) expect(answer.status).toBe(200);
    await gateway.settled();
  });

  test("waits no longer than the request has in all", async () => {
    const { gateway, asked, answers } = await busyPair(
      "queue: { max_wait: 60s }\ntimeouts: { first_token: 20s, total: 20s }",
    );
    const third = gateway.ask({ model: "any" });
    await until(() => waiting(gateway) === 1);
    // The clients of both providers' own requests hear of the same deadline.
    gateway.advance(20_100);
    expect((await third).status).toBeGreaterThanOrEqual(429);
    expect(waiting(gateway)).toBe(0);
    for (const name of ["a", "b"]) asked[name]?.[0]?.answer(200, answerBody());
    await Promise.all(answers);
    await gateway.settled();
  });
});

describe("a refusal", () => {
  const limits = "[ { requests: 1/min } ]";

  test("says who had no room, that nobody was tried, and what is left", async () => {
    const a = await scriptedUpstream((request) => request.answer(200, answerBody()));
    const gateway = await startGateway({ providers: { a }, limits, config: "queue: { max_wait: 0s }" });
    await gateway.ask({ model: "any" });
    const refused = await gateway.ask({ model: "any" });
    expect(refused).toMatchObject({
      status: 429,
      headers: {
        "x-sluice-provider": "a",
        "x-sluice-model": "m",
        "x-sluice-attempts": "0",
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "x-request-id": expect.any(String),
      },
    });
    await gateway.settled();
  });

  test("is counted once, and not where another target took the request", async () => {
    const a = await scriptedUpstream((request) => request.answer(200, answerBody()));
    const b = await scriptedUpstream((request) => request.answer(200, answerBody()));
    const gateway = await startGateway({ providers: { a, b }, limits, config: "queue: { max_wait: 0s }" });
    const refusals = () =>
      [...gateway.solo.limiter.samples()]
        .filter(({ name, value }) => name === "sluice_bucket_refused_requests_total" && value > 0)
        .map(({ labels, value }) => `${labels?.["bucket"]}: ${value}`);
    for (const status of [200, 200]) expect((await gateway.ask({ model: "any" })).status).toBe(status);
    expect(refusals()).toEqual([]);
    expect((await gateway.ask({ model: "any" })).status).toBe(429);
    expect(refusals()).toEqual(["a/requests/min: 1"]);
    await gateway.settled();
  });

  test("of several targets tells of the one that has room soonest", async () => {
    const a = await scriptedUpstream((request) => request.answer(200, answerBody()));
    const b = await scriptedUpstream((request) => request.answer(200, answerBody()));
    const gateway = await startGateway({ providers: { a, b }, limits, config: "queue: { max_wait: 0s }" });
    await gateway.ask({ model: "any" });
    gateway.advance(10_000);
    await gateway.ask({ model: "any" });
    const refused = await gateway.ask({ model: "any" });
    expect(refused.headers).toMatchObject({
      "x-sluice-provider": "a",
      "x-ratelimit-reset-requests": "50s",
      "retry-after": "50",
    });
    await gateway.settled();
  });

  test("of what no provider was asked for names none", async () => {
    const a = await scriptedUpstream(() => undefined);
    const gateway = await startGateway({ providers: { a } });
    const refused = await gateway.ask({ model: "unknown" });
    expect(refused).toMatchObject({ status: 404, headers: { "x-sluice-attempts": "0" } });
    expect(refused.headers).not.toHaveProperty("x-sluice-provider");
    await gateway.settled();
  });
});
