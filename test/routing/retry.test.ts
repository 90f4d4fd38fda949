// Whole requests against providers that do whatever fast-check thinks of.
import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { admit, blockedMs, report } from "../../src/routing/health.ts";
import type { FailureKind } from "../../src/routing/health.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import { Progress, RETRY_POLICY } from "../../src/routing/retry.ts";
import type { RetryPolicy, Setback } from "../../src/routing/retry.ts";
import type { Target } from "../../src/routing/target.ts";

function targets(health: HealthBook, names: readonly string[]): readonly Target<string>[] {
  return names.map((name) => {
    const [provider = "", model = ""] = name.split("/");
    return {
      provider,
      model,
      key: "",
      health: health.of(provider, model, ""),
      contextTokens: null,
      endpoints: null,
      upstream: name,
    };
  });
}

const setback = fc.record({
  kind: fc.constantFrom<FailureKind>(
    "quota_spent",
    "rate_limited",
    "overloaded",
    "auth",
    "not_found",
    "context_length",
    "transient",
    "unreachable",
    "timeout",
    "interrupted",
  ),
  waitMs: fc.option(fc.nat(20_000)),
  tookMs: fc.nat(10_000),
  which: fc.nat(10),
});

const policyOf = (attempts: number): RetryPolicy => ({ ...RETRY_POLICY, attempts });

describe("a request's progress", () => {
  test("keeps its attempts, its deadline and the circuits, whatever fails how", () => {
    const names = fc.uniqueArray(fc.constantFrom("main/a", "main/b", "spare/a", "third/a"), { minLength: 1 });
    const input = fc.record({
      names,
      attempts: fc.integer({ min: 1, max: 8 }),
      totalMs: fc.integer({ min: 1, max: 60_000 }),
      setbacks: fc.array(setback, { minLength: 20, maxLength: 20 }),
      chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(input, ({ names, attempts, totalMs, setbacks, chance }) => {
        const plan = targets(new HealthBook(), names);
        const progress = new Progress(plan, policyOf(attempts), totalMs);
        let choice: readonly Target<string>[] = plan;
        let now = 0;
        let sent = 0;
        for (const { kind, waitMs, tookMs, which } of setbacks) {
          const target = choice[which % choice.length];
          if (target === undefined) break;
          expect(choice.map(({ health }) => blockedMs(health, now))).toEqual(choice.map(() => 0));
          progress.started(target);
          const pass = admit(target.health, now);
          if (pass === null) throw new Error("a circuit is in the way");
          sent += 1;
          now += tookMs;
          report(target.health, pass, { kind, ...(waitMs === null ? {} : { waitMs }) }, now);
          const step = progress.next(target, { kind, waitMs }, now, () => chance);
          if (step.kind === "stop") {
            expect(step.reason).not.toBe("pointless");
            break;
          }
          expect(now + step.delayMs).toBeLessThan(totalMs);
          expect(step.delayMs).toBeLessThanOrEqual(RETRY_POLICY.pauseMsMax);
          now += step.delayMs;
          choice = step.targets;
        }
        expect(sent).toBeLessThanOrEqual(attempts);
        expect(progress.sent).toBe(sent);
      }),
      { numRuns: 1000 },
    );
  });

  const backAndForth = (names: readonly string[], setback: Setback, times: number) => {
    const plan = targets(new HealthBook(), names);
    const progress = new Progress(plan, policyOf(times + 1), 600_000);
    let target = plan[0];
    return Array.from({ length: times }, () => {
      if (target === undefined) throw new Error("no target");
      progress.started(target);
      const step = progress.next(target, setback, 0, () => 0.999);
      if (step.kind === "stop") throw new Error(step.reason);
      [target] = step.targets;
      return { upstream: target?.upstream, delayMs: step.delayMs };
    });
  };

  test("tries every target before it tries one again", () => {
    const tried = backAndForth(["main/a", "spare/a", "third/a"], { kind: "transient", waitMs: null }, 3);
    expect(tried.map(({ upstream }) => upstream)).toEqual(["spare/a", "third/a", "main/a"]);
  });

  test("pauses for a random part of a time that doubles", () => {
    const pauses = backAndForth(["main/a"], { kind: "rate_limited", waitMs: null }, 6).map(
      ({ delayMs }) => delayMs,
    );
    expect(pauses).toEqual([250, 500, 999, 1998, 3996, 3996]);
  });

  test("pays for another model of a provider that it has burdened, and gets it back if another takes the request", () => {
    const plan = targets(new HealthBook(), ["main/a", "main/b", "spare/a"]);
    const [first, second, third] = plan;
    if (first === undefined || second === undefined || third === undefined) throw new Error("no targets");
    const budget = first.health.retryBudget;
    const failOnce = () => {
      const progress = new Progress(plan, policyOf(3), 60_000);
      progress.started(first);
      expect(progress.next(first, { kind: "transient", waitMs: null }, 0, () => 0)).toMatchObject({
        targets: [{ upstream: "main/b" }, { upstream: "spare/a" }],
      });
      expect(budget.left()).toBe(8);
      return progress;
    };
    failOnce().started(third);
    expect(budget.left()).toBe(10);
    failOnce().started(second);
    expect(budget.left()).toBe(8);
    while (budget.withdraw());
    const broke = new Progress(plan, policyOf(3), 60_000);
    broke.started(first);
    expect(broke.next(first, { kind: "transient", waitMs: null }, 0, () => 0)).toMatchObject({
      targets: [{ upstream: "spare/a" }],
    });
  });
});
