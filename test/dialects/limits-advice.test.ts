import { describe, expect, test } from "vitest";
import { LimitAdvisor } from "../../providers/dialects/limits-advice.ts";
import { LimitReader } from "../../providers/dialects/limits.ts";

const MINUTE = 60_000;

function advisor(isLearning: boolean, amount = 500) {
  const configured = [
    { dimension: "concurrent", windowMs: null, amount: 8 },
    { dimension: "requests", windowMs: MINUTE, amount },
  ];
  return new LimitAdvisor({
    reader: new LimitReader({ resetUnit: null, names: {} }),
    configured,
    isLearning,
  });
}

/** 1,000 requests a minute, of which some are left. */
function headers(remaining: number, limit = 1000) {
  return {
    "x-ratelimit-limit-requests": String(limit),
    "x-ratelimit-remaining-requests": String(remaining),
    "x-ratelimit-reset-requests": `${((limit - remaining) * 60) / limit}s`,
    "content-type": "application/json",
  };
}

describe("an answer's limits", () => {
  test("tell what is left of the limit that is meant", () => {
    const advice = advisor(false).advise({ status: 200, headers: headers(700) }, 0, 0);
    expect(advice).toMatchObject({ learned: [], remaining: [{ index: 1, report: { remaining: 700 } }] });
  });

  test("are learned after three answers, and never above the configured ones", () => {
    const taught = advisor(true);
    const learned = [0, 1000, 2000, 3000].map(
      (now) => taught.advise({ status: 200, headers: headers(700) }, now, 0)?.learned ?? [],
    );
    expect(learned).toEqual([
      [],
      [],
      [{ name: "requests", dimension: "requests", windowMs: MINUTE, amount: 500 }],
      [],
    ]);
  });

  test("are not learned where that is not wanted", () => {
    const kept = advisor(false);
    for (const now of [0, 1000, 2000, 3000]) {
      expect(kept.advise({ status: 200, headers: headers(700) }, now, 0)?.learned).toEqual([]);
    }
  });

  test("tell what is left of limits that were learned, once they are kept", () => {
    const taught = new LimitAdvisor({
      reader: new LimitReader({ resetUnit: null, names: {} }),
      configured: [],
      isLearning: true,
    });
    expect(taught.advise({ status: 200, headers: headers(700) }, 0, 0)).toBeNull();
    taught.keep([{ dimension: "requests", windowMs: MINUTE, amount: 1000 }]);
    const advice = taught.advise({ status: 200, headers: headers(700) }, 1000, 0);
    expect(advice?.remaining).toMatchObject([{ index: 0, report: { remaining: 700 } }]);
  });

  test("are read every quarter of a second at most, but from every refusal", () => {
    const busy = advisor(false);
    const answers = [
      [0, 200],
      [249, 200],
      [250, 200],
      [251, 429],
      [252, 429],
    ] as const;
    const wasRead = answers.map(
      ([now, status]) => busy.advise({ status, headers: headers(700) }, now, 0) !== null,
    );
    expect(wasRead).toEqual([true, false, true, true, true]);
  });

  test("are nothing where nothing is said", () => {
    expect(advisor(true).advise({ status: 200, headers: { date: "x" } }, 0, 0)).toBeNull();
    expect(advisor(true).advise({ status: 429, headers: {}, body: "<html>" }, 0, 0)).toBeNull();
  });

  test("are in a refusal's words too", () => {
    const body = {
      error: { message: "Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1." },
    };
    const advice = advisor(true, 10).advise({ status: 429, headers: {}, body, waitMs: 20_000 }, 0, 0);
    expect(advice).toMatchObject({
      learned: [{ dimension: "requests", windowMs: MINUTE, amount: 3 }],
      remaining: [{ index: 1, report: { remaining: 0, limit: 3 } }],
    });
  });
});
