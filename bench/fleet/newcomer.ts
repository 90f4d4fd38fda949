// A process with one replica, forked by scale.ts: it joins a fleet with many buckets, and tells how long it took until it
// knew a row of each, and what the longest piece of work was since it had opened its own.
import { performance } from "node:perf_hooks";
import { Lab, limitsOf, until } from "./lab.ts";
import { Steps } from "./steps.ts";

const [buckets, ...joins] = process.argv.slice(2);
const startedMs = performance.now();
const lab = await Lab.open({ replicas: 1, limits: limitsOf(Number(buckets)), store: "lmdb", joins });
const { running, address } = lab.seat(0);
process.send?.({ address });
const steps = new Steps();
const { id, state } = running.replica;
await until(() =>
  state.holdings.values().every(({ rows }) => rows.entries.keys().some((author) => author !== id)),
);
const joinMs = performance.now() - startedMs;
steps.stop();
process.send?.({ joinMs, stepMs: steps.longestMs });
await lab.close();
process.disconnect();
