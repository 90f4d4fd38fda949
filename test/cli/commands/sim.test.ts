// `sluice sim` from its arguments to its exit code.
import { EventEmitter } from "node:events";
import { describe, expect, test } from "vitest";
import { parseCommandLine } from "../../../src/cli/args.ts";
import { runSim } from "../../../src/cli/commands/sim.ts";

function run(args: readonly string[]) {
  const parsed = parseCommandLine(["sim", ...args]);
  if (parsed.kind !== "run") throw new Error(parsed.text);
  const signals = new EventEmitter();
  const errors: string[] = [];
  let greet: (text: string) => void = () => {};
  const greeted = new Promise<string>((resolve) => {
    greet = resolve;
  });
  const output = { out: (text: string) => greet(text), err: (text: string) => void errors.push(text) };
  return { code: runSim(parsed, output, signals), greeted, signals, errors };
}

describe("sluice sim", () => {
  test("serves what it greets with, within its quota, until it is told to stop", async () => {
    const { code, greeted, signals } = run(["--listen", "127.0.0.1:0", "--requests", "1"]);
    const url = /http:\S+\/v1/.exec(await greeted)?.[0] ?? "";
    const body = JSON.stringify({ model: "sim-echo", messages: [{ role: "user", content: "x" }] });
    const ask = () => fetch(`${url}/chat/completions`, { method: "POST", body });
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 429]);
    signals.emit("SIGTERM", "SIGTERM");
    expect(await code).toBe(0);
    expect(signals.listenerCount("SIGTERM")).toBe(0);
    await expect(fetch(`${url}/models`)).rejects.toThrow("fetch failed");
  });

  test("exits with 1 and says why when it can't listen", async () => {
    const { code, errors } = run(["--listen", "192.0.2.1:0"]);
    expect(await code).toBe(1);
    expect(errors.join()).toContain("can't listen on 192.0.2.1:0");
  });
});
