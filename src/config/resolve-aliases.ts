// The names that clients may ask for, with targets that exist and never lead back to where they came from.
import type { ModelAlias, Provider, Target, TargetCondition } from "./config.ts";
import type { Path } from "./problems.ts";
import type { Report } from "./report.ts";
import { MODEL_NAME } from "./resolve-models.ts";
import type { RawAlias, RawCondition, RawTarget } from "./schema.ts";
import { didYouMean } from "./suggest.ts";

/** How many entries of `models` may lead from one to the next. */
const CHAIN_MAX = 32;

interface AliasContext {
  readonly providers: ReadonlyMap<string, Provider>;
  /** The names of the client keys, which conditions may speak of. */
  readonly keyNames: ReadonlySet<string>;
  readonly report: Report;
}

interface TargetContext extends AliasContext {
  readonly names: ReadonlySet<string>;
}

/** Resolves `models`. */
export function resolveAliases(
  raw: Readonly<Record<string, RawAlias>>,
  context: AliasContext,
): ReadonlyMap<string, ModelAlias> {
  const aliases = new Map<string, ModelAlias>();
  const names = new Set(Object.keys(raw));
  for (const [name, value] of Object.entries(raw)) {
    const path: Path = ["models", name];
    const fault = nameFault(name, context);
    if (fault !== undefined) context.report.errorAtKey(path, fault);
    aliases.set(name, resolveAlias(name, value, path, { ...context, names }));
  }
  reportLoops(aliases, context.report);
  return aliases;
}

function resolveAlias(name: string, raw: RawAlias, path: Path, context: TargetContext): ModelAlias {
  if (Array.isArray(raw)) {
    const targets = resolveTargets(raw, path, context);
    return { name, strategy: "ordered", targets, patienceMs: 0, isSticky: false };
  }
  const { strategy, patience: patienceMs, sticky: isSticky, canary, shadow } = raw;
  const targets = resolveTargets(raw.targets, [...path, "targets"], context);
  const to = canary && resolveTarget(canary.to, [...path, "canary", "to"], context);
  const copies = shadow && resolveTarget(shadow.to, [...path, "shadow", "to"], context);
  return {
    name,
    strategy,
    targets,
    patienceMs,
    isSticky,
    ...(canary && to && { canary: { to, percent: canary.percent } }),
    ...(shadow && copies && { shadow: { to: copies, percent: shadow.percent } }),
  };
}

function resolveTargets(raw: readonly RawTarget[], path: Path, context: TargetContext): readonly Target[] {
  const targets = raw.flatMap((entry, index) => {
    const place = [...path, index];
    return (
      (typeof entry === "string"
        ? resolveTarget(entry, place, context)
        : fullTarget(entry, place, context)) ?? []
    );
  });
  if (targets.length === raw.length && targets.every((target) => target.weight === 0)) {
    context.report.error(path, "all weights are zero, so that nothing could ever be chosen");
  }
  return targets;
}

function fullTarget(raw: Exclude<RawTarget, string>, path: Path, context: TargetContext): Target | undefined {
  const target = resolveTarget(raw.to, [...path, "to"], context);
  if (target === undefined) return undefined;
  const when = raw.when && resolveCondition(raw.when, [...path, "when"], context);
  return { ...target, weight: raw.weight, ...(when && { when }) };
}

function resolveCondition(
  raw: RawCondition,
  path: Path,
  { keyNames, report }: TargetContext,
): TargetCondition {
  const { models, keys, headers, metadata, tools, images, stream } = raw;
  const { min_prompt_tokens: promptTokensMin, max_prompt_tokens: promptTokensMax } = raw;
  for (const [index, name] of (keys ?? []).entries()) {
    if (keyNames.has(name) || report.isLeft(["keys"])) continue;
    const meant = didYouMean(name, keyNames);
    report.warn(
      [...path, "keys", index],
      `no key of this name is configured: it takes one made at run time${meant}`,
    );
  }
  return {
    ...(models && { models }),
    ...(keys && { keys }),
    ...(headers && { headers: lowerCase(headers) }),
    ...(metadata && { metadata }),
    ...(promptTokensMin !== undefined && { promptTokensMin }),
    ...(promptTokensMax !== undefined && { promptTokensMax }),
    ...(tools !== undefined && { tools }),
    ...(images !== undefined && { images }),
    ...(stream !== undefined && { stream }),
  };
}

function lowerCase(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function resolveTarget(to: string, place: Path, context: TargetContext): Target | undefined {
  const { providers, names, report } = context;
  const slash = to.indexOf("/");
  const provider = to.slice(0, Math.max(0, slash));
  const model = to.slice(slash + 1);
  const known = providers.get(provider);
  if (known !== undefined) {
    if (!MODEL_NAME.test(model)) report.error(place, "after the provider's name comes a model's name");
    else if (known.models.size > 0 && !known.models.has(model)) report.warn(place, unlisted(model, known));
    return { kind: "model", provider, model, weight: 1 };
  }
  if (names.has(to) || report.isLeft(["models", to])) return { kind: "alias", alias: to, weight: 1 };
  if (slash > 0 && report.isLeft(["providers", provider])) return undefined;
  report.error(place, unknownTarget(to, context));
  return undefined;
}

function unlisted(model: string, provider: Provider): string {
  const meant = didYouMean(model, provider.models.keys());
  return `${provider.name} is not known to have a model of this name; it is asked for all the same${meant}`;
}

function nameFault(name: string, { providers }: AliasContext): string | undefined {
  if (!MODEL_NAME.test(name)) return "a model's name is at most 200 visible ASCII characters";
  const slash = name.indexOf("/");
  if (slash > 0 && providers.has(name.slice(0, slash))) {
    return `this name can't be reached: what begins with ${name.slice(0, slash + 1)} goes straight to that provider`;
  }
  return undefined;
}

function unknownTarget(to: string, { providers, names }: TargetContext): string {
  const slash = to.indexOf("/");
  if (slash > 0) {
    const meant = didYouMean(to.slice(0, slash), providers.keys());
    return `there is no provider of this name${meant}`;
  }
  const owner = [...providers.values()].find((provider) => provider.models.has(to));
  if (owner !== undefined) return `a target names its provider too; did you mean "${owner.name}/${to}"?`;
  return `there is no entry of this name in \`models\`, and a model is written as provider/model${didYouMean(to, names)}`;
}

/** Everywhere that a name can lead in one step. */
export function everyTarget({ targets, canary, shadow }: ModelAlias): readonly Target[] {
  const sides = [canary, shadow].flatMap((side) => side?.to ?? []);
  return sides.length === 0 ? targets : [...targets, ...sides];
}

/** Reports each loop once, at its first member in the order of the file. */
function reportLoops(aliases: ReadonlyMap<string, ModelAlias>, report: Report): void {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): void => {
    const start = trail.indexOf(name);
    if (start >= 0) {
      report.errorAtKey(
        ["models", trail[start] ?? name],
        `its targets lead back to itself: ${[...trail.slice(start), name].join(" → ")}`,
      );
      return;
    }
    if (done.has(name)) return;
    if (trail.length > CHAIN_MAX) {
      report.errorAtKey(["models", name], `more than ${CHAIN_MAX} entries lead from one to the next`);
      return;
    }
    trail.push(name);
    const alias = aliases.get(name);
    for (const target of alias === undefined ? [] : everyTarget(alias)) {
      if (target.kind === "alias") visit(target.alias);
    }
    trail.pop();
    done.add(name);
  };
  for (const name of aliases.keys()) visit(name);
}
