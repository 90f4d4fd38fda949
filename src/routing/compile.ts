// From definitions to a table. Aliases become trees that share their branches; whatever is wrong with them is told in
// one go, in the words of the configuration.
import type { AliasDefinition, ProviderDefinition, RouteDefinition, TargetDefinition } from "./definition.ts";
import { hashOf } from "./hash.ts";
import { didYouMean } from "./suggest.ts";
import { RouteTable } from "./table.ts";
import type { Branch, GroupNode, RouteNode, Side, Target } from "./target.ts";

/** Aliases of aliases multiply; a request can't be planned over more targets than this. */
const TARGETS_MAX = 100;

export type Compiled<U> =
  | { readonly kind: "ok"; readonly table: RouteTable<U> }
  /** One sentence for each fault. */
  | { readonly kind: "invalid"; readonly faults: readonly string[] };

/** Compiles a table of routes, or says everything that is wrong with the definition. */
export function compileRoutes<U>(definition: RouteDefinition<U>): Compiled<U> {
  const compiler = new Compiler(definition);
  const table = compiler.compile();
  return compiler.faults.length === 0 ? { kind: "ok", table } : { kind: "invalid", faults: compiler.faults };
}

class Compiler<U> {
  readonly faults: string[] = [];
  readonly #definition: RouteDefinition<U>;
  readonly #providers: ReadonlyMap<string, ProviderDefinition>;
  readonly #aliases = new Map<string, AliasDefinition>();
  readonly #targets = new Map<string, RouteNode<U>>();
  readonly #groups = new Map<string, RouteNode<U> | null>();

  constructor(definition: RouteDefinition<U>) {
    this.#definition = definition;
    this.#providers = new Map(definition.providers.map((provider) => [provider.name, provider]));
  }

  compile(): RouteTable<U> {
    for (const alias of this.#definition.aliases) {
      if (this.#aliases.has(alias.name)) this.faults.push(`models.${alias.name}: the name is taken twice`);
      this.#aliases.set(alias.name, alias);
    }
    const routes = new Map<string, RouteNode<U>>();
    for (const name of this.#aliases.keys()) {
      const node = this.#alias(name, []);
      if (node !== null) routes.set(name, node);
    }
    for (const provider of this.#definition.providers) {
      for (const { name } of provider.models) {
        setIfFree(routes, `${provider.name}/${name}`, this.#target(provider.name, name));
      }
    }
    for (const [model, providers] of this.#listings())
      setIfFree(routes, model, this.#listed(model, providers));
    return new RouteTable(
      routes,
      new Set(this.#providers.keys()),
      this.#definition.health,
      (provider, model) => this.#makeTarget(provider, model),
    );
  }

  /** Which providers list a model, in their order. */
  #listings(): ReadonlyMap<string, string[]> {
    const listings = new Map<string, string[]>();
    for (const provider of this.#definition.providers) {
      for (const { name } of provider.models) {
        const providers = listings.get(name);
        if (providers === undefined) listings.set(name, [provider.name]);
        else if (!providers.includes(provider.name)) providers.push(provider.name);
      }
    }
    return listings;
  }

  #listed(model: string, providers: readonly string[]): RouteNode<U> {
    const branches = providers.map((provider) =>
      plainBranch(`${provider}/${model}`, this.#target(provider, model)),
    );
    return groupOf({ ...PLAIN_GROUP, name: model, branches });
  }

  #alias(name: string, path: readonly string[]): RouteNode<U> | null {
    if (path.includes(name)) {
      this.faults.push(`models.${name}: the aliases go round in a circle: ${[...path, name].join(" → ")}`);
      return null;
    }
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const definition = this.#aliases.get(name);
    const node = definition === undefined ? null : this.#compileAlias(definition, [...path, name]);
    this.#groups.set(name, node);
    return node;
  }

  #compileAlias(alias: AliasDefinition, path: readonly string[]): RouteNode<U> | null {
    const faultsBefore = this.faults.length;
    const branches = alias.targets.flatMap((target) => this.#branch(alias, target, path) ?? []);
    if (alias.targets.length === 0) this.faults.push(`models.${alias.name}: it has no targets`);
    else if (alias.targets.every(({ weight }) => weight === 0)) {
      this.faults.push(`models.${alias.name}: all weights are 0, so nothing would ever be sent`);
    }
    const group: GroupNode<U> = {
      kind: "group",
      name: alias.name,
      strategy: alias.strategy,
      branches,
      patienceMs: alias.patienceMs ?? 0,
      isSticky: alias.isSticky ?? false,
      canary: this.#side(alias, "canary", path),
      shadow: this.#side(alias, "shadow", path),
    };
    if (targetsUnder(group) > TARGETS_MAX) {
      this.faults.push(`models.${alias.name}: it leads to more than ${TARGETS_MAX} targets`);
    }
    return this.faults.length > faultsBefore ? null : groupOf(group);
  }

  #side(alias: AliasDefinition, name: "canary" | "shadow", path: readonly string[]): Side<U> | null {
    const side = alias[name];
    if (side === undefined) return null;
    if (!(side.percent >= 0 && side.percent <= 100)) {
      this.faults.push(`models.${alias.name}.${name}: percent is ${side.percent}; it must be from 0 to 100`);
    }
    const branch = this.#branch(alias, side.to, path);
    return branch === null ? null : { branch, percent: side.percent };
  }

  #branch(alias: AliasDefinition, target: TargetDefinition, path: readonly string[]): Branch<U> | null {
    const node =
      target.kind === "model"
        ? this.#knownTarget(alias, target)
        : this.#knownAlias(alias, target.alias, path);
    if (!(target.weight >= 0 && target.weight < Infinity)) {
      this.faults.push(
        `models.${alias.name}: the weight of ${nameOf(target)} is ${target.weight}; it must be 0 or more`,
      );
      return null;
    }
    if (node === null) return null;
    return { node, weight: target.weight, when: target.when ?? null, hash: hashOf(nameOf(target)) };
  }

  #knownTarget(
    alias: AliasDefinition,
    target: { readonly provider: string; readonly model: string },
  ): RouteNode<U> | null {
    if (this.#providers.has(target.provider)) return this.#target(target.provider, target.model);
    this.faults.push(
      `models.${alias.name}: there is no provider ${target.provider}${suggestion(target.provider, this.#providers.keys())}`,
    );
    return null;
  }

  #knownAlias(alias: AliasDefinition, name: string, path: readonly string[]): RouteNode<U> | null {
    if (this.#aliases.has(name)) return this.#alias(name, path);
    this.faults.push(
      `models.${alias.name}: there is no alias ${name}${suggestion(name, this.#aliases.keys())}`,
    );
    return null;
  }

  /** One node for each model at each provider, however many routes lead there. */
  #target(provider: string, model: string): RouteNode<U> {
    const name = `${provider}/${model}`;
    const known = this.#targets.get(name) ?? this.#makeTarget(provider, model);
    this.#targets.set(name, known);
    return known;
  }

