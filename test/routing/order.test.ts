// Properties of orders: shares by weight, sessions that stay, nothing twice, nothing that rests.
import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { hashOf, uniformOf } from "../../src/routing/hash.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import { blockedMs } from "../../src/routing/health.ts";
import { plan } from "../../src/routing/plan.ts";
import type { Strategy } from "../../src/routing/definition.ts";
import { provider, request, tableOf, to, view } from "./tables.ts";
import { seededRandom } from "../scenarios/script.ts";

const MODELS = ["a", "b", "c", "d", "e", "f"];
const STRATEGIES: readonly Strategy[] = ["ordered", "weighted", "least_busy", "lowest_latency", "most_room"];

const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 6 });

function firstOf(table: ReturnType<typeof tableOf>, session: string | null, random: () => number): string {
  const planned = plan(request("any", { session }), table, { ...view(), random });
  return planned.kind === "attempts" ? (planned.attempts[0]?.target.model ?? "") : planned.code;
}

function weightedTable(shares: readonly number[], isSticky: boolean, health = new HealthBook()) {
  const targets = shares.map((weight, index) => to(`main/${MODELS[index]}`, weight));
  const aliases = [{ name: "any", strategy: "weighted", targets, isSticky }] as const;
  return tableOf({ providers: [provider("main", ...MODELS)], aliases, health });
}

function expectShares(counts: ReadonlyMap<string, number>, shares: readonly number[], draws: number): void {
  const whole = shares.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of shares.entries()) {
    const share = weight / whole;
    // Six standard deviations of a binomial count.
    const spread = 6 * Math.sqrt((share * (1 - share)) / draws);
    expect(Math.abs((counts.get(MODELS[index] ?? "") ?? 0) / draws - share)).toBeLessThan(spread);
  }
}

function count(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

describe("weights", () => {
  test("are the targets' shares of first attempts", () => {
    fc.assert(
      fc.property(weights, fc.integer(), (shares, seed) => {
        const table = weightedTable(shares, false);
        const random = seededRandom(seed);
        expectShares(count(Array.from({ length: 4000 }, () => firstOf(table, null, random))), shares, 4000);
      }),
      { numRuns: 20 },
    );
  });

  test("are the targets' shares of sessions", () => {
    fc.assert(
      fc.property(weights, fc.string(), (shares, prefix) => {
        const table = weightedTable(shares, true);
        const firsts = Array.from({ length: 4000 }, (_, index) =>
          firstOf(table, `${prefix}${index}`, () => 0),
        );
        expectShares(count(firsts), shares, 4000);
      }),
      { numRuns: 20 },
    );
  });
});

describe("a session", () => {
  test("moves only when its own target goes", () => {
    fc.assert(
      fc.property(weights, fc.nat(5), (shares, index) => {
        const health = new HealthBook();
        const table = weightedTable(shares, true, health);
        const gone = MODELS[index % shares.length] ?? "";
        const sessions = Array.from({ length: 200 }, (_, number) => `session-${number}`);
        const before = sessions.map((session) => firstOf(table, session, () => 0));
        health.of("main", gone, "").model.trip(0, 1000);
        const after = sessions.map((session) => firstOf(table, session, () => 0));
        for (const [at, model] of before.entries()) {
          if (model === gone) expect(after[at]).not.toBe(gone);
          else expect(after[at]).toBe(model);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("any strategy", () => {
  const world = fc.record({
    strategy: fc.constantFrom(...STRATEGIES),
    waits: fc.array(fc.constantFrom(0, 0, 10, 500, Infinity), { minLength: 6, maxLength: 6 }),
    resting: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
    busy: fc.array(fc.nat(5), { minLength: 6, maxLength: 6 }),
    session: fc.option(fc.string()),
    isSticky: fc.boolean(),
    isNested: fc.boolean(),
    seed: fc.integer(),
  });

  test("gives each target at most once, none that rests, all others, and those with room first", () => {
    fc.assert(
      fc.property(world, ({ strategy, waits, resting, busy, session, isSticky, isNested, seed }) => {
        const health = new HealthBook();
        for (const [index, model] of MODELS.entries()) {
          const target = health.of("main", model, "");
          if (resting[index] === true) target.model.trip(0, 1000);
          target.inFlight = busy[index] ?? 0;
        }
        const inner = {
          name: "inner",
          strategy,
          targets: ["main/a", "main/b", "main/c"].map((name) => to(name)),
        };
        const outer = isNested
          ? ["inner", "main/b", "main/d", "main/e", "main/f"]
          : MODELS.map((model) => `main/${model}`);
        const any = { name: "any", strategy, isSticky, targets: outer.map((name) => to(name)) };
        const table = tableOf({ providers: [provider("main", ...MODELS)], aliases: [inner, any], health });
        const waitOf = Object.fromEntries(MODELS.map((model, index) => [`main/${model}`, waits[index] ?? 0]));
        const looked = { ...view({ now: 500, waits: waitOf }), random: seededRandom(seed) };
        const planned = plan(request("any", { session }), table, looked);
        const up = MODELS.filter((_, index) => resting[index] !== true);
        if (planned.kind === "refused") {
          expect(up).toEqual([]);
          expect(planned.retryAfterMs).toBe(500);
          return;
        }
        expect(planned.attempts.map(({ target }) => target.model).toSorted()).toEqual(up);
        for (const { target } of planned.attempts) expect(blockedMs(target.health, 500)).toBe(0);
        const ordered = planned.attempts.map(({ waitMs }) => waitMs);
        expect(ordered).toEqual(ordered.toSorted((left, right) => (left === right ? 0 : left - right)));
      }),
      { numRuns: 500 },
    );
  });
});

describe("a hash", () => {
  test("spreads even over what differs little", () => {
    const buckets = Array.from({ length: 16 }, () => 0);
    const branch = hashOf("main/a");
    for (let index = 0; index < 16_000; index += 1) {
      const bucket = Math.floor(16 * uniformOf(hashOf(`s${index}`), branch));
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const size of buckets) expect(Math.abs(size - 1000)).toBeLessThan(200);
  });

  test("lies strictly between 0 and 1", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        const drawn = uniformOf(hashOf(left), hashOf(right));
        expect(drawn > 0 && drawn < 1).toBe(true);
      }),
    );
  });
});
