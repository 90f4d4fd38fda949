// Lays what the user says about a provider over what its catalog file says, key by key; maps are joined, lists of error hints are
// put before the catalog's.
import type { CatalogEntry, RawProvider } from "./schema.ts";

type Shared = Pick<
  RawProvider,
  | "dialect"
  | "base_url"
  | "endpoints"
  | "quirks"
  | "limit_headers"
  | "counting"
  | "day_refill"
  | "day_timezone"
>;

/** The keys that both may give, with the user's word over the catalog's. */
export type Overlaid = Shared & {
  readonly builtin: boolean | undefined;
  readonly auth: NonNullable<RawProvider["auth"]>;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly paths: NonNullable<RawProvider["paths"]>;
  readonly errors: NonNullable<RawProvider["errors"]>;
  readonly models: NonNullable<RawProvider["models"]>;
};

export function overlay(entry: CatalogEntry | undefined, raw: RawProvider): Overlaid {
  return {
    dialect: raw.dialect ?? entry?.dialect,
    base_url: raw.base_url ?? entry?.base_url,
    builtin: entry?.builtin,
    auth: { ...defined(entry?.auth), ...defined(raw.auth) },
    headers: { ...entry?.headers, ...raw.headers },
    query: { ...entry?.query, ...raw.query },
    paths: { ...entry?.paths, ...raw.paths },
    endpoints: raw.endpoints ?? entry?.endpoints,
    quirks: { ...defined(entry?.quirks), ...defined(raw.quirks) },
    limit_headers: {
      reset_unit: raw.limit_headers?.reset_unit ?? entry?.limit_headers?.reset_unit,
      names: { ...entry?.limit_headers?.names, ...raw.limit_headers?.names },
    },
    counting: { ...defined(entry?.counting), ...defined(raw.counting) },
    day_refill: raw.day_refill ?? entry?.day_refill,
    day_timezone: raw.day_timezone ?? entry?.day_timezone,
    errors: [...(raw.errors ?? []), ...(entry?.errors ?? [])],
    models: overlayModels(entry?.models ?? {}, raw.models ?? {}),
  };
}

type RawModels = NonNullable<RawProvider["models"]>;

function overlayModels(below: RawModels, above: RawModels): RawModels {
  const models: RawModels = { ...below };
  for (const [name, model] of Object.entries(above)) {
    const known = Object.hasOwn(below, name) ? below[name] : undefined;
    models[name] = { ...defined(known), ...defined(model) };
  }
  return models;
}

/** Without the keys whose value is undefined, which would hide the catalog's. */
function defined<T extends object>(value: T | undefined): Partial<T> {
  const copy: Partial<T> = { ...value };
  for (const key of Object.keys(copy))
    if (Reflect.get(copy, key) === undefined) Reflect.deleteProperty(copy, key);
  return copy;
}
