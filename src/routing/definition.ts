// What the configuration says about routes, as routing wants to hear it: providers with the models they list, and aliases
// with their targets. `compile.ts` turns it into a table.
import type { Condition } from "./condition.ts";
import type { HealthBook } from "./health-book.ts";

export type Strategy = "ordered" | "weighted" | "least_busy" | "lowest_latency" | "most_room";

interface TargetDefinitionBase {
  /** Share of the traffic, for the strategies that weigh; 0: only when the others fail. */
  readonly weight: number;
  /** The target is used only for requests that this holds for. */
  readonly when?: Condition;
}

export type TargetDefinition = TargetDefinitionBase &
  (
    | { readonly kind: "model"; readonly provider: string; readonly model: string }
    | { readonly kind: "alias"; readonly alias: string }
  );

export interface AliasDefinition {
  readonly name: string;
  readonly strategy: Strategy;
  readonly targets: readonly TargetDefinition[];
  /** How long a target may be without room and still count as having some, so that a short wait beats a fallback; default 0. */
  readonly patienceMs?: number;
  /** Whether requests of one session (or prompt-cache key) stay with one target; default no. */
  readonly isSticky?: boolean;
  /** Sends this percentage of requests to another target first. */
  readonly canary?: { readonly to: TargetDefinition; readonly percent: number };
  /** Sends a copy of this percentage of requests to another target, whose answer nobody sees. */
  readonly shadow?: { readonly to: TargetDefinition; readonly percent: number };
}

export interface ModelDefinition {
  readonly name: string;
  readonly contextTokens: number | null;
}

export interface ProviderDefinition {
  readonly name: string;
  /** Names of its API keys; default: one, without a name. */
  readonly keys?: readonly string[];
  readonly models: readonly ModelDefinition[];
  readonly endpoints: ReadonlySet<string> | null;
}

export interface RouteDefinition<U> {
  readonly providers: readonly ProviderDefinition[];
  readonly aliases: readonly AliasDefinition[];
  readonly health: HealthBook;
  /** Called once for each target, also for those that clients name later. */
  attach(provider: string, model: string, key: string): U;
}
