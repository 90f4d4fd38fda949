// The limits that one request has to pass, compiled once per target and client key: parallel arrays of buckets and
// what each counts, so that reserving follows references and looks nothing up.
import type { Limit } from "../bucket/limit.ts";
import type { Bucket } from "../fleet/quota.ts";
import type { Counting, Prices } from "./cost.ts";

export type OwnerKind = "provider" | "model" | "key";

/** A limit as the configuration gives it, with what people call it and whose it is. */
export interface MeterSpec {
  readonly limit: Limit;
  readonly ownerKind: OwnerKind;
  /** The provider's name, `provider/model`, or the client key's name. */
  readonly owner: string;
  /** As people write it: `requests: 500/min`. */
  readonly name: string;
}

/** One limit with its live bucket. */
export interface Meter extends MeterSpec {
  readonly bucket: Bucket;
}

/** All limits on one way of a request: provider, model, client key. */
export interface Meters {
  /** The provider whose pause holds these requests back; empty: none. */
  readonly provider: string;
  readonly meters: readonly Meter[];
  /** `meters[i].bucket`, as the take wants them. */
  readonly buckets: readonly Bucket[];
  readonly counting: Counting;
  readonly prices: Prices;
}
