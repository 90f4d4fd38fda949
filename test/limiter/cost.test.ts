// What a request costs, before and after, by each provider's way of counting.
import { describe, expect, test } from "vitest";
import type { Dimension } from "../../src/bucket/limit.ts";
import {
  actualCost,
  type Counting,
  expectedCost,
  FREE,
  PLAIN_COUNTING,
  usdCost,
} from "../../src/limiter/cost.ts";
import type { Usage } from "../../src/observe/events.ts";

const PRICES = { input: 1.25, output: 10, cachedInput: 0.125, cacheWrite: 1.5625 };

const ESTIMATE = { inputTokens: 100, outputTokens: 30, maxTokens: 400, modelMaxTokens: 8000 };

const USAGE: Usage = {
  inputTokens: 1000,
  outputTokens: 200,
  cachedInputTokens: 600,
  cacheWriteTokens: 100,
  reasoningTokens: 50,
};

function counting(changes: Partial<Counting>): Counting {
  return { ...PLAIN_COUNTING, ...changes };
}

describe("before it is sent, a request is expected to cost", () => {
  test.each<[string, Dimension, Partial<Counting>, Partial<typeof ESTIMATE> | { maxTokens: null }, number]>([
    ["one request", "requests", {}, {}, 1],
    ["one place", "concurrent", {}, {}, 1],
    ["its prompt", "input_tokens", {}, {}, 100],
    ["its likely answer", "output_tokens", {}, {}, 30],
    ["both", "tokens", {}, {}, 130],
    ["its prompt alone where output does not count", "tokens", { tokensCountOutput: false }, {}, 100],
    ["max_tokens where they are set aside", "tokens", { reservesOutput: "max_tokens" }, {}, 500],
    [
      "the likely answer where max_tokens would be but is unset",
      "tokens",
      { reservesOutput: "max_tokens" },
      { maxTokens: null },
      130,
    ],
    [
      "the model's maximum where that is set aside",
      "tokens",
      { reservesOutput: "model_maximum" },
      { maxTokens: null },
      8100,
    ],
    [
      "max_tokens rather than the model's maximum",
      "output_tokens",
      { reservesOutput: "model_maximum" },
      {},
      400,
    ],
    ["output by its weight", "output_tokens", { outputWeight: 5 }, {}, 150],
    ["dollars by the model's prices", "usd", {}, {}, Math.ceil(100 * 1.25 + 30 * 10)],
  ])("%s (%s)", (_, dimension, rule, changes, cost) => {
    expect(expectedCost(dimension, { ...ESTIMATE, ...changes }, counting(rule), PRICES)).toBe(cost);
  });
});

describe("when it has ended, a request has cost", () => {
  test.each<[string, Dimension, Partial<Counting>, number]>([
    ["one request", "requests", {}, 1],
    ["no place any more", "concurrent", {}, 0],
    ["all its input", "input_tokens", {}, 1000],
    ["its input without what came from a cache", "input_tokens", { cachedInputCounts: false }, 400],
    ["input and output", "tokens", {}, 1200],
    ["input and weighted output", "tokens", { outputWeight: 5 }, 2000],
    ["input alone", "tokens", { tokensCountOutput: false, cachedInputCounts: false }, 400],
    ["output, reasoning included once", "output_tokens", {}, 200],
    [
      "dollars, each kind of input at its price",
      "usd",
      {},
      Math.ceil(300 * 1.25 + 600 * 0.125 + 100 * 1.5625 + 200 * 10),
    ],
  ])("%s (%s)", (_, dimension, rule, cost) => {
    expect(actualCost(dimension, USAGE, counting(rule), PRICES)).toBe(cost);
  });

  test("nothing in dollars where there are no prices", () => {
    expect(usdCost(USAGE, FREE)).toBe(0);
  });

  test("a whole number of micro-dollars that binary fractions don't push up", () => {
    const usage = { ...USAGE, inputTokens: 3, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 0 };
    // 3 × 0.1 is 0.30000000000000004 in binary; 10 × that is 3.0000000000000004.
    expect(usdCost({ ...usage, inputTokens: 30 }, { ...FREE, input: 0.1 })).toBe(3);
    expect(usdCost(usage, { ...FREE, input: 0.1 })).toBe(1);
  });
});

describe("a request with a long input", () => {
  const prices = {
    ...PRICES,
    long: { above: 1000, input: 2.5, output: 15, cachedInput: 0.25, cacheWrite: 3 },
  };

  test.each([
    ["as many tokens as the border", 1000, 300 * 1.25 + 600 * 0.125 + 100 * 1.5625 + 200 * 10],
    ["one more", 1001, 301 * 2.5 + 600 * 0.25 + 100 * 3 + 200 * 15],
  ])("has cost other prices for all of its tokens: %s", (_, inputTokens, microUsd) => {
    expect(usdCost({ ...USAGE, inputTokens }, prices)).toBe(Math.ceil(microUsd));
  });

  test.each([
    [1000, 1000 * 1.25 + 30 * 10],
    [1001, 1001 * 2.5 + 30 * 15],
  ])("of %i tokens is expected to", (inputTokens, microUsd) => {
    expect(expectedCost("usd", { ...ESTIMATE, inputTokens }, PLAIN_COUNTING, prices)).toBe(
      Math.ceil(microUsd),
    );
  });
});
