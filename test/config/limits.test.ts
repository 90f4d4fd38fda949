import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LimitSpec } from "../../src/config/config.ts";
import { describeLimit, toLimit } from "../../src/config/limits.ts";
import { load, problemsOf } from "./setup.ts";

async function limitsOf(yaml: string, type = "vllm"): Promise<readonly LimitSpec[]> {
  const { config } = await load(`providers: { main: { type: ${type}, api_key: k, limits: ${yaml} } }`);
  return config.providers.get("main")?.limits ?? [];
}

describe("a limit", () => {
  test.each([
    ["[ { requests: 500/min } ]", "requests 500 per min, burst 500, continuous in UTC"],
    ["[ { tokens: 200_000/min } ]", "tokens 200000 per min, burst 200000, continuous in UTC"],
    ["[ { requests: 0.5/s, burst: 3 } ]", "requests 0.5 per s, burst 3, continuous in UTC"],
    ["[ { requests: 10 / h } ]", "requests 10 per h, burst 10, continuous in UTC"],
    ["[ { usd: 0.5/day } ]", "usd 0.5 per day, burst 0.5, calendar in UTC"],
    ["[ { tokens: 1/day, burst: 1 } ]", "tokens 1 per day, burst 1, continuous in UTC"],
    ["[ { tokens: 9/month, refill: continuous } ]", "tokens 9 per month, burst 9, continuous in UTC"],
    ["[ { concurrent: 8 } ]", "concurrent 8 per null, burst 8, held in UTC"],
    ["[ { dimension: concurrent, amount: 8 } ]", "concurrent 8 per null, burst 8, held in UTC"],
    [
      "[ { dimension: requests, amount: 5, per: day, timezone: Europe/Berlin } ]",
      "requests 5 per day, burst 5, calendar in Europe/Berlin",
    ],
    [
      "[ { dimension: output_tokens, amount: 5, per: min, burst: 50, refill: continuous } ]",
      "output_tokens 5 per min, burst 50, continuous in UTC",
    ],
  ])("%s is %s", async (yaml, meaning) => {
    const limits = await limitsOf(yaml);
    const meanings = limits.map(
      ({ dimension, amount, per, burst, refill, timezone }) =>
        `${dimension} ${amount} per ${per}, burst ${burst}, ${refill} in ${timezone}`,
    );
    expect(meanings).toEqual([meaning]);
  });

  test("per day follows the provider's own day", async () => {
    const [gemini] = await limitsOf("[ { requests: 5/day } ]", "gemini");
    const [openai] = await limitsOf("[ { requests: 5/day } ]", "openai");
    expect([gemini?.refill, gemini?.timezone]).toEqual(["calendar", "America/Los_Angeles"]);
    expect(openai?.refill).toBe("continuous");
  });

  test("may be learned", async () => {
    const { config } = await load("providers: { main: { type: vllm, limits: auto } }");
    expect(config.providers.get("main")).toMatchObject({ limits: [], learnsLimits: true });
  });

  test.each([
    ["{ requests: 5 }", "expected an amount and a period such as 500/min"],
    ["{ requests: 5/minute }", 'the period must be one of s, min, h, day, month; did you mean "min"?'],
    ["{ requests: 5/fortnight }", "the period must be one of s, min, h, day, month"],
    ["{ requests: 0/min }", "the amount must be a number above zero"],
    ["{ requests: -5/min }", "the amount must be a number above zero"],
    ["{ requests: 1e3/min }", "the amount must be a number above zero"],
    ["{ requests: 9_999_999_999_999/min }", "the amount must be a number above zero"],
    ["{ requests: 0.5/min }", "set `burst` to at least 1"],
    ["{ requests: 5/min, burst: 0.5 }", "expected a number of at least 1"],
    ["{ requsts: 5/min }", 'unknown key; did you mean "requests"?'],
    ["{}", "expected one of requests, tokens"],
    ["{ requests: 5/min, tokens: 5/min }", "write requests and tokens as entries of their own"],
    ["{ requests: 5/min, dimension: tokens }", "either `dimension` or `requests`, not both"],
    ["{ requests: 5/min, per: h }", "`amount` and `per` go with `dimension` only"],
    ["{ dimension: tokens, per: h }", "the long form needs an `amount` above zero"],
    ["{ dimension: tokens, amount: 5 }", "the long form needs `per`, the period"],
    ["{ dimension: tokns, amount: 5 }", 'did you mean "tokens"?'],
    ["{ dimension: concurrent, amount: 5, per: s }", "leave `per` out"],
    ["{ dimension: concurrent, amount: 1.5 }", "the amount must be a whole number"],
    ["{ concurrent: 0 }", "expected a whole number from 1"],
    ["{ concurrent: 5, burst: 6 }", "a limit of running requests has no burst"],
    ["{ requests: 5/s, refill: calendar }", "a calendar refill needs a period of min, h, day or month"],
    ["{ requests: 5/day, refill: calendar, burst: 6 }", "a calendar refill has no burst"],
    ["{ requests: 5/day, timezone: Mars/Olympus }", "expected the IANA name of a time zone"],
    ["{ usd: 9_000_000/month }", "a limit in dollars is at most 5000000"],
    ["5", "expected keys and values"],
  ])("%s is told: %s", async (entry, problem) => {
    expect(await problemsOf(`keys: [ { name: k, key: s, limits: [ ${entry} ] } ]`)).toContain(problem);
  });

  test("counts one thing over one period once", async () => {
    expect(
      await problemsOf(
        "providers: { vllm: { limits: [ { requests: 5/min }, { requests: 9/h }, { requests: 6/min } ] } }",
      ),
    ).toBe("1:72: providers.vllm.limits[2]: there already is a limit of requests per min here");
  });
});

