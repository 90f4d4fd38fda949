// A limit as a bucket understands it: how much it holds (capacity B) and how it comes back (refill R).

/** What a bucket counts. One unit of `usd` is a micro-dollar; of the rest, one request, token or running request. */
export type Dimension = "requests" | "tokens" | "input_tokens" | "output_tokens" | "usd" | "concurrent";

export type CalendarPeriod = "min" | "h" | "day" | "month";

export type Refill =
  /** Units come back evenly, `unitsPerMs` at a time. */
  | { readonly kind: "continuous"; readonly unitsPerMs: number }
  /** Units come back only when they are returned: running requests. */
  | { readonly kind: "held" }
  /** The bucket is full again at each boundary of the period in this IANA time zone. */
  | { readonly kind: "calendar"; readonly period: CalendarPeriod; readonly timezone: string };

export interface Limit {
  /** Names the bucket in the whole fleet: `provider/requests/min`, `provider/model/tokens/min`, `key/team-a/usd/month`. */
  readonly key: string;
  readonly dimension: Dimension;
  /** B, in units; above zero. */
  readonly capacity: number;
  readonly refill: Refill;
}
