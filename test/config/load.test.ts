import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ENV = { OPENAI_API_KEY: "sk-from-the-environment", TEAM_A_KEY: "team-a-secret" };

/** The problems of a configuration, one per line and without the file's name; empty when it is sound. */
async function check(yaml: string): Promise<string> {
  writeFileSync(join(folder, "sluice.yaml"), yaml);
  try {
    await loadConfig({ cwd: folder, env: ENV, hostName: "host" });
    return "";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message.replaceAll("sluice.yaml:", "");
  }
}

describe("a problem", () => {
  test("stands with its line, its column and what may have been meant", async () => {
    expect(await check("queue:\n  max_wiat: 5s\n")).toBe(
      '2:3: queue.max_wiat: unknown key; did you mean "max_wait"?',
    );
  });
});
