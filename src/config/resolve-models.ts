// The models of one provider: what its catalog file and the user know of them.
import type { Model, PriceList, Prices } from "./config.ts";
import type { Overlaid } from "./overlay.ts";
import type { Path } from "./problems.ts";
import type { RawModel } from "./provider-schema.ts";
import type { Report } from "./report.ts";
import { type DayDefaults, resolveLimits } from "./resolve-limits.ts";

/** Model names stand in bucket names and headers. */
export const MODEL_NAME = /^[\x21-\x7e]{1,200}$/;

interface ModelsContext {
  readonly days: DayDefaults;
  readonly pricesAsOf: string | null;
  /** What the user said of models, by name: prices there are the user's own. */
  readonly userModels: Readonly<Record<string, RawModel>> | undefined;
  readonly path: Path;
  readonly report: Report;
}

/** What is known of a provider's models, by name. */
export function resolveModels(merged: Overlaid, context: ModelsContext): ReadonlyMap<string, Model> {
  const models = new Map<string, Model>();
  for (const [name, raw] of Object.entries(merged.models)) {
    const path = [...context.path, "models", name];
    if (!MODEL_NAME.test(name)) {
      context.report.errorAtKey(path, "a model's name is at most 200 visible ASCII characters");
      continue;
    }
    const isUsers = context.userModels?.[name]?.prices !== undefined;
    models.set(name, {
      name,
      family: raw.family ?? null,
      contextTokens: raw.context ?? null,
      maxOutputTokens: raw.max_output ?? null,
      prices: toPrices(raw.prices, isUsers ? null : context.pricesAsOf),
      limits: resolveLimits(raw.limits ?? [], context.days, [...path, "limits"], context.report),
    });
  }
  return models;
}

function toPrices(raw: RawModel["prices"], asOf: string | null): Prices | null {
  if (raw === undefined) return null;
  const { long } = raw;
  if (long === undefined) return { ...toPriceList(raw), asOf };
  return { ...toPriceList(raw), long: { ...toPriceList(long), above: long.above }, asOf };
}

function toPriceList(raw: Omit<NonNullable<RawModel["prices"]>, "long">): PriceList {
  const { input, output, cached_input: cachedInput = input, cache_write: cacheWrite = input } = raw;
  return { input, output, cachedInput, cacheWrite };
}
