// The models of one provider, and the names that clients may ask for with the targets behind them.
import type { Model, ModelAlias, Prices, Provider, Target } from "./config.ts";
import type { Overlaid } from "./overlay.ts";
import type { Path } from "./problems.ts";
import type { RawModel } from "./provider-schema.ts";
import type { Report } from "./report.ts";
import { type DayDefaults, resolveLimits } from "./resolve-limits.ts";
import type { RawAlias } from "./schema.ts";
import { didYouMean } from "./suggest.ts";

/** Model names stand in bucket names and headers. */
const MODEL_NAME = /^[\x21-\x7e]{1,200}$/;

/** How many entries of `models` may lead from one to the next. */
const CHAIN_MAX = 32;

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
      context.report.error(path, "a model's name is at most 200 visible ASCII characters");
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
  const { input, output, cached_input: cachedInput = input, cache_write: cacheWrite = input } = raw;
  return { input, output, cachedInput, cacheWrite, asOf };
}

interface AliasContext {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly report: Report;
}

/** The names that clients may ask for, each with targets that exist and never lead back to it. */
export function resolveAliases(
  raw: Readonly<Record<string, RawAlias>>,
  context: AliasContext,
): ReadonlyMap<string, ModelAlias> {
  const aliases = new Map<string, ModelAlias>();
  const names = new Set(Object.keys(raw));
  for (const [name, value] of Object.entries(raw)) {
    const path: Path = ["models", name];
    const fault = nameFault(name, context);
    if (fault !== undefined) context.report.error(path, fault);
    const isList = Array.isArray(value);
    const entries = isList ? value : value.targets;
    const targetsPath = isList ? path : [...path, "targets"];
    const targets = entries.flatMap((entry, index) => {
      const { to, weight } = typeof entry === "string" ? { to: entry, weight: 1 } : entry;
      const place = [...targetsPath, index, ...(typeof entry === "string" ? [] : ["to"])];
      const target = resolveTarget(to, { ...context, names, place });
      return target === undefined ? [] : [{ ...target, weight }];
    });
    if (targets.length === entries.length && targets.every((target) => target.weight === 0)) {
      context.report.error(targetsPath, "all weights are zero, so that nothing could ever be chosen");
    }
    aliases.set(name, { name, strategy: isList ? "ordered" : value.strategy, targets });
  }
  reportLoops(aliases, context.report);
  return aliases;
}

function nameFault(name: string, { providers }: AliasContext): string | undefined {
  if (!MODEL_NAME.test(name)) return "a model's name is at most 200 visible ASCII characters";
  const slash = name.indexOf("/");
  if (slash > 0 && providers.has(name.slice(0, slash))) {
    return `this name can't be reached: what begins with ${name.slice(0, slash + 1)} goes straight to that provider`;
  }
  return undefined;
}

interface TargetContext extends AliasContext {
  readonly names: ReadonlySet<string>;
  readonly place: Path;
}

type Unweighted<T> = T extends unknown ? Omit<T, "weight"> : never;

function resolveTarget(to: string, context: TargetContext): Unweighted<Target> | undefined {
  const { providers, names, place, report } = context;
  const slash = to.indexOf("/");
  const provider = to.slice(0, Math.max(0, slash));
  const model = to.slice(slash + 1);
  const known = providers.get(provider);
  if (known !== undefined) {
    if (!MODEL_NAME.test(model)) report.error(place, "after the provider's name comes a model's name");
    else if (known.models.size > 0 && !known.models.has(model)) warnOfModel(model, known, context);
    return { kind: "model", provider, model };
  }
  if (names.has(to) || report.isLeft(["models", to])) return { kind: "alias", alias: to };
  if (slash > 0 && report.isLeft(["providers", provider])) return undefined;
  report.error(place, unknownTarget(to, context));
  return undefined;
}

function warnOfModel(model: string, provider: Provider, { place, report }: TargetContext): void {
  const meant = didYouMean(model, provider.models.keys());
  report.warn(
    place,
    `${provider.name} is not known to have a model of this name; it is asked for all the same${meant}`,
  );
}

function unknownTarget(to: string, { providers, names }: TargetContext): string {
  const slash = to.indexOf("/");
  if (slash > 0) {
    const meant = didYouMean(to.slice(0, slash), providers.keys());
    return `there is no provider called ${to.slice(0, slash)}${meant}`;
  }
  const owner = [...providers.values()].find((provider) => provider.models.has(to));
  if (owner !== undefined) return `a target names its provider too; did you mean "${owner.name}/${to}"?`;
  return `there is no entry of this name in \`models\`, and a model is written as provider/model${didYouMean(to, names)}`;
}

/** Reports each loop once, at its first member in the order of the file. */
function reportLoops(aliases: ReadonlyMap<string, ModelAlias>, report: Report): void {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): void => {
    const start = trail.indexOf(name);
    if (start >= 0) {
      report.error(
        ["models", trail[start] ?? name],
        `its targets lead back to itself: ${[...trail.slice(start), name].join(" → ")}`,
      );
      return;
    }
    if (done.has(name)) return;
    if (trail.length > CHAIN_MAX) {
      report.error(["models", name], `more than ${CHAIN_MAX} entries lead from one to the next`);
      return;
    }
    trail.push(name);
    for (const target of aliases.get(name)?.targets ?? []) if (target.kind === "alias") visit(target.alias);
    trail.pop();
    done.add(name);
  };
  for (const name of aliases.keys()) visit(name);
}
