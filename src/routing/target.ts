// The compiled form of routes, and what planning makes of them.
import type { ErrorCode } from "../errors.ts";
import type { Condition } from "./condition.ts";
import type { Strategy } from "./definition.ts";
import type { Health } from "./health.ts";

/** One model at one provider with one of its API keys: what an attempt is sent to. */
export interface Target<U = unknown> {
  readonly provider: string;
  /** The provider's name for the model. */
  readonly model: string;
  /** The API key's name; empty where the provider has but one. */
  readonly key: string;
  readonly health: Health;
  /** The most tokens of a prompt and its answer; null: not known. */
  readonly contextTokens: number | null;
  /** What the provider can be asked for; null: not known. */
  readonly endpoints: ReadonlySet<string> | null;
  /** Whatever the caller attached when the table was compiled. */
  readonly upstream: U;
}

/** One place to send a request to, in its turn. */
export interface Attempt<U = unknown> {
  readonly target: Target<U>;
  /** How long its buckets need until they can admit the request, in milliseconds; 0: now, or not looked at. */
  readonly waitMs: number;
}

/** What to do with a request. */
export type Plan<U = unknown> =
  | {
      readonly kind: "attempts";
      /** In the order in which to try them, at least one: those with room first, then by how soon they have some. No circuit is in their way. */
      readonly attempts: readonly Attempt<U>[];
      /** Gets a copy of the request; nobody sees its answer. */
      readonly shadow: Target<U> | null;
    }
  | Refusal;

/** Nothing to try, and why; the request has cost nothing. */
export interface Refusal {
  readonly kind: "refused";
  readonly code: ErrorCode;
  readonly message: string;
  /** When a new attempt can succeed, in milliseconds, if it is known. */
  readonly retryAfterMs?: number;
}

export type RouteNode<U> = TargetNode<U> | GroupNode<U>;

export interface TargetNode<U> {
  readonly kind: "target";
  readonly target: Target<U>;
  /** The plan when this is all there is to try, made once. */
  readonly alone: Plan<U>;
}

export interface GroupNode<U> {
  readonly kind: "group";
  readonly name: string;
  readonly strategy: Strategy;
  readonly branches: readonly Branch<U>[];
  readonly patienceMs: number;
  readonly isSticky: boolean;
  readonly canary: Side<U> | null;
  readonly shadow: Side<U> | null;
}

/** One way on from a group. */
export interface Branch<U> {
  readonly node: RouteNode<U>;
  readonly weight: number;
  readonly when: Condition | null;
  /** Of its name, for rendezvous hashing. */
  readonly hash: number;
}

/** A branch that gets its percentage of requests besides the group's own. */
export interface Side<U> {
  readonly branch: Branch<U>;
  readonly percent: number;
}
