// Client keys, budgets and totals of use over three real gateways.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { freePort } from "../free-port.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { quickest } from "./quickest.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-e2e-keys-"));
const ADMIN = "the-admin-key-of-a-test";

/** Dollars per million tokens: dear, so that small budgets hold whole numbers of requests. */
const PRICES = { input: 1000, output: 2000 };

/** Nothing but the keys' limits is to be met. */
const PLENTY = {
  limits: [],
  options: { requests_per_min: "60000", tokens_per_min: "100000000", concurrent: "1000", first_ms: "0" },
};

class Fleet {
  readonly ports: number[] = [];
  readonly gateways: GatewayProcess[] = [];

  async start(): Promise<void> {
    for (let at = 0; at < 3; at++) this.ports.push(await freePort());
    await Promise.all([0, 1, 2].map((at) => this.boot(at)));
    for (const at of [0, 1, 2]) await this.ready(at);
  }

  async boot(at: number): Promise<void> {
    const peers = this.ports.filter((_, other) => other !== at).map((port) => `http://127.0.0.1:${port}`);
    this.gateways[at] = await startGateway(
      {
        providers: { main: { type: "simulator", ...PLENTY, models: { small: { prices: PRICES } } } },
        models: { smart: ["main/small"] },
        queue: { max_wait: "0" },
        admin: { key: ADMIN },
        fleet: {
          name: `gw-${at}`,
          listen: `127.0.0.1:${this.ports[at]}`,
          peers,
          secret: "the secret of a fleet in a test",
        },
      },
      { dataDir: join(root, `gw-${at}`) },
    );
  }

  /** It has found its siblings, and admits requests. */
  async ready(at: number): Promise<void> {
    await until(async () => (await fetch(`${this.at(at).url}/readyz`)).status === 200);
  }

  at(index: number): GatewayProcess {
    const gateway = this.gateways[index];
    if (gateway === undefined) throw new Error(`There is no gateway ${index}.`);
    return gateway;
  }

  async stop(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.stop("SIGKILL")));
  }
}

const fleet = new Fleet();

beforeAll(() => fleet.start(), 120_000);
afterAll(async () => {
  await fleet.stop();
  rmSync(root, { recursive: true, force: true });
});

async function admin(index: number, method: string, path: string, body?: object) {
  const response = await fetch(`${fleet.at(index).url}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

async function create(index: number, definition: object): Promise<string> {
  const { status, text } = await admin(index, "POST", "/admin/keys", definition);
  expect({ status, text }).toMatchObject({ status: 201 });
  return z.object({ key: z.string() }).parse(JSON.parse(text)).key;
}

const answer = z.object({ usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }) });

/** The status, and what an answer cost by its own report, in micro-dollars. */
async function chat(index: number, secret: string) {
  const response = await fetch(`${fleet.at(index).url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "smart",
      max_tokens: 50,
      messages: [{ role: "user", content: "Hello there." }],
    }),
  });
  const text = await response.text();
  if (response.status !== 200)
    return { status: response.status, error: response.headers.get("x-sluice-error"), microUsd: 0 };
  const { prompt_tokens: input, completion_tokens: output } = answer.parse(JSON.parse(text)).usage;
  return { status: 200, error: null, microUsd: input * PRICES.input + output * PRICES.output };
}

/** How long to wait for what is so in a moment unless the machine is busy. */
const PATIENCE_MS = 30_000;

