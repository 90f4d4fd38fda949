// What the parts tell about themselves. The parts know only these types; metrics, log lines and traces are made
// from them in observe/. Nothing here costs more than writing fields: counts are kept where they arise and are read
// when somebody scrapes.

export type LogFields = Readonly<Record<string, unknown>>;

/** A structured log line; `message` is a short constant phrase, everything that varies goes into `fields`. Never prompts, never secrets. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** What a provider said a request used, in model tokens. `inputTokens` includes the cached ones. */
export interface Usage {
  /** What was sold by other units than tokens; absent: nothing was. */
  readonly sold?: Sold;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
}

/** What a request asks for that may be sold by other units than tokens. */
export type Sale =
  /** `size` and `quality` as the request has them; null: it does not say, `auto`: the provider's choice. */
  | {
      readonly kind: "images";
      readonly count: number;
      readonly size: string | null;
      readonly quality: string | null;
    }
  /** Sound that goes in. */
  | { readonly kind: "audio"; readonly seconds: number }
  /** Text that is spoken. */
  | { readonly kind: "speech"; readonly characters: number }
  /** Documents that are ranked: so many of them for one query are a search. */
  | { readonly kind: "searches"; readonly count: number };

export type SaleKind = Sale["kind"];

export interface Sold {
  readonly sale: Sale;
  /** Whether the provider has counted tokens too. */
  readonly hasTokens: boolean;
}

/** How a request ended, for the metrics' `outcome` label. */
export type Outcome =
  | "ok"
  | "refused"
  | "client_error"
  | "provider_error"
  | "client_gone"
  | "interrupted"
  | "internal_error";

/** What a request got out of the response cache. `wait`: the answer to an identical request that was under way. */
export type CacheUse = "hit" | "miss" | "wait" | "bypass";

/** One request from first byte to settlement. The gateway fills it in as it goes and hands it over exactly once. */
export interface RequestRecord {
  readonly id: string;
  /** The route's pattern, never the raw path: `/v1/chat/completions`. */
  readonly route: string;
  /** `elapsedMs` of the arrival. */
  readonly startedMs: number;
  keyName: string;
  /** As the client asked; empty until it was read. */
  modelAsked: string;
  provider: string;
  model: string;
  isStream: boolean;
  attempts: number;
  status: number;
  outcome: Outcome;
  /** A code from errors.ts, or empty. */
  errorCode: string;
  /** Time spent in the waiting line for units, in milliseconds. */
  waitedMs: number;
  /** When the request was handed to the provider that answered; 0 when none was. */
  sentMs: number;
  /** When the first byte of the provider's answer came; 0 when none came. */
  firstByteMs: number;
  endedMs: number;
  usage: Usage | null;
  /** Whether `usage` was estimated because the provider reported none. */
  isUsageEstimated: boolean;
  /** Empty where no answers are kept. */
  cache: CacheUse | "";
}

/** A limit as it stood when its provider refused. */
export interface KnownLimit {
  /** The bucket's name. */
  readonly limit: string;
  /** Units that the fleet had left, besides those of the refused request, as known here; below zero: more was used than had been reserved. */
  readonly level: number;
  readonly capacity: number;
}

/** An attempt that a provider refused for want of room, whatever became of the request. */
export interface ProviderRefusal {
  readonly provider: string;
  readonly model: string;
  /** The provider's and the model's that are kept here; without those in dollars, which are not the provider's. */
  readonly limits: readonly KnownLimit[];
  /** How long the provider asked to be left alone, in milliseconds; null: it did not say. */
  readonly waitMs: number | null;
}

/** Hears of each of them. */
export interface RefusalObserver {
  providerRefused(refusal: ProviderRefusal): void;
}

/** One reading of a gauge or counter, made when somebody scrapes. */
export interface Sample {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Whether somebody who scrapes asks for this limit. */
export type IsAsked = (limit: string) => boolean;

/** Gives its samples at each scrape; what is many, only as far as it is asked for. */
export type SampleSource = (isAsked: IsAsked) => Iterable<Sample>;

export interface Observer {
  readonly log: Log;
  requestEnded(record: RequestRecord): void;
  /** Registers a source that is asked for its samples at each scrape. */
  addSource(source: SampleSource): void;
}
