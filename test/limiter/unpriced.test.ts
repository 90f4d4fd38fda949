// A limit in dollars is kept or nothing passes: a model without prices is not a model that is free.
import { describe, expect, test } from "vitest";
import { PLAIN_COUNTING } from "../../src/limiter/cost.ts";
import type { MeterSpec } from "../../src/limiter/meters.ts";
import { refusalError } from "../../src/limiter/refusal.ts";
import { limitSpec, SoloLimiter, tokens } from "./solo-limiter.ts";

const ASK = { estimate: tokens(10), priority: 1, clientKey: "k", deadlineMs: 0 } as const;

function reserve(specs: readonly MeterSpec[], keySpecs: readonly MeterSpec[] = []) {
  const solo = new SoloLimiter();
  const target = solo.limiter.target({
    provider: "p",
    model: "x/y",
    specs,
    counting: PLAIN_COUNTING,
    prices: null,
  });
  const meters = target.with(solo.key(keySpecs));
  solo.flush();
  return {
    outcome: solo.limiter.reserve(meters, ASK, solo.now),
    roomMs: solo.limiter.roomMs(meters, ASK, solo.now),
    levels: () => meters.buckets.map((_, index) => solo.level(meters, index)),
  };
}

describe("a model without prices", () => {
  test.each([
    [
      "its provider's",
      "limit `usd: 5000/day` of provider `p`",
      [limitSpec("provider", "p", "usd=5000/day")],
      [],
    ],
    ["its own", "limit `usd: 5000/day` of model `p/x/y`", [limitSpec("model", "p/x/y", "usd=5000/day")], []],
    ["its client key's", "limit `usd: 5000/day` of key `k`", [], [limitSpec("key", "k", "usd=5000/day")]],
  ])("is refused by %s limit in dollars, and nothing is taken", (_, words, specs, keySpecs) => {
    const { outcome, roomMs, levels } = reserve(specs, keySpecs);
    if (outcome.kind !== "refused") throw new Error(`It is ${outcome.kind}.`);
    const error = refusalError(outcome);
    expect(error).toMatchObject({ code: "permission_denied", status: 403 });
    expect(error.message).toBe(
      `No price is known of what this asks of model \`p/x/y\`, so ${words} can't be kept. Set \`prices\` for the model.`,
    );
    expect(roomMs).toBe(Infinity);
    expect(levels()).toEqual([5000]);
  });

  test("passes other limits", () => {
    expect(reserve([limitSpec("provider", "p", "tokens=1000/10s")]).outcome.kind).toBe("reserved");
  });
});
