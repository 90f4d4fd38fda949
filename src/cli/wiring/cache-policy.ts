// What the configuration says about the response cache, compiled: whose answers are kept, and what of a request, beside
// its body, decides about the answer. Answers must not outlive the way they came: a name that leads elsewhere after a
// reload asks another question.
import { createHash } from "node:crypto";
import type { ResponseCache } from "../../cache/response-cache.ts";
import type { Config, Provider } from "../../config/config.ts";
import { everyTarget } from "../../config/resolve-aliases.ts";
import type { CachePolicy } from "../../gateway/cache-policy.ts";
import { passedHeaderPrefixes } from "./provider-wire.ts";

/** Members that name the end user or the session, or say how the answer is to be sent, which the key has apart. */
const IGNORED = [
  "stream",
  "stream_options",
  "user",
  "metadata",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
];

/** Null: no answers are kept. */
export function cachePolicy(config: Config, cache: ResponseCache): CachePolicy | null {
  const { ttlMs, models, except, isShared } = config.cache;
  if (ttlMs === 0) return null;
  const conditions = [...config.models.values()].flatMap((alias) =>
    everyTarget(alias).flatMap(({ when }) => when ?? []),
  );
  const looksAtMetadata = conditions.some(({ metadata }) => metadata !== undefined);
  const looksAtKeys = conditions.some(({ keys }) => keys !== undefined);
  const prints = new Map([...config.models.keys()].map((name) => [name, aliasPrint(name, config)]));
  const direct = printOf([...config.providers.values()].map(identityOf));
  return {
    cache,
    models,
    except,
    isShared: isShared && !looksAtKeys,
    headers: [...new Set(conditions.flatMap(({ headers }) => Object.keys(headers ?? {})))].sort(),
    headerPrefixes: [...new Set([...config.providers.values()].flatMap(passedHeaderPrefixes))].sort(),
    ignored: new Set(IGNORED.filter((name) => name !== "metadata" || !looksAtMetadata)),
    routePrint: (model) => prints.get(model) ?? direct,
  };
}

/** Of all that a name can lead to. */
function aliasPrint(name: string, { models, providers }: Config): string {
  const met = new Set([name]);
  const parts: unknown[] = [];
  // The set grows while it is walked through.
  for (const each of met) {
    const alias = models.get(each);
    if (alias === undefined) continue;
    parts.push(alias);
    for (const target of everyTarget(alias)) {
      if (target.kind === "alias") met.add(target.alias);
      else parts.push(identityOf(providers.get(target.provider)));
    }
  }
  return printOf(parts);
}

/** What of a provider can make its answers differ. */
function identityOf(provider: Provider | undefined): unknown {
  if (provider === undefined) return null;
  const { name, type, dialect, baseUrl, headers, query, paths, options, quirks, models } = provider;
  const names = [...models.values()].map((model) => [model.name, model.maxOutputTokens]);
  return [name, type, dialect, baseUrl, headers, query, paths, options, quirks, names];
}

function printOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 16);
}
