// Starts the real program as its own process, the way a user does: a configuration file, a data folder, a port of the
// system's choice. It is ready when it says where it listens, and stopped by its process id; nothing here sleeps.
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, expect, onTestFinished } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const READY = /listens on (http:\/\/(\S+):(\d+))/;
/** Generous: what is slow on a busy machine is not at fault. */
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 60_000;

type Child = ChildProcessByStdio<null, Readable, Readable>;

export interface StartOptions {
  /** Environment variables of the process. None of the caller's own but PATH reach it, so that its keys can't either. */
  readonly env?: Readonly<Record<string, string>>;
  /** A data folder that outlives the process, to start another on it. By default it is a new one, removed at the end. */
  readonly dataDir?: string;
}

export interface GatewayProcess {
  /** `http://127.0.0.1:PORT`, without `/v1`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** The configuration file, to be rewritten for a reload. */
  readonly configFile: string;
  /** Everything it has written to stdout and stderr so far. */
  output(): string;
  /** The text of `/metrics`, of all limits or of those that a pattern matches. */
  metrics(pattern?: string): Promise<string>;
  /** One sample of `/metrics` by its whole name with labels; 0 when it is not there. */
  metric(name: string): Promise<number>;
  /** Whether `/healthz` answers 200. */
  isHealthy(): Promise<boolean>;
  /** Peak resident memory in bytes, as the kernel counts it. */
  peakMemoryBytes(): number;
  /** Sends a signal, waits for the process to end and gives its exit code; null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Processes that still run. None outlives whoever started it, a test or its file, even if that fails before it stops
 * them, or is ended itself.
 */
const children = new Set<Child>();
const killAll = (): void => {
  for (const child of children) child.kill("SIGKILL");
};
afterAll(killAll);
process.on("exit", killAll);
process.once("SIGTERM", () => process.exit(143));

function killAtEnd(child: Child): void {
  if (expect.getState().currentTestName !== undefined) onTestFinished(() => void child.kill("SIGKILL"));
}

/**
 * Starts a gateway with this configuration, an object in the form of `sluice.yaml`. `listen` and `data_dir` are filled in.
 * Rejects with all of its output when it ends or says nothing before it is ready.
 */
export async function startGateway(config: object, options: StartOptions = {}): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
  const configFile = join(folder, "sluice.yaml");
  const dataDir = options.dataDir ?? join(folder, "data");
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify({ listen: "127.0.0.1:0", data_dir: dataDir, ...config }));
  const child = spawn(process.execPath, [join(ROOT, "src/main.ts"), "start", "--config", configFile], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  killAtEnd(child);
  const exited = once(child, "exit").finally(() => {
    children.delete(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const output = collect(child);
  const url = await ready(child, output, exited);
  return running({ child, url, configFile, output, exited });
}

function collect(child: Child): () => string {
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => parts.push(text));
  }
  return () => parts.join("");
}

async function ready(child: Child, output: () => string, exited: Promise<unknown>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const look = (): void => {
    const url = READY.exec(output())?.[1];
    if (url !== undefined) resolve(url);
  };
  child.stdout.on("data", look);
  const timer = setTimeout(() => reject(new Error(`Not ready in time:\n${output()}`)), START_MS_MAX);
  exited.then(() => reject(new Error(`It ended before it was ready:\n${output()}`)), reject);
  try {
    return await promise;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
    child.stdout.off("data", look);
  }
}

interface Parts {
  readonly child: Child;
  readonly url: string;
  readonly configFile: string;
  readonly output: () => string;
  readonly exited: Promise<unknown>;
}

function running({ child, url, configFile, output, exited }: Parts): GatewayProcess {
  const pid = child.pid ?? 0;
  const metrics = async (pattern = "*"): Promise<string> =>
    (await fetch(`${url}/metrics?bucket=${encodeURIComponent(pattern)}`)).text();
  return {
    url,
    port: Number(new URL(url).port),
    pid,
    configFile,
    output,
    metrics,
    async metric(name) {
      const line = (await metrics()).split("\n").find((line) => line.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1));
    },
    async isHealthy() {
      return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) })).status === 200;
    },
    peakMemoryBytes() {
      const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
      return Number(match?.[1] ?? Number.NaN) * 1024;
    },
    async stop(signal = "SIGTERM") {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
      clearTimeout(timer);
      return child.exitCode;
    },
  };
}
