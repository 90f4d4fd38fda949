// kill -9 on the whole gateway, over HTTP: a provider that enforces the same quota exactly has nothing to refuse, however
// often the gateway is killed and started again, and the places of requests that ran are free at once.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { startGateway } from "./harness.ts";

const KILLS = 10;
const PLACES = 8;
/** The slack is 0.3 s of refill: one request may travel that much longer than another. */
const QUOTA = { capacity: 60, perMinute: 600, slack: 3 };

const dataDir = mkdtempSync(join(tmpdir(), "sluice-kill-gateway-"));
let limited: Simulator;
let roomy: Simulator;

beforeAll(async () => {
  limited = await startSimulator({ firstMs: 5 });
  limited.reset({ requests: QUOTA });
  roomy = await startSimulator({ firstMs: 5 });
});

afterAll(async () => {
  await limited.close();
  await roomy.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function config(): object {
  const limits = [{ dimension: "requests", amount: QUOTA.perMinute, per: "min", burst: QUOTA.capacity }];
  return {
    providers: {
      limited: { dialect: "openai", base_url: `${limited.url}/v1`, limits },
      roomy: { dialect: "openai", base_url: `${roomy.url}/v1`, limits: [{ concurrent: PLACES }] },
    },
    queue: { max_wait: "0s" },
  };
}

/** The status; 0 when the gateway died before it answered. */
async function ask(url: string, provider: string): Promise<number> {
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: `${provider}/sim-chat`, messages: [{ role: "user", content: "Hello" }] }),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** Starts a gateway, asks more than the quota has, and kills it when so many have been served, or all are answered. */
async function live(
  servedUntilKill: number,
): Promise<{ readonly places: number[]; readonly answers: number[] }> {
  const gateway = await startGateway(config(), { dataDir });
  const places = await Promise.all(Array.from({ length: PLACES }, () => ask(gateway.url, "roomy")));
  const running = Array.from({ length: PLACES }, () => ask(gateway.url, "roomy"));
  let served = 0;
  const answers = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const status = await ask(gateway.url, "limited");
      if (status === 200) served++;
      if (status === 200 && served === servedUntilKill) void gateway.stop("SIGKILL");
      return status;
    }),
  );
  await gateway.stop("SIGKILL");
  await Promise.all(running);
  return { places, answers };
}

test(
  `a provider has nothing to refuse over ${KILLS} kills of the gateway`,
  { timeout: 400_000 },
  async () => {
    let served = 0;
    for (let life = 0; life < KILLS; life++) {
      const { places, answers } = await live(1 + ((life * 7) % 30));
      expect(places, `life ${life}: places of requests that ran at the kill`).toEqual(
        Array.from({ length: PLACES }, () => 200),
      );
      expect(new Set(answers).difference(new Set([0, 200, 429]))).toEqual(new Set());
      served += answers.filter((status) => status === 200).length;
    }
    // A kill burns a part of what was admitted just before, so most lives find some refill.
    expect(served).toBeGreaterThanOrEqual(2 * KILLS);
    expect(limited.stats().requests.refused).toBe(0);
  },
);

test(
  "a gateway that is killed while it serves one request at a time burns little",
  { timeout: 400_000 },
  async () => {
    const asked = 5;
    const quiet = mkdtempSync(join(tmpdir(), "sluice-kill-quiet-"));
    limited.reset({ requests: QUOTA });
    let served = 0;
    for (let life = 0; life < KILLS; life++) {
      const gateway = await startGateway(config(), { dataDir: quiet });
      for (let request = 0; request < asked; request++) {
        if ((await ask(gateway.url, "limited")) === 200) served++;
      }
      await gateway.stop("SIGKILL");
    }
    rmSync(quiet, { recursive: true, force: true });
    expect(served).toBeGreaterThanOrEqual(0.8 * asked * KILLS);
    expect(limited.stats().requests.refused).toBe(0);
  },
);
