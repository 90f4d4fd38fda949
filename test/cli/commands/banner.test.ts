// What a start says, for configurations of each kind.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { startBanner } from "../../../src/cli/commands/banner.ts";
import { localUrl } from "../../../src/cli/local-url.ts";
import type { FleetStanding } from "../../../src/cli/wiring/wire.ts";
import { loadConfig } from "../../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-banner-"));

afterAll(() => rmSync(folder, { recursive: true }));

async function banner(
  yaml: string,
  isOpen = !yaml.includes("keys:"),
  fleet: FleetStanding = ALONE,
): Promise<string> {
  writeFileSync(join(folder, "sluice.yaml"), yaml);
  const { config } = await loadConfig({ cwd: folder, env: {}, hostName: "host" });
  return startBanner(config, { port: 8787, isOpen, version: "1.2.3", fleet });
}

const ALONE: FleetStanding = { state: "serving", members: [] };

describe("the line on the fleet", () => {
  const FLEET =
    "fleet: { name: gw-0, listen: 127.0.0.1:8788, peers: [http://gw-1:8788], secret: sixteen-letters- }";
  const founder = {
    replica: "ab",
    name: "gw-1",
    is_self: false,
    is_founder: true,
    state: "live",
    boot: 1,
    version: 1,
    silent_ms: 0,
  } as const;

  test.each<[FleetStanding["state"], FleetStanding["members"], string]>([
    ["seeking", [], "looking for siblings"],
    [
      "recovering",
      [founder],
      "coming back to the fleet founded by gw-1, asking the siblings what they remember",
    ],
    ["serving", [founder], "in the fleet founded by gw-1"],
  ])("says that it is %s", async (state, members, expected) => {
    const text = await banner(FLEET, true, { state, members });
    expect(text).toContain(`  fleet      gw-0 at http://127.0.0.1:8788, 1 peer configured: ${expected}\n`);
  });

  test("is not there for an instance that is alone", async () => {
    expect(await banner("")).not.toContain("fleet");
  });
});

describe("the start's greeting", () => {
  test("names address, providers with limits, and a line that works as it is", async () => {
    const text = await banner("");
    expect(text).toContain("Sluice 1.2.3 listens on http://127.0.0.1:8787 (this machine only, no key asked)");
    expect(text).toContain("simulator (built in, answers are made up): requests: 600/min");
    expect(text).toContain(
      `curl http://127.0.0.1:8787/v1/chat/completions -H 'content-type: application/json' -d '{"model":"simulator/sim-chat"`,
    );
  });

  test("names the provider of a model that no catalog knows", async () => {
    const text = await banner("providers: { sim: { dialect: openai, base_url: http://127.0.0.1:8790/v1 } }");
    expect(text).toContain('"model":"sim/MODEL"');
  });

  test("says that a key is needed where keys were made at run time", async () => {
    const text = await banner("", false);
    expect(text).toContain("listens on http://127.0.0.1:8787 (client keys made at run time)");
    expect(text).toContain("-H 'authorization: Bearer YOUR_KEY'");
  });

  test("tries an alias first, with the name of a key but never the key", async () => {
    const text = await banner(`
listen: 0.0.0.0:8787
admin: { key: an-admin-key-of-some-length }
models: { smart: [ simulator/sim-chat ] }
providers: { simulator: {} }
keys: [ { name: team-a, key: a-secret-key-of-some-length } ]
`);
    expect(text).toContain("listens on http://127.0.0.1:8787 (one client key)");
    expect(text).toContain("-H 'authorization: Bearer KEY_OF_team-a'");
    expect(text).toContain('"model":"smart"');
    expect(text).not.toContain("secret-key");
  });
});

test.each([
  ["127.0.0.1", "http://127.0.0.1:1"],
  ["0.0.0.0", "http://127.0.0.1:1"],
  ["::", "http://[::1]:1"],
  ["::1", "http://[::1]:1"],
  ["gateway.internal", "http://gateway.internal:1"],
])("a listener on %s is reached from this machine at %s", (host, url) => {
  expect(localUrl({ host, port: 1 })).toBe(url);
});
