import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { LimitReader, waitFor } from "../../providers/dialects/limits.ts";
import type { LimitHeaders, LimitReport } from "../../providers/dialects/limits.ts";
import { readTime } from "../../providers/dialects/limits-time.ts";

const NOW = Date.UTC(2026, 10, 21, 10);
const NOTHING_KNOWN: LimitHeaders = { resetUnit: null, names: {} };

/** A report in a line: `tokens 9/10 in 30s per 60s`, with `?` for what is unknown and `~` before an inferred window. */
function inWords(report: LimitReport): string {
  const { name, dimension, limit, remaining, resetMs, windowMs, isWindowInferred } = report;
  const seconds = (ms: number | null) => (ms === null ? "?" : `${Number((ms / 1000).toFixed(3))}s`);
  const counted = dimension ?? "other";
  const label = counted === name ? name : `${name}: ${counted}`;
  const window = `${isWindowInferred && windowMs !== null ? "~" : ""}${seconds(windowMs)}`;
  return `${label} ${remaining ?? "?"}/${limit ?? "?"} in ${seconds(resetMs)} per ${window}`;
}

function read(
  headers: Readonly<Record<string, string>>,
  status = 200,
  known = NOTHING_KNOWN,
): readonly string[] {
  return new LimitReader(known).read(headers, status, NOW).map(inWords);
}

/** `x-ratelimit-*` of one dimension. */
function plain(name: string, limit: string, remaining: string, reset: string): Record<string, string> {
  return {
    [`x-ratelimit-limit-${name}`]: limit,
    [`x-ratelimit-remaining-${name}`]: remaining,
    [`x-ratelimit-reset-${name}`]: reset,
  };
}

function claude(name: string, limit: string, remaining: string, reset: string): Record<string, string> {
  return {
    [`anthropic-ratelimit-${name}-limit`]: limit,
    [`anthropic-ratelimit-${name}-remaining`]: remaining,
    [`anthropic-ratelimit-${name}-reset`]: reset,
  };
}

