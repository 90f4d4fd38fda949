// How long a take over three buckets takes, in a process of its own: the real replica on a real store, with blocks
// reserved ahead on disk while it runs.
//
// Prints one line of JSON, in nanoseconds: the take alone, and a request's reserve and settle around it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { systemClock, systemTimers } from "../src/clock.ts";
import { openReplica } from "../src/fleet/shell.ts";
import { PLAIN_COUNTING } from "../src/limiter/cost.ts";
import { Limiter } from "../src/limiter/limiter.ts";
import type { MeterSpec } from "../src/limiter/meters.ts";
import { silentLog } from "../src/observe/events.ts";
import { openStore } from "../src/store/open.ts";

const BATCH = 1000;
const UNITS = 1e12;

function spec(key: string, dimension: "requests" | "tokens"): MeterSpec {
  const limit = {
    key,
    dimension,
    capacity: UNITS,
    refill: { kind: "continuous", unitsPerMs: UNITS / 60_000 },
  } as const;
  return { limit, ownerKind: "provider", owner: "bench", name: key };
}

/** Median time of `action` over batches, in nanoseconds; the loop turns between them so that blocks get written. */
async function measure(batches: number, action: () => void): Promise<number> {
  const times: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const startedMs = performance.now();
    for (let i = 0; i < BATCH; i++) action();
    times.push(((performance.now() - startedMs) * 1e6) / BATCH);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  const sorted = times.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const batches = Number(process.argv[2] ?? 500);
const directory = mkdtempSync(join(tmpdir(), "sluice-take-"));
const { store } = await openStore({ directory, log: silentLog, wallMs: systemClock.wallMs() });
const replica = await openReplica({ store, log: silentLog });
const limiter = new Limiter({
  quota: replica.quota,
  clock: systemClock,
  timers: systemTimers,
  lineLengthMax: 10,
});
const specs = [spec("a/requests", "requests"), spec("a/tokens", "tokens"), spec("k/tokens", "tokens")];
const meters = limiter.target({
  provider: "bench",
  model: "m",
  specs,
  counting: PLAIN_COUNTING,
  prices: null,
});
await replica.flush();

const costs = [1, 400, 400];
const estimate = { inputTokens: 150, outputTokens: 250, maxTokens: null, modelMaxTokens: null };
const used = {
  inputTokens: 150,
  outputTokens: 30,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};
let short = 0;

const takeNs = await measure(batches, () => {
  if (replica.quota.take(meters.buckets, costs, systemClock.elapsedMs()) !== null) short++;
});
const reserveSettleNs = await measure(batches, () => {
  const now = systemClock.elapsedMs();
  const ask = { estimate, priority: 1, clientKey: "team-a", deadlineMs: now } as const;
  const reservation = limiter.reserve(meters, ask, now);
  if (reservation.kind === "reserved") limiter.settle(reservation, used, now);
  else short++;
});

limiter.close();
await replica.close();
await store.close();
rmSync(directory, { recursive: true });
console.log(JSON.stringify({ takeNs, reserveSettleNs, shortShare: short / (2 * batches * BATCH) }));
