// Random schedules of faults under load: two pretend providers with an exact quota each, faults injected as they come,
// clients that stream or not, and some that leave. Time is virtual, everything else is real. Whatever happens, every
// request ends within its deadline and in a form its client understands, every unit taken is settled, no slot stays
// held, and no provider has to refuse anything for its quota. `npm run faults` runs a thousand schedules.
import { afterEach, describe, expect, test } from "vitest";
import { FAULTS } from "../../src/simulator/faults.ts";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { startGateway, type GatewayFixture } from "../gateway/gateway-fixture.ts";
import { SoloLimiter } from "../limiter/solo-limiter.ts";

const SCHEDULES = Number(process.env["SLUICE_FAULT_SCHEDULES"] ?? 20);
const FIRST_SEED = Number(process.env["SLUICE_FAULT_SEED"] ?? 1);

const REQUESTS = 30;
/** All of them set out within this time: about twice what the providers let in. */
const ARRIVALS_MS = 1000;
const STEP_MS = 5;
/** `timeouts.total` is 3 s; two turns of the watch and some steps for the network come on top. */
const REQUEST_MS_MAX = 3500;

/** 64 MiB per answer would only make the test slow. */
const LEFT_OUT = new Set(["endless-line"]);
const FAULT_NAMES = Object.keys(FAULTS).filter((name) => !LEFT_OUT.has(name));
const SLACK_MS = 250;

function quota(perMinute: number, burst: number, concurrent: number) {
  return {
    requests: { capacity: burst, perMinute, slack: (perMinute * SLACK_MS) / 60_000 },
    concurrent,
  };
}

/** Mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Planned {
  readonly atMs: number;
  readonly isStream: boolean;
  readonly model: string;
  /** The fault of the next request at a provider, whoever's it is; null: none. */
  readonly fault: { readonly provider: number; readonly text: string } | null;
  /** When the client leaves, if it does. */
  readonly leavesMs: number | null;
}

function pick<T>(list: readonly T[], random: () => number): T | undefined {
  return list[Math.floor(random() * list.length)];
}

function schedule(random: () => number): readonly Planned[] {
  const requests = Array.from({ length: REQUESTS }, () => {
    const atMs = Math.floor(random() * ARRIVALS_MS);
    const fault = {
      provider: Math.floor(random() * 2),
      text: `${pick(FAULT_NAMES, random)}; after=${Math.floor(random() * 4)}`,
    };
    return {
      atMs,
      isStream: random() < 0.5,
      model: pick(["any", "any", "a/m", "b/m"], random) ?? "any",
      fault: random() < 0.5 ? fault : null,
      leavesMs: random() < 0.1 ? atMs + random() * 500 : null,
    };
  });
  return requests.toSorted((left, right) => left.atMs - right.atMs);
}

interface Ended {
  /** `left`: the client itself did. `cut`: the connection broke. */
  readonly outcome: "whole" | "error" | "broken" | "cut" | "left";
  readonly tookMs: number;
}

class Run {
  readonly gateway: GatewayFixture;
  readonly simulators: readonly Simulator[];
  readonly ended: Ended[] = [];
  #open = 0;

  constructor(gateway: GatewayFixture, simulators: readonly Simulator[]) {
    this.gateway = gateway;
    this.simulators = simulators;
  }

  get now(): number {
    return this.gateway.solo.clock.elapsedMs();
  }

  /** Lets time pass in steps, with turns of the event loop between for the network, until all requests have ended. */
  async drive(plans: readonly Planned[]): Promise<void> {
    const startedMs = this.now;
    const due = [...plans];
    const leaves: { readonly atMs: number; readonly leave: () => void }[] = [];
    while (due.length > 0 || this.#open > 0) {
      const elapsedMs = this.now - startedMs;
      if (elapsedMs > ARRIVALS_MS + REQUEST_MS_MAX) throw new Error(`${this.#open} requests hang`);
      for (let next = due[0]; next !== undefined && next.atMs <= elapsedMs; next = due[0]) {
        due.shift();
        const leave = this.#start(next);
        if (next.leavesMs !== null) leaves.push({ atMs: next.leavesMs, leave });
      }
      for (const { atMs, leave } of leaves) if (atMs <= elapsedMs) leave();
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      this.gateway.advance(STEP_MS);
    }
  }

  /** Lets answers end that were whole but left open; they are waited for a second. */
  async rest(): Promise<void> {
    for (let step = 0; step < 30; step++) {
      await new Promise((resolve) => setImmediate(resolve));
      this.gateway.advance(50);
    }
  }