describe("a provider's headers", () => {
  test.each([
    [
      "OpenAI",
      { ...plain("requests", "5000", "4999", "12ms"), ...plain("tokens", "160000", "159976", "9ms") },
      ["requests 4999/5000 in 0.012s per ~60s", "tokens 159976/160000 in 0.009s per ~60s"],
    ],
    [
      "OpenAI, a day's limit by the same name",
      plain("requests", "200", "197", "20m52.666s"),
      ["requests 197/200 in 1252.666s per ~86400s"],
    ],
    [
      "OpenAI, rounded to nothing",
      plain("tokens", "5000000", "4999973", "0s"),
      ["tokens 4999973/5000000 in ? per ?"],
    ],
    [
      "OpenAI, images are counted elsewhere",
      plain("input-images", "50000", "49999", "1ms"),
      ["input-images: other 49999/50000 in 0.001s per ?"],
    ],
    [
      "OpenAI, a project's tokens",
      plain("project-tokens", "100", "50", "30s"),
      ["project-tokens: tokens 50/100 in 30s per ~60s"],
    ],
    [
      "Groq",
      plain("requests", "14400", "14397", "17.399999999s"),
      ["requests 14397/14400 in 17.4s per ~86400s"],
    ],
    [
      "Azure, integers that are milliseconds",
      { ...plain("requests", "120", "119", "500"), ...plain("tokens", "120000", "119986", "7") },
      ["requests 119/120 in 0.5s per ~60s", "tokens 119986/120000 in 0.007s per ~60s"],
    ],
    [
      "Azure, a period of its own",
      {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-renewalperiod-requests": "60",
        "x-ratelimit-remaining-requests": "117",
      },
      ["requests 117/100 in ? per 60s"],
    ],
    ["Azure, when it does not know", plain("tokens", "-1", "0", "0"), []],
    [
      "Anthropic",
      claude("output-tokens", "80000", "59000", "2026-11-21T10:00:14Z"),
      ["output-tokens: output_tokens 59000/80000 in 14s per ~60s"],
    ],
    [
      "Anthropic, a reset that has passed",
      claude("requests", "4000", "3999", "2026-11-21T09:59:59Z"),
      ["requests 3999/4000 in ? per ?"],
    ],
    [
      "Anthropic, a subscription",
      {
        "anthropic-ratelimit-unified-5h-status": "allowed",
        "anthropic-ratelimit-unified-5h-reset": String(NOW / 1000 + 3600),
        "anthropic-ratelimit-unified-5h-utilization": "0.25",
      },
      ["unified-5h: other 0.75/1 in 3600s per 18000s"],
    ],
    [
      "Mistral",
      {
        "x-ratelimit-limit-req-10-second": "60",
        "x-ratelimit-remaining-req-10-second": "59",
        "x-ratelimit-limit-tokens-minute": "2000000",
        "x-ratelimit-remaining-tokens-minute": "1999893",
        "x-ratelimit-limit-tokens-month": "10000000000",
        "x-ratelimit-remaining-tokens-month": "9999999893",
        "x-ratelimit-tokens-query-cost": "107",
      },
      [
        "req-10-second: requests 59/60 in ? per 10s",
        "tokens-minute: tokens 1999893/2000000 in ? per 60s",
        "tokens-month: tokens 9999999893/10000000000 in ? per 2592000s",
      ],
    ],
    [
      "Together",
      {
        "x-ratelimit-limit": "2",
        "x-ratelimit-remaining": "1",
        "x-ratelimit-reset": "2",
        "x-tokenlimit-limit": "100",
        "x-tokenlimit-remaining": "90",
      },
      ["requests 1/2 in 2s per ?", "tokens 90/100 in ? per ?"],
    ],
    [
      "Fireworks",
      { "x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-limit-tokens-generated": "6000" },
      ["tokens-prompt: input_tokens ?/60000 in ? per ?", "tokens-generated: output_tokens ?/6000 in ? per ?"],
    ],
    [
      "Cerebras",
      plain("requests-day", "14400", "14399", "33011.382"),
      ["requests-day: requests 14399/14400 in 33011.382s per 86400s"],
    ],
    [
      "Cohere",
      { "x-endpoint-monthly-call-limit": "1000", "x-trial-endpoint-call-limit": "40" },
      ["calls-month: requests ?/1000 in ? per 2592000s", "calls-minute: requests ?/40 in ? per 60s"],
    ],
    [
      "OpenRouter, epoch milliseconds",
      { "x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(NOW + 30_000) },
      ["requests 0/20 in 30s per ?"],
    ],
    [
      "Hugging Face, structured fields",
      { ratelimit: '"api";r=999;t=295', "ratelimit-policy": '"api";q=1000;w=300' },
      ["api: requests 999/1000 in 295s per 300s"],
    ],
    [
      "the fields of an older draft",
      { ratelimit: "limit=10, remaining=9, reset=30" },
      ["requests 9/10 in 30s per ?"],
    ],
    [
      "two policies at once",
      { ratelimit: '"burst";r=5;t=1, "daily";r=50' },
      ["burst-requests: requests 5/? in 1s per ?", "daily-requests: requests 50/? in ? per 86400s"],
    ],
    ["Replicate", { "ratelimit-remaining": "2999", "ratelimit-reset": "1" }, ["requests 2999/? in 1s per ?"]],
    [
      "DigitalOcean, epoch seconds",
      { "ratelimit-limit": "5000", "ratelimit-remaining": "0", "ratelimit-reset": String(NOW / 1000 + 3600) },
      ["requests 0/5000 in 3600s per ~3600s"],
    ],
    ["an extra hyphen", { "x-rate-limit-reset-tokens": "55" }, ["tokens ?/? in 55s per ?"]],
    [
      "a limit with its policy",
      { "x-ratelimit-limit-requests": "60, 60;w=60" },
      ["requests ?/60 in ? per ?"],
    ],
    ["headers of other kinds", { "content-type": "x", "retry-after": "5", "x-request-id": "1" }, []],
    ["words for numbers", plain("requests", "many", "some", "soon"), []],
  ])("are understood: %s", (_, headers, expected) => {
    expect(read(headers)).toEqual(expected);
  });

  test("mean seconds on a 429 even where they mean milliseconds otherwise", () => {
    expect(read(plain("tokens", "120000", "0", "55"), 429)).toEqual(["tokens 0/120000 in 55s per ~60s"]);
    expect(read(plain("tokens", "120000", "119986", "7"), 429)).toEqual(["tokens 119986/120000 in 7s per ?"]);
  });

  test("are read as the catalog says where it says something", () => {
    const known: LimitHeaders = {
      resetUnit: "ms",
      names: {
        requests: { dimension: "requests", windowMs: 86_400_000 },
        x: { dimension: "tokens", windowMs: null },
      },
    };
    expect(
      read({ ...plain("requests", "10", "9", "500"), ...plain("x", "10", "9", "6s") }, 200, known),
    ).toEqual(["requests 9/10 in 0.5s per 86400s", "x: tokens 9/10 in 6s per ~60s"]);
  });

  test("with instants are not taken for seconds when they are too small", () => {
    const known: LimitHeaders = { resetUnit: "epoch_s", names: {} };
    expect(read(plain("requests", "10", "9", "30"), 200, known)).toEqual(["requests 9/10 in ? per ?"]);
  });

  test("with endless names are not read", () => {
    expect(read({ [`x-ratelimit-limit-${"1".repeat(10_000)}-requests`]: "5" })).toEqual([]);
  });

  test("with endless policies are read from the beginning", () => {
    const policies = Array.from({ length: 5000 }, (_, index) => `"p${index}";r=1`);
    const reports = read({ ratelimit: policies.join(", ") });
    expect(reports[0]).toBe("p0-requests: requests 1/? in ? per ?");
    expect(reports.length).toBeLessThan(150);
  });

  test.each([
    ["less than nothing, which is not known", plain("tokens", "100", "-1", "5s"), "tokens ?/100 in 5s per ?"],
    [
      "a share above the whole, which is nothing",
      { "anthropic-ratelimit-unified-5h-utilization": "1.25" },
      "unified-5h: other 0/1 in ? per 18000s",
    ],
  ])("may have left %s", (_, headers, expected) => {
    expect(read(headers)).toEqual([expected]);
  });

  test("of any kind don't break the reader", () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "x-ratelimit-limit-requests",
        "x-ratelimit-reset-tokens",
        "ratelimit",
        "anthropic-ratelimit-x-reset",
      ),
    );
    const value = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.constantFrom("-1", "1e400", "NaN", "0x10", "1m2m"),
    );
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.constantFrom(200, 429), (headers, status) => {
        for (const report of new LimitReader(NOTHING_KNOWN).read(headers, status, NOW)) {
          expect(report.limit ?? 1).toBeGreaterThan(0);
          expect(report.remaining ?? 0).toBeGreaterThanOrEqual(0);
          expect(report.resetMs ?? 1).toBeGreaterThan(0);
          expect(report.windowMs ?? 1).toBeGreaterThan(0);
        }
      }),
    );
  });
});

