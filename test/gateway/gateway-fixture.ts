// A gateway as it runs, on a loopback port: real HTTP in front, scripted providers behind, the real limiter and replica
// between, and time that moves only when the test says so.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ResponseCache } from "../../src/cache/response-cache.ts";
import { Origins } from "../../src/cli/wiring/origins.ts";
import { Renewals } from "../../src/cli/wiring/renewals.ts";
import { ClientKeys } from "../../src/cli/wiring/client-keys.ts";
import { compileSnapshot, type Plant } from "../../src/cli/wiring/snapshot.ts";
import { loadConfig } from "../../src/config/load.ts";
import { LiveGateway } from "../../src/gateway/gateway.ts";
import { Hedges } from "../../src/gateway/hedges.ts";
import { Shadows } from "../../src/gateway/shadows.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { Estimates } from "../../src/limiter/estimate.ts";
import {
  silentLog,
  type LogFields,
  type ProviderRefusal,
  type RequestRecord,
} from "../../src/observe/events.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { NOTICE_MS } from "../../src/upstream/call.ts";
import { Watch } from "../../src/upstream/watch.ts";
import { RawClient, type RawAnswer, jsonRequest } from "../http/raw-client.ts";
import { SoloLimiter } from "../limiter/solo-limiter.ts";
import type { ScriptedUpstream } from "./scripted-upstream.ts";

export interface GatewayOptions {
  /** Providers by name; each gets the model `m` and the alias `any` leads to all of them in order. */
  readonly providers: Readonly<Record<string, Pick<ScriptedUpstream, "port">>>;
  /** More of the configuration file. */
  readonly config?: string;
  /** More of each provider's entry, as YAML flow members. */
  readonly provider?: string;
  /** Of every provider, or of each by its name. */
  readonly limits?: string | Readonly<Record<string, string>>;
  /** Each provider's `api_keys` as a YAML flow list, instead of one key; null: it has none. */
  readonly keys?: string | null;
  /** How the providers deviate from the language, as a YAML flow mapping. */
  readonly quirks?: string;
  /** The limiter and its clock, where providers share the clock, or where the replica behind it has siblings. */
  readonly solo?: GatewayFixture["solo"];
  readonly random?: () => number;
  /** The wire language of each provider that speaks another than chat completions. */
  readonly dialects?: Readonly<Record<string, string>>;
  /** Each provider's models. */
  readonly models?: string;
}

/** The two ways in which answers of chat completions reach clients: as they are, or looked at and mended. */
export const WAYS = [
  { way: "as they are", quirks: "{ canonical: true }" },
  { way: "mended", quirks: "{}" },
] as const;

const LIMITS = "[ { requests: 1000/min }, { tokens: 1_000_000/min }, { concurrent: 8 } ]";

export interface Balance {
  readonly requests: number;
  readonly tokens: number;
  readonly concurrent: number;
}

export class GatewayFixture {
  readonly port: number;
  readonly records: readonly RequestRecord[];
  /** Attempts that providers refused for want of room. */
  readonly refusals: readonly ProviderRefusal[];
  readonly errors: readonly { readonly message: string; readonly fields: LogFields | undefined }[];
  readonly gateway: LiveGateway;
  readonly solo: Pick<SoloLimiter, "clock" | "replica" | "limiter" | "flush">;
  readonly watch: Watch;
  readonly plant: Plant;
  readonly shadows: Shadows;
  readonly hedges: Hedges;

  constructor(
    parts: Pick<
      GatewayFixture,
      | "port"
      | "records"
      | "refusals"
      | "errors"
      | "gateway"
      | "solo"
      | "watch"
      | "plant"
      | "shadows"
      | "hedges"
    >,
  ) {
    this.shadows = parts.shadows;
    this.hedges = parts.hedges;
    this.plant = parts.plant;
    this.port = parts.port;
    this.records = parts.records;
    this.refusals = parts.refusals;
    this.errors = parts.errors;
    this.gateway = parts.gateway;
    this.solo = parts.solo;
    this.watch = parts.watch;
  }

  client(): RawClient {
    const client = new RawClient(this.port);
    onTestFinished(() => client.close());
    return client;
  }

  /** Sends one request on a connection of its own and reads the answer. */
  ask(body: object, path?: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    return this.client()
      .send(jsonRequest({ messages: [], ...body }, headers, path))
      .answer();
  }

  /** Moves time on; deadlines that have passed are acted on. */
  advance(ms: number): void {
    this.solo.clock.advance(ms);
    this.watch.check();
    this.solo.flush();
  }

  /** Puts another configuration in force, as a changed file does. */
  async reload(options: GatewayOptions): Promise<void> {
    const config = await configOf(options);
    const snapshot = compileSnapshot(config, this.plant);
    this.plant.cache.configure(config.cache);
    this.plant.origins.closeUnused();
    this.solo.flush();
    this.gateway.swap(snapshot);
  }

