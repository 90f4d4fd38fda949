// A fleet of real processes on this machine: gateways that share one provider, each path between two of them through
// a proxy that can cut it, and the provider's own count of what it let in and refused.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { freePort } from "../free-port.ts";
import { type Faults, NO_FAULTS, TcpProxy } from "./tcp-proxy.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** How long a process may take to start or to stop. */
const PATIENCE_MS = 60_000;

/** A process of this project, from its ready line to its end. */
export class Running {
  readonly child: ChildProcess;
  output = "";
  readonly #exit: Promise<number | null>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...env },
    });
    const end = (): void => void this.child.kill("SIGKILL");
    // Whoever started it may end early, by a signal or because nobody reads what it says.
    process.once("exit", end);
    this.child.once("exit", () => process.off("exit", end));
    this.#exit = new Promise((resolve) => {
      this.child.once("exit", resolve);
    });
    const keep = (data: Buffer): void => {
      this.output = (this.output + data.toString()).slice(-100_000);
    };
    this.child.stdout?.on("data", keep);
    this.child.stderr?.on("data", keep);
  }

  /** Resolves with the first match in what it prints; rejects when it ends or stays silent. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    let timer: NodeJS.Timeout | undefined;
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.output);
        if (match !== null) resolve(match);
      };
      this.child.stdout?.on("data", look);
      this.child.stderr?.on("data", look);
      look();
      void this.#exit.then((code) =>
        reject(new Error(`ended with ${code} before ${pattern}: ${this.output}`)),
      );
      timer = setTimeout(() => reject(new Error(`no ${pattern} in: ${this.output}`)), PATIENCE_MS);
    });
    return found.finally(() => clearTimeout(timer));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Resolves with the exit code. */
  get ended(): Promise<number | null> {
    return this.#exit;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#exit;
  }
}

export interface FleetOptions {
  readonly replicas: number;
  /** Requests per minute of the provider and of the limit, and how many at once; both enforce the same. */
  readonly requestsPerMin: number;
  readonly burst: number;
  /** What the provider forgives, as milliseconds of refill: requests that set out in time may arrive bunched. */
  readonly slackMs: number;
  /** How long a request may wait for units. */
  readonly maxWaitMs: number;
  /** `nats://…` for all; by default every pair has a path of its own over HTTP. */
  readonly nats?: string;
  /** More keys of the configuration's `fleet`. */
  readonly fleet?: object;
}

export interface Station {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly fleetPort: number;
  process: Running;
}

const providerStats = z.object({
  requests: z.object({ admitted: z.number(), refused: z.number(), lowest: z.number() }),
});

export type ProviderStats = z.infer<typeof providerStats>["requests"];

export class FleetProcesses {
  readonly options: FleetOptions;
  readonly stations: Station[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
  /** `from>to` → the proxy on that path. */
  readonly #paths = new Map<string, TcpProxy>();
  #provider: Running | null = null;
  #providerUrl = "";

  constructor(options: FleetOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    const { requestsPerMin, burst, slackMs, replicas } = this.options;
    const port = await freePort();
    this.#provider = new Running([
      "sim",
      "--listen",
      `127.0.0.1:${port}`,
      "--requests",
      String(requestsPerMin),
      "--burst",
      String(burst),
      "--slack-ms",
      String(slackMs),
    ]);
    await this.#provider.line(/listens/);
    this.#providerUrl = `http://127.0.0.1:${port}`;
    const names = Array.from({ length: replicas }, (_, index) => `gw-${index}`);
    for (const name of names) this.stations.push(await this.#place(name));
    await Promise.all(this.stations.map((station) => this.boot(station)));
  }

  /** Adds a replica to the running fleet; the others find it when they are asked by it. */
  async join(name: string, placed: (station: Station) => void): Promise<Station> {
    const station = await this.#place(name);
    placed(station);
    this.stations.push(station);
    await this.boot(station);
    return station;
  }

  async boot(station: Station): Promise<void> {
    await this.#configure(station);
    station.process = new Running(["start", "--config", join(station.directory, "sluice.yaml")]);
    await station.process.line(/listens on/);
  }

  /** Sets the faults on the path between two replicas, in both of its connections. */
  between(left: Station, right: Station, faults: Faults): void {
    this.#paths.get(`${left.name}>${right.name}`)?.set(faults);
    const mirrored = faults.cut.map((direction) => (direction === "forward" ? "backward" : "forward"));
    this.#paths.get(`${right.name}>${left.name}`)?.set({ ...faults, cut: mirrored });
  }

  /** Cuts one replica off from all others. */
  isolate(station: Station): void {
    for (const other of this.stations) {
      if (other !== station) this.between(station, other, { delayMs: 0, cut: ["forward", "backward"] });
    }
  }

  heal(): void {
    for (const path of this.#paths.values()) path.set(NO_FAULTS);
  }

  async stats(): Promise<ProviderStats> {
    const response = await fetch(`${this.#providerUrl}/simulator/stats`);
    const body: unknown = await response.json();
    return providerStats.parse(body).requests;
  }

  async stop(): Promise<void> {
    await Promise.all(this.stations.map((station) => station.process.kill()));
    await this.#provider?.kill();
    await Promise.all([...this.#paths.values()].map((path) => path.close()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #place(name: string): Promise<Station> {
    const directory = mkdtempSync(join(this.#directory, `${name}-`));
    const [port, fleetPort] = [await freePort(), await freePort()];
    return { name, directory, port, fleetPort, process: new Running(["--help"]) };
  }

  async #path(from: Station, to: Station): Promise<string> {
    const key = `${from.name}>${to.name}`;
    const known = this.#paths.get(key);
    const path = known ?? (await TcpProxy.start(() => ({ host: "127.0.0.1", port: to.fleetPort })));
    this.#paths.set(key, path);
    return `http://127.0.0.1:${path.port}`;
  }

  async #configure(station: Station): Promise<void> {
    const { requestsPerMin, burst, maxWaitMs } = this.options;
    const others = this.stations.filter((other) => other !== station);
    const peers = await Promise.all(others.map((other) => this.#path(station, other)));
    const config = {
      listen: `127.0.0.1:${station.port}`,
      data_dir: join(station.directory, "data"),
      log: { level: "info" },
      providers: {
        shared: {
          dialect: "openai",
          base_url: `${this.#providerUrl}/v1`,
          api_key: "none",
          limits: [{ dimension: "requests", amount: requestsPerMin, per: "min", burst }],
        },
      },
      queue: { max_wait: `${maxWaitMs}ms`, max_length: 1000 },
      retry: { attempts: 1 },
      fleet: {
        name: station.name,
        listen: `127.0.0.1:${station.fleetPort}`,
        peers: this.options.nats === undefined ? peers : [this.options.nats],
        secret: "the secret of a fleet in a test",
        ...this.options.fleet,
      },
    };
    // JSON is YAML.
    writeFileSync(join(station.directory, "sluice.yaml"), JSON.stringify(config));
  }
}
