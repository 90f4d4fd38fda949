// The processes of a benchmark: started, asked for their port, their CPU time and memory read from the kernel, stopped.
import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { isLoadResult, type Load, type LoadResult } from "./load.ts";

const DEADLINE_MS = 60_000;

/** Arguments for Node that let a server be asked for its memory. */
export const COLLECTING = ["--expose-gc", "--import", `${import.meta.dirname}/collect.ts`];

/** A process that serves. */
export class Served {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts `node ARGS` and waits for a line of its output that holds its port (`pattern`'s first group). */
  static async start(
    args: readonly string[],
    pattern: RegExp = /^(\d+)$/,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Served> {
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    const line = await firstMatch(child, pattern);
    return new Served(child, Number(line));
  }

  /** CPU time that the threads of the process have used so far, in microseconds, as the scheduler counts it. */
  cpuMicros(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    let nanoseconds = 0;
    for (const thread of readdirSync(tasks)) {
      nanoseconds += Number(readFileSync(`${tasks}/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
    return nanoseconds / 1000;
  }

  /** What the process occupies once it has collected its garbage, in bytes. It was started with `COLLECTING`. */
  async memoryBytes(): Promise<number> {
    const line = firstMatch(this.#child, /^occupies (\d+)$/);
    this.#child.kill("SIGUSR2");
    return Number(await line);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends the process; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await gone;
  }
}

async function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (child.stdout === null) throw new Error("The process has no output.");
  const lines = createInterface({ input: child.stdout });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => reject(new Error("The process did not say its port.")), DEADLINE_MS);
  lines.on("line", (line) => {
    const match = pattern.exec(line);
    if (match?.[1] !== undefined) resolve(match[1]);
  });
  child.once("exit", (code) => reject(new Error(`The process ended with ${code} before it listened.`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Keeps streams open at a port; the answer lets go of them. Resolves once all have begun. */
export async function holdStreams(port: number, streams: number): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/hold.ts`, String(port), String(streams)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await firstMatch(child, /^(held)$/);
  return async () => {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.stdin?.end();
    await gone;
  };
}

/** Runs a script that prints one line of JSON. */
export async function runJson(args: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${args[0]} ended with ${String(code)}.`);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Runs the driver once. */
export async function drive(load: Load): Promise<LoadResult> {
  const result = await runJson([`${import.meta.dirname}/driver.ts`, JSON.stringify(load)]);
  if (!isLoadResult(result)) throw new Error("The driver said something else.");
  if (result.failed > 0) throw new Error(`${result.failed} requests failed: ${result.firstFailure}`);
  return result;
}
