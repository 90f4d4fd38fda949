// Loads configurations from texts, in a folder that is gone afterwards.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openCatalog } from "../../src/config/catalog.ts";
import { type Loaded, loadConfig, type LoadOptions } from "../../src/config/load.ts";

export const folder = mkdtempSync(join(tmpdir(), "sluice-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Read once for all tests of a file. */
const catalog = openCatalog();

export const ENV = {
  OPENAI_API_KEY: "sk-secret-from-the-environment",
  TEAM_A_KEY: "team-a-secret",
  EMPTY: "",
  PORT: "9000",
};

/** What the configuration means. */
export async function load(
  content: string | Uint8Array,
  options: Partial<LoadOptions> = {},
): Promise<Loaded> {
  writeFileSync(join(folder, "sluice.yaml"), content);
  return loadConfig({ cwd: folder, env: ENV, hostName: "host", catalog, ...options });
}

/** The problems of a configuration, one a line and without the file's name; empty when it is sound. */
export async function problemsOf(
  content: string | Uint8Array,
  options: Partial<LoadOptions> = {},
): Promise<string> {
  try {
    await load(content, options);
    return "";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message.replaceAll("sluice.yaml:", "");
  }
}
