// Real gateways, real faults, and a provider that counts exactly what it lets in and what it has to refuse.
import { expect, onTestFailed, test } from "vitest";
import { runFaults, runRollingRestart, type ScenarioResult } from "./fleet-scenario.ts";
import { BURST, type ScenarioOptions } from "./fleet-scene.ts";
import type { Load } from "./load.ts";

/** Another one draws other victims and other times. */
const SEED = Number(process.env["SLUICE_FLEET_SEED"] ?? 1);

async function check(run: (options: ScenarioOptions) => Promise<ScenarioResult>): Promise<void> {
  const startedMs = performance.now();
  const steps: string[] = [];
  let load: Load | undefined;
  const say = (what: string): void => {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    steps.push(`${seconds} s, ${load?.tally.served ?? 0} served: ${what}`);
  };
  const result = await run({ seed: SEED, say, watch: (_, running) => (load = running) });
  const { provider, lost, use, lastBurst, seconds } = result;
  steps.push(JSON.stringify({ ...provider, use, seconds, lastBurst }));
  onTestFailed(() => console.log(steps.join("\n")));
  expect(provider.refused).toBe(0);
  expect(lost).toEqual([]);
  expect(use).toBeGreaterThanOrEqual(0.95);
  expect(lastBurst).toBeGreaterThanOrEqual(0.95 * BURST);
}

test(`through cuts, a kill, a suspension, a join and a leave the provider refuses nothing, and nothing is lost (seed ${SEED})`, async () => {
  await check(runFaults);
}, 600_000);

test(`through a restart of all of them in turn the provider refuses nothing, and nothing is lost (seed ${SEED})`, async () => {
  await check(runRollingRestart);
}, 600_000);
