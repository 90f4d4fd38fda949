import { describe, expect, test } from "vitest";
import { gaugeSamples } from "../../../src/cli/wiring/gauges.ts";
import type { CircuitReport } from "../../../src/routing/health-book.ts";

const report = (state: CircuitReport["state"], changes: Partial<CircuitReport> = {}): CircuitReport => ({
  scope: "provider",
  provider: "main",
  name: "",
  key: "",
  state,
  blockedMs: 0,
  ...changes,
});

const isConfigured = (provider: string, model: string) => `${provider}/${model}` === "main/large";

function values(circuits: readonly CircuitReport[], pausedMs = -Infinity) {
  const samples = gaugeSamples({
    running: 3,
    providers: ["main"],
    circuits,
    isConfigured,
    pausedMs: () => pausedMs,
  });
  return Object.fromEntries(
    [...samples].map(({ name, labels, value }) => [`${name} ${Object.values(labels).join("/")}`, value]),
  );
}

describe("a provider is up", () => {
  test.each([
    ["before anything is known of it", [], undefined, 1],
    ["while its circuit is closed", [report("closed")], undefined, 1],
    ["while its circuit is tried again", [report("half_open")], undefined, 1],
    ["but not while its circuit is open", [report("open")], undefined, 0],
    ["but not while it asked for a pause", [report("closed")], 1500, 0],
    [
      "when only a model's circuit is open",
      [report("open", { scope: "model", name: "large" })],
      undefined,
      1,
    ],
  ] as const)("%s", (_, circuits, pausedMs, up) => {
    expect(values(circuits, pausedMs)["sluice_provider_up main"]).toBe(up);
  });
});

test("running requests, pauses and circuits are shown as numbers", () => {
  expect(values([report("open"), report("half_open", { scope: "model", name: "large" })], 1500)).toEqual({
    "sluice_requests_running ": 3,
    "sluice_provider_up main": 0,
    "sluice_provider_paused_seconds main": 1.5,
    "sluice_circuit_state provider/main/": 2,
    "sluice_circuit_state model/main/large": 1,
  });
});

test("circuits of models that only clients speak of are not shown", () => {
  const shown = values([report("open", { scope: "model", name: "invented" })]);
  expect(Object.keys(shown).join()).not.toContain("invented");
});