  /** A provider with several API keys is a group of targets, and the key with the most room is taken. */
  #makeTarget(provider: string, model: string): RouteNode<U> {
    const keys = this.#providers.get(provider)?.keys ?? [""];
    const branches = keys.map((key) =>
      plainBranch(`${provider}/${model}#${key}`, targetNode(this.#newTarget(provider, model, key))),
    );
    return groupOf({ ...PLAIN_GROUP, name: `${provider}/${model}`, strategy: "most_room", branches });
  }

  #newTarget(provider: string, model: string, key: string): Target<U> {
    const definition = this.#providers.get(provider);
    return {
      provider,
      model,
      key,
      health: this.#definition.health.of(provider, model, key),
      contextTokens: definition?.models.find(({ name }) => name === model)?.contextTokens ?? null,
      endpoints: definition?.endpoints ?? null,
      upstream: this.#definition.attach(provider, model, key),
    };
  }
}

/** The first claim on a name holds. */
function setIfFree<V>(map: Map<string, V>, name: string, value: V): void {
  if (!map.has(name)) map.set(name, value);
}

const PLAIN_GROUP = {
  kind: "group",
  strategy: "ordered",
  patienceMs: 0,
  isSticky: false,
  canary: null,
  shadow: null,
} as const;

function plainBranch<U>(name: string, node: RouteNode<U>): Branch<U> {
  return { node, weight: 1, when: null, hash: hashOf(name) };
}

function targetNode<U>(target: Target<U>): RouteNode<U> {
  return {
    kind: "target",
    target,
    alone: { kind: "attempts", attempts: [{ target, waitMs: 0 }], shadow: null },
  };
}

/** A group that has only one way to go is that way. */
function groupOf<U>(group: GroupNode<U>): RouteNode<U> {
  const [only] = group.branches;
  const isPlain = group.branches.length === 1 && group.canary === null && group.shadow === null;
  return isPlain && only?.when === null ? only.node : group;
}

function targetsUnder<U>(node: RouteNode<U>): number {
  if (node.kind === "target") return 1;
  const sides = [node.canary, node.shadow].flatMap((side) => side?.branch ?? []);
  return [...node.branches, ...sides].reduce((sum, branch) => sum + targetsUnder(branch.node), 0);
}

function nameOf(target: TargetDefinition): string {
  return target.kind === "model" ? `${target.provider}/${target.model}` : target.alias;
}

function suggestion(written: string, names: Iterable<string>): string {
  const name = didYouMean(written, names);
  return name === null ? "" : `; did you mean ${name}?`;
}