describe("a time", () => {
  test.each([
    ["12ms", 12],
    ["1m3.2s", 63_200],
    ["6m0s", 360_000],
    ["17.399999999s", 17_399.999999],
    ["34.4s", 34_400],
    ["1h2m", 3_720_000],
    ["250µs", 0.25],
    ["1m3s, 1m4s", 63_000],
    ["20s;w=60", 20_000],
    ["2026-11-21T10:00:05Z", 5000],
    ["2026-11-21T12:00:05+02:00", 5000],
    ["2026-11-21T09:59:59Z", -1000],
    ["Sat, 21 Nov 2026 10:00:30 GMT", 30_000],
    [String(NOW / 1000 + 60), 60_000],
    [String(NOW + 60), 60],
  ])("%s is %f ms from now", (text, ms) => {
    const time = readTime(text, NOW);
    expect(time?.kind === "from_now" && time.ms).toBeCloseTo(ms);
  });

  test.each([
    ["59", 59],
    [" 0.5 ", 0.5],
    ["0", 0],
    ["30, 30", 30],
    ["60;w=60", 60],
  ])("%j is a number without a unit", (text, value) => {
    expect(readTime(text, NOW)).toEqual({ kind: "bare", value });
  });

  test.each(
    [
      "",
      "-5",
      "soon",
      "1",
      "1x",
      "s",
      "1 s",
      "NaN",
      "Infinity",
      "0x10",
      "1e3",
      "2026",
      "x".repeat(1000),
    ].filter((text) => !/^\d+$/.test(text)),
  )("%j is none", (text) => {
    expect(readTime(text, NOW)).toBeUndefined();
  });
});

describe("the wait for units", () => {
  const report = { name: "tokens", dimension: "tokens", windowMs: 60_000, isWindowInferred: false } as const;

  test.each([
    [100, 40, 36_000, 40, 0],
    [100, 40, 36_000, 50, 6000],
    [100, 40, 36_000, 100, 36_000],
    [100, 0, 60_000, 1, 600],
    [100, 0, 60_000, 101, null],
    [100, null, 60_000, 1, null],
    [null, 0, 60_000, 1, null],
    [100, 0, null, 1, null],
  ])(
    "with limit %s, remaining %s, reset %s: %s units in %s ms",
    (limit, remaining, resetMs, units, waitMs) => {
      expect(waitFor({ ...report, limit, remaining, resetMs }, units)).toBe(waitMs);
    },
  );
});
