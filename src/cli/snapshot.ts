// From a configuration to the snapshot that requests follow. What outlives a reload (connections, health, estimates,
// buckets) lives in the `Plant` and is found again by name; everything else is made anew.
import type { ResponseCache } from "../cache/response-cache.ts";
import type { Clock } from "../clock.ts";
import type { ClientKey as KeyConfig, Config, Priority, Provider } from "../config/config.ts";
import { GatewayError } from "../errors.ts";
import type { ClientKey, ListedModel, Snapshot } from "../gateway/runtime.ts";
import { secretForms } from "../gateway/covered.ts";
import { headerSafe, type UpstreamTarget } from "../gateway/upstream-target.ts";
import type { Estimates } from "../limiter/estimate.ts";
import type { Limiter } from "../limiter/limiter.ts";
import type { Meters } from "../limiter/meters.ts";
import { compileRoutes } from "../routing/compile.ts";
import type { HealthBook } from "../routing/health-book.ts";
import type { RouteTable } from "../routing/table.ts";
import type { Timeouts } from "../upstream/call.ts";
import type { LearnedLimit } from "../../providers/dialects/limits-learning.ts";
import { cachePolicy } from "./cache-policy.ts";
import type { Origins } from "./origins.ts";
import { providerSecrets } from "./provider-secrets.ts";
import {
  endpointsOf,
  languageOf,
  ownHeaderPrefix,
  pathsOf,
  requestHeaders,
  signerOf,
} from "./provider-wire.ts";
import { meterSpecs, targetLimits } from "./target-limits.ts";

/** What outlives a reload. */
export interface Plant {
  readonly clock: Clock;
  readonly limiter: Limiter;
  readonly health: HealthBook;
  readonly estimates: Estimates;
  readonly origins: Origins;
  /** Limits that providers' answers have told, by `provider/model` and then by the provider's name for the limit. */
  readonly learned: Map<string, Map<string, LearnedLimit>>;
  readonly metersOf: WeakMap<ClientKey, Meters>;
  readonly cache: ResponseCache;
  /** `http://127.0.0.1:PORT` of the simulator that was started for this provider. */
  readonly simulatorUrl: (provider: string) => string | undefined;
}

const PRIORITIES: Readonly<Record<Priority, ClientKey["priority"]>> = { high: 0, normal: 1, low: 2 };

/** Compiles a configuration, whose word on health holds at once. Throws `invalid_config` for routes that contradict each other. */
export function compileSnapshot(config: Config, plant: Plant): Snapshot {
  plant.health.adopt({ circuit: config.circuit, retryBudget: config.retry.budget });
  return {
    ...compileKeys(config, plant),
    models: listModels(config),
    metersOf: plant.metersOf,
    routes: compileTargets(config, plant),
    timeouts: streamTimeouts(config.timeouts),
    wholeTimeouts: wholeTimeouts(config.timeouts),
    queueWaitMs: config.queue.maxWaitMs,
    retry: config.retry,
    cache: cachePolicy(config, plant.cache),
  };
}

function streamTimeouts({ attemptMs, ...timeouts }: Config["timeouts"]): Timeouts {
  return { ...timeouts, firstTokenMs: Math.min(timeouts.firstTokenMs, attemptMs ?? Infinity) };
}

/** The whole answer is the first byte, so only connecting, the attempt and the total can be told from being slow. */
function wholeTimeouts({ connectMs, totalMs, attemptMs }: Config["timeouts"]): Timeouts {
  return { connectMs, totalMs, idleMs: totalMs, firstTokenMs: attemptMs ?? totalMs };
}

/** Whoever may ask; callers of this machine alone when nobody has a key and nobody else can connect. */
function compileKeys(config: Config, plant: Plant): Pick<Snapshot, "keys" | "anonymous"> {
  const keys = new Map<string, ClientKey>();
  for (const key of config.keys.values()) {
    for (const [sha256, client] of compileKey(key, plant)) keys.set(sha256, client);
  }
  const isOpen = config.keys.size === 0 && config.listen.isLoopback;
  return { keys, anonymous: isOpen ? anonymousKey(plant) : null };
}

