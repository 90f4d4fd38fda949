// One provider: its catalog entry with the user's words laid over it, placeholders filled in, the key found.
import type { DialectName } from "../../providers/dialects/vocabulary.ts";
import type { Catalog } from "./catalog.ts";
import type { Provider } from "./config.ts";
import { firstSet, type Env } from "./interpolate.ts";
import { type Overlaid, overlay } from "./overlay.ts";
import type { Path } from "./problems.ts";
import type { Report } from "./report.ts";
import { resolveAccess } from "./resolve-access.ts";
import { type DayDefaults, resolveLimits } from "./resolve-limits.ts";
import { resolveModels } from "./resolve-models.ts";
import { resolvePool } from "./resolve-pool.ts";
import type { CatalogEntry, RawProvider } from "./schema.ts";
import { didYouMean } from "./suggest.ts";
import { toCounting, toErrorHints, toLimitHeaders, toQuirks } from "./traits.ts";

export interface ProviderContext {
  readonly catalog: Catalog;
  readonly env: Env;
  /** What relative paths start from. */
  readonly folder: string;
  readonly report: Report;
}

/** Names stand in bucket names, routes and logs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** What an option may hold when it becomes part of a URL. */
const URL_PART = /^[A-Za-z0-9._~-]+$/;

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The provider, or undefined when the report has the reason. */
export function resolveProvider(
  name: string,
  raw: RawProvider,
  context: ProviderContext,
): Provider | undefined {
  const { report } = context;
  const path: Path = ["providers", name];
  if (!NAME.test(name) || name === "key") {
    report.errorAtKey(
      path,
      "a provider's name is made of letters, digits, `.`, `_` and `-`, and is not `key`",
    );
    return undefined;
  }
  const entry = entryOf(name, raw, context);
  if (entry === null) return undefined;
  const merged = overlay(entry, raw);
  const basis = basisOf(merged, raw, path, report);
  if (basis === undefined) return undefined;
  const options = resolveOptions(entry, raw, context, path);
  const fill = (text: string, at: string): string => fillIn(text, options, [...path, at], report);
  const access = resolveAccess({ raw, entry, auth: merged.auth, path, fill, context });
  const days: DayDefaults = {
    refill: merged.day_refill ?? "calendar",
    timezone: merged.day_timezone ?? "UTC",
  };
  const limits = raw.limits ?? entry?.limits ?? [];
  const provider: Provider = {
    name,
    account: name,
    pool: NO_POOL,
    type: entry === undefined ? "custom" : (raw.type ?? name),
    isSimulator: entry?.builtin ?? false,
    dialect: basis.dialect,
    baseUrl: fill(basis.baseUrl, "base_url"),
    ...access,
    headers: resolveHeaders(merged.headers, fill, path, report),
    query: mapValues(merged.query, (value) => fill(value, "query")),
    paths: mapValues(merged.paths, (value) => fill(value, "paths")),
    options,
    quirks: toQuirks(merged.quirks),
    endpoints: merged.endpoints === undefined ? null : new Set(merged.endpoints),
    limits: limits === "auto" ? [] : resolveLimits(limits, days, [...path, "limits"], report),
    learnsLimits: limits === "auto",
    limitHeaders: toLimitHeaders(merged.limit_headers),
    counting: toCounting(merged.counting),
    errorHints: toErrorHints(merged.errors),
    models: resolveModels(merged, {
      days,
      pricesAsOf: entry?.prices_as_of ?? null,
      userModels: raw.models,
      path,
      report,
    }),
  };
  return { ...provider, pool: resolvePool(raw, provider, days, context) };
}

const NO_POOL: Provider["pool"] = new Map();

/** The catalog's entry; undefined for a provider that is defined in the configuration alone; null when there should be one. */
function entryOf(
  name: string,
  raw: RawProvider,
  { catalog, report }: ProviderContext,
): CatalogEntry | undefined | null {
  const entry = catalog.get(raw.type ?? name);
  if (entry !== undefined) return entry;
  if (raw.type !== undefined) {
    const known = didYouMean(raw.type, catalog.ids);
    report.error(["providers", name, "type"], `there is no file of this name in providers/catalog${known}`);
    return null;
  }
  if (raw.dialect !== undefined && raw.base_url !== undefined) return undefined;
  const known = didYouMean(name, catalog.ids);
  report.errorAtKey(
    ["providers", name],
    `there is no ${name}.yaml in providers/catalog: set \`type\`, or \`dialect\` and \`base_url\` for a provider of your own${known}`,
  );
  return null;
}

