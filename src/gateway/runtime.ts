// The configuration in force, compiled so that a request only follows references: an immutable snapshot. A reload
// swaps the whole snapshot; requests that are running keep the one they began with.
import type { Meters } from "../limiter/meters.ts";
import type { HedgePolicy } from "../routing/hedge.ts";
import type { RetryBudget } from "../routing/retry-budget.ts";
import type { RetryPolicy } from "../routing/retry.ts";
import type { RouteTable } from "../routing/table.ts";
import type { Timeouts } from "../upstream/call.ts";
import type { CachePolicy } from "./cache-policy.ts";
import type { UpstreamTarget } from "./sending/upstream-target.ts";

/** Who is asking: one entry of `keys`, or the anonymous caller of a gateway that has none. */
export interface ClientKey {
  /** For logs, metrics and messages; never the secret. */
  readonly name: string;
  /** The model names it may ask for; `null`: all. */
  readonly models: ReadonlySet<string> | null;
  /** Place in the waiting line, and the best that a request may claim: lower comes first; 0 high, 1 normal, 2 low. */
  readonly priority: 0 | 1 | 2;
  /** Its part of what is served while other keys of its priority wait too; above zero. */
  readonly weight: number;
  /** Milliseconds since the epoch from which on it, or this secret of it, is refused; Infinity: never. */
  readonly expiresMs: number;
}

/** One line of `GET /v1/models`. */
export interface ListedModel {
  readonly id: string;
  readonly ownedBy: string;
}

/** What http/ reads of it. */
export interface Runtime {
  /** Client keys by the SHA-256 of the secret, in lower-case hexadecimal. */
  readonly keys: ReadonlyMap<string, ClientKey>;
  /** Serves callers on loopback without a key; `null` when keys are configured. */
  readonly anonymous: ClientKey | null;
  /** The configured providers' names. */
  readonly providers: ReadonlySet<string>;
  /** What `GET /v1/models` shows: aliases first, then the providers' models as `provider/model`. */
  readonly models: readonly ListedModel[];
}

/** When a second target is asked beside a slow one. */
export interface Hedging extends HedgePolicy {
  readonly budget: RetryBudget;
  /** What may be asked twice. */
  readonly endpoints: ReadonlySet<string>;
}

/** All of it. */
export interface Snapshot extends Runtime {
  /** The limits of each key, the anonymous one's included; also of keys of earlier snapshots, which a request may carry that came before a reload. */
  readonly metersOf: { get(key: ClientKey): Meters | undefined };
  /** The limits of each provider as a whole. They are in force, and shown, before anybody has asked for a model of it. */
  readonly providerLimits: readonly Meters[];
  readonly routes: RouteTable<UpstreamTarget>;
  readonly timeouts: Timeouts;
  /** For answers that come as a whole: their first byte comes when all of them is there, so only the attempt's deadline and the total count until then. */
  readonly wholeTimeouts: Timeouts;
  /** How long a request may wait for room, in milliseconds. */
  readonly queueWaitMs: number;
  readonly retry: RetryPolicy;
  /** Null: no answers are kept. */
  readonly cache: CachePolicy | null;
  /** null: no request is sent twice at a time. */
  readonly hedge: Hedging | null;
}
