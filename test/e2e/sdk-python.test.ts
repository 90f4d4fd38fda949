// The official Python client, where `python3` has it (`pip install openai`); otherwise these tests are skipped, and say so.
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { NOTICE } from "../dialects/recordings.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { replays, startReplaying } from "./replays.ts";

const KEY = "sk-sluice-test";
const PYTHON_ENV = { PATH: process.env["PATH"], PYTHONPATH: process.env["PYTHONPATH"] };

function installedVersion(): string | null {
  try {
    const script = "import openai; print(openai.__version__)";
    return execFileSync("python3", ["-c", script], {
      env: PYTHON_ENV,
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  } catch {
    return null;
  }
}

const version = installedVersion();
if (version === null) console.warn("python3 has no `openai`: the tests with the Python client are skipped.");

describe.skipIf(version === null)(`the official Python client ${version}`, () => {
  let simulator: Simulator;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    simulator = await startSimulator();
    gateway = await startGateway({
      providers: {
        sim: {
          dialect: "openai",
          base_url: `${simulator.url}/v1`,
          models: { "sim-chat": {}, "sim-embed": {} },
        },
      },
      models: { smart: ["sim/sim-chat"] },
      keys: [{ name: "team", key: KEY }],
    });
  });

  afterAll(async () => {
    await gateway?.stop();
    await simulator?.close();
  });

  test("holds conversations, embeds, lists and understands errors by its environment alone", async () => {
    const { stdout } = await promisify(execFile)("python3", [join(import.meta.dirname, "sdk-script.py")], {
      env: { ...PYTHON_ENV, OPENAI_BASE_URL: `${gateway.url}/v1`, OPENAI_API_KEY: KEY },
      timeout: 25_000,
    });
    const seen = JSON.parse(stdout);
    expect(seen).toMatchObject({
      finish_reason: "stop",
      request_id: expect.stringMatching(/^[\w-]{20,}$/),
      usage_chunks: 1,
      dimensions: [256, 256],
      retrieved: "sim/sim-chat",
      errors: [
        [401, "invalid_api_key", "AuthenticationError"],
        [404, "model_not_found", "NotFoundError"],
        [400, "invalid_request", "BadRequestError"],
      ],
    });
    expect(seen.whole.length).toBeGreaterThan(20);
    expect(seen.streamed).toBe(seen.whole);
    expect(seen.models).toContain("smart");
  });

  test(`reads every recorded stream${NOTICE}`, async () => {
    const all = replays();
    const replaying = await startReplaying(all);
    onTestFinished(() => replaying.close());
    const replayed = await startGateway({
      providers: replaying.providers,
      keys: [{ name: "team", key: KEY }],
      retry: { attempts: 1 },
    });
    const script = join(import.meta.dirname, "sdk-replays.py");
    const models = all.map(({ name }) => `${name}/m`);
    const { stdout } = await promisify(execFile)("python3", [script, ...models], {
      env: { ...PYTHON_ENV, OPENAI_BASE_URL: `${replayed.url}/v1`, OPENAI_API_KEY: KEY },
      timeout: 25_000,
    });
    const held = all.map(({ holds }) => holds && { text: holds.text, calls: holds.calls });
    expect(JSON.parse(stdout)).toEqual(held);
    await replayed.stop();
  });
});