interface Basis {
  readonly dialect: DialectName;
  readonly baseUrl: string;
}

function basisOf(merged: Overlaid, raw: RawProvider, path: Path, report: Report): Basis | undefined {
  const { dialect, base_url: baseUrl, builtin } = merged;
  if (dialect === undefined) {
    report.error(path, "`dialect` is missing");
    return undefined;
  }
  if (builtin === true && raw.base_url !== undefined) {
    const advice = "set `dialect` in place of the type for a simulator that runs elsewhere";
    report.error([...path, "base_url"], `the built-in simulator has no address; ${advice}`);
  }
  if (builtin === true) return { dialect, baseUrl: "" };
  if (baseUrl === undefined) {
    report.error(path, "`base_url` is missing: this type of provider has none of its own");
    return undefined;
  }
  return { dialect, baseUrl };
}

/** Every option that has a value: the user's, the environment's, the catalog's default. */
function resolveOptions(
  entry: CatalogEntry | undefined,
  raw: RawProvider,
  { env, report }: ProviderContext,
  path: Path,
): Readonly<Record<string, string>> {
  const given = raw.options ?? {};
  if (entry === undefined) return given;
  const declared = entry.options ?? {};
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(declared, key)) continue;
    report.error(
      [...path, "options", key],
      `this type of provider has no such option${didYouMean(key, Object.keys(declared))}`,
    );
  }
  const options: Record<string, string> = {};
  for (const [key, option] of Object.entries(declared)) {
    const value =
      (Object.hasOwn(given, key) ? given[key] : undefined) ?? firstSet(option.env, env) ?? option.default;
    if (value !== undefined) {
      options[key] = value;
      if (option.number === true && !isAmount(value))
        report.error([...path, "options", key], "expected a number of at least 0");
    } else if (option.optional !== true) {
      const variable = option.env?.[0];
      const hint = variable === undefined ? "" : `, or the environment variable ${variable}`;
      report.error([...path, "options"], `\`${key}\` is missing: set it here${hint}`);
      options[key] = key;
    }
  }
  return options;
}

function isAmount(text: string): boolean {
  const value = Number(text.replaceAll("_", ""));
  return Number.isFinite(value) && value >= 0;
}

/** Filled in where paths are built: the model's name, and that a path begins at the root of the host. */
const LATER = new Set(["model", "origin"]);

function fillIn(text: string, options: Readonly<Record<string, string>>, path: Path, report: Report): string {
  return text.replaceAll(/\{([a-z_]+)\}/g, (placeholder, key: string) => {
    const value = Object.hasOwn(options, key) ? options[key] : undefined;
    if (value === undefined) {
      if (!LATER.has(key)) report.error(path, `nothing in \`options\` fills ${placeholder}`);
      return placeholder;
    }
    if (!URL_PART.test(value)) {
      report.error(
        [...path.slice(0, -1), "options", key],
        "letters, digits, `.`, `_`, `~` and `-` only: it becomes part of a URL",
      );
    }
    return value;
  });
}

function resolveHeaders(
  headers: Readonly<Record<string, string>>,
  fill: (text: string, at: string) => string,
  path: Path,
  report: Report,
): Readonly<Record<string, string>> {
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const filled = fill(value, "headers");
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(filled)) {
      report.error(
        [...path, "headers", name],
        "a header's name or value holds a character that is not allowed in it",
      );
    }
    resolved[name.toLowerCase()] = filled;
  }
  return resolved;
}

function mapValues<Key extends string>(
  record: Readonly<Partial<Record<Key, string>>>,
  change: (value: string) => string,
): Record<Key, string> {
  const changed: Record<string, string> = {};
  for (const [key, value] of Object.entries<string | undefined>(record)) {
    if (value !== undefined) changed[key] = change(value);
  }
  return changed;
}
