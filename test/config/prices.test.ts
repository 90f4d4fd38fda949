// What a model costs: by the token, by other units, or by both.
import { describe, expect, test } from "vitest";
import { load, problemsOf } from "./setup.ts";

describe("what a model costs", () => {
  async function prices(yaml: string) {
    const { config } = await load(`providers: { openai: { models: { m: { prices: { ${yaml} } } } } }`);
    return config.providers.get("openai")?.models.get("m")?.prices;
  }

  test("may be by the token, by other units, or by both", async () => {
    const units = { request: 0, images: [], audioMinute: null, characters: null, searches: null };
    const tokens = { cachedInput: 1, cacheWrite: 1, asOf: null };
    expect(await prices("input: 1, output: 2")).toEqual({ input: 1, output: 2, ...tokens });
    expect(await prices("input: 1, output: 2, request: 0.005")).toEqual({
      input: 1,
      output: 2,
      ...tokens,
      units: { ...units, request: 0.005 },
    });
    expect(await prices("minute: 0.006, characters: 15, searches: 2")).toMatchObject({
      units: { ...units, audioMinute: 0.006, characters: 15, searches: 2 },
      isByUnitsAlone: true,
    });
  });

  test.each([
    ["images: 0.07", [{ size: null, quality: null, usd: 0.07 }]],
    [
      "images: [ { size: 1024X1024, usd: 0.04 }, { quality: HD, usd: 0.08 } ]",
      [
        { size: "1024x1024", quality: null, usd: 0.04 },
        { size: null, quality: "hd", usd: 0.08 },
      ],
    ],
  ])("names pictures by size and quality: %s", async (yaml, images) => {
    expect(await prices(yaml)).toMatchObject({ units: { images } });
  });

  test.each([
    ["", "providers.openai.models.m.prices: there is no price in it"],
    ["input: 1", "providers.openai.models.m.prices: `input` and `output` go together"],
    ["minute: 1, cached_input: 1", "providers.openai.models.m.prices: `input` and `output` go together"],
    ["images: []", "prices.images: expected at least one price"],
    ["images: much", "prices.images: expected"],
    ["minute: -1", "prices.minute: expected a number from 0 to 1000000"],
  ])("is refused as %s", async (yaml, problem) => {
    expect(await problemsOf(`providers: { openai: { models: { m: { prices: { ${yaml} } } } } }`)).toContain(
      problem,
    );
  });
});
