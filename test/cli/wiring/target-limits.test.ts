// With `limits: auto` every model that is asked for may bring limits of its own, and clients can ask for any name.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LEARNED_MAX, targetLimits } from "../../../src/cli/wiring/target-limits.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { SoloLimiter } from "../../limiter/solo-limiter.ts";

test("limits are learned of so many invented models and no more, and of configured ones always", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-learned-"));
  const file = join(directory, "sluice.yaml");
  writeFileSync(file, "providers: { main: { type: vllm, limits: auto, models: { real: {} } } }");
  const { config } = await loadConfig({ file, cwd: directory, env: {}, hostName: "test" });
  rmSync(directory, { recursive: true });
  const provider = config.providers.get("main");
  if (provider === undefined) throw new Error("one provider");
  const { limiter, clock } = new SoloLimiter();
  const learned = new Map<string, Map<string, never>>();
  for (let name = 0; name < LEARNED_MAX + 10; name++) {
    targetLimits(provider, `invented-${name}`, { limiter, clock, learned });
  }
  expect(learned.size).toBe(LEARNED_MAX);
  targetLimits(provider, "real", { limiter, clock, learned });
  expect(learned.has("main/real")).toBe(true);
});
