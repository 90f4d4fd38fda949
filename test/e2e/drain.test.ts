// A real gateway is told to stop while it streams.
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseCommandLine } from "../../src/cli/args.ts";
import { runDrain } from "../../src/cli/commands/drain-command.ts";
import { startGateway } from "./harness.ts";
import type { GatewayProcess } from "./harness.ts";

const CONFIG = { providers: { simulator: { options: { first_ms: "0", pace_ms: "0" } } } };

/** Starts a gateway that does not outlive the test, however that ends. */
async function start(config: object): Promise<GatewayProcess> {
  const gateway = await startGateway(config);
  onTestFinished(async () => void (await gateway.stop("SIGKILL")));
  return gateway;
}

/** Begins a stream of `tokens` at one token per `paceMs`, and waits for its first bytes. */
async function stream(gateway: GatewayProcess, tokens: number, paceMs: number) {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-simulator-tokens": String(tokens),
      "x-simulator-pace-ms": String(paceMs),
    },
    body: JSON.stringify({
      model: "simulator/sim-chat",
      stream: true,
      messages: [{ role: "user", content: "hello" }],
    }),
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader?.read())?.value ?? "";
  return {
    async rest(): Promise<string> {
      for (;;) {
        const part = await reader?.read();
        if (part === undefined || part.done) return text;
        text += part.value;
      }
    },
  };
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(false)).once("error", () => resolve(true));
    socket.once("connect", () => socket.destroy());
  });
}

/** Until the process has logged this. */
async function logged(gateway: GatewayProcess, message: string): Promise<void> {
  while (!gateway.output().includes(`"message":"${message}"`))
    await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for the process to end by itself: this signal does nothing to one that runs. */
const ended = (gateway: GatewayProcess) => gateway.stop("SIGCONT");

describe("a gateway that gets SIGTERM", () => {
  test("takes no more requests, finishes its stream, and exits with 0", async () => {
    const gateway = await start(CONFIG);
    const answer = await stream(gateway, 40, 20);
    process.kill(gateway.pid, "SIGTERM");
    await logged(gateway, "draining");
    expect(await isRefused(gateway.port)).toBe(true);
    const text = await answer.rest();
    expect(text.match(/"content":"[^"]+"/g)).toHaveLength(40);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(await ended(gateway)).toBe(0);
  });

  test("cuts what outlives the limit with an error, never with a clean end, and exits with 0", async () => {
    const gateway = await start({ ...CONFIG, timeouts: { drain: "100ms" } });
    const answer = await stream(gateway, 1000, 20);
    process.kill(gateway.pid, "SIGTERM");
    const text = await answer.rest();
    const last = text.trimEnd().split("\n\n").at(-1) ?? "";
    expect(JSON.parse(last.slice("data: ".length))).toMatchObject({ error: { code: "shutting_down" } });
    expect(text).not.toContain("[DONE]");
    expect(await ended(gateway)).toBe(0);
  });

  test("and again ends at once with 1", async () => {
    const gateway = await start(CONFIG);
    const answer = await stream(gateway, 1000, 20);
    process.kill(gateway.pid, "SIGTERM");
    await logged(gateway, "draining");
    process.kill(gateway.pid, "SIGINT");
    await expect(answer.rest()).rejects.toThrow("terminated");
    expect(await ended(gateway)).toBe(1);
  });

  test("has settled everything before: nothing runs, no place is taken", async () => {
    const gateway = await start(CONFIG);
    await (await stream(gateway, 5, 1)).rest();
    const running = 'sluice_bucket_level_units{bucket="simulator/concurrent",dimension="concurrent"}';
    expect(await gateway.metric(running)).toBe(64);
    expect(await gateway.metric("sluice_requests_running")).toBe(0);
    expect(await gateway.metric('sluice_provider_up{provider="simulator"}')).toBe(1);
    expect(await gateway.stop()).toBe(0);
  });
});

test("sluice drain stops an instance and waits until it is gone", async () => {
  const gateway = await start(CONFIG);
  const parsed = parseCommandLine(["drain", "--url", gateway.url]);
  if (parsed.kind !== "run") throw new Error(parsed.text);
  let out = "";
  const shell = { out: (text: string) => void (out += text), err() {}, cwd: "/", env: {}, hostName: "host" };
  expect(await runDrain(parsed, shell)).toBe(0);
  expect(out).toContain("Stopped.");
  expect(await ended(gateway)).toBe(0);
});
