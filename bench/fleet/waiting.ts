// How long a request waits whose units a sibling holds. Real HTTP on loopback; with LMDB what is given is on disk before
// it is seen, with memory it isn't.
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { runApart } from "./apart.ts";
import { Lab, limitsOf, quantile } from "./lab.ts";

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
