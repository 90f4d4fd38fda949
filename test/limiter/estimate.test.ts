// Estimates: sensible before anything is known, right on average after some answers, and never required from clients.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Estimates, ModelEstimate, type RequestShape } from "../../src/limiter/estimate.ts";
import type { Usage } from "../../src/observe/events.ts";
import { used } from "./solo-limiter.ts";

function shape(changes: Partial<RequestShape> = {}): RequestShape {
  return { textBytes: 4000, imageCount: 0, maxTokens: null, choices: 1, hasOutput: true, ...changes };
}

function learn(estimate: ModelEstimate, times: number, asked: RequestShape, usage: Usage): void {
  for (let time = 0; time < times; time++) estimate.learn(asked, usage);
}

describe("an estimate", () => {
  test.each([
    ["four bytes per token", shape(), 1000],
    ["images apart", shape({ imageCount: 2 }), 1000 + 2 * 800],
    ["nothing for nothing", shape({ textBytes: 0 }), 0],
  ])("begins with %s", (_, asked, inputTokens) => {
    expect(new ModelEstimate(null).of(asked).inputTokens).toBe(inputTokens);
  });

  test("of the answer ends at max_tokens, at the model's maximum, and is multiplied by the answers asked for", () => {
    const estimate = new ModelEstimate(300);
    expect(estimate.of(shape()).outputTokens).toBe(300);
    expect(estimate.of(shape({ maxTokens: 20 })).outputTokens).toBe(20);
    expect(estimate.of(shape({ maxTokens: 20, choices: 3 }))).toMatchObject({
      outputTokens: 60,
      maxTokens: 60,
      modelMaxTokens: 900,
    });
  });

  test("expects no output of an embedding, whatever was learned from chats", () => {
    const estimate = new ModelEstimate(1000);
    learn(estimate, 50, shape(), used(1000, 800));
    expect(estimate.of(shape({ hasOutput: false }))).toMatchObject({
      outputTokens: 0,
      maxTokens: null,
      modelMaxTokens: null,
    });
  });

  test("comes near the truth within fifty answers, whatever the language", () => {
    for (const bytesPerToken of [1.5, 3, 4, 6]) {
      const estimate = new ModelEstimate(null);
      learn(estimate, 50, shape(), used(Math.round(4000 / bytesPerToken), 120));
      expect(Math.abs(estimate.bytesPerToken - bytesPerToken)).toBeLessThan(0.15 * bytesPerToken);
      const { inputTokens, outputTokens } = estimate.of(shape());
      expect(inputTokens).toBeGreaterThan((0.85 * 4000) / bytesPerToken);
      expect(inputTokens).toBeLessThan((1.18 * 4000) / bytesPerToken);
      expect(outputTokens).toBeGreaterThanOrEqual(120);
      expect(outputTokens).toBeLessThan(200);
    }
  });

  test("learns what an image costs from requests with images, and bytes per token from those without", () => {
    const estimate = new ModelEstimate(null);
    learn(estimate, 100, shape({ imageCount: 2 }), used(1000 + 2 * 1500));
    expect(estimate.bytesPerToken).toBe(4);
    const { inputTokens } = estimate.of(shape({ imageCount: 1 }));
    expect(inputTokens).toBeGreaterThan(2450);
    expect(inputTokens).toBeLessThan(2550);
  });

  test("for a text of a length is that of its bytes", () => {
    expect(new ModelEstimate(null).tokensOf(401)).toBe(101);
  });

  test("is finite and not negative after any reports", () => {
    const report = fc.record({
      bytes: fc.nat(),
      images: fc.nat({ max: 9 }),
      input: fc.nat(),
      output: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(report, { maxLength: 30 }), (reports) => {
        const estimate = new ModelEstimate(null);
        for (const { bytes, images, input, output } of reports) {
          estimate.learn(shape({ textBytes: bytes, imageCount: images }), used(input, output));
        }
        const { inputTokens, outputTokens } = estimate.of(shape({ imageCount: 1 }));
        expect(Number.isFinite(inputTokens) && inputTokens >= 0).toBe(true);
        expect(Number.isFinite(outputTokens) && outputTokens >= 0).toBe(true);
      }),
    );
  });
});

describe("the estimates of all models", () => {
  test("are kept apart by provider and model, and outlive whoever asked", () => {
    const estimates = new Estimates();
    learn(estimates.of("p", "m", null), 20, shape(), used(2000, 10));
    expect(estimates.of("p", "m", null).bytesPerToken).toBeLessThan(3);
    expect(estimates.of("q", "m", null).bytesPerToken).toBe(4);
  });

  test("have an end, because clients may name any model", () => {
    const estimates = new Estimates();
    for (let number = 0; number < 2000; number++) estimates.of("p", `m${number}`, null);
    expect(estimates.of("p", "one more", null)).toBe(estimates.of("p", "and another", null));
  });
});
