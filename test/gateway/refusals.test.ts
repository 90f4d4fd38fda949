// A provider that refuses what had its units here breaks the gateway's promise, also where a retry or a fallback mends
// the request: each such attempt is told with what was left of the limits.
import { describe, expect, test, vi } from "vitest";
import { startGateway, type GatewayOptions, WAYS } from "./gateway-fixture.ts";
import { answerBody, contentFrame, good, scriptedUpstream, type Script, USAGE } from "./scripted-upstream.ts";

const SLOW_DOWN = '{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}';
const LIMITS = "[ { requests: 60/min }, { tokens: 1000/min }, { usd: 5/day } ]";
const PRICED = "{ m: { prices: { input: 1, output: 1 } } }";

const refuses =
  (body = SLOW_DOWN, status = 429, headers: Readonly<Record<string, string>> = {}): Script =>
  (request) =>
    request.answer(status, body, headers);

/** One request to a provider that answers so; a second provider is there for what the first does not do. */
async function ask(script: Script, options: Partial<GatewayOptions> = {}, body: object = {}) {
  const [a, b] = [await scriptedUpstream(script), await scriptedUpstream(good)];
  const gateway = await startGateway({
    providers: { a, b },
    limits: LIMITS,
    models: PRICED,
    ...options,
  });
  const { status } = await gateway.ask({ model: "any", ...body });
  await gateway.settled();
  return { gateway, status, refusals: gateway.refusals };
}

describe("a refusal", () => {
  test("that a fallback mends is told, with what the fleet had left of each limit", async () => {
    const { gateway, status, refusals } = await ask(refuses(SLOW_DOWN, 429, { "retry-after": "7" }));
    expect(status).toBe(200);
    expect(gateway.records.map(({ errorCode, attempts }) => [errorCode, attempts])).toEqual([["", 2]]);
    expect(refusals).toEqual([
      {
        provider: "a",
        model: "m",
        limits: [
          { limit: "a/requests/min", level: 59, capacity: 60 },
          { limit: "a/tokens/min", level: expect.any(Number), capacity: 1000 },
        ],
        waitMs: 7000,
      },
    ]);
    const tokens = refusals[0]?.limits[1]?.level ?? NaN;
    expect(tokens).toBeGreaterThan(0);
    expect(tokens).toBeLessThan(1000);
  });

  test("is told with the level of before, not with what the provider says is left", async () => {
    const spent = {
      "x-ratelimit-limit-requests": "60",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "60s",
    };
    const { refusals } = await ask(refuses(SLOW_DOWN, 429, spent));
    expect(refusals[0]?.limits[0]?.level).toBe(59);
  });

  test.each(WAYS)("inside an answer is told once, answers passed on $way", async ({ quirks }) => {
    expect((await ask(refuses(SLOW_DOWN, 200), { quirks })).refusals).toHaveLength(1);
    const first: Script = (request) => request.streamHead().chunk(`data: ${SLOW_DOWN}\n\n`).endChunks();
    const late: Script = (request) =>
      request.streamHead().chunk(contentFrame("Hel", null)).chunk(`data: ${SLOW_DOWN}\n\n`).endChunks();
    for (const script of [first, late]) {
      expect((await ask(script, { quirks }, { stream: true })).refusals).toHaveLength(1);
    }
  });

  test.each([
    ["the wait that it names", SLOW_DOWN, { "retry-after": "3600" }, 3_600_000],
    [
      "its words",
      '{"error":{"message":"Limit on requests per day (RPD) reached","code":"rate_limit_exceeded"}}',
      {},
      null,
    ],
    [
      "the quota that it names",
      '{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}',
      {},
      expect.any(Number),
    ],
  ])("for a limit of a day, by %s, is told as well", async (_, body, headers, waitMs) => {
    const { refusals } = await ask(refuses(body, 429, headers), { limits: "[ { requests: 50/day } ]" });
    expect(refusals).toEqual([
      { provider: "a", model: "m", limits: [{ limit: "a/requests/day", level: 49, capacity: 50 }], waitMs },
    ]);
  });

  test("of what is passed through is told, and goes to the client as it is", async () => {
    const a = await scriptedUpstream(refuses());
    const gateway = await startGateway({ providers: { a } });
    const answer = await gateway.ask({}, "/providers/a/files");
    await gateway.settled();
    expect([answer.status, answer.body]).toEqual([429, SLOW_DOWN]);
    expect(gateway.refusals).toMatchObject([{ provider: "a", model: "*", waitMs: null }]);
  });

  test("by a provider without limits is told without limits", async () => {
    const { refusals } = await ask(refuses(), { limits: "[]" });
    expect(refusals).toEqual([{ provider: "a", model: "m", limits: [], waitMs: null }]);
  });

  test("after others have used more than they had reserved is told with the debt", async () => {
    const a = await scriptedUpstream(
      () => undefined,
      (request) => request.answer(200, answerBody("a", { usage: { ...USAGE, completion_tokens: 9000 } })),
    );
    const gateway = await startGateway({ providers: { a }, limits: "[ { output_tokens: 8000/min } ]" });
    const first = gateway.ask({ model: "any", max_tokens: 100 });
    const refused = await a.request(0);
    await gateway.ask({ model: "any", max_tokens: 100 });
    refuses()(refused);
    await vi.waitUntil(() => gateway.refusals.length > 0, { timeout: 5000, interval: 5 });
    expect(gateway.refusals).toMatchObject([{ limits: [{ level: 8000 - 100 - 9000, capacity: 8000 }] }]);
    gateway.advance(120_000);
    await first;
  });

  test.each([
    ["for want of money", refuses('{"error":{"message":"quota","code":"insufficient_quota"}}')],
    ["because it is overloaded", refuses('{"error":{"message":"overloaded"}}', 503)],
    ["because it is overloaded, by a status of its own", refuses('{"error":{"message":"overloaded"}}', 529)],
    ["because the request is wrong", refuses('{"error":{"message":"wrong"}}', 400)],
  ])("%s is none of these", async (_, script) => {
    expect((await ask(script)).refusals).toEqual([]);
  });
});
