// From a valid `sluice.yaml` to the configuration: section by section, then what only several sections together can tell.
import { resolve as resolvePath } from "node:path";
import type { Catalog } from "./catalog.ts";
import type { Config, Provider } from "./config.ts";
import type { Env } from "./interpolate.ts";
import { checkCarried, type Report } from "./report.ts";
import { resolveCache } from "./resolve-cache.ts";
import { resolveFleet } from "./resolve-fleet.ts";
import { checkProviderBudgets, resolveKeys, sha256 } from "./resolve-keys.ts";
import { resolveAliases } from "./resolve-aliases.ts";
import { resolveProvider } from "./resolve-provider.ts";
import type { RawHttp } from "./gateway-schema.ts";
import type { RawConfig, RawProvider } from "./schema.ts";

export interface ResolveContext {
  /** Absolute; null for the built-in defaults. */
  readonly file: string | null;
  /** What relative paths start from. */
  readonly folder: string;
  readonly catalog: Catalog;
  readonly env: Env;
  readonly hostName: string;
  /** Used when the file names no providers. */
  readonly detected: ReadonlyMap<string, RawProvider>;
  readonly report: Report;
}

/** The configuration. It is worth something only if the report holds no errors afterwards. */
export function resolveConfig(raw: RawConfig, context: ResolveContext): Config {
  const { report } = context;
  const providers = resolveProviders(raw, context);
  const keyNames = new Set(raw.keys.map((key) => key.name));
  const aliases = resolveAliases(raw.models, { providers, keyNames, report });
  const offer = { providers, aliases, report };
  const keys = resolveKeys(raw.keys, offer);
  checkProviderBudgets(offer);
  if (raw.admin.key !== undefined) checkCarried(raw.admin.key, ["admin", "key"], report);
  checkExposure(raw, report);
  checkPorts(raw, report);
  return {
    file: context.file,
    listen: raw.listen,
    http: toHttp(raw.http, report),
    dataDir: resolvePath(context.folder, raw.data_dir),
    log: raw.log,
    providers,
    models: aliases,
    queue: { maxWaitMs: raw.queue.max_wait, maxLength: raw.queue.max_length },
    retry: toRetry(raw.retry),
    hedge: toHedge(raw.hedge),
    circuit: toCircuit(raw.circuit, report),
    timeouts: toTimeouts(raw.timeouts),
    cache: resolveCache(raw.cache, offer),
    keys,
    admin: {
      keySha256: raw.admin.key === undefined ? null : sha256(raw.admin.key),
    },
    usage: raw.usage,
    fleet: resolveFleet(raw.fleet, context.hostName, report),
  };
}

function resolveProviders(raw: RawConfig, context: ResolveContext): ReadonlyMap<string, Provider> {
  const named = Object.entries(raw.providers ?? {});
  const isDetected = named.length === 0 && !context.report.isLeft(["providers"]);
  const entries = isDetected ? [...context.detected] : named;
  const providers = new Map<string, Provider>();
  for (const [name, entry] of entries) {
    const provider = resolveProvider(name, entry, context);
    if (provider === undefined) context.report.leave(["providers", name]);
    else providers.set(name, provider);
  }
  return providers;
}

/** Strangers need a client's key whatever is configured; the operators' routes, which make those, must not be open to them. */
function checkExposure(raw: RawConfig, report: Report): void {
  if (raw.listen.isLoopback) return;
  if (raw.admin.key !== undefined || report.isLeft(["admin"])) return;
  const thenKeys = raw.keys.length > 0 ? "" : ", and `keys` for clients (or make them at run time)";
  report.error(
    ["listen"],
    `listening beyond this machine needs an admin key: set \`admin: { key: … }\`${thenKeys}, or listen on 127.0.0.1`,
  );
}

/** Both at one address would show only at the start, as one that another process uses. */
function checkPorts({ listen, fleet }: RawConfig, report: Report): void {
  const siblings = fleet.listen;
  if (siblings === undefined || siblings.port === 0 || siblings.port !== listen.port) return;
  const isEverywhere = [listen.host, siblings.host].some((host) => host === "0.0.0.0" || host === "::");
  if (!isEverywhere && listen.host !== siblings.host) return;
  report.error(
    ["fleet", "listen"],
    "clients connect there (`listen`): siblings need another port, such as 8788",
  );
}

function toRetry({ attempts, backoff, max_pause, budget }: RawConfig["retry"]): Config["retry"] {
  return {
    attempts,
    backoffMs: backoff.first,
    backoffMsMax: backoff.max,
    pauseMsMax: max_pause,
    budget: { share: budget.percent / 100, saved: budget.saved },
  };
}

/** What may be saved up of hedges, for the first slow answers after a quiet time. */
const HEDGES_SAVED = 10;

function toHedge({ after, min, percent, endpoints }: RawConfig["hedge"]): Config["hedge"] {
  if (after.kind === "never") return null;
  const budget = { share: percent / 100, saved: percent === 0 ? 0 : HEDGES_SAVED };
  return { after, afterMsMin: min, budget, endpoints: new Set(endpoints) };
}

function toCircuit(raw: RawConfig["circuit"], report: Report): Config["circuit"] {
  if (raw.max_open < raw.open) report.error(["circuit", "max_open"], "it can't be shorter than `open`");
  return {
    failuresInRow: raw.failures,
    errorRate: raw.error_percent / 100,
    windowMs: raw.window,
    resultsMin: raw.min_results,
    openMs: raw.open,
    openMsMax: raw.max_open,
    probes: raw.probes,
    probeTimeoutMs: raw.probe_timeout,
  };
}

function toHttp(raw: RawHttp, report: Report): Config["http"] {
  if (raw.head_timeout > raw.request_timeout) {
    report.error(["http", "head_timeout"], "it is a part of `request_timeout`, so it can't be longer");
  }
  return {
    bodyBytesMax: raw.max_body,
    bodyBytesTotalMax: raw.max_bodies,
    uploadBytesMax: raw.max_upload,
    headBytesMax: raw.max_head,
    connectionsMax: raw.max_connections,
    headTimeoutMs: raw.head_timeout,
    bodyStallMs: raw.body_stall,
    requestTimeoutMs: raw.request_timeout,
    writeStallMs: raw.write_stall,
    keepAliveMs: raw.keep_alive,
  };
}

function toTimeouts(raw: RawConfig["timeouts"]): Config["timeouts"] {
  return {
    connectMs: raw.connect,
    firstTokenMs: raw.first_token,
    attemptMs: raw.attempt ?? null,
    idleMs: raw.idle,
    totalMs: raw.total,
    drainMs: raw.drain,
  };
}
