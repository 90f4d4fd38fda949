// From a limit as written to the bucket that keeps it: its name in the fleet, its capacity and its refill in units.
// One unit of `usd` is a micro-dollar; of every other dimension it is what the name says.
import type { Limit, Refill } from "../bucket/limit.ts";
import type { LimitPeriod, LimitSpec } from "./config.ts";

/** Whose limit it is; the first parts of the bucket's name. */
export type LimitOwner =
  | { readonly kind: "provider"; readonly provider: string }
  | { readonly kind: "model"; readonly provider: string; readonly model: string }
  | { readonly kind: "key"; readonly name: string };

/** A month counts as its longest, so that no month is ever exceeded. */
const PERIOD_MS: Readonly<Record<LimitPeriod, number>> = {
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  day: 86_400_000,
  month: 31 * 86_400_000,
};

const MICRO_PER_USD = 1_000_000;

/** The bucket of a limit: `main/requests/min`, `main/some-model/tokens/min`, `key/team-a/usd/month`, `main/concurrent`. */
export function toLimit(owner: LimitOwner, spec: LimitSpec): Limit {
  const perAmount = unitsPerAmount(spec.dimension);
  return {
    key: limitKey(owner, spec),
    dimension: spec.dimension,
    capacity: spec.burst * perAmount,
    refill: toRefill(spec, spec.amount * perAmount),
  };
}

/** How many of a bucket's units an amount of 1 in the configuration is. */
export function unitsPerAmount(dimension: LimitSpec["dimension"]): number {
  return dimension === "usd" ? MICRO_PER_USD : 1;
}

/** The name of a limit's bucket in the fleet. */
export function limitKey(owner: LimitOwner, spec: LimitSpec): string {
  return `${ownerKey(owner)}/${limitName(spec)}`;
}

/** The part of a bucket's name that tells one owner's limits apart: `requests/min`, `concurrent`. */
export function limitName(spec: LimitSpec): string {
  return spec.per === null ? spec.dimension : `${spec.dimension}/${spec.per}`;
}

/** A limit as people write it: `requests: 500/min`. */
export function describeLimit(spec: LimitSpec): string {
  const per = spec.per === null ? "" : `/${spec.per}`;
  return `${spec.dimension}: ${spec.amount}${per}`;
}

/** The owner as people call it: the provider, `provider/model`, or the client key's name. */
export function ownerName(owner: LimitOwner): string {
  switch (owner.kind) {
    case "provider":
      return owner.provider;
    case "model":
      return `${owner.provider}/${owner.model}`;
    case "key":
      return owner.name;
  }
}

/** A client key may be called like a provider. */
function ownerKey(owner: LimitOwner): string {
  return owner.kind === "key" ? `key/${ownerName(owner)}` : ownerName(owner);
}

function toRefill(spec: LimitSpec, units: number): Refill {
  if (spec.per === null || spec.refill === "held") return { kind: "held" };
  if (spec.refill === "calendar" && spec.per !== "s") {
    return { kind: "calendar", period: spec.per, timezone: spec.timezone };
  }
  return { kind: "continuous", unitsPerMs: units / PERIOD_MS[spec.per] };
}
