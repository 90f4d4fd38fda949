// How long a request waits whose units a sibling holds, and how soon a fleet uses the whole quota again after it has
// lost a replica. Real HTTP on loopback; with LMDB what is given is on disk before it is seen, with memory it isn't.
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { WHOLE } from "../../src/bucket/parts.ts";
import { runApart } from "./apart.ts";
import { Demand } from "./demand.ts";
import { Lab, limitsOf, quantile, type Seat, until } from "./lab.ts";

const WARM_UP = 150;
const SAMPLES = 600;
/** Between two commits. */
const BETWEEN_MS = 10;

export interface Wait {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Requests one after the other, each on a bucket of which the one that serves it holds nothing yet; it runs in a process of its own. */
export async function measureWait(replicas: number, store: "memory" | "lmdb"): Promise<Wait> {
  const requests = WARM_UP + SAMPLES;
  const lab = await Lab.open({ replicas: replicas - 1, limits: limitsOf(requests), store });
  await Promise.all(lab.seats.map(({ running }) => running.flush()));
  try {
    const { waits } = await runApart(lab, "asker.ts", [store, String(requests)]);
    if (!Array.isArray(waits)) throw new Error("no waits were measured");
    return quantiles(waits.slice(WARM_UP).map(Number));
  } finally {
    await lab.close();
  }
}

/** A durable commit of one small batch, for comparison. */
export async function measureCommit(): Promise<Wait> {
  const lab = await Lab.open({ replicas: 1, limits: [], store: "lmdb" });
  try {
    const times: number[] = [];
    for (let index = 0; index < SAMPLES; index += 1) {
      const startedMs = performance.now();
      await lab.seat(0).store.write([["bench/commit", Buffer.from(String(index))]]);
      times.push(performance.now() - startedMs);
      await pause(BETWEEN_MS);
    }
    return quantiles(times);
  } finally {
    await lab.close();
  }
}

function quantiles(numbers: readonly number[]): Wait {
  return { p50Ms: quantile(numbers, 0.5), p99Ms: quantile(numbers, 0.99) };
}

/** What became of a third of the quota. */
export interface Recovery {
  /** From the kill until the survivors hold all of it, beyond `reclaim.after`. */
  readonly reclaimedMs: number;
  /** From the order to leave until the siblings hold all of it. */
  readonly handedOverMs: number;
}

const RECLAIM_AFTER_MS = 1000;

/** Three replicas share a quota that all of them want more of; one is killed, and later another one leaves. */
export async function measureRecovery(): Promise<Recovery> {
  const lab = await Lab.open({
    replicas: 3,
    limits: limitsOf(1, 60_000),
    store: "lmdb",
    reclaimAfterMs: RECLAIM_AFTER_MS,
  });
  const demands = lab.seats.map((seat) => new Demand(seat));
  try {
    const key = lab.seat(0).buckets[0]?.limit.key ?? "";
    for (const demand of demands) demand.start(1000);
    await until(() => lab.held(key) > 0.999 && lab.seats.every((seat) => shareOf(seat) > 0.2));
    demands[2]?.stop();
    await lab.seat(2).kill();
    const reclaimedMs = (await until(() => lab.held(key) > 0.999)) - RECLAIM_AFTER_MS;
    const leaver = lab.seat(1);
    const startedMs = performance.now();
    demands[1]?.stop();
    const left = leaver.running.leave(5000);
    await until(() => shareOf(lab.seat(0)) > 0.999);
    const handedOverMs = performance.now() - startedMs;
    if (!(await left)) throw new Error("nobody confirmed that it left");
    return { reclaimedMs, handedOverMs };
  } finally {
    for (const demand of demands) demand.stop();
    await lab.close();
  }
}

function shareOf({ running, buckets }: Seat): number {
  const { state } = running.replica;
  const holding = state.holding(buckets[0]?.limit.key ?? "");
  return state.ledger.share(holding.rows, running.replica.id) / WHOLE;
}
