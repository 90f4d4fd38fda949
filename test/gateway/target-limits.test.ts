// What a provider says about its limits, through a whole gateway: limits are learned, levels come down, and a refusal
// pauses the one it speaks of.
import { describe, expect, test } from "vitest";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import { answerBody, scriptedUpstream, type Script } from "./scripted-upstream.ts";

const ERROR = '{"error":{"message":"slow down","type":"rate_limit_error","code":null}}';

/** An answer that shows this many requests a minute, of which some are left. */
function shows(limit: number, remaining: number, more: Readonly<Record<string, string>> = {}): Script {
  return (request) =>
    request.answer(200, answerBody("a"), {
      "x-ratelimit-limit-requests": String(limit),
      "x-ratelimit-remaining-requests": String(remaining),
      "x-ratelimit-reset-requests": `${((limit - remaining) * 60) / limit}s`,
      ...more,
    });
}

function sample(gateway: GatewayFixture, name: string, bucket: string): number | undefined {
  const all = [...gateway.solo.limiter.samples()];
  return all.find((one) => one.name === `sluice_bucket_${name}` && one.labels["bucket"] === bucket)?.value;
}

async function ask(gateway: GatewayFixture, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await gateway.ask({ model: "a/m" });
    gateway.advance(300);
  }
}

describe("limits: auto", () => {
  test("learns a limit from three answers and keeps it from then on", async () => {
    const upstream = await scriptedUpstream(shows(4, 3));
    const gateway = await startGateway({
      providers: { a: upstream },
      limits: "auto",
      config: "queue: { max_wait: 0s }",
    });
    await ask(gateway, 2);
    expect(sample(gateway, "capacity_units", "a/m/requests/min")).toBeUndefined();
    await ask(gateway, 1);
    expect(sample(gateway, "capacity_units", "a/m/requests/min")).toBe(4);
    await ask(gateway, 10);
    expect((await gateway.ask({ model: "a/m" })).status).toBe(429);
    // Three before it was known, and four of the limit.
    expect(upstream.requests).toHaveLength(7);
    await gateway.settled();
  });

  test("learns nothing where limits are written down", async () => {
    const upstream = await scriptedUpstream(shows(4, 3));
    const gateway = await startGateway({ providers: { a: upstream } });
    await ask(gateway, 5);
    expect(sample(gateway, "capacity_units", "a/m/requests/min")).toBeUndefined();
    expect(sample(gateway, "capacity_units", "a/requests/min")).toBe(1000);
  });
});

describe("a provider with fewer units left than we believe", () => {
  test("has others using the account: the level comes down to what it says", async () => {
    const upstream = await scriptedUpstream(shows(1000, 300));
    const gateway = await startGateway({ providers: { a: upstream } });
    await gateway.ask({ model: "a/m" });
    expect(sample(gateway, "lowered_units_total", "a/requests/min")).toBe(699);
    expect(sample(gateway, "level_units", "a/requests/min")).toBe(300);
    await gateway.settled();
  });

  test("is believed again only after siblings could have done their part", async () => {
    const upstream = await scriptedUpstream(shows(1000, 300), shows(1000, 200), shows(1000, 200));
    const gateway = await startGateway({ providers: { a: upstream } });
    await ask(gateway, 2);
    expect(sample(gateway, "lowered_units_total", "a/requests/min")).toBe(699);
    gateway.advance(3000);
    await ask(gateway, 1);
    expect(sample(gateway, "lowered_units_total", "a/requests/min")).toBeGreaterThan(750);
  });

  test("never makes debt, and more left than we believe changes nothing", async () => {
    const upstream = await scriptedUpstream(shows(1000, 0), shows(1000, 999));
    const gateway = await startGateway({ providers: { a: upstream } });
    await ask(gateway, 1);
    expect(sample(gateway, "level_units", "a/requests/min")).toBeGreaterThanOrEqual(0);
    gateway.advance(3000);
    await ask(gateway, 1);
    expect(sample(gateway, "level_units", "a/requests/min")).toBeLessThan(100);
    expect(sample(gateway, "capacity_units", "a/requests/min")).toBe(1000);
  });
});

describe("a refusal that asks for a pause", () => {
  const refuses: Script = (request) => request.answer(429, ERROR, { "retry-after": "7" });
  const CONFIG = "retry: { attempts: 1 }\nqueue: { max_wait: 0s }";

  test.each([
    ["the provider where its limits are the provider's", "[ { requests: 1000/min } ]", 1],
    ["the model where the provider has no limit of its own", "[ { concurrent: 8 } ]", 2],
    ["the model where limits are learned", "auto", 2],
  ])("holds back %s", async (_, limits, sent) => {
    const upstream = await scriptedUpstream(refuses);
    const gateway = await startGateway({ providers: { a: upstream }, limits, config: CONFIG });
    for (const model of ["a/m", "a/m", "a/other", "a/other"]) {
      expect((await gateway.ask({ model })).status).toBe(429);
    }
    expect(upstream.requests).toHaveLength(sent);
    gateway.advance(7001);
    await gateway.ask({ model: "a/m" });
    expect(upstream.requests).toHaveLength(sent + 1);
    await gateway.settled();
  });

  test("holds back the model whose limit it shows as spent", async () => {
    const spent = {
      "retry-after": "7",
      "x-ratelimit-limit-tokens": "500",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "60s",
    };
    const upstream = await scriptedUpstream((request) => request.answer(429, ERROR, spent));
    const gateway = await startGateway({
      providers: { a: upstream },
      limits: "[ { requests: 1000/min } ]",
      models: "{ m: { limits: [ { tokens: 500/min } ] } }",
      config: CONFIG,
    });
    for (const model of ["a/m", "a/m", "a/other"]) await gateway.ask({ model });
    expect(upstream.requests).toHaveLength(2);
    await gateway.settled();
  });
});