/** One caller for each secret of a key; they share the key's limits. */
function compileKey(key: KeyConfig, plant: Plant): (readonly [sha256: string, client: ClientKey])[] {
  const { name, models, weight } = key;
  const meters = plant.limiter.key(meterSpecs({ kind: "key", name }, key.limits));
  return key.secrets.map((secret) => {
    const expiresMs = Math.min(key.expiresMs ?? Infinity, secret.expiresMs ?? Infinity);
    const client: ClientKey = { name, models, priority: PRIORITIES[key.priority], weight, expiresMs };
    plant.metersOf.set(client, meters);
    return [secret.sha256, client] as const;
  });
}

function anonymousKey(plant: Plant): ClientKey {
  const key: ClientKey = { name: "", models: null, priority: 1, weight: 1, expiresMs: Infinity };
  plant.metersOf.set(key, plant.limiter.key([]));
  return key;
}

/** Aliases first: they are what most clients should ask for. */
function listModels(config: Config): readonly ListedModel[] {
  const aliases = [...config.models.keys()].map((id) => ({ id, ownedBy: "sluice" }));
  const direct = [...config.providers.values()].flatMap((provider) =>
    [...provider.models.keys()].map((model) => ({ id: `${provider.name}/${model}`, ownedBy: provider.name })),
  );
  return [...aliases, ...direct];
}

function compileTargets(config: Config, plant: Plant): RouteTable<UpstreamTarget> {
  const compiled = compileRoutes<UpstreamTarget>({
    providers: [...config.providers.values()].map((provider) => ({
      name: provider.name,
      keys: provider.pool.size === 0 ? [""] : [...provider.pool.keys()],
      models: [...provider.models.values()].map(({ name, contextTokens }) => ({ name, contextTokens })),
      endpoints: endpointsOf(provider),
    })),
    aliases: [...config.models.values()],
    health: plant.health,
    attach: (provider, model, key) => attach(providerOf(config, provider, key), plant, model),
  });
  if (compiled.kind === "ok") return compiled.table;
  throw new GatewayError("invalid_config", compiled.faults.join("\n"));
}

/** The provider as it is with one of its API keys; an empty name: with the only one. */
function providerOf(config: Config, name: string, key: string): Provider {
  const provider = config.providers.get(name);
  const found = key === "" ? provider : provider?.pool.get(key);
  if (found === undefined) throw new GatewayError("invalid_config", `There is no provider ${name}.`);
  return found;
}

function attach(provider: Provider, plant: Plant, modelName: string): UpstreamTarget {
  const { name, account } = provider;
  const model = provider.models.get(modelName);
  const url = new URL(baseUrl(provider, plant));
  return {
    provider: name,
    account,
    model: modelName,
    origin: plant.origins.of(name, url.origin),
    paths: pathsOf(provider, modelName, url),
    language: languageOf(provider, modelName, url),
    sign: signerOf(provider, url),
    wholeHeaders: requestHeaders(provider, "application/json"),
    streamHeaders: requestHeaders(provider, "text/event-stream"),
    openHeaders: requestHeaders(provider, "*/*"),
    modelJson: Buffer.from(JSON.stringify(modelName)),
    takesStreamOptions: provider.quirks.streamOptions !== false,
    passedHeaderPrefix: ownHeaderPrefix(provider),
    limits: targetLimits(provider, modelName, plant),
    errorHints: provider.errorHints,
    estimate: plant.estimates.of(name, modelName, model?.maxOutputTokens ?? null),
    secrets: secretForms(providerSecrets(provider)),
    answerHeaders: ["x-sluice-provider", headerSafe(name), "x-sluice-model", headerSafe(modelName)],
  };
}

function baseUrl(provider: Provider, plant: Plant): string {
  if (!provider.isSimulator) return provider.baseUrl;
  const url = plant.simulatorUrl(provider.name);
  if (url === undefined) throw new GatewayError("invalid_config", "The simulator does not run.");
  return `${url}/v1`;
}