describe("a limit's bucket", () => {
  const spec: LimitSpec = {
    dimension: "tokens",
    amount: 60,
    per: "min",
    burst: 90,
    refill: "continuous",
    timezone: "UTC",
  };

  test.each([
    [{}, { capacity: 90, refill: { kind: "continuous", unitsPerMs: 0.001 } }],
    [
      { dimension: "usd", amount: 0.06, burst: 0.09 },
      { capacity: 90_000, refill: { kind: "continuous", unitsPerMs: 1 } },
    ],
    [
      { per: null, refill: "held", dimension: "concurrent" },
      { capacity: 90, refill: { kind: "held" } },
    ],
    [
      { per: "day", refill: "calendar" },
      { capacity: 90, refill: { kind: "calendar", period: "day", timezone: "UTC" } },
    ],
    [{ per: "month", amount: 31 }, { refill: { kind: "continuous", unitsPerMs: 1 / 86_400_000 } }],
  ] as const)("of %j is %j", (change, limit) => {
    expect(toLimit({ kind: "provider", provider: "p" }, { ...spec, ...change })).toMatchObject(limit);
  });

  test("is named after its owner, what it counts and its period", () => {
    const names = [
      toLimit({ kind: "provider", provider: "main" }, spec),
      toLimit({ kind: "model", provider: "main", model: "openai/gpt-5" }, spec),
      toLimit({ kind: "key", name: "team-a" }, { ...spec, dimension: "usd", per: "month" }),
      toLimit(
        { kind: "provider", provider: "main" },
        { ...spec, dimension: "concurrent", per: null, refill: "held" },
      ),
    ];
    expect(names.map((limit) => limit.key)).toEqual([
      "main/tokens/min",
      "main/openai/gpt-5/tokens/min",
      "key/team-a/usd/month",
      "main/concurrent",
    ]);
    expect(describeLimit(spec)).toBe("tokens: 60/min");
  });

  test("holds in a period at least what is meant, and never more in any other", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("s", "min", "h", "day", "month"),
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        (per, amount) => {
          const { refill } = toLimit({ kind: "key", name: "k" }, { ...spec, per, amount, burst: amount });
          const ms = { s: 1000, min: 60_000, h: 3_600_000, day: 86_400_000, month: 31 * 86_400_000 }[per];
          expect(refill.kind === "continuous" && refill.unitsPerMs * ms).toBeCloseTo(amount, 3);
        },
      ),
    );
  });
});