  /** Units taken and not given back, over all providers. */
  used(): Balance {
    let [requests, tokens, concurrent] = [0, 0, 0];
    for (const { name, labels, value } of this.solo.limiter.samples()) {
      const sign =
        name.endsWith("taken_units_total") || name.endsWith("overrun_units_total")
          ? 1
          : name.endsWith("returned_units_total")
            ? -1
            : 0;
      if (labels["dimension"] === "requests") requests += sign * value;
      if (labels["dimension"] === "tokens") tokens += sign * value;
      if (labels["dimension"] === "concurrent") concurrent += sign * value;
    }
    return { requests, tokens, concurrent };
  }

  /** Resolves when nothing runs; then nothing may be held, and no fault of ours may have been logged. */
  async settled(): Promise<Balance> {
    await this.gateway.idle();
    // Providers notice that connections were closed.
    for (const ms of [0, NOTICE_MS]) if (this.watch.size > 0) this.advance(ms);
    const used = this.used();
    if (this.errors.length > 0) throw new Error(`Logged as errors: ${JSON.stringify(this.errors)}`);
    if (this.watch.size > 0) throw new Error(`${this.watch.size} calls still run.`);
    if (used.concurrent !== 0) throw new Error(`${used.concurrent} slots are held.`);
    return used;
  }
}

export async function startGateway(options: GatewayOptions): Promise<GatewayFixture> {
  const config = await configOf(options);
  const solo = options.solo ?? new SoloLimiter();
  solo.replica.onWake(() => setImmediate(() => solo.flush()));
  const cache = new ResponseCache({
    wallMs: () => solo.clock.wallMs(),
    log: silentLog,
    timers: solo.clock,
    openDisk: () => new MemoryStore(),
  });
  cache.configure(config.cache);
  const refusals: ProviderRefusal[] = [];
  const plant: Plant = {
    clock: solo.clock,
    observer: { providerRefused: (refusal) => void refusals.push(refusal) },
    limiter: solo.limiter,
    health: new HealthBook(),
    estimates: new Estimates(),
    origins: new Origins(),
    renewals: new Renewals(silentLog),
    learned: new Map(),
    clientKeys: new ClientKeys(solo.limiter),
    cache,
    simulatorUrl: () => undefined,
  };
  const records: RequestRecord[] = [];
  const errors: { message: string; fields: LogFields | undefined }[] = [];
  const observer = {
    log: {
      ...silentLog,
      error: (message: string, fields?: LogFields) => void errors.push({ message, fields }),
    },
    requestEnded: (record: RequestRecord) => void records.push(record),
    addSource: () => undefined,
  };
  const watch = new Watch(solo.clock, () => () => undefined);
  const snapshot = compileSnapshot(config, plant);
  plant.origins.closeUnused();
  solo.flush();
  const shadows = new Shadows();
  const hedges = new Hedges();
  const gateway = new LiveGateway(snapshot, {
    clock: solo.clock,
    random: options.random ?? (() => 0),
    timers: solo.clock,
    watch,
    limiter: solo.limiter,
    observer,
    hedges,
    shadows,
  });
  const server = createHttpServer({
    gateway,
    observer,
    clock: solo.clock,
    openRoutes: [],
    operatorRoutes: [],
    adminKeySha256: () => null,
  });
  onTestFinished(() => {
    server.close();
    plant.origins.closeAll();
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  return new GatewayFixture({
    port,
    records,
    refusals,
    errors,
    gateway,
    solo,
    watch,
    plant,
    shadows,
    hedges,
  });
}

async function configOf(options: GatewayOptions) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-gateway-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const names = Object.keys(options.providers);
  const providers = Object.entries(options.providers).map(
    ([name, { port }]) =>
      `  ${name}: { dialect: ${options.dialects?.[name] ?? "openai"}, base_url: "http://127.0.0.1:${port}/v1", ${keyOf(name, options)} models: ${options.models ?? "{ m: {} }"}, quirks: ${options.quirks ?? "{ canonical: true }"}, limits: ${limitsOf(name, options)}, ${options.provider ?? ""} }`,
  );
  const text = `data_dir: ${folder}\nproviders:\n${providers.join("\n")}\nmodels:\n  any: [ ${names.map((name) => `${name}/m`).join(", ")} ]\n${options.config ?? ""}\n`;
  const file = join(folder, "sluice.yaml");
  writeFileSync(file, text);
  const { config } = await loadConfig({ file, cwd: folder, env: {}, hostName: "test" });
  return config;
}

function limitsOf(name: string, { limits = LIMITS }: GatewayOptions): string {
  return typeof limits === "string" ? limits : (limits[name] ?? "[]");
}

function keyOf(name: string, { keys }: GatewayOptions): string {
  if (keys === null) return "";
  return keys === undefined ? `api_key: sk-${name},` : `api_keys: ${keys},`;
}
