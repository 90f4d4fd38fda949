// The models of one provider: what its catalog file and the user know of them.
import type { Model } from "./config.ts";
import type { PriceList, Prices, UnitPrices } from "./prices-config.ts";
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
      prices: toPrices(raw.prices, raw.prices?.as_of ?? (isUsers ? null : context.pricesAsOf), (message) =>
        context.report.error([...path, "prices"], message),
      ),
      limits: resolveLimits(raw.limits ?? [], context.days, [...path, "limits"], context.report),
    });
  }
  return models;
}

type RawPrices = NonNullable<RawModel["prices"]>;

function toPrices(raw: RawPrices | undefined, asOf: string | null, fault: Fault): Prices | null {
  if (raw === undefined) return null;
  const { input, output, long } = raw;
  const units = toUnits(raw);
  if (input === undefined || output === undefined) {
    const areTokensMeant = [input, output, raw.cached_input, raw.cache_write, long].some(isGiven);
    if (areTokensMeant) fault("`input` and `output` go together");
    else if (units === null) fault("there is no price in it");
    return units === null ? null : { ...NO_TOKENS, units, isByUnitsAlone: true, asOf };
  }
  return {
    ...toPriceList({ ...raw, input, output }),
    ...(long === undefined ? {} : { long: { ...toPriceList(long), above: long.above } }),
    ...(units === null ? {} : { units }),
    asOf,
  };
}

type Fault = (message: string) => void;

const NO_TOKENS: PriceList = { input: 0, output: 0, cachedInput: 0, cacheWrite: 0 };

/** null: nothing is sold by them. */
function toUnits({ request, images, minute, characters, searches }: RawPrices): UnitPrices | null {
  if (![request, images, minute, characters, searches].some(isGiven)) return null;
  return {
    request: request ?? 0,
    images: (images ?? []).map(toImagePrice),
    audioMinute: minute ?? null,
    characters: characters ?? null,
    searches: searches ?? null,
  };
}

function toImagePrice({ size, quality, usd }: { size?: string; quality?: string; usd: number }) {
  return { size: size?.toLowerCase() ?? null, quality: quality?.toLowerCase() ?? null, usd };
}

function isGiven(value: unknown): boolean {
  return value !== undefined;
}

interface RawPriceList {
  readonly input: number;
  readonly output: number;
  readonly cached_input?: number | undefined;
  readonly cache_write?: number | undefined;
}

function toPriceList(raw: RawPriceList): PriceList {
  const { input, output, cached_input: cachedInput = input, cache_write: cacheWrite = input } = raw;
  return { input, output, cachedInput, cacheWrite };
}
