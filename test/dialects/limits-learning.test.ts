import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { limitsInBody } from "../../providers/dialects/limits-body.ts";
import { LimitLearner, excessOver, limitMeant } from "../../providers/dialects/limits-learning.ts";
import type { LimitReport } from "../../providers/dialects/limits.ts";

const MINUTE = 60_000;

function report(limit: number | null, overrides: Partial<LimitReport> = {}): LimitReport {
  return {
    name: "requests",
    dimension: "requests",
    windowMs: MINUTE,
    isWindowInferred: true,
    limit,
    remaining: 1,
    resetMs: 1000,
    ...overrides,
  };
}

/** Feeds reports one by one; the amounts learned after each, 0 for none. */
function amounts(learner: LimitLearner, limits: readonly number[]): readonly number[] {
  return limits.map((limit) => {
    learner.observe([report(limit)], 200);
    return learner.learned()[0]?.amount ?? 0;
  });
}

describe("a limit", () => {
  test("is learned when it was reported three times alike", () => {
    expect(amounts(new LimitLearner([]), [500, 500, 500, 500])).toEqual([0, 0, 500, 500]);
  });

  test("is not learned from figures that change", () => {
    expect(amounts(new LimitLearner([]), [500, 400, 500, 400, 500, 400])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("follows a lower figure at once and a higher one when it was confirmed", () => {
    const seen = [500, 500, 500, 300, 500, 500, 500];
    expect(amounts(new LimitLearner([]), seen)).toEqual([0, 0, 500, 300, 300, 300, 500]);
  });

  test("is never above the configured one", () => {
    const learner = new LimitLearner([{ dimension: "requests", windowMs: MINUTE, amount: 100 }]);
    expect(amounts(learner, [500, 500, 500, 80])).toEqual([0, 0, 100, 80]);
  });

  test("of another dimension or window is not capped", () => {
    const learner = new LimitLearner([
      { dimension: "tokens", windowMs: MINUTE, amount: 1 },
      { dimension: "requests", windowMs: 1000, amount: 1 },
      { dimension: "concurrent", windowMs: null, amount: 1 },
    ]);
    expect(amounts(learner, [500, 500, 500])).toEqual([0, 0, 500]);
  });

  test("is learned by the window it showed before when an answer shows none", () => {
    const learner = new LimitLearner([]);
    learner.observe([report(500)], 200);
    learner.observe([report(500, { windowMs: null })], 200);
    expect(learner.observe([report(500, { windowMs: null })], 200)).toMatchObject([
      { amount: 500, windowMs: MINUTE },
    ]);
  });

  test("is not learned from a refusal's headers, which may be lowered for want of capacity", () => {
    const learner = new LimitLearner([]);
    amounts(learner, [500, 500, 500]);
    expect(learner.observe([report(5)], 429)).toEqual([]);
  });

  test("without a figure, a dimension or a window teaches nothing", () => {
    const learner = new LimitLearner([]);
    const empty = [
      report(null),
      report(5, { name: "x", dimension: null }),
      report(5, { name: "y", windowMs: null }),
    ];
    for (let round = 0; round < 5; round += 1) learner.observe(empty, 200);
    expect(learner.learned()).toEqual([]);
  });

  test("is announced once", () => {
    const learner = new LimitLearner([]);
    const announced = [1, 2, 3, 4, 5].flatMap(() => learner.observe([report(500)], 200));
    expect(announced).toHaveLength(1);
  });

  test("is one of a bounded number, whatever names come from outside", () => {
    const learner = new LimitLearner([]);
    for (let index = 0; index < 1000; index += 1) {
      for (let round = 0; round < 3; round += 1) learner.observe([report(5, { name: `n${index}` })], 200);
    }
    expect(learner.learned().length).toBeLessThanOrEqual(32);
  });

  test("is never above the configured one, whatever is reported", () => {
    const reports = fc.array(
      fc.record({
        limit: fc.nat(1000),
        windowMs: fc.constantFrom(null, 1000, MINUTE),
        remaining: fc.nat(),
        status: fc.constantFrom(200, 429),
        isBody: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(reports, fc.nat(1000), (seen, amount) => {
        const learner = new LimitLearner([{ dimension: "requests", windowMs: MINUTE, amount }]);
        for (const { status, isBody, ...figures } of seen)
          learner.observe([report(figures.limit, figures)], status, isBody);
        for (const learned of learner.learned()) {
          if (learned.windowMs === MINUTE) expect(learned.amount).toBeLessThanOrEqual(amount);
        }
      }),
    );
  });
});

describe("a refusal's body", () => {
  test("shows quotas with ids and values", () => {
    const json = {
      error: {
        details: [
          {
            violations: [
              { quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", quotaValue: "250" },
              { quotaId: "GenerateContentInputTokensPerModelPerMinute-FreeTier", quotaValue: "1000000" },
              { quotaId: "GenerateRequestsPerMinutePerProjectPerModel" },
            ],
          },
        ],
      },
    };
    expect(limitsInBody({ json, message: "" }, 5000)).toMatchObject([
      { dimension: "requests", windowMs: 86_400_000, limit: 250, remaining: 0 },
      { dimension: "input_tokens", windowMs: MINUTE, limit: 1_000_000, remaining: 0 },
    ]);
  });

  test("shows limits in sentences", () => {
    const message =
      "Rate limit reached on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000. Try again in 6s.";
    expect(limitsInBody({ json: null, message }, 6000)).toMatchObject([
      { name: "TPM", dimension: "tokens", windowMs: MINUTE, limit: 10_000, remaining: 1000, resetMs: 6000 },
    ]);
  });

  test("has nothing left where more is used than there is", () => {
    const reports = limitsInBody({ json: null, message: "(RPM): Limit 3, Used 5, Requested 1." }, 6000);
    expect(reports).toMatchObject([{ limit: 3, remaining: 0, resetMs: 6000 }]);
  });

  test("without end is read from the beginning", () => {
    const violations = Array.from({ length: 1000 }, (_, index) => ({
      quotaId: `RequestsPerMinute-${index}`,
      quotaValue: "5",
    }));
    expect(limitsInBody({ json: { violations }, message: "" }, null)).toHaveLength(16);
    let deep: unknown = violations[0];
    for (let depth = 0; depth < 100_000; depth++) deep = { error: deep };
    expect(limitsInBody({ json: deep, message: "" }, null)).toEqual([]);
  });

  test("teaches at once, because it names the quota", () => {
    const reports = limitsInBody({ json: null, message: "(RPM): Limit 3. Please wait." }, null);
    expect(new LimitLearner([]).observe(reports, 429, true)).toMatchObject([
      { dimension: "requests", amount: 3 },
    ]);
  });

  test("of any kind shows only limits that make sense", () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (json, message) => {
        for (const { limit } of limitsInBody({ json, message }, null)) expect(limit).toBeGreaterThan(0);
      }),
    );
  });
});

describe("a report", () => {
  const ours = [
    { dimension: "requests", windowMs: MINUTE, amount: 500 },
    { dimension: "requests", windowMs: 86_400_000, amount: 10_000 },
    { dimension: "tokens", windowMs: MINUTE, amount: 500 },
    { dimension: "concurrent", windowMs: null, amount: 8 },
  ];

  test.each([
    ["by dimension and window", { windowMs: MINUTE }, 100, 0],
    ["by the other window", { windowMs: 86_400_000 }, 500, 1],
    ["by dimension", { dimension: "tokens" }, 500, 2],
    ["by its amount when it shows no window", { windowMs: null }, 10_000, 1],
    ["as none without either", { windowMs: null }, 7, -1],
    ["as none of another window", { windowMs: 1000 }, 500, -1],
    ["as none of what we don't count", { dimension: null }, 500, -1],
  ] as const)("is taken for one of our limits %s", (_, overrides, limit, index) => {
    expect(limitMeant(report(limit, overrides), ours)).toBe(index);
  });
});

describe("what others used of the same account", () => {
  test.each([
    [{ limit: 100, remaining: 40 }, 90, 50],
    [{ limit: 100, remaining: 40 }, 40, 0],
    [{ limit: 100, remaining: 90 }, 40, 0],
    [{ limit: 200_000, remaining: 126_000 }, 126_999, 0],
    [{ limit: null, remaining: 5 }, 6, 1],
    [{ limit: 100, remaining: null }, 90, 0],
    [{ limit: 3, remaining: 2 }, 3, 1],
  ])("is told by a remainder below ours: %j against %d is %d", (figures, level, excess) => {
    expect(excessOver(report(figures.limit, { remaining: figures.remaining }), level)).toBe(excess);
  });
});
