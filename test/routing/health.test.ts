import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import type { ErrorKind } from "../../providers/dialects/classify.ts";
import { ERRORS } from "../../src/errors.ts";
import { CIRCUIT_POLICY } from "../../src/routing/breaker.ts";
import { admit, blockedMs, observeLatency, report } from "../../src/routing/health.ts";
import type { FailureKind } from "../../src/routing/health.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import { LatencyHistogram, hedgeAfterMs } from "../../src/routing/hedge.ts";
import { PeakLatency } from "../../src/routing/latency.ts";
import { RetryBudget } from "../../src/routing/retry-budget.ts";

const KINDS: readonly FailureKind[] = [
  "quota_spent",
  "rate_limited",
  "overloaded",
  "capacity",
  "bad_request",
  "auth",
  "not_found",
  "content_filter",
  "context_length",
  "transient",
  "unreachable",
  "timeout",
  "interrupted",
];

describe("a target's health", () => {
  test("is the same object for the same names, and shares circuits with its neighbours", () => {
    const book = new HealthBook();
    const big = book.of("main", "big", "");
    expect(book.of("main", "big", "")).toBe(big);
    const small = book.of("main", "small", "");
    expect(small.provider).toBe(big.provider);
    expect(small.key).toBe(big.key);
    expect(small.model).not.toBe(big.model);
    expect(book.of("main", "big", "two").model).not.toBe(big.model);
    expect(book.of("main", "big", "two").key).not.toBe(big.key);
  });

  test("is forgotten with its model only", () => {
    const book = new HealthBook();
    const big = book.of("main", "big", "");
    book.forget("main", "big");
    expect(book.of("main", "big", "")).not.toBe(big);
    expect(book.of("main", "big", "").provider).toBe(big.provider);
  });

  test("knows every kind of failure that answers are classified as", () => {
    const kinds: readonly ErrorKind[] = KINDS.slice(0, 10).flatMap((kind) =>
      kind === "unreachable" || kind === "timeout" || kind === "interrupted" ? [] : [kind],
    );
    const all: Readonly<Record<ErrorKind, true>> = {
      quota_spent: true,
      rate_limited: true,
      overloaded: true,
      capacity: true,
      bad_request: true,
      auth: true,
      not_found: true,
      content_filter: true,
      context_length: true,
      transient: true,
    };
    expect(new Set(kinds)).toEqual(new Set(Object.keys(all)));
    expect(ERRORS.provider_timeout.retry).toBe("elsewhere");
  });

  test("counts what runs, whatever happens to it", () => {
    const verdict = fc.oneof(
      fc.constant({ kind: "ok" as const }),
      fc.constant({ kind: "abandoned" as const }),
      fc.record({ kind: fc.constantFrom(...KINDS), waitMs: fc.nat(100_000) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(verdict, fc.nat(20_000)), { maxLength: 100 }), (verdicts) => {
        const health = new HealthBook().of("main", "big", "");
        let now = 0;
        for (const [end, pauseMs] of verdicts) {
          now += pauseMs;
          const isBlocked = blockedMs(health, now) > 0;
          const pass = admit(health, now);
          expect(pass === null).toBe(isBlocked);
          if (pass === null) continue;
          expect(health.inFlight).toBe(1);
          report(health, pass, end, now);
          expect(health.inFlight).toBe(0);
        }
      }),
    );
  });

  test("of a probe that needs all three circuits holds no place when one of them refuses", () => {
    const health = new HealthBook().of("main", "big", "");
    health.provider.trip(0, 1000);
    health.key.trip(0, 5000);
    expect(admit(health, 2000)).toBeNull();
    expect(health.provider.blockedMs(2000)).toBe(0);
    expect(admit(health, 5000)).not.toBeNull();
  });
});