/** Asks until it is so. Resolves with the milliseconds it took; rejects when it takes too long. */
async function until(isSo: () => Promise<boolean>, withinMs = PATIENCE_MS): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    if (await isSo()) return performance.now() - startedMs;
    if (performance.now() - startedMs > withinMs) throw new Error(`It is not so after ${withinMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function hasStatus(index: number, secret: string, status: number): Promise<boolean> {
  return (await chat(index, secret)).status === status;
}

async function knows(index: number, name: string): Promise<boolean> {
  return (await admin(index, "GET", `/admin/keys/${name}`)).status === 200;
}

const usage = z.object({
  data: z.array(z.object({ key: z.string(), requests: z.number(), micro_usd: z.number() })),
});

/** What the fleet has counted for a key, as one replica tells it. */
async function used(index: number, key: string) {
  const { text } = await admin(index, "GET", "/admin/usage?group_by=key");
  const row = usage.parse(JSON.parse(text)).data.find((entry) => entry.key === key);
  return { requests: row?.requests ?? 0, microUsd: row?.micro_usd ?? 0 };
}

const EVERYWHERE = [0, 1, 2];

describe("three gateways", () => {
  test("know a key that one of them made, and refuse it everywhere within a second of its end on another", async () => {
    const makeAndEnd = async (number: number): Promise<number> => {
      const name = `alice-${number}`;
      const secret = await create(0, { name, tags: ["e2e"] });
      // A gateway that knows of no key yet lets this machine in without one, so its answer alone says nothing.
      const known = await Promise.all(EVERYWHERE.map((index) => until(() => knows(index, name))));
      for (const index of EVERYWHERE) expect(await hasStatus(index, secret, 200)).toBe(true);
      expect((await admin(2, "DELETE", `/admin/keys/${name}`)).status).toBe(200);
      const refused = await Promise.all(
        EVERYWHERE.map((index) => until(() => hasStatus(index, secret, 401))),
      );
      expect((await admin(1, "GET", "/admin/keys")).text).not.toContain(name);
      return Math.max(...known, ...refused);
    };
    expect(await quickest(1000, makeAndEnd)).toBeLessThan(1000);
  }, 120_000);

  test("give a key another secret together, and the former one its time", async () => {
    const first = await create(1, { name: "bob" });
    await until(() => hasStatus(0, first, 200));
    const rotated = await admin(0, "POST", "/admin/keys/bob/rotate", { overlap: "8s" });
    const second = z.object({ key: z.string() }).parse(JSON.parse(rotated.text)).key;
    await Promise.all(EVERYWHERE.map((index) => until(() => hasStatus(index, second, 200))));
    expect(await hasStatus(2, first, 200)).toBe(true);
    await Promise.all(EVERYWHERE.map((index) => until(() => hasStatus(index, first, 401))));
    expect(await hasStatus(2, second, 200)).toBe(true);
  }, 120_000);

  test("keep one budget in dollars under fifty requests at a time, to the last micro-dollar, and total what they settled", async () => {
    const budgetUsd = 3;
    const secret = await create(0, { name: "carol", limits: [{ usd: `${budgetUsd}/month` }] });
    let microUsd = 0;
    const ask = async (index: number) => {
      const outcome = await chat(index, secret);
      microUsd += outcome.microUsd;
      return outcome;
    };
    for (const index of EVERYWHERE) await until(async () => (await ask(index)).status !== 401);
    let refusedInARow = 0;
    const errors = new Set<string | null>();
    const work = async (index: number): Promise<void> => {
      while (refusedInARow < 60) {
        const outcome = await ask(index % 3);
        errors.add(outcome.error);
        // While the last units are on their way between siblings, a request may be told to come back in a moment.
        if (outcome.error === "rate_limit_exceeded") continue;
        refusedInARow = outcome.status === 200 ? 0 : refusedInARow + 1;
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => work(index)));
    for (const index of EVERYWHERE) {
      await until(async () => (await used(index, "carol")).microUsd >= microUsd);
      expect((await used(index, "carol")).microUsd).toBe(microUsd);
    }
    expect(microUsd).toBeLessThanOrEqual(budgetUsd * 1_000_000);
    // The rest is less than the estimate of one more request.
    expect(microUsd).toBeGreaterThan((budgetUsd - 0.15) * 1_000_000);
    errors.delete("rate_limit_exceeded");
    expect(errors).toEqual(new Set([null, "insufficient_quota"]));
    for (const index of EVERYWHERE) {
      await until(async () => (await chat(index, secret)).error === "insufficient_quota");
    }
  }, 120_000);

  test("let nobody in without a key while there are keys, nor operators without theirs", async () => {
    const { url } = fleet.at(0);
    for (const path of ["/admin/keys", "/admin/usage", "/admin/providers"]) {
      expect((await fetch(`${url}${path}`)).status).toBe(401);
      expect((await fetch(`${url}${path}`, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    }
    expect((await fetch(`${url}/v1/usage`)).status).toBe(401);
  });

  test("keep keys over kill -9 and a restart; of use at most the last moments are missing", async () => {
    const secret = await create(0, { name: "dave" });
    for (let at = 0; at < 5; at++) await chat(0, secret);
    await until(async () => (await used(1, "dave")).requests === 5);
    for (let at = 0; at < 5; at++) await chat(0, secret);
    await fleet.at(0).stop("SIGKILL");
    await fleet.boot(0);
    await fleet.ready(0);
    expect(await hasStatus(0, secret, 200)).toBe(true);
    const { requests } = await used(0, "dave");
    expect(requests).toBeGreaterThanOrEqual(6);
    expect(requests).toBeLessThanOrEqual(11);
    await until(async () => (await used(1, "dave")).requests === requests);
  }, 120_000);
});
