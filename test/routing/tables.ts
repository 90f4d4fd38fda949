// Small route tables for tests: providers and aliases in few words.
import { expect } from "vitest";
import { compileRoutes } from "../../src/routing/compile.ts";
import type { RouteRequest } from "../../src/routing/condition.ts";
import type { AliasDefinition, ProviderDefinition, TargetDefinition } from "../../src/routing/definition.ts";
import { HealthBook } from "../../src/routing/health-book.ts";
import type { View } from "../../src/routing/order.ts";
import type { RouteTable } from "../../src/routing/table.ts";
import type { Plan, Target } from "../../src/routing/target.ts";

export interface World {
  readonly providers: readonly ProviderDefinition[];
  readonly aliases?: readonly AliasDefinition[];
  readonly health?: HealthBook;
}

/** The table, or a failed test. `upstream` is the target's full name. */
export function tableOf({ providers, aliases = [], health = new HealthBook() }: World): RouteTable<string> {
  const compiled = compileRoutes({
    providers,
    aliases,
    health,
    attach: (provider, model, key) => `${provider}/${model}${key === "" ? "" : `#${key}`}`,
  });
  expect(compiled).toMatchObject({ kind: "ok" });
  if (compiled.kind !== "ok") throw new Error(compiled.faults.join("\n"));
  return compiled.table;
}

export function faultsOf({ providers, aliases = [] }: World): readonly string[] {
  const compiled = compileRoutes({ providers, aliases, health: new HealthBook(), attach: () => "" });
  return compiled.kind === "ok" ? [] : compiled.faults;
}

export function provider(name: string, ...models: readonly string[]): ProviderDefinition {
  return { name, endpoints: null, models: models.map((model) => ({ name: model, contextTokens: null })) };
}

/** `provider/model` or an alias's name. */
export function to(name: string, weight = 1): TargetDefinition {
  const [provider, ...model] = name.split("/");
  return model.length === 0 || provider === undefined
    ? { kind: "alias", alias: name, weight }
    : { kind: "model", provider, model: model.join("/"), weight };
}

export function request(model: string, overrides: Partial<RouteRequest> = {}): RouteRequest {
  return {
    model,
    endpoint: "chat",
    keyName: "",
    allowedModels: null,
    promptTokens: 100,
    isStream: false,
    hasTools: false,
    hasImages: false,
    session: null,
    header: () => undefined,
    metadata: () => undefined,
    ...overrides,
  };
}

/** A view in which every target has room, unless `waits` names it; `draws` are the random numbers, over and over. */
export function view(
  overrides: {
    readonly now?: number;
    readonly draws?: readonly number[];
    readonly waits?: Readonly<Record<string, number>>;
    readonly shares?: Readonly<Record<string, number>>;
  } = {},
): View<string> {
  const { now = 0, draws = [0], waits = {}, shares = {} } = overrides;
  let drawn = 0;
  return {
    now,
    random: () => draws[drawn++ % draws.length] ?? 0,
    waitMs: (target: Target<string>) => waits[target.upstream] ?? 0,
    shareLeft: (target: Target<string>) => shares[target.upstream] ?? 1,
  };
}

/** A plan in a line: the targets in order, or the code of the refusal. */
export function inWords(plan: Plan<string>): string {
  return plan.kind === "refused" ? plan.code : plan.attempts.map(({ target }) => target.upstream).join(" ");
}
