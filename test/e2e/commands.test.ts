// Every command that the help lists does what it says, against an instance that runs.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayProcess, startGateway } from "./harness.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const root = mkdtempSync(join(tmpdir(), "sluice-commands-"));
const COPY = join(root, "copy");
/** The configuration of an instance that does not run. */
const ANOTHER = join(root, "another.yaml");
const PATIENCE_MS = 60_000;

let gateway: GatewayProcess;

beforeAll(async () => {
  writeFileSync(ANOTHER, "data_dir: ./restored\nproviders: { simulator: {} }\n");
  gateway = await startGateway(
    { providers: { simulator: {} }, fleet: { name: "gw-0" } },
    { dataDir: join(root, "data") },
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a command to its end; one that goes on for ever is interrupted as soon as it has said `until`. */
async function sluice(args: readonly string[], until?: RegExp): Promise<Ran> {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], {
    cwd: root,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let isTold = false;
  const hear = (data: Buffer): void => {
    output += data.toString();
    if (isTold || until?.test(output) !== true) return;
    // A second signal would end it at once.
    isTold = true;
    child.kill("SIGINT");
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  clearTimeout(timer);
  return { code, output };
}

/** Runs a command whose reader closes the pipe as soon as something has come. */
async function cutOff(args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: root,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stderr.on("data", (data: Buffer) => void (output += data.toString()));
  child.stdout.once("data", () => child.stdout.destroy());
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  clearTimeout(timer);
  return { code, output };
}

/** In this order: the last of them end the instance. */
const COMMANDS: readonly (readonly [
  name: string,
  args: (url: string) => string[],
  code: number,
  says: RegExp,
])[] = [
  ["check", () => ["--config", gateway.configFile], 0, /simulator/],
  ["status", (url) => ["--url", url], 0, /is ready/],
  ["top", (url) => ["--url", url], 0, /ready/],
  ["keys", (url) => ["usage", "--url", url], 0, /Nothing was used/],
  ["limits", (url) => ["--url", url], 0, /simulator\/requests\/min/],
  ["evict", (url) => ["gw-7", "--url", url], 1, /No replica is called `gw-7`/],
  ["sim", () => ["--listen", "127.0.0.1:0"], 0, /listens/],
  ["start", () => ["--listen", "127.0.0.1:0", "--data-dir", join(root, "other")], 0, /listens on/],
  ["backup", () => [COPY, "--config", gateway.configFile], 0, /entries/],
  ["drain", (url) => ["--url", url], 0, /Stopped/],
  ["restore", () => [COPY, "--config", ANOTHER], 0, /entries/],
];

/** Commands that end only when they are told to. */
const ENDLESS = new Set(["top", "sim", "start"]);

test("a command whose reader has enough ends quietly", async () => {
  expect(await cutOff(["top", "--url", gateway.url])).toEqual({ code: 0, output: "" });
}, 180_000);

test("every command of the help does what it says", async () => {
  const { output } = await sluice(["--help"]);
  const listed = [...output.matchAll(/^ {2}(\w+) +\S/gm)].map(([, name]) => name);
  expect(new Set(listed)).toEqual(new Set(COMMANDS.map(([name]) => name)));
  for (const [name, args, code, says] of COMMANDS) {
    const ran = await sluice([name, ...args(gateway.url)], ENDLESS.has(name) ? says : undefined);
    expect({ name, ...ran }).toMatchObject({ code, output: expect.stringMatching(says) });
  }
}, 300_000);
