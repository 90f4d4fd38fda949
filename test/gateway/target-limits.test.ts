// What a provider says about its limits, through a whole gateway: limits are learned, levels come down, and a refusal
// pauses the one it speaks of.
import { describe, expect, test, vi } from "vitest";
import { startGateway, type GatewayFixture } from "./gateway-fixture.ts";
import { answerBody, scriptedUpstream, type Script } from "./scripted-upstream.ts";

const ERROR = '{"error":{"message":"slow down","type":"rate_limit_error","code":null}}';
/** For what comes by itself; generous, for machines are busy. */
const WAIT = { timeout: 5000, interval: 5 };
const BAD = '{"error":{"message":"no","type":"invalid_request_error","code":null}}';

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

  test.each([
    ["a window of nothing", { "x-ratelimit-limit-req-0-second": "5" }, {}],
    ["a window of ages", { [`x-ratelimit-limit-req-${"9".repeat(30)}-day`]: "5" }, {}],
    ["more than can be counted", { "x-ratelimit-limit-req-minute": "9".repeat(30) }, {}],
    ["less than one", { "x-ratelimit-limit-req-minute": "0.3" }, {}],
    ["nothing", { "x-ratelimit-limit-req-minute": "0", "x-ratelimit-remaining-req-minute": "0" }, {}],
    ["a debt", { "x-ratelimit-limit-req-minute": "-1", "x-ratelimit-remaining-req-minute": "-1" }, {}],
    ["no number", { "x-ratelimit-limit-req-minute": "NaN", "x-ratelimit-remaining-req-minute": "lots" }, {}],
    ["a policy without a window", { "ratelimit-policy": '"default";q=100;w=0' }, {}],
    ["bytes", { "ratelimit-policy": '"api";q=5;w=60;qu="content-bytes"', ratelimit: '"api";r=0;t=60' }, {}],
    ["fractions", { "x-ratelimit-limit-req-minute": "90.7" }, { "a/m/requests/min": 90 }],
    [
      "several in one header",
      {
        "ratelimit-policy": '"burst";q=50;w=1, "day";q=5000;w=86400',
        ratelimit: '"burst";r=50;t=1, "day";r=4999;t=60',
      },
      { "a/m/requests/s": 50, "a/m/requests/day": 5000 },
    ],
    ["one twice", { "x-ratelimit-limit-req-minute": "90, 90" }, { "a/m/requests/min": 90 }],
  ])("of a provider that tells of %s is what makes sense", async (_, headers, expected) => {
    const upstream = await scriptedUpstream((request) => request.answer(200, answerBody("a"), headers));
    const gateway = await startGateway({ providers: { a: upstream }, limits: "auto" });
    await ask(gateway, 5);
    expect(gateway.records.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => "ok"));
    const capacities = [...gateway.solo.limiter.samples()]
      .filter(({ name }) => name === "sluice_bucket_capacity_units")
      .map(({ labels, value }) => [labels["bucket"], value]);
    expect(Object.fromEntries(capacities)).toEqual(expected);
    await gateway.settled();
  });

  test("are not learned from errors, which may come from whoever stands before the provider", async () => {
    const headers = { "x-ratelimit-limit-req-minute": "3", "x-ratelimit-remaining-req-minute": "0" };
    const upstream = await scriptedUpstream((request) => request.answer(400, BAD, headers));
    const gateway = await startGateway({ providers: { a: upstream }, limits: "auto" });
    await ask(gateway, 5);
    expect(upstream.requests).toHaveLength(5);
    expect(sample(gateway, "capacity_units", "a/m/requests/min")).toBeUndefined();
    await gateway.settled();
  });

  test.each([["1e400"], [String(10 ** 20)], ["-5"], ["many"], [null]])(
    "of a refusal's quota of %s is none",
    async (quotaValue) => {
      const violations = [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel", quotaValue }];
      const body = JSON.stringify({ error: { status: "RESOURCE_EXHAUSTED", details: [{ violations }] } });
      let isFirst = true;
      const upstream = await scriptedUpstream((request) => {
        request.answer(isFirst ? 429 : 200, isFirst ? body : answerBody("a"));
        isFirst = false;
      });
      const gateway = await startGateway({
        providers: { a: upstream },
        limits: "auto",
        config: "retry: { attempts: 1 }",
      });
      await ask(gateway, 1);
      gateway.advance(1000);
      await ask(gateway, 3);
      expect(sample(gateway, "capacity_units", "a/m/requests/min")).toBeUndefined();
      expect(gateway.records.at(-1)?.outcome).toBe("ok");
      await gateway.settled();
    },
  );

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

  test("may have got units back since it was asked", async () => {
    const answers: (() => void)[] = [];
    const upstream = await scriptedUpstream((request) => {
      answers.push(() => shows(1000, 300)(request));
    });
    const gateway = await startGateway({ providers: { a: upstream } });
    const asked = gateway.ask({ model: "a/m" });
    await vi.waitUntil(() => answers.length === 1, WAIT);
    gateway.advance(6000);
    answers[0]?.();
    await asked;
    expect(sample(gateway, "level_units", "a/requests/min")).toBe(400);
    await gateway.settled();
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

  test("without saying for how long holds back a little, and longer each time until there is an answer", async () => {
    let isRefusing = true;
    const upstream = await scriptedUpstream((request) =>
      isRefusing ? request.answer(429, ERROR) : request.answer(200, answerBody("a")),
    );
    const gateway = await startGateway({ providers: { a: upstream }, config: CONFIG });
    /** Whether a request is sent after this time. */
    const isSentAfter = async (ms: number): Promise<boolean> => {
      const before = upstream.requests.length;
      gateway.advance(ms);
      await gateway.ask({ model: "a/m" });
      return upstream.requests.length > before;
    };
    const sent: boolean[] = [];
    for (const ms of [0, 499, 1, 999, 1, 1999, 1]) sent.push(await isSentAfter(ms));
    expect(sent).toEqual([true, false, true, false, true, false, true]);
    isRefusing = false;
    expect(await isSentAfter(4000)).toBe(true);
    isRefusing = true;
    for (const ms of [0, 499, 1]) sent.push(await isSentAfter(ms));
    expect(sent.slice(-3)).toEqual([true, false, true]);
    await gateway.settled();
  });

  test("without saying for how long is one with those of other requests that were under way", async () => {
    const answers: (() => void)[] = [];
    const upstream = await scriptedUpstream((request) => {
      answers.push(() => request.answer(429, ERROR));
    });
    const gateway = await startGateway({ providers: { a: upstream }, config: CONFIG });
    const asked = [1, 2, 3, 4].map(() => gateway.ask({ model: "a/m" }));
    await vi.waitUntil(() => answers.length === 4, WAIT);
    for (const answer of answers) answer();
    await Promise.all(asked);
    gateway.advance(500);
    const next = gateway.ask({ model: "a/m" });
    await vi.waitUntil(() => answers.length === 5, WAIT);
    answers[4]?.();
    await next;
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
