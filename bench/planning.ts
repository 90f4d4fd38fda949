// What planning costs: nanoseconds per plan for one target and for twenty, by strategy, and per answer for reading its
// rate-limit headers and for classifying a failure. `node bench/planning.ts`
import { classify } from "../providers/dialects/classify.ts";
import { LimitReader } from "../providers/dialects/limits.ts";
import { compileRoutes } from "../src/routing/compile.ts";
import type { RouteRequest } from "../src/routing/condition.ts";
import type { AliasDefinition, Strategy } from "../src/routing/definition.ts";
import { HealthBook } from "../src/routing/health-book.ts";
import { admit, observeLatency, report } from "../src/routing/health.ts";
import type { View } from "../src/routing/order.ts";
import { plan } from "../src/routing/plan.ts";
import { limitSpec, SoloLimiter, tokens } from "../test/limiter/solo-limiter.ts";
import type { RouteTable } from "../src/routing/table.ts";

const STRATEGIES: readonly Strategy[] = ["ordered", "weighted", "least_busy", "lowest_latency", "most_room"];
const MODELS = Array.from({ length: 20 }, (_, index) => `model-${index}`);

/** CPU time of this process so far, in milliseconds: a machine that is busy with other things does not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Runs `work` for about half a second after warming up; the median of ten rounds in nanoseconds of CPU time. */
function nanoseconds(work: () => unknown): number {
  const rounds: number[] = [];
  let kept: unknown;
  for (let round = 0; round < 15; round += 1) {
    const startedMs = cpuMs();
    let count = 0;
    while (cpuMs() - startedMs < 40) {
      for (let inner = 0; inner < 500; inner += 1) kept = work();
      count += 500;
    }
    if (round >= 5) rounds.push(((cpuMs() - startedMs) * 1e6) / count);
  }
  if (kept === undefined) throw new Error("nothing was done");
  return rounds.sort((left, right) => left - right)[5] ?? 0;
}

function aliases(): readonly AliasDefinition[] {
  const twenty = MODELS.map((model) => ({ kind: "model", provider: "main", model, weight: 1 }) as const);
  return [
    { name: "three", strategy: "ordered", targets: twenty.slice(0, 3) },
    ...STRATEGIES.map((strategy) => ({ name: strategy, strategy, targets: twenty })),
    { name: "sticky", strategy: "weighted", isSticky: true, targets: twenty },
  ];
}

const health = new HealthBook();

function table(): RouteTable<number> {
  const models = MODELS.map((name) => ({ name, contextTokens: 100_000 }));
  const providers = [{ name: "main", models, endpoints: null }];
  let count = 0;
  const compiled = compileRoutes({ providers, aliases: aliases(), health, attach: () => count++ });
  if (compiled.kind === "invalid") throw new Error(compiled.faults.join("\n"));
  for (const model of MODELS) observeLatency(health.of("main", model, ""), "whole", 100 + model.length, 0);
  return compiled.table;
}

function requestFor(model: string): RouteRequest {
  return {
    model,
    endpoint: "chat",
    keyName: "",
    allowedModels: null,
    promptTokens: 150,
    isStream: false,
    hasTools: false,
    hasImages: false,
    session: model === "sticky" ? "session-1" : null,
    header: () => undefined,
    metadata: () => undefined,
  };
}

const view: View<number> = {
  now: 1000,
  random: Math.random,
  waitMs: (target) => (target.upstream % 3 === 0 ? 500 : 0),
  shareLeft: (target) => (target.upstream % 7) / 7,
};

const HEADERS = {
  date: "Sat, 21 Nov 2026 10:00:00 GMT",
  "content-type": "application/json",
  "x-request-id": "req_1",
  "openai-processing-ms": "230",
  "x-ratelimit-limit-requests": "5000",
  "x-ratelimit-limit-tokens": "160000",
  "x-ratelimit-remaining-requests": "4999",
  "x-ratelimit-remaining-tokens": "159976",
  "x-ratelimit-reset-requests": "12ms",
  "x-ratelimit-reset-tokens": "9ms",
};

const FAILURE = Buffer.from(
  '{"error":{"message":"Rate limit reached for m in organization org-a1B2c3D4 on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000. Please try again in 6s.","type":"tokens","code":"rate_limit_exceeded"}}',
);

const routes = table();
const only = health.of("main", "model-0", "");
const reader = new LimitReader({ resetUnit: null, names: {} });

const rows: readonly (readonly [string, () => unknown])[] = [
  ["plan: one target", planOf("main/model-0")],
  ["plan: three targets in order", planOf("three")],
  ...STRATEGIES.map((strategy) => [`plan: twenty targets, ${strategy}`, planOf(strategy)] as const),
  ["plan: twenty targets, sticky", planOf("sticky")],
  ["plan: twenty targets with three limits each", planWithLimits()],
  ["circuits: start and end of an attempt", attempt],
  ["headers: read two limits", () => reader.read(HEADERS, 200, 1_795_255_200_000)],
  ["failure: classify a 429", () => classify({ status: 429, headers: HEADERS, body: FAILURE }, [], 0)],
];

function planOf(model: string): () => unknown {
  const request = requestFor(model);
  return () => plan(request, routes, view);
}

/** As a request plans it: room and shares come from the real limiter. */
function planWithLimits(): () => unknown {
  const { limiter, now, ...solo } = limits();
  const ask = { estimate: tokens(150, 250), priority: 1, clientKey: "a", deadlineMs: now } as const;
  const real: View<number> = {
    now,
    random: Math.random,
    waitMs: ({ upstream }) => limiter.roomMs(solo.of(upstream), ask, now),
    shareLeft({ upstream }) {
      const { requests, tokens: left } = limiter.facts(solo.of(upstream), now);
      return Math.min(
        requests === null ? 1 : requests.remaining / requests.limit,
        left === null ? 1 : left.remaining / left.limit,
      );
    },
  };
  const request = requestFor("most_room");
  return () => plan(request, routes, real);
}

function limits() {
  const solo = new SoloLimiter();
  const meters = MODELS.map((model) =>
    solo.target(
      model,
      ["requests=500/min", "tokens=200000/min", "concurrent=64"].map((text) =>
        limitSpec("provider", model, text),
      ),
    ),
  );
  const [first] = meters;
  if (first === undefined) throw new Error("there are models");
  return {
    limiter: solo.limiter,
    now: solo.now,
    of: (index: number) => meters[index % meters.length] ?? first,
  };
}

function attempt(): unknown {
  const pass = admit(only, 1000);
  if (pass !== null) report(only, pass, { kind: "ok" }, 1001);
  return pass;
}

for (const [name, work] of rows) {
  console.log(`${name.padEnd(42)} ${nanoseconds(work).toFixed(0).padStart(7)} ns`);
}
