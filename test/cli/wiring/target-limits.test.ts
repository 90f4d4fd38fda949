// Which limits are in force before anybody has asked for a model, and which may come with models that clients name.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LEARNED_MAX, providerLimits, targetLimits } from "../../../src/cli/wiring/target-limits.ts";
import type { Provider } from "../../../src/config/config.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { SoloLimiter } from "../../limiter/solo-limiter.ts";

/** The provider `main` of a configuration that has only it. */
async function providerOf(yaml: string): Promise<Provider> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-limits-"));
  const file = join(directory, "sluice.yaml");
  writeFileSync(file, yaml);
  const { config } = await loadConfig({ file, cwd: directory, env: {}, hostName: "test" });
  rmSync(directory, { recursive: true });
  const provider = config.providers.get("main");
  if (provider === undefined) throw new Error("one provider");
  return provider;
}

test("limits are learned of so many invented models and no more, and of configured ones always", async () => {
  const provider = await providerOf(
    "providers: { main: { type: vllm, limits: auto, models: { real: {} } } }",
  );
  const { limiter, clock } = new SoloLimiter();
  const learned = new Map<string, Map<string, never>>();
  const observer = { providerRefused: () => undefined };
  for (let name = 0; name < LEARNED_MAX + 10; name++) {
    targetLimits(provider, `invented-${name}`, { limiter, clock, learned, observer });
  }
  expect(learned.size).toBe(LEARNED_MAX);
  targetLimits(provider, "real", { limiter, clock, learned, observer });
  expect(learned.has("main/real")).toBe(true);
});

test("limits of a provider whose models nobody knows are listed before the first request, for each of its keys", async () => {
  const provider = await providerOf(
    "providers: { main: { dialect: openai, base_url: http://127.0.0.1:9/v1, api_keys: [a, b], limits: [{ requests: 5/min }] } }",
  );
  const { limiter } = new SoloLimiter();
  const held = limiter.compileAll("all", () => providerLimits(provider, { limiter }));
  const shown = new Set([...limiter.samples()].flatMap(({ labels }) => labels?.["bucket"] ?? []));
  expect([...shown]).toEqual(["main~1/requests/min", "main~2/requests/min"]);
  expect(held).toHaveLength(2);
});
