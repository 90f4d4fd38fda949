// From a configuration to the snapshot that requests follow. What outlives a reload (connections, health, estimates,
// buckets) lives in the `Plant` and is found again by name; everything else is made anew.
import type { ResponseCache } from "../../cache/response-cache.ts";
import type { Config, Provider } from "../../config/config.ts";
import { GatewayError } from "../../errors.ts";
import type { ListedModel, Snapshot } from "../../gateway/runtime.ts";
import { headerSafe, type UpstreamTarget } from "../../gateway/sending/upstream-target.ts";
import type { Estimates } from "../../limiter/estimate.ts";
import { compileRoutes } from "../../routing/compile.ts";
import type { HealthBook } from "../../routing/health-book.ts";
import { RetryBudget } from "../../routing/retry-budget.ts";
import type { RouteTable } from "../../routing/table.ts";
import type { Timeouts } from "../../upstream/call.ts";
import { accessOf } from "./access.ts";
import { accountsOf } from "./accounts.ts";
import { cachePolicy } from "./cache-policy.ts";
import type { ClientKeys } from "./client-keys.ts";
import type { Origins } from "./origins.ts";
import type { Renewals } from "./renewals.ts";
import { endpointsOf, languageOf, ownHeaderPrefix, pathsOf } from "./provider-wire.ts";
import { type LimitPlant, providerLimits, targetLimits } from "./target-limits.ts";

/** What outlives a reload. */
export interface Plant extends LimitPlant {
  readonly health: HealthBook;
  readonly estimates: Estimates;
  readonly origins: Origins;
  readonly renewals: Renewals;
  readonly clientKeys: ClientKeys;
  readonly cache: ResponseCache;
  /** `http://127.0.0.1:PORT` of the simulator that was started for this provider. */
  readonly simulatorUrl: (provider: string) => string | undefined;
}

/** Compiles a configuration, whose word on health holds at once. Throws `invalid_config` for routes that contradict each other. */
export function compileSnapshot(config: Config, plant: Plant): Snapshot {
  plant.health.adopt({ circuit: config.circuit, retryBudget: config.retry.budget });
  // Keys are renewed whether or not anybody has asked for a model yet.
  for (const provider of config.providers.values()) {
    for (const account of accountsOf(provider)) plant.renewals.of(account);
  }
  return plant.limiter.compileAll("all", () => compileParts(config, plant));
}

function compileParts(config: Config, plant: Plant): Snapshot {
  return {
    ...plant.clientKeys.compile(config),
    providers: new Set(config.providers.keys()),
    models: listModels(config),
    metersOf: plant.clientKeys.metersOf,
    providerLimits: [...config.providers.values()].flatMap((provider) => providerLimits(provider, plant)),
    routes: compileTargets(config, plant),
    timeouts: streamTimeouts(config.timeouts),
    wholeTimeouts: wholeTimeouts(config.timeouts),
    queueWaitMs: config.queue.maxWaitMs,
    retry: config.retry,
    cache: cachePolicy(config, plant.cache),
    hedge: config.hedge === null ? null : { ...config.hedge, budget: new RetryBudget(config.hedge.budget) },
  };
}

function streamTimeouts({ attemptMs, ...timeouts }: Config["timeouts"]): Timeouts {
  return { ...timeouts, firstTokenMs: Math.min(timeouts.firstTokenMs, attemptMs ?? Infinity) };
}

/** The first byte comes when nearly all of the answer is there, so until then only the attempt and the total can be told from being slow. */
function wholeTimeouts({ connectMs, totalMs, attemptMs, idleMs }: Config["timeouts"]): Timeouts {
  return { connectMs, totalMs, idleMs, firstTokenMs: attemptMs ?? Infinity };
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
    access: accessOf(provider, url, plant.renewals.of(provider)),
    modelJson: Buffer.from(JSON.stringify(modelName)),
    takesStreamOptions: provider.quirks.streamOptions !== false,
    passedHeaderPrefix: ownHeaderPrefix(provider),
    limits: targetLimits(provider, modelName, plant),
    errorHints: provider.errorHints,
    estimate: plant.estimates.of(name, modelName, model?.maxOutputTokens ?? null),
    answerHeaders: ["x-sluice-provider", headerSafe(name), "x-sluice-model", headerSafe(modelName)],
  };
}

function baseUrl(provider: Provider, plant: Plant): string {
  if (!provider.isSimulator) return provider.baseUrl;
  const url = plant.simulatorUrl(provider.name);
  if (url === undefined) throw new GatewayError("invalid_config", "The simulator does not run.");
  return `${url}/v1`;
}
