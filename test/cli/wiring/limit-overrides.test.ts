// Limits set at run time: through the admin routes and the command, over a reload and a restart, and on a sibling.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseCommandLine } from "../../../src/cli/args.ts";
import { configuredLimits, LimitOverrides } from "../../../src/cli/wiring/limit-overrides.ts";
import { runLimits } from "../../../src/cli/commands/status.ts";
import { openGateway, type Running } from "../../../src/cli/wiring/wire.ts";
import type { Config } from "../../../src/config/config.ts";
import { Board } from "../../../src/fleet/board.ts";
import { silentLog } from "../../../src/observe/events.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import { MemoryStore } from "../../../src/store/memory.ts";
import { load } from "../../config/setup.ts";
import { ManualClock } from "../../manual-clock.ts";
import { memoryWriter } from "../../observe/memory-writer.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-limits-"));
afterAll(() => rmSync(root, { recursive: true }));

let stores = 0;
let config: Config;
let running: Running;

async function configOf(requests: number): Promise<Config> {
  const { config: loaded } = await load(`
listen: 127.0.0.1:0
data_dir: ${join(root, String(stores))}
providers:
  main:
    type: simulator
    limits: [{requests: ${requests}/min}, {usd: 5/day}, {concurrent: 9}]
    models:
      small: {limits: [{tokens: 1000/min}]}
`);
  return loaded;
}

function open(): Promise<Running> {
  const writer = memoryWriter();
  const observer = createObserver({
    writer,
    clock: new ManualClock(),
    level: "error",
    hasProcessMetrics: false,
  });
  return openGateway(config, observer);
}

beforeEach(async () => {
  stores += 1;
  config = await configOf(500);
  running = await open();
});

afterEach(() => stop());

async function stop(): Promise<void> {
  await running.finish();
  await running.handBack();
  await running.close();
}

async function run(line: string) {
  const parsed = parseCommandLine([...line.split(" "), "--url", `127.0.0.1:${running.port}`]);
  if (parsed.kind !== "run") throw new Error(parsed.text);
  let text = "";
  const print = (part: string): void => void (text += part);
  const code = await runLimits(parsed, { out: print, err: print, cwd: "/", env: {}, hostName: "desk" });
  return `${code} ${text.trim()}`;
}

async function ask(method: string, path: string, body?: string) {
  const url = `http://127.0.0.1:${running.port}/admin/limits${path}`;
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  const json: unknown = await response.json();
  return { status: response.status, text: JSON.stringify(json) };
}