  #start({ isStream, model, fault }: Planned): () => void {
    if (fault !== null) this.simulators[fault.provider]?.inject(fault.text, 1);
    const client = new AbortController();
    const startedMs = this.now;
    this.#open += 1;
    void ask(this.gateway.port, { model, stream: isStream }, client.signal).then((outcome) => {
      this.#open -= 1;
      this.ended.push({ outcome, tookMs: this.now - startedMs });
    });
    return () => client.abort();
  }
}

async function ask(
  port: number,
  about: { readonly model: string; readonly stream: boolean },
  signal: AbortSignal,
): Promise<Ended["outcome"]> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...about, messages: [{ role: "user", content: "hello" }] }),
    });
    return outcomeOf(response.status, await response.text(), about.stream);
  } catch (error) {
    if (signal.aborted) return "left";
    if (error instanceof TypeError && error.message === "terminated") return "cut";
    throw error;
  }
}

/** What a client makes of an answer; throws when it can't make anything of it. */
function outcomeOf(status: number, text: string, isStream: boolean): Ended["outcome"] {
  if (status !== 200 || !isStream) {
    const answer: unknown = JSON.parse(text);
    if (status === 200) expect(answer).toMatchObject({ object: "chat.completion" });
    else expect(answer).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
    return status === 200 ? "whole" : "error";
  }
  const last = text.replaceAll("\r\n", "\n").trimEnd().split("\n\n").at(-1) ?? "";
  if (last === "data: [DONE]") return "whole";
  expect(JSON.parse(last.replace(/^data: /, ""))).toMatchObject({ error: { code: expect.any(String) } });
  return "broken";
}

/** Requests that a provider has seen: those that its quota let in, and those that a fault refused before it. */
function seenBy(simulator: Simulator): number {
  const { requests, faults } = simulator.stats();
  return requests.admitted + (faults["429"] ?? 0) + (faults["quota"] ?? 0);
}

const totals = new Map<string, number>();
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe("a random schedule of faults", () => {
  const seeds = Array.from({ length: SCHEDULES }, (_, index) => FIRST_SEED + index);

  test.each(seeds)("number %d ends every request, and every unit is settled", async (seed) => {
    const random = randomOf(seed);
    const solo = new SoloLimiter();
    // As many at a time from the gateway: a call that were over here and not there would be refused.
    const concurrent = seed % 2 === 0 ? 4 : 2;
    const simulators = await Promise.all(
      [0, 1].map(() =>
        startSimulator({
          quota: quota(600, 6, concurrent),
          clock: solo.clock,
          timers: solo.clock,
          random,
          firstMs: 10,
          paceMs: 5,
        }),
      ),
    );
    closing.push(...simulators.map((simulator) => () => simulator.close()));
    const [a, b] = simulators.map(({ url }) => ({ port: Number(new URL(url).port) }));
    if (a === undefined || b === undefined) throw new Error("two providers were started");
    const gateway = await startGateway({
      providers: { a, b },
      solo,
      random,
      limits: `[ { requests: 600/min, burst: 6 }, { tokens: 100_000/min }, { concurrent: ${concurrent} } ]`,
      config:
        "retry: { attempts: 3 }\nhedge: { after: 100ms, percent: 50 }\nqueue: { max_wait: 1s }\ntimeouts: { first_token: 300ms, idle: 300ms, total: 3s }",
    });
    const run = new Run(gateway, simulators);
    await run.drive(schedule(random));
    await run.rest();

    expect(run.ended).toHaveLength(REQUESTS);
    for (const { outcome, tookMs } of run.ended) {
      expect(tookMs).toBeLessThanOrEqual(REQUEST_MS_MAX);
      totals.set(outcome, (totals.get(outcome) ?? 0) + 1);
    }
    const used = await gateway.settled();
    expect(solo.limiter.waiting).toBe(0);
    expect(used.requests).toBe(simulators.reduce((sum, simulator) => sum + seenBy(simulator), 0));
    for (const simulator of simulators) {
      const stats = simulator.stats();
      expect([stats.requests.refused, stats.concurrent.refused]).toEqual([0, 0]);
    }
    solo.replica.check();
  });

  test("of all kinds was among them", () => {
    expect(Object.keys(Object.fromEntries(totals)).toSorted()).toEqual(
      expect.arrayContaining(["broken", "error", "left", "whole"]),
    );
  });
});
