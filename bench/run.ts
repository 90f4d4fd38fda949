// `npm run bench`: Sluice beside the limit of its stack, in one run. A bare relay (relay.ts) and Sluice with everything on
// (client key, plan, three durable buckets, settle, metrics) are driven in turn, again and again; what is compared is
// the CPU time per request of each process, as the kernel counts it. Ratios of neighbouring runs are what to look at:
// they survive a machine that is busy with other things, single figures don't. Both are also driven at once, so that
// whatever else the machine does meets both alike.
//
//   npm run bench [-- --quick]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Load, LoadResult } from "./load.ts";
import { COLLECTING, drive, holdStreams, runJson, Served } from "./processes.ts";
import { sluiceConfig } from "./sluice-config.ts";

const HERE = import.meta.dirname;
const MAIN = join(HERE, "../src/main.ts");
const LISTENS = /listens on http:\/\/127\.0\.0\.1:(\d+)/;

const isQuick = process.argv.includes("--quick");
const ROUNDS = isQuick ? 3 : 15;
const REQUESTS = isQuick ? 2000 : 4000;
const WARM_UP = isQuick ? 6000 : 20_000;
const CONNECTIONS = 64;
const STREAMS = isQuick ? 500 : 2000;
const STARTS = isQuick ? 3 : 7;

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function row(what: string, value: string, target = ""): void {
  console.log(`${what.padEnd(66)}${value.padStart(16)}${target === "" ? "" : `   target ${target}`}`);
}

/** CPU time per request of a server under full load, in microseconds, and what the clients saw. */
async function cost(
  server: Served,
  shape: Shape,
  requests: number,
): Promise<LoadResult & { cpuMicros: number }> {
  const before = server.cpuMicros();
  const result = await drive({ port: server.port, connections: CONNECTIONS, requests, ...shape });
  return { ...result, cpuMicros: (server.cpuMicros() - before) / result.requests };
}

/** What is asked for: the relay passes on whatever it is. */
type Shape = Pick<Load, "isStream" | "model">;

interface Pair {
  readonly relayMicros: number;
  readonly sluiceMicros: number;
  /** Requests per second through Sluice. */
  readonly rate: number;
}

async function compareCost(relay: Served, sluice: Served, shape: Shape): Promise<void> {
  for (const server of [relay, sluice]) await cost(server, shape, WARM_UP);
  const [inTurn, together]: [Pair[], Pair[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const first = await cost(relay, shape, REQUESTS);
    inTurn.push(pairOf(first, await cost(sluice, shape, REQUESTS)));
    const [bare, full] = await Promise.all([relay, sluice].map((server) => cost(server, shape, REQUESTS)));
    if (bare !== undefined && full !== undefined) together.push(pairOf(bare, full));
  }
  const name = `${shape.isStream ? "30-chunk stream" : "500-byte answer"}${shape.model === "mended" ? ", mended" : ""}`;
  row(
    `${name}: bare relay, CPU per request`,
    `${median(inTurn.map((pair) => pair.relayMicros)).toFixed(1)} µs`,
  );
  row(`${name}: Sluice, CPU per request`, `${median(inTurn.map((pair) => pair.sluiceMicros)).toFixed(1)} µs`);
  row(`${name}: Sluice, requests per second`, median(inTurn.map((pair) => pair.rate)).toFixed(0));
  row(`${name}: requests per CPU-second, Sluice / bare relay`, ratio(inTurn), "≥ 0.75");
  row(`${name}: the same, both driven at once`, ratio(together), "≥ 0.75");
}

function pairOf(bare: LoadResult & { cpuMicros: number }, full: LoadResult & { cpuMicros: number }): Pair {
  return { relayMicros: bare.cpuMicros, sluiceMicros: full.cpuMicros, rate: full.requests / full.seconds };
}

function ratio(pairs: readonly Pair[]): string {
  return median(pairs.map(({ relayMicros, sluiceMicros }) => relayMicros / sluiceMicros)).toFixed(2);
}

/** What Sluice adds to an answer's time when it is not busy: one request at a time, beside the same without it. */
async function compareLatency(upstream: Served, relay: Served, sluice: Served): Promise<void> {
  const requests = isQuick ? 1000 : 4000;
  const ask = (server: Served): Promise<LoadResult> =>
    drive({ port: server.port, connections: 1, requests, isStream: false });
  const [direct, bare, full] = [await ask(upstream), await ask(relay), await ask(sluice)];
  row("added latency of the bare relay, p50", `${(bare.p50Ms - direct.p50Ms).toFixed(3)} ms`);
  row("added latency of Sluice, p50", `${(full.p50Ms - direct.p50Ms).toFixed(3)} ms`);
  row("added latency of the bare relay, p99", `${(bare.p99Ms - direct.p99Ms).toFixed(3)} ms`);
  row("added latency of Sluice, p99", `${(full.p99Ms - direct.p99Ms).toFixed(3)} ms`);
}

/** Memory per open stream: what `STREAMS` more cost a fresh process that holds some already. */
async function measureMemory(name: string, server: Served, target = ""): Promise<void> {
  await drive({ port: server.port, connections: CONNECTIONS, requests: 2000, isStream: true });
  const letFirstGo = await holdStreams(server.port, STREAMS / 4);
  const before = await server.memoryBytes();
  const letGo = await holdStreams(server.port, STREAMS);
  const perStream = ((await server.memoryBytes()) - before) / STREAMS;
  await letGo();
  await letFirstGo();
  row(`${name}: memory per open stream at ${STREAMS}`, `${(perStream / 1024).toFixed(1)} KB`, target);
}

async function measureStart(config: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const startedMs = performance.now();
    const server = await Served.start([MAIN, "start", "--config", config], LISTENS);
    times.push(performance.now() - startedMs);
    await server.stop();
  }
  row("start-up, from the command to listening", `${median(times).toFixed(0)} ms`);
}

function numberAt(value: unknown, name: string): number {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "number" ? found : Number.NaN;
}

async function measureTake(): Promise<void> {
  const result = await runJson([join(HERE, "take.ts"), isQuick ? "100" : "1000"]);
  row("take over three buckets", `${numberAt(result, "takeNs").toFixed(0)} ns`, "≤ 2000 ns");
  row("reserve and settle over three buckets", `${numberAt(result, "reserveSettleNs").toFixed(0)} ns`);
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const started: Served[] = [];
  const start = async (...args: Parameters<typeof Served.start>): Promise<Served> => {
    const server = await Served.start(...args);
    started.push(server);
    return server;
  };
  const config = join(folder, "sluice.yaml");
  try {
    const upstream = await start([join(HERE, "upstream.ts")]);
    writeFileSync(config, sluiceConfig(upstream.port, join(folder, "data")));
    console.log(
      `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${isQuick ? "quick" : "full"}\n`,
    );
    await measureTake();
    await measureStart(config);
    const relay = await start([...COLLECTING, join(HERE, "relay.ts"), String(upstream.port)]);
    const sluice = await start([...COLLECTING, MAIN, "start", "--config", config], LISTENS);
    await measureMemory("bare relay", relay);
    await measureMemory("Sluice", sluice, "≤ 40 KB");
    await compareLatency(upstream, relay, sluice);
    for (const model of ["smart", "mended"]) {
      for (const isStream of [false, true]) await compareCost(relay, sluice, { isStream, model });
    }
  } finally {
    for (const server of started) await server.stop();
    rmSync(folder, { recursive: true });
  }
}

await main();
