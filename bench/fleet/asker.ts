// A process with one replica, forked by waiting.ts: it joins the fleet whose addresses it is told, and asks for units of
// which it holds none, again and again. It sends its address first, and how long each request has waited at the end.
import { setTimeout as pause } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { systemClock } from "../../src/clock.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Lab, limitsOf } from "./lab.ts";

/** Between two requests: from none, so that what the one before left to write and to tell is still under way, up to this. */
const BETWEEN_MS_MAX = 16;

const [store, requests, ...joins] = process.argv.slice(2);
if (store !== "memory" && store !== "lmdb") throw new Error(`no such store: ${store}`);
const lab = await Lab.open({ replicas: 1, limits: limitsOf(Number(requests)), store, joins });
const { running, buckets, address } = lab.seat(0);
process.send?.({ address });
await running.flush();

/** The request that waits now. */
let waiting: { readonly bucket: Bucket; readonly admitted: () => void } | null = null;
running.quota.onRoom((bucket) => {
  if (bucket !== waiting?.bucket || !isTaken(bucket)) return;
  waiting.admitted();
  waiting = null;
});

function isTaken(bucket: Bucket): boolean {
  return running.quota.take([bucket], [1], systemClock.elapsedMs()) === null;
}

/** Resolves with how long a request waited, in milliseconds. */
async function waitFor(bucket: Bucket): Promise<number> {
  const startedMs = performance.now();
  const now = systemClock.elapsedMs();
  if (isTaken(bucket)) throw new Error("it had units of its own");
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting = { bucket, admitted: resolve };
  running.quota.wait(bucket, { cost: 1, sinceMs: now }, now);
  await promise;
  const waitedMs = performance.now() - startedMs;
  running.quota.wait(bucket, null, systemClock.elapsedMs());
  return waitedMs;
}

const waits: number[] = [];
for (const [index, bucket] of buckets.entries()) {
  waits.push(await waitFor(bucket));
  await pause(index % BETWEEN_MS_MAX);
}
await lab.close();
process.send?.({ waits });
process.disconnect();
