// Whole requests against providers that do whatever fast-check thinks of.
import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { admit, blockedMs, report } from "../../src/routing/health.ts";
import type { FailureKind } from "../../src/routing/health.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import { Progress, RETRY_POLICY } from "../../src/routing/retry.ts";
import type { RetryPolicy } from "../../src/routing/retry.ts";
import type { Attempt, Target } from "../../src/routing/target.ts";

function targets(health: HealthBook, names: readonly string[]): readonly Attempt<string>[] {
  return names.map((name) => {
    const [provider = "", model = ""] = name.split("/");
    const target: Target<string> = {
      provider,
      model,
      key: "",
      health: health.of(provider, model, ""),
      contextTokens: null,
      endpoints: null,
      upstream: name,
    };
    return { target, waitMs: 0 };
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
});

const policyOf = (attempts: number): RetryPolicy => ({ ...RETRY_POLICY, attempts, attemptMs: 5000 });

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
        let target = plan[0]?.target;
        let now = 0;
        let sent = 0;
        for (const { kind, waitMs, tookMs } of setbacks) {
          if (target === undefined) break;
          expect(blockedMs(target.health, now)).toBe(0);
          const pass = admit(target.health, now);
          if (pass === null) throw new Error("a circuit is in the way");
          sent += 1;
          now += tookMs;
          report(target.health, pass, { kind, ...(waitMs === null ? {} : { waitMs }) }, now);
          const step = progress.next({ kind, waitMs }, now, () => chance);
          if (step.kind === "stop") {
            expect(step.reason).not.toBe("pointless");
            break;
          }
          expect(now + step.delayMs).toBeLessThan(totalMs);
          expect(step.deadlineMs).toBeLessThanOrEqual(totalMs);
          expect(step.delayMs).toBeLessThanOrEqual(RETRY_POLICY.pauseMsMax);
          now += step.delayMs;
          target = step.target;
        }
        expect(sent).toBeLessThanOrEqual(attempts);
        expect(progress.sent).toBe(sent);
      }),
      { numRuns: 1000 },
    );
  });

  test("tries every target before it tries one again", () => {
    const plan = targets(new HealthBook(), ["main/a", "spare/a", "third/a"]);
    const progress = new Progress(plan, policyOf(5), 60_000);
    const tried = [1, 2, 3].map(() => {
      const step = progress.next({ kind: "transient", waitMs: null }, 0, () => 0.5);
      return step.kind === "attempt" ? step.target.upstream : step.reason;
    });
    expect(tried).toEqual(["spare/a", "third/a", "main/a"]);
  });

  test("pauses for a random part of a time that doubles", () => {
    const [attempt] = targets(new HealthBook(), ["main/a"]);
    if (attempt === undefined) throw new Error("no target");
    const progress = new Progress([attempt], policyOf(8), 600_000);
    const pauses = [1, 2, 3, 4, 5, 6].map(() => {
      const step = progress.next({ kind: "rate_limited", waitMs: null }, 0, () => 0.999);
      return step.kind === "attempt" ? step.delayMs : 0;
    });
    expect(pauses).toEqual([250, 500, 1000, 1999, 3997, 3997].map((ms) => expect.closeTo(ms, -1)));
  });

  test("hedges on another target with room, once for each attempt that is left, and pays for it", () => {
    const plan = targets(new HealthBook(), ["main/a", "spare/a", "third/a"]);
    plan[1]?.target.health.provider.trip(0, 1000);
    const progress = new Progress(plan, policyOf(2), 60_000);
    expect(progress.hedge(0)?.upstream).toBe("third/a");
    expect(progress.hedge(0)).toBeNull();
    expect(plan[2]?.target.health.retryBudget.left()).toBe(8);
    expect(progress.next({ kind: "transient", waitMs: null }, 0, () => 0)).toMatchObject({
      reason: "attempts_used",
    });
  });

  test("does not hedge where there is no room or no budget", () => {
    const [first, second] = targets(new HealthBook(), ["main/a", "spare/a"]);
    if (first === undefined || second === undefined) throw new Error("no targets");
    expect(new Progress([first, { ...second, waitMs: 5 }], policyOf(3), 60_000).hedge(0)).toBeNull();
    while (second.target.health.retryBudget.withdraw());
    expect(new Progress([first, second], policyOf(3), 60_000).hedge(0)).toBeNull();
  });
});
