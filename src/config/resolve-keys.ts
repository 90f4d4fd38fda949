// Client keys and the admin key: no two alike, nothing allowed that does not exist, and no budget in dollars over models
// whose price nobody knows.
import { createHash } from "node:crypto";
import type { ClientKey, KeyDefinition, LimitSpec, ModelAlias, Provider, Target } from "./config.ts";
import type { Path } from "./problems.ts";
import { checkCarried, type Findings } from "./report.ts";
import { everyTarget } from "./resolve-aliases.ts";
import { resolveLimits, UTC_DAYS } from "./resolve-limits.ts";
import type { RawClientKey, RawKeyDefinition } from "./schema.ts";
import { didYouMean } from "./suggest.ts";

/** What can be asked for. */
export interface Offer {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly aliases: ReadonlyMap<string, ModelAlias>;
  readonly report: Findings;
}

/** Names stand in bucket names and logs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** The keys by name. Secrets leave here as their SHA-256 alone. */
export function resolveKeys(raw: readonly RawClientKey[], offer: Offer): ReadonlyMap<string, ClientKey> {
  const keys = new Map<string, ClientKey>();
  const owners = new Map<string, string>();
  for (const [index, entry] of raw.entries()) {
    const path: Path = ["keys", index];
    const key = resolveKeyDefinition(entry, path, offer);
    checkCarried(entry.key, [...path, "key"], offer.report);
    const secret = sha256(entry.key);
    const owner = owners.get(secret);
    if (owner !== undefined)
      offer.report.error([...path, "key"], `the key called ${owner} has the same secret`);
    if (keys.has(key.name)) offer.report.error([...path, "name"], "there already is a key of this name");
    owners.set(secret, key.name);
    keys.set(key.name, { ...key, secrets: [{ sha256: secret, expiresMs: null }] });
  }
  return keys;
}

/** SHA-256 in hexadecimal. */
export function sha256(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** What a key may do, in a configuration that offers this. What is wrong with it goes to the offer's report. */
export function resolveKeyDefinition(raw: RawKeyDefinition, path: Path, offer: Offer): KeyDefinition {
  const { report } = offer;
  if (!NAME.test(raw.name)) {
    report.error(
      [...path, "name"],
      "a key's name is made of at most 64 letters, digits and `.`, `_`, `@`, `-`",
    );
  }
  for (const [index, model] of (raw.models ?? []).entries())
    checkModel(model, [...path, "models", index], offer);
  const limits = resolveLimits(raw.limits ?? [], UTC_DAYS, [...path, "limits"], report);
  const asked = raw.models ?? [...offer.aliases.keys()];
  const hasBudget = limits.some((limit) => limit.dimension === "usd");
  const models = raw.models ?? (hasBudget ? pricedNames(offer) : undefined);
  for (const [index, limit] of limits.entries()) {
    if (limit.dimension === "usd")
      checkPrices(
        asked.flatMap((name) => targetsOf(name, offer)),
        [...path, "limits", index],
        offer,
      );
  }
  return {
    name: raw.name,
    models: models === undefined ? null : new Set(models),
    priority: raw.priority,
    weight: raw.weight,
    limits,
    expiresMs: raw.expires ?? null,
    tags: raw.tags ?? [],
    metadata: raw.metadata ?? {},
  };
}

/** Every name whose price is known wherever it leads: what a key with a budget may ask for when it is not told. */
function pricedNames(offer: Offer): readonly string[] {
  const direct = [...offer.providers.values()].flatMap((provider) =>
    [...provider.models.keys()].flatMap((model) => [model, `${provider.name}/${model}`]),
  );
  const isPriced = (name: string): boolean =>
    targetsOf(name, offer).every((target) => hasPrice(target, offer));
  return [...new Set([...offer.aliases.keys(), ...direct])].filter(isPriced);
}

function hasPrice({ provider, model }: ModelTarget, { providers }: Offer): boolean {
  return (providers.get(provider)?.models.get(model)?.prices ?? null) !== null;
}

/** Reports a name that nobody could ask for. */
export function checkModel(name: string, path: Path, { providers, aliases, report }: Offer): void {
  if (aliases.has(name) || report.isLeft(["models", name])) return;
  const provider = name.slice(0, Math.max(0, name.indexOf("/")));
  if (providers.has(provider) || report.isLeft(["providers", provider])) return;
  const catalogs = [...providers.values()].flatMap((known) => Array.from(known.models.keys()));
  if (catalogs.includes(name)) return;
  const known = [...aliases.keys(), ...providers.keys(), ...catalogs];
  report.error(
    path,
    `there is no such entry in \`models\`, and no provider has it${didYouMean(name, known)}`,
  );
}

/** Where a name can lead: an alias through its targets, `provider/model`, or every provider whose catalog has it. */
function targetsOf(name: string, offer: Offer, depth = 0): readonly ModelTarget[] {
  const alias = offer.aliases.get(name);
  if (alias !== undefined) {
    // Loops are reported elsewhere; here they only have to end.
    if (depth > 32) return [];
    return everyTarget(alias).flatMap((target) =>
      target.kind === "model" ? [target] : targetsOf(target.alias, offer, depth + 1),
    );
  }
  const slash = name.indexOf("/");
  const provider = name.slice(0, Math.max(0, slash));
  if (offer.providers.has(provider)) return [{ provider, model: name.slice(slash + 1) }];
  return [...offer.providers.values()]
    .filter((known) => known.models.has(name))
    .map((known) => ({ provider: known.name, model: name }));
}

type ModelTarget = Pick<Extract<Target, { kind: "model" }>, "provider" | "model">;

function checkPrices(targets: readonly ModelTarget[], path: Path, offer: Offer): void {
  const unpriced = targets.filter((target) => !hasPrice(target, offer));
  const names = [...new Set(unpriced.map(({ provider, model }) => `${provider}/${model}`))];
  if (names.length > 0) {
    offer.report.error(
      path,
      `no price is known of ${names.join(", ")}, so dollars can't be counted; set \`prices\` there, or leave it out of \`models\``,
    );
  }
}

/** The same check for budgets in dollars on providers and their models. */
export function checkProviderBudgets(offer: Offer): void {
  const { providers, aliases } = offer;
  const asked = [...aliases.keys()].flatMap((name) => targetsOf(name, offer));
  for (const provider of providers.values()) {
    const path: Path = ["providers", provider.name];
    const own = asked.filter((target) => target.provider === provider.name);
    eachBudget(provider.limits, (index) => checkPrices(own, [...path, "limits", index], offer));
    for (const [at, { limits }] of [...provider.pool.values()].entries()) {
      if (limits === provider.limits) continue;
      eachBudget(limits, (index) => checkPrices(own, [...path, "api_keys", at, "limits", index], offer));
    }
    for (const model of provider.models.values()) {
      const target = { provider: provider.name, model: model.name };
      eachBudget(model.limits, (index) =>
        checkPrices([target], [...path, "models", model.name, "limits", index], offer),
      );
    }
  }
}

function eachBudget(limits: readonly LimitSpec[], check: (index: number) => void): void {
  for (const [index, limit] of limits.entries()) if (limit.dimension === "usd") check(index);
}
