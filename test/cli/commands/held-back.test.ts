import { describe, expect, test } from "vitest";
import { describeHeldBack, heldBackOf } from "../../../src/cli/commands/held-back.ts";
import type { MetricSample } from "../../../src/cli/commands/metrics-text.ts";
import { gaugeSamples } from "../../../src/cli/wiring/gauges.ts";
import type { CircuitReport } from "../../../src/routing/health-book.ts";

function circuit(of: Pick<CircuitReport, "scope" | "name" | "key" | "state">): CircuitReport {
  return { provider: "main", blockedMs: 0, ...of };
}

/** What `/metrics` shows of these circuits, and of a pause for so long. */
function samplesOf(circuits: readonly CircuitReport[], pausedMs: number): MetricSample[] {
  return [
    ...gaugeSamples({
      running: 3,
      providers: ["main"],
      circuits,
      isConfigured: () => true,
      pausedMs: () => pausedMs,
    }),
  ];
}

describe("what is held back", () => {
  test("is nothing while all is well", () => {
    const well = samplesOf([circuit({ scope: "provider", name: "", key: "", state: "closed" })], -5);
    expect(heldBackOf(well)).toEqual([]);
    expect(describeHeldBack([])).toBe("");
  });

  test.each([
    ["provider", "", "", "open", "main", "circuit open"],
    ["model", "a", "", "half_open", "main/a", "circuit in doubt"],
    ["model", "a", "k2", "open", "main/a with key k2", "circuit open"],
    ["key", "k2", "", "suspect", "main key k2", "circuit in doubt"],
  ] as const)("is the %s %s%s whose circuit is %s", (scope, name, key, state, target, reason) => {
    expect(heldBackOf(samplesOf([circuit({ scope, name, key, state })], 0))).toEqual([
      { target, reason, seconds: null },
    ]);
  });

  test("is a provider that asked for a pause, with what is left of it", () => {
    const held = heldBackOf(samplesOf([], 12_400));
    expect(held).toEqual([{ target: "main", reason: "paused", seconds: 12.4 }]);
    expect(describeHeldBack(held)).toBe("held back  why      still\nmain       paused  12.4 s");
  });
});
