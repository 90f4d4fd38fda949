// What a model costs, as the configuration has it: by the token, or by other units.

/** US dollars per million model tokens, which is the same number as micro-dollars per token. */
export interface PriceList {
  readonly input: number;
  readonly output: number;
  /** Of input read from a cache; the input price where the provider has no other. */
  readonly cachedInput: number;
  /** Of input written to a cache; the input price where the provider has no other. */
  readonly cacheWrite: number;
}

/** In US dollars; null: not sold by that, or not known. */
export interface UnitPrices {
  /** For each request, beside everything else. */
  readonly request: number;
  /** For one picture; null: of any size or quality. The first is what is made when a request does not say. */
  readonly images: readonly {
    readonly size: string | null;
    readonly quality: string | null;
    readonly usd: number;
  }[];
  /** For a minute of sound that goes in. */
  readonly audioMinute: number | null;
  /** For a million characters that are spoken. */
  readonly characters: number | null;
  /** For a thousand searches. */
  readonly searches: number | null;
}

export interface Prices extends PriceList {
  /** Those of requests with more input tokens than `above`; absent: the same. */
  readonly long?: PriceList & { readonly above: number };
  /** What is sold by other units; absent: nothing is. */
  readonly units?: UnitPrices;
  /** Tokens have no price: only `units` mean something. */
  readonly isByUnitsAlone?: boolean;
  /** The day for which the catalog's prices are known to hold, as `2026-11-21`; null for the user's own. */
  readonly asOf: string | null;
}
