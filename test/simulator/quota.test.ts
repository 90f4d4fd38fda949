// The oracle's own arithmetic, in time moved by hand.
import { describe, expect, test } from "vitest";
import { QuotaKeeper, formatDuration } from "../../src/simulator/quota.ts";

const TEN = { capacity: 10, perMinute: 60 };

describe("the simulator's quota", () => {
  test("lets in exactly the capacity, then one request per refilled unit", () => {
    const keeper = new QuotaKeeper({ requests: TEN }, 0);
    const admitted = Array.from({ length: 12 }, () => keeper.admit(0, 0)).filter(
      (refusal) => refusal === null,
    );
    expect(admitted).toHaveLength(10);
    expect(keeper.admit(0, 999)).toMatchObject({
      dimension: "requests",
      limit: 10,
      waitMs: expect.closeTo(1),
    });
    expect(keeper.admit(0, 1000)).toBeNull();
    expect(keeper.admit(0, 1000)).not.toBeNull();
    expect(keeper.stats().requests).toEqual({ admitted: 11, refused: 4, lowest: 0 });
  });

  test("takes nothing for a request it turns away", () => {
    const keeper = new QuotaKeeper({ requests: TEN, tokens: { capacity: 100, perMinute: 60 } }, 0);
    expect(keeper.admit(101, 0)).toMatchObject({ dimension: "tokens", waitMs: null });
    expect(keeper.admit(100, 0)).toBeNull();
    expect(keeper.admit(50, 0)).toMatchObject({ dimension: "tokens", waitMs: 50_000 });
    expect(keeper.stats().requests.admitted).toBe(1);
  });

  test("gives back what was not produced, never above the capacity", () => {
    const keeper = new QuotaKeeper({ tokens: { capacity: 100, perMinute: 6000 } }, 0);
    keeper.admit(60, 0);
    keeper.end(50, 0);
    expect(keeper.headers(0)["x-ratelimit-remaining-tokens"]).toBe("90");
    keeper.admit(90, 0);
    keeper.end(90, 1000);
    expect(keeper.headers(1000)["x-ratelimit-remaining-tokens"]).toBe("100");
  });

  test("counts what runs", () => {
    const keeper = new QuotaKeeper({ concurrent: 1 }, 0);
    expect(keeper.admit(0, 0)).toBeNull();
    expect(keeper.admit(0, 0)).toMatchObject({ dimension: "concurrent", limit: 1 });
    keeper.end(0, 5);
    expect(keeper.admit(0, 5)).toBeNull();
    expect(keeper.stats().concurrent).toEqual({ running: 1, peak: 1, refused: 1 });
  });

  test("forgives its slack", () => {
    const keeper = new QuotaKeeper({ requests: { ...TEN, slack: 2 } }, 0);
    const admitted = Array.from({ length: 20 }, () => keeper.admit(0, 0)).filter(
      (refusal) => refusal === null,
    );
    expect(admitted).toHaveLength(12);
  });

  test("does not refill when its clock goes back", () => {
    const keeper = new QuotaKeeper({ requests: { capacity: 1, perMinute: 60 } }, 10_000);
    expect(keeper.admit(0, 10_000)).toBeNull();
    expect(keeper.admit(0, 0)).not.toBeNull();
    expect(keeper.admit(0, 10_500)).not.toBeNull();
    expect(keeper.admit(0, 11_000)).toBeNull();
  });

  test("tells the time until it is full again", () => {
    const keeper = new QuotaKeeper({ requests: { capacity: 500, perMinute: 500 } }, 0);
    keeper.admit(0, 0);
    expect(keeper.headers(0)).toEqual({
      "x-ratelimit-limit-requests": "500",
      "x-ratelimit-remaining-requests": "499",
      "x-ratelimit-reset-requests": "120ms",
    });
  });
});

test.each([
  [0, "0s"],
  [0.2, "1ms"],
  [12, "12ms"],
  [1000, "1s"],
  [1500, "1.5s"],
  [63_200, "1m3.2s"],
  [360_000, "6m0s"],
  [75_172_666, "20h52m52.666s"],
])("%d ms are written as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
