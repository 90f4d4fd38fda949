// A fleet of real processes on this machine: gateways that share one provider, each path between two of them through
// a seeded proxy that can delay and cut it, and the provider's own exact count of what it let in and refused.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { freePort } from "../free-port.ts";
import { Chance } from "../sim/random.ts";
import { type Faults, NO_FAULTS, TcpProxy } from "./tcp-proxy.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const PROVIDER = join(import.meta.dirname, "exact-provider-child.ts");
/** Writes onto each request when it set out; see `exact-count.ts`. */
export const SET_OUT = join(import.meta.dirname, "set-out-script.ts");

/** How long a process may take to start or to stop. */
const PATIENCE_MS = 120_000;

/**
 * A process of Node's, from its ready line to its end. Its arguments: Node's own, the program, the program's own; `wrapper`
 * is a command that ends in running what follows it.
 */
class NodeProcess {
  readonly child: ChildProcess;
  output = "";
  readonly #exit: Promise<number | null>;

  constructor(args: readonly string[], wrapper: readonly string[] = []) {
    const [command, ...before] = [...wrapper, process.execPath];
    this.child = spawn(command, [...before, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] },
    });
    const end = (): void => void this.child.kill("SIGKILL");
    // Whoever started it may end early, by a signal or because nobody reads what it says.
    process.once("exit", end);
    this.child.once("exit", () => process.off("exit", end));
    this.#exit = new Promise((resolve) => {
      // Only then has all that it printed been read.
      this.child.once("close", resolve);
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

/** A command of this project, or a gateway. */
export class Running extends NodeProcess {
  constructor(
    args: readonly string[],
    { nodeArgs = [], wrapper = [] }: { nodeArgs?: readonly string[]; wrapper?: readonly string[] } = {},
  ) {
    super([...nodeArgs, MAIN, ...args], wrapper);
  }
}

export interface FleetOptions {
  readonly replicas: number;
  /** Requests per minute of the provider and of the limit, and how many at once; both enforce the same. */
  readonly requestsPerMin: number;
  readonly burst: number;
  /** How long a request may wait for units. */
  readonly maxWaitMs: number;
  /** `nats://…` for all; by default every pair has a path of its own over HTTP. */
  readonly nats?: string;
  /** More keys of the configuration's `fleet`. */
  readonly fleet?: object;
  /** For what the paths between replicas leave to chance. */
  readonly seed?: number;
}

/**
 * What the provider forgives, as milliseconds of refill. It counts a request at the instant at which it set out, so this
 * is not for the way: only for the moment between its admission and that instant, in which its process may be halted.
 */
const SLACK_MS = 100;

/** A place in the fleet: a name, ports, a data folder; and the process that runs there, one after another. */
export class Station {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly fleetPort: number;
  /** How many processes have been started here. */
  life = 0;
  #process: Running | null = null;

  constructor(at: Pick<Station, "name" | "directory" | "port" | "fleetPort">) {
    this.name = at.name;
    this.directory = at.directory;
    this.port = at.port;
    this.fleetPort = at.fleetPort;
  }

  get process(): Running {
    if (this.#process === null) throw new Error(`${this.name} was never started`);
    return this.#process;
  }

  start(): void {
    this.life += 1;
    const config = join(this.directory, "sluice.yaml");
    this.#process = new Running(["start", "--config", config], { nodeArgs: ["--import", SET_OUT] });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }
}

const providerStats = z.object({
  admitted: z.number(),
  refused: z.number(),
  /** The least its bucket ever held, slack included. */
  lowest: z.number(),
  /** The longest that a request was on its way, in milliseconds. */
  travelMs: z.number(),
  /** Let in, by the process id of the gateway. */
  bySender: z.record(z.string(), z.number()),
});

export type ProviderStats = z.infer<typeof providerStats>;

export class FleetProcesses {
  readonly options: FleetOptions;
  readonly stations: Station[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
  readonly #chance: Chance;
  /** `from>to` → the proxy on that path. */
  readonly #paths = new Map<string, TcpProxy>();
  #provider: NodeProcess | null = null;
  #providerUrl = "";

  constructor(options: FleetOptions) {
    this.options = options;
    this.#chance = new Chance(options.seed ?? 1);
  }

  async start(): Promise<void> {
    const { requestsPerMin, burst, replicas } = this.options;
    const quota = [burst, requestsPerMin / 60, SLACK_MS].map(String);
    this.#provider = new NodeProcess([PROVIDER, ...quota]);
    const [, url = ""] = await this.#provider.line(/listens at (\S+)/);
    this.#providerUrl = url;
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

  /** Starts a process there; `keys`: more of its configuration's `fleet`. */
  async boot(station: Station, keys: object = {}): Promise<void> {
    await this.#configure(station, keys);
    station.start();
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

  /** Makes every message between any two late by so much on average. */
  delay(delayMs: number): void {
    for (const path of this.#paths.values()) path.set({ delayMs, cut: [] });
  }

  heal(): void {
    for (const path of this.#paths.values()) path.set(NO_FAULTS);
  }

  /** The provider's count. */
  async stats(): Promise<ProviderStats> {
    const response = await fetch(`${this.#providerUrl}/stats`);
    return providerStats.parse(await response.json());
  }

  async stop(): Promise<void> {
    await Promise.all(this.stations.map((station) => station.kill()));
    await this.#provider?.kill();
    await Promise.all([...this.#paths.values()].map((path) => path.close()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #place(name: string): Promise<Station> {
    const directory = mkdtempSync(join(this.#directory, `${name}-`));
    const [port, fleetPort] = [await freePort(), await freePort()];
    return new Station({ name, directory, port, fleetPort });
  }

  async #path(from: Station, to: Station): Promise<string> {
    const key = `${from.name}>${to.name}`;
    const path = this.#paths.get(key) ?? (await TcpProxy.start(to.fleetPort, this.#chance.next));
    this.#paths.set(key, path);
    return `http://127.0.0.1:${path.port}`;
  }

  async #configure(station: Station, keys: object): Promise<void> {
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
        // On a busy machine siblings may take long to start and to answer; going on without them is another test's matter.
        found_after: "60s",
        boot_grace: "20s",
        ...this.options.fleet,
        ...keys,
      },
    };
    // JSON is YAML.
    writeFileSync(join(station.directory, "sluice.yaml"), JSON.stringify(config));
  }
}
