// The promise on real processes: a provider that enforces its quota exactly has nothing to refuse. The gateway runs as
// its own process with the same limits; the provider is the simulator, in this process, so that its counts can be read.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startSimulator } from "../../src/simulator/simulator.ts";
import { startGateway } from "./harness.ts";
import type { SimulatorQuota } from "../../src/simulator/quota.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import type { GatewayProcess } from "./harness.ts";

let simulator: Simulator;
let gateway: GatewayProcess | undefined;

beforeEach(async () => {
  simulator = await startSimulator({ firstMs: 20 });
});

afterEach(async () => {
  await gateway?.stop();
  await simulator.close();
});

/** Starts a gateway with these limits before a provider that enforces this quota. */
async function start(
  quota: SimulatorQuota,
  limits: readonly object[],
  config: object,
): Promise<GatewayProcess> {
  simulator.reset(quota);
  gateway = await startGateway({
    providers: { pretend: { dialect: "openai", base_url: `${simulator.url}/v1`, limits } },
    ...config,
  });
  return gateway;
}

async function ask(url: string, at: number, body: object = {}): Promise<Response> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "pretend/sim-chat",
      messages: [{ role: "user", content: `question ${at}` }],
      ...body,
    }),
  });
  await response.arrayBuffer();
  return response;
}

async function askMany(url: string, count: number, body: object = {}): Promise<Response[]> {
  return Promise.all(Array.from({ length: count }, (_, at) => ask(url, at, body)));
}

const statuses = (responses: readonly Response[]) => responses.map(({ status }) => status);

/**
 * Twenty at once, then eight per second. The slack is a good second of refill: on a busy machine one request may travel
 * that much longer than another, and a provider can't tell that it set out in time.
 */
const TWENTY = { capacity: 20, perMinute: 480, slack: 10 };
const TWENTY_LIMIT = { dimension: "requests", amount: 480, per: "min", burst: 20 };
/** Twenty, and hardly more while a busy machine takes its time. */
const ONLY_TWENTY = { capacity: 20, perMinute: 60, slack: 10 };
const ONLY_TWENTY_LIMIT = { dimension: "requests", amount: 60, per: "min", burst: 20 };

describe("a gateway before a provider with a quota", () => {
  test("waits for room, so that three times the burst all succeed and the provider refuses nothing", async () => {
    const { url } = await start({ requests: TWENTY }, [TWENTY_LIMIT], { queue: { max_wait: "20s" } });
    // The first requests open connections and warm the code; the provider's bucket is full again after them, ours not.
    await askMany(url, 10);
    simulator.reset();
    expect(new Set(statuses(await askMany(url, 60)))).toEqual(new Set([200]));
    expect(simulator.stats().requests).toMatchObject({ admitted: 60, refused: 0 });
  });

  test("refuses by itself what may not wait, and says when to come back", async () => {
    const { url } = await start({ requests: ONLY_TWENTY }, [ONLY_TWENTY_LIMIT], {
      queue: { max_wait: "0s" },
    });
    const responses = await askMany(url, 60);
    const refused = responses.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(20);
    for (const { headers } of refused) {
      expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(Number(headers.get("retry-after-ms"))).toBeGreaterThan(0);
    }
    const { requests } = simulator.stats();
    expect(requests).toMatchObject({ admitted: 60 - refused.length, refused: 0 });
  });

  test("holds a limit of running requests", async () => {
    const { url } = await start({ concurrent: 4 }, [{ concurrent: 4 }], { queue: { max_wait: "20s" } });
    expect(new Set(statuses(await askMany(url, 40)))).toEqual(new Set([200]));
    expect(simulator.stats().concurrent).toEqual({ refused: 0, running: 0, peak: 4 });
  });

  test("keeps a limit of tokens that it learns to estimate, once it has seen a few answers", async () => {
    const limit = { dimension: "tokens", amount: 600_000, per: "min", burst: 2000 };
    const quota = { tokens: { capacity: 2000, perMinute: 600_000, slack: 1000 } };
    const { url } = await start(quota, [limit], { queue: { max_wait: "20s" } });
    for (let at = 0; at < 10; at += 1) await ask(url, at);
    expect(new Set(statuses(await askMany(url, 150)))).toEqual(new Set([200]));
    expect(simulator.stats().tokens.refused).toBe(0);
  });

  test("says at once that the provider refuses what had its units here, though another one mends the request", async () => {
    const smaller = { requests: { capacity: 5, perMinute: 1 } };
    gateway = await startGateway({
      providers: {
        pretend: {
          dialect: "openai",
          base_url: `${simulator.url}/v1`,
          limits: [{ requests: "60/min" }],
        },
        spare: { type: "simulator" },
      },
      models: { any: ["pretend/sim-chat", "spare/sim-chat"] },
    });
    simulator.reset(smaller);
    const { url } = gateway;
    const refusals = 'sluice_provider_refusals_total{provider="pretend",model="sim-chat",limits="room"}';
    for (let at = 0; at < 5; at += 1) await ask(url, at, { model: "any" });
    expect(await gateway.metrics()).toContain(`${refusals} 0`);
    expect((await ask(url, 5, { model: "any" })).status).toBe(200);
    expect(await gateway.metric(refusals)).toBe(1);
    expect(await gateway.metrics()).not.toContain("sluice_errors_total{");
    const line = gateway
      .output()
      .split("\n")
      .find((text) => text.includes("a provider refused for want of room"));
    expect(JSON.parse(line ?? "{}")).toMatchObject({
      level: "warn",
      provider: "pretend",
      model: "sim-chat",
      limits: [{ limit: "pretend/requests/min", capacity: 60 }],
      retry_after_ms: expect.any(Number),
    });
  });
});
