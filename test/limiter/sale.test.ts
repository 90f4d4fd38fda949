// What is sold by other units than tokens: what it may cost before, and what it has cost.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  actualCost,
  type Estimate,
  expectedCost,
  isPriced,
  PLAIN_COUNTING,
  type Prices,
  usdCost,
} from "../../src/limiter/cost.ts";
import { saleMicroUsd, type UnitPrices } from "../../src/limiter/sale.ts";
import type { Sale, Usage } from "../../src/observe/events.ts";

const UNITS: UnitPrices = {
  request: 0,
  images: [
    { size: "1024x1024", quality: "standard", usd: 0.04 },
    { size: "1024x1792", quality: "standard", usd: 0.08 },
    { size: "1024x1024", quality: "hd", usd: 0.09 },
    { size: "1024x1792", quality: "hd", usd: 0.12 },
  ],
  audioMinute: 0.006,
  characters: 15,
  searches: 2,
};

const NO_UNITS: UnitPrices = { request: 0, images: [], audioMinute: null, characters: null, searches: null };
const TOKENS = { input: 5, output: 40, cachedInput: 5, cacheWrite: 5 };
const UNSOLD = { input: 0, output: 0, cachedInput: 0, cacheWrite: 0, isByUnitsAlone: true };

function images(count: number, size: string | null, quality: string | null): Sale {
  return { kind: "images", count, size, quality };
}

function usage(changes: Partial<Usage>): Usage {
  return {
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    ...changes,
  };
}

function estimate(changes: Partial<Estimate>): Estimate {
  return { inputTokens: 0, outputTokens: 0, maxTokens: null, modelMaxTokens: null, ...changes };
}

describe("a sale costs, in micro-dollars,", () => {
  test.each<[string, Sale, number | null]>([
    ["a picture of the size and quality asked for", images(1, "1024x1792", "hd"), 120_000],
    ["each of several", images(3, "1024x1024", "standard"), 120_000],
    ["the first listed where nothing is said", images(1, null, null), 40_000],
    ["the usual quality where only a size is", images(1, "1024x1792", null), 80_000],
    ["the usual size where only a quality is", images(1, null, "hd"), 90_000],
    ["the dearest where the provider chooses", images(1, "auto", "auto"), 120_000],
    ["whatever the case", images(1, "1024X1024", "HD"), 90_000],
    ["what nobody knows of a size that is not listed", images(1, "4096x4096", "hd"), null],
    ["what nobody knows of a quality that is not listed", images(1, "1024x1024", "ultra"), null],
    ["sound by the second", { kind: "audio", seconds: 90 }, 9000],
    ["speech by the character", { kind: "speech", characters: 4000 }, 60_000],
    ["searches", { kind: "searches", count: 3 }, 6000],
  ])("%s", (_, sale, microUsd) => {
    const cost = saleMicroUsd(sale, UNITS);
    if (microUsd === null) expect(cost).toBeNull();
    else expect(cost).toBeCloseTo(microUsd, 6);
    expect(saleMicroUsd(sale, NO_UNITS)).toBeNull();
  });

  test("one price for all pictures whatever they are", () => {
    const units = { ...NO_UNITS, images: [{ size: null, quality: null, usd: 0.07 }] };
    for (const sale of [images(1, null, null), images(1, "auto", "x"), images(1, "9x9", null)]) {
      expect(saleMicroUsd(sale, units)).toBeCloseTo(70_000, 6);
    }
  });
});

describe("a request under a limit in dollars has a price", () => {
  const tokens: Prices = TOKENS;
  const both: Prices = { ...TOKENS, units: UNITS };
  const unitsAlone: Prices = { ...UNSOLD, units: UNITS };
  test.each<[string, Partial<Estimate>, Prices | null, boolean]>([
    ["chat, by tokens", {}, tokens, true],
    ["chat, nothing known", {}, null, false],
    ["chat, sold by units alone", {}, unitsAlone, false],
    ["pictures, by tokens alone", { sells: "images" }, tokens, false],
    ["pictures, listed", { sells: "images", sale: images(1, null, null) }, unitsAlone, true],
    ["pictures, not listed", { sells: "images", sale: images(1, "9x9", null) }, both, false],
    ["sound", { sells: "audio", sale: { kind: "audio", seconds: 1 } }, unitsAlone, true],
    ["sound, no price", { sells: "audio", sale: { kind: "audio", seconds: 1 } }, tokens, false],
    ["ranking, by searches", { sells: "searches", sale: { kind: "searches", count: 1 } }, unitsAlone, true],
    ["ranking, by tokens", { sells: "searches" }, tokens, true],
    ["ranking, nothing known", { sells: "searches" }, null, false],
  ])("%s", (_, changes, prices, is) => {
    expect(isPriced(estimate(changes), prices)).toBe(is);
  });
});

describe("what was used costs", () => {
  const paint: Prices = { ...TOKENS, units: UNITS };
  const sold = (sale: Sale, hasTokens = false) => ({ sale, hasTokens });
  test.each<[string, Usage, Prices, number]>([
    ["nothing when nothing was", usage({}), { ...paint, units: { ...UNITS, request: 0.01 } }, 0],
    [
      "pictures and the prompt, where no tokens are reported",
      usage({ inputTokens: 100, outputTokens: 7, sold: sold(images(2, null, null)) }),
      paint,
      80_500,
    ],
    [
      "tokens where they are reported and have a price",
      usage({ inputTokens: 100, outputTokens: 1000, sold: sold(images(2, null, null), true) }),
      paint,
      40_500,
    ],
    [
      "pictures where tokens are reported that have none",
      usage({ inputTokens: 100, outputTokens: 1000, sold: sold(images(2, null, null), true) }),
      { ...UNSOLD, units: UNITS },
      80_000,
    ],
    [
      "a fee for the request beside its tokens",
      usage({ inputTokens: 100, outputTokens: 10 }),
      { ...TOKENS, units: { ...NO_UNITS, request: 0.005 } },
      5900,
    ],
    [
      "tokens where the unit has no price",
      usage({ inputTokens: 100, sold: sold({ kind: "searches", count: 1 }) }),
      TOKENS,
      500,
    ],
  ])("%s", (_, used, prices, microUsd) => {
    expect(usdCost(used, prices)).toBe(microUsd);
    expect(actualCost("usd", used, PLAIN_COUNTING, prices)).toBe(microUsd);
    expect(actualCost("requests", used, PLAIN_COUNTING, prices)).toBe(1);
  });
});

test("what is set aside is no less than what pictures then cost, whatever the provider chooses", () => {
  const word = fc.constantFrom("1024x1024", "1024x1792");
  const quality = fc.constantFrom("standard", "hd");
  fc.assert(
    fc.property(
      fc.nat({ max: 20 }),
      word,
      quality,
      fc.boolean(),
      fc.nat({ max: 500 }),
      (count, size, quality, isAuto, inputTokens) => {
        const prices: Prices = { ...TOKENS, units: { ...UNITS, request: 0.01 } };
        const asked = isAuto ? images(count, "auto", "auto") : images(count, size, quality);
        const made = images(count, size, quality);
        const before = expectedCost(
          "usd",
          estimate({ inputTokens, sells: "images", sale: asked }),
          PLAIN_COUNTING,
          prices,
        );
        const after = usdCost(usage({ inputTokens, sold: { sale: made, hasTokens: false } }), prices);
        expect(before).toBeGreaterThanOrEqual(after);
      },
    ),
  );
});
