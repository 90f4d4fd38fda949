// Providers of type simulator are servers of their own, and come and go with the configuration.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Simulators } from "../../../src/cli/wiring/simulators.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/config.ts";

async function configOf(providers: object): Promise<Config> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-simulators-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "sluice.yaml");
  writeFileSync(file, JSON.stringify({ data_dir: folder, providers }));
  return (await loadConfig({ file, cwd: folder, env: {}, hostName: "desk" })).config;
}

const simulator = (options: object = {}) => ({ type: "simulator", options });

async function status(url: string | undefined): Promise<number> {
  const body = JSON.stringify({ model: "sim-chat", messages: [{ role: "user", content: "hello" }] });
  const headers = { "content-type": "application/json" };
  return (await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body })).status;
}

test("each provider has its own server, and its own quota", async () => {
  const simulators = new Simulators();
  onTestFinished(() => simulators.close());
  const tight = simulator({ requests_per_min: "1", requests_burst: "1", slack_ms: "0" });
  await simulators.prepare(await configOf({ one: tight, two: simulator() }));
  expect(simulators.url("one")).not.toBe(simulators.url("two"));
  const statuses = [];
  for (const name of ["one", "one", "two", "two"]) statuses.push(await status(simulators.url(name)));
  expect(statuses).toEqual([200, 429, 200, 200]);
});

test("a reload adds the first one, keeps what stays the same, and lets others end at the next", async () => {
  const simulators = new Simulators();
  onTestFinished(() => simulators.close());
  await simulators.prepare(
    await configOf({ other: { dialect: "openai", base_url: "http://127.0.0.1:1/v1" } }),
  );
  expect(simulators.url("one")).toBeUndefined();
  await simulators.prepare(await configOf({ one: simulator(), two: simulator() }));
  const [one, two] = [simulators.url("one"), simulators.url("two")];
  expect(await status(one)).toBe(200);
  await simulators.prepare(await configOf({ one: simulator(), two: simulator({ pace_ms: "1" }) }));
  expect(simulators.url("one")).toBe(one);
  expect(simulators.url("two")).not.toBe(two);
  expect(await status(two)).toBe(200);
  await simulators.prepare(await configOf({ one: simulator() }));
  await expect(status(two)).rejects.toThrow("fetch failed");
  expect(await status(one)).toBe(200);
});

test("settings that make no sense change nothing", async () => {
  const simulators = new Simulators();
  onTestFinished(() => simulators.close());
  await simulators.prepare(await configOf({ one: simulator() }));
  const config = await configOf({ one: simulator(), two: simulator() });
  const two = config.providers.get("two");
  if (two === undefined) throw new Error("it was just configured");
  const bad = new Map([...config.providers, ["two", { ...two, options: { pace_ms: "many" } }]]);
  await expect(simulators.prepare({ ...config, providers: bad })).rejects.toMatchObject({
    code: "invalid_config",
  });
  expect(await status(simulators.url("one"))).toBe(200);
});
