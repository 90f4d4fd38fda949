// What the configuration's `fleet` comes to: who is waited for how long, and whether merges are traced.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fleetParts } from "../../../src/cli/wiring/fleet-wiring.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { silentLog } from "../../../src/observe/events.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-fleet-wiring-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function partsOf(yaml: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, "sluice.yaml");
  writeFileSync(file, yaml);
  const { config } = await loadConfig({ file, cwd: folder, env: {}, hostName: "desk" });
  return fleetParts(config, silentLog, env);
}

test.each([
  ["", {}, false],
  ["log: { merges: true }", {}, true],
  ["", { OPENCLAW_MERGE_DEBUG: "1" }, true],
  ["", { OPENCLAW_MERGE_DEBUG: "0" }, false],
  ["", { OPENCLAW_MERGE_DEBUG: "" }, false],
])(
  "merges are traced where the configuration or the environment says so: %j, %j",
  async (yaml, env, isTracing) => {
    expect(await partsOf(yaml, env)).toMatchObject({ isTracing });
  },
);

const FLEET = "listen: 127.0.0.1:0, peers: [http://127.0.0.1:1], secret: sixteen-letters-";

test.each([
  ["", { reclaimAfterMs: Infinity, foundAfterMs: 5000, foundsUnheard: false }],
  ["reclaim: { after: 60s }", { reclaimAfterMs: 60_000 }],
  ["reclaim: never", { reclaimAfterMs: Infinity }],
  ["found_after: 7s", { foundAfterMs: 7000, foundsUnheard: true }],
  ["found_after: never", { foundAfterMs: Infinity, foundsUnheard: false }],
])("a member with %j", async (more, expected) => {
  const { membership, connect } = await partsOf(`fleet: { ${[FLEET, more].filter(Boolean).join(", ")} }`);
  expect(membership).toMatchObject({ name: "desk", hasPeers: true, ...expected });
  expect(connect).toBeDefined();
});

test("an instance without peers and without a port for siblings listens for none", async () => {
  expect(await partsOf("")).not.toHaveProperty("connect");
});
