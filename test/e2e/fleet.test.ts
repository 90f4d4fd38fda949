// Real gateways, real faults, and a provider that counts exactly what it lets in and what it has to refuse.
import { expect, test } from "vitest";
import { runFleetScenario, type ScenarioResult } from "./fleet-scenario.ts";

function lostElsewhere({ tally, killedPort }: ScenarioResult): readonly string[] {
  return [...tally.lost]
    .filter(([what]) => !what.startsWith(`${killedPort} `))
    .map(([what, times]) => `${what} × ${times}`);
}

test("through cuts, a kill, a suspension, a join and a leave the provider refuses nothing, and nothing is lost", async () => {
  const result = await runFleetScenario({ rounds: 1, say: () => {} });
  expect(result.provider.refused).toBe(0);
  expect(lostElsewhere(result)).toEqual([]);
  expect(result.use).toBeGreaterThanOrEqual(0.95);
  // The quota is exceeded by nothing: not even the slack for bunched arrivals is used up.
  expect(result.provider.lowest).toBeGreaterThan(0);
}, 90_000);