describe("latency", () => {
  test("rises at once and falls slowly", () => {
    const latency = new PeakLatency();
    latency.observe(100, 0);
    latency.observe(1000, 10);
    expect(latency.current(10)).toBe(1000);
    latency.observe(100, 1010);
    expect(latency.current(1010)).toBeGreaterThan(900);
    latency.observe(100, 31_010);
    expect(latency.current(31_010)).toBeLessThan(150);
  });

  test("is zero while nothing is known, and never grows by itself", () => {
    const latency = new PeakLatency();
    expect(latency.current(5)).toBe(0);
    latency.observe(100, 0);
    expect(latency.current(10_000)).toBeCloseTo(36.8, 1);
    expect(latency.current(-10)).toBe(100);
  });

  test("as a histogram gives quantiles within a fifth", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 600_000, noNaN: true }), { minLength: 1, maxLength: 500 }),
        fc.constantFrom(0.5, 0.9, 0.95, 0.99),
        (values, share) => {
          const histogram = new LatencyHistogram();
          for (const value of values) histogram.observe(value);
          const exact =
            values.toSorted((left, right) => left - right)[Math.ceil(share * values.length) - 1] ?? 0;
          const found = histogram.quantile(share) ?? 0;
          expect(found).toBeGreaterThanOrEqual(exact * 0.999);
          expect(found).toBeLessThanOrEqual(exact * 1.2);
        },
      ),
    );
  });

  test("of old days fades from the histogram", () => {
    const histogram = new LatencyHistogram();
    for (let count = 0; count < 1900; count += 1) histogram.observe(10_000);
    for (let count = 0; count < 10_000; count += 1) histogram.observe(10);
    expect(histogram.quantile(0.99)).toBeLessThan(20);
    expect(histogram.total).toBeLessThan(2000);
    expect(histogram.total).toBeGreaterThanOrEqual(1000);
  });

  test.each([
    [49, 500, null],
    [100, 500, 512],
    [100, 1, 200],
  ])("after %d answers of %d ms hedges after %s ms", (answers, latencyMs, afterMs) => {
    const health = new HealthBook().of("main", "big", "");
    const policy = { after: { kind: "quantile", share: 0.95 }, afterMsMin: 200 } as const;
    for (let count = 0; count < answers; count += 1) observeLatency(health, "streamed", latencyMs, 0);
    expect(hedgeAfterMs(health.latencies.streamed, policy)).toBe(afterMs);
    // Answers that come as a whole take another time.
    expect(hedgeAfterMs(health.latencies.whole, policy)).toBeNull();
    expect(
      hedgeAfterMs(health.latencies.whole, { after: { kind: "time", afterMs: 70 }, afterMsMin: 200 }),
    ).toBe(70);
  });

  test("counts half as much when enough is counted", () => {
    const histogram = new LatencyHistogram();
    for (let count = 0; count < 2000; count += 1) histogram.observe(count < 1500 ? 10 : 1000);
    expect(histogram.total).toBe(1000);
    expect(histogram.quantile(0.74)).toBeLessThan(20);
    expect(histogram.quantile(0.76)).toBeGreaterThan(999);
  });

  test("of no answer is unknown", () => {
    expect(new LatencyHistogram().quantile(0.5)).toBeNull();
  });
});

describe("a health book", () => {
  const models = (book: HealthBook): string[] =>
    [...book.circuits(0)].filter(({ scope }) => scope === "model").map(({ name }) => name);

  test("keeps what was asked for since the last look, and forgets the rest", () => {
    const book = new HealthBook();
    const kept = book.of("main", "kept", "");
    for (let count = 0; count < 100; count += 1) book.of("main", `made-up-${count}`, "");
    book.of("old", "big", "");
    book.forgetUnused();
    expect(models(book)).toHaveLength(102);
    expect(book.of("main", "kept", "")).toBe(kept);
    book.forgetUnused();
    expect(models(book)).toEqual(["kept"]);
    expect([...book.circuits(0)].map(({ provider }) => provider)).not.toContain("old");
    expect(book.of("main", "kept", "")).toBe(kept);
  });
});

describe("a retry budget", () => {
  test("never lets retries exceed ten and a fifth of the requests", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 2000 }), (wantsRetry) => {
        const budget = new RetryBudget();
        let requests = 0;
        let retries = 0;
        for (const wants of wantsRetry) {
          requests += 1;
          budget.deposit();
          if (wants && budget.withdraw()) {
            retries += 1;
            budget.deposit();
          }
          expect(retries).toBeLessThanOrEqual(10 + 0.2 * requests + 1e-6);
          expect(budget.left()).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe("another policy", () => {
  const policyOf = (failuresInRow: number, saved: number) => ({
    circuit: { ...CIRCUIT_POLICY, failuresInRow },
    retryBudget: { share: 0.1, saved },
  });

  test("holds for all that is known and all that comes", () => {
    const book = new HealthBook();
    const known = book.of("main", "big", "");
    book.adopt(policyOf(1, 3));
    const later = book.of("main", "small", "");
    for (const health of [known, later]) {
      const pass = admit(health, 0);
      if (pass === null) throw new Error("a circuit is in the way");
      report(health, pass, { kind: "transient" }, 0);
      expect(health.model.state(0)).toBe("open");
    }
    expect(known.retryBudget.left()).toBe(3);
  });

  test("does not give back what was spent", () => {
    const book = new HealthBook();
    const { retryBudget } = book.of("main", "big", "");
    while (retryBudget.withdraw());
    book.adopt(policyOf(5, 100));
    expect(retryBudget.left()).toBe(0);
  });
});