/** What the whole fleet's bucket holds when it is full. */
async function capacity(limit: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${running.port}/metrics`)).text();
  const line = text
    .split("\n")
    .find((each) => each.startsWith("sluice_bucket_fleet_capacity_units") && each.includes(`"${limit}"`));
  return Number(line?.split(" ").at(-1));
}

describe("a limit set at run time", () => {
  test("is in force at once, says who set it and when, and is as configured again when it is unset", async () => {
    expect(await capacity("main/requests/min")).toBe(500);
    expect(await run("limits set main/requests/min 3_00")).toBe(
      "0 `main/requests/min` is 300 for the whole fleet, until it is unset.",
    );
    expect(await capacity("main/requests/min")).toBe(300);
    const shown = await run("limits");
    expect(shown).toMatch(/set at run time +amount +configured +by +at\n/);
    expect(shown).toMatch(/main\/requests\/min +300 +500 +\S+@desk +\d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
    expect(await run("limits unset main/requests/min")).toBe("0 `main/requests/min` is as configured again.");
    expect(await capacity("main/requests/min")).toBe(500);
    expect(await run("limits")).not.toContain("run time");
  });

  test("stays over a reload of the configuration and over a restart", async () => {
    expect((await ask("PUT", "/main/small/tokens/min", `{"amount": 70, "burst": 80}`)).status).toBe(200);
    config = await configOf(400);
    running.apply(config);
    expect(await capacity("main/small/tokens/min")).toBe(80);
    expect(await capacity("main/requests/min")).toBe(400);
    await stop();
    running = await open();
    expect(await capacity("main/small/tokens/min")).toBe(80);
    expect((await ask("GET", "/main%2Fsmall%2Ftokens%2Fmin")).text).toMatch(
      /"configured":\{"amount":1000,"burst":1000\},"set":\{"amount":70,"burst":80,"by":"","at":"2\d{3}-/,
    );
  });

  test.each([
    ["/main/requests/mim", `{"amount": 3}`, 404, "did you mean"],
    ["/main/requests/min", `{"amount": 0}`, 400, "amount"],
    ["/main/requests/min", `{"amount": -1}`, 400, "amount"],
    ["/main/requests/min", `{"amount": 1e13}`, 400, "amount"],
    ["/main/requests/min", `{"amount": 3, "burts": 1}`, 400, "burts"],
    ["/main/requests/min", `{"amount": 3`, 400, "must be JSON"],
    ["/main/requests/min", `{"amount": 0.5}`, 400, "less than one unit"],
    ["/main/usd/day", `{"amount": 3, "burst": 9}`, 400, "burst"],
    ["/main/usd/day", `{"amount": 5000001}`, 400, "dollars"],
    ["/main/concurrent", `{"amount": 1.5}`, 400, "whole number"],
    ["/main/concurrent", `{"amount": 3, "burst": 4}`, 400, "no burst"],
  ])("is refused where it can't be: %s %s", async (path, body, status, why) => {
    const answer = await ask("PUT", path, body);
    expect(answer).toEqual({ status, text: expect.stringContaining(why) });
    expect(await ask("GET", "")).toEqual({ status: 200, text: `{"limits":[]}` });
  });

  test.each([
    ["limits set main/requests/min", 2, "Write `sluice limits set"],
    ["limits set main/requests/min many", 2, "`many` is not a number"],
    ["limits unset main/requests/min", 1, "is not set at run time"],
    ["limits unset main/requests/min 5", 2, "Write `sluice limits set"],
    ["limits sat main/requests/min 5", 2, "Write `sluice limits set"],
    ["limits set main/request/min 5", 1, "has no limit `main/request/min`"],
  ])("asked for wrongly says so: sluice %s exits with %i", async (line, code, why) => {
    const said = await run(line);
    expect(said.split(" ")[0]).toBe(String(code));
    expect(said).toContain(why);
  });
});

test("a limit set on one replica is in force on its sibling, and one that does not fit there is left out", () => {
  const [one, other] = ["0", "1"].map((digit) => {
    const ids = { replica: digit.repeat(32), author: digit.repeat(32) };
    const clock = new ManualClock(0, 1_764_547_200_000 + Number(digit) * 5000);
    return new Board({ store: new MemoryStore(), clock, log: silentLog, ...ids });
  });
  const [here, there] = [new LimitOverrides(one!), new LimitOverrides(other!)];
  let changes = 0;
  there.onChange(() => changes++);
  void here.set("main/requests/min", { amount: 30 });
  void here.set("main/concurrent", { amount: 2.5 });
  void here.set("elsewhere/requests/min", { amount: 7 });
  const heard = one!.receive(other!.request("link"), null);
  other!.receive(one!.answer(heard), "link");
  expect(changes).toBe(3);
  // Clocks that differ tell one time of the change.
  const setMs = [here, there].map((overrides) => overrides.all().get("main/requests/min")?.setMs);
  expect(setMs).toEqual([1_764_547_200_000, 1_764_547_200_000]);
  const limits = configuredLimits(there.applyTo(config));
  expect(limits.get("main/requests/min")).toMatchObject({ amount: 30, burst: 30 });
  expect(limits.get("main/concurrent")).toMatchObject({ amount: 9 });
  expect(configuredLimits(config).get("main/requests/min")).toMatchObject({ amount: 500 });
});
