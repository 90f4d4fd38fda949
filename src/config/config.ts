// The configuration as the rest of Sluice sees it: a value with nothing left to look up. Durations are milliseconds,
// limits are numbers, providers hold their catalog file's facts with the user's changes laid over them, targets name
// providers that exist. `load.ts` makes it from `sluice.yaml`; a reload makes a new one and never changes an old one.
import type { CalendarPeriod, Dimension } from "../bucket/limit.ts";
import type { KeySourceConfig, ProviderAuth } from "./access-config.ts";
import type { CacheConfig, HttpConfig } from "./gateway-config.ts";
import type { Quirks } from "../../providers/dialects/quirks.ts";
import type { Prices } from "./prices-config.ts";
import type { DialectName, Endpoint } from "../../providers/dialects/vocabulary.ts";

export interface Config {
  /** The file it came from, absolute; null for the built-in defaults. */
  readonly file: string | null;
  /** Where clients connect. */
  readonly listen: ListenAddress;
  readonly http: HttpConfig;
  /** Absolute path of the store's folder. */
  readonly dataDir: string;
  readonly log: LogConfig;
  /** By the user's name for it, in the order of the file. */
  readonly providers: ReadonlyMap<string, Provider>;
  /** What clients may ask for besides `provider/model`, by name. */
  readonly models: ReadonlyMap<string, ModelAlias>;
  readonly queue: QueueConfig;
  readonly retry: RetryConfig;
  /** null: no request is sent twice at a time. */
  readonly hedge: HedgeConfig | null;
  readonly circuit: CircuitConfig;
  readonly timeouts: Timeouts;
  readonly cache: CacheConfig;
  /** By name. Empty: only loopback clients, and no key is asked. */
  readonly keys: ReadonlyMap<string, ClientKey>;
  readonly admin: AdminConfig;
  readonly usage: UsageConfig;
  readonly fleet: FleetConfig;
}

export interface ListenAddress {
  /** A host name or address without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly isLoopback: boolean;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogConfig {
  readonly level: LogLevel;
  /** Whether each merge of replicated state is traced. */
  readonly merges: boolean;
}

/** One endpoint that requests can be sent to. */
export interface Provider {
  readonly name: string;
  /** Whose limits are meant, in the names of buckets: the provider's name, or `main~second` for one API key of several. */
  readonly account: string;
  /** With several API keys, the provider as it is with each of them, by the key's name; empty: there is one at most. */
  readonly pool: ReadonlyMap<string, Provider>;
  /** The catalog file's id, or `custom` for one that is defined in the configuration alone. */
  readonly type: string;
  /** Whether this is the built-in simulator, whose base URL is known only once it listens. */
  readonly isSimulator: boolean;
  readonly dialect: DialectName;
  /** Without a trailing slash; empty for the simulator. */
  readonly baseUrl: string;
  /** null: the provider asks for none, or has a pool of them. A secret. */
  readonly apiKey: string | null;
  readonly auth: ProviderAuth;
  /** Where its key comes from when that changes; null: `apiKey` and `auth` have all there is. */
  readonly keySource: KeySourceConfig | null;
  /** Sent with every request, names in lower case. Values may be secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Added to every request's query. */
  readonly query: Readonly<Record<string, string>>;
  /** Paths that differ from the language's own, below the base URL. */
  readonly paths: Readonly<Partial<Record<Endpoint, string>>>;
  /** Settings that only its language understands, or that filled the base URL: region, resource, API version. */
  readonly options: Readonly<Record<string, string>>;
  readonly quirks: Quirks;
  /** What it can be asked for; null: not known, so anything may be tried. */
  readonly endpoints: ReadonlySet<Endpoint> | null;
  readonly limits: readonly LimitSpec[];
  /** Whether limits are learned from the provider's headers (`limits: auto`). */
  readonly learnsLimits: boolean;
  readonly limitHeaders: LimitHeaders;
  readonly counting: Counting;
  /** Tried in order before the general classification of errors. */
  readonly errorHints: readonly ErrorHint[];
  /** By the provider's name for it. A model that is not listed can be asked for all the same. */
  readonly models: ReadonlyMap<string, Model>;
}

export interface Model {
  /** The provider's name for it. */
  readonly name: string;
  /** Models of one family share the provider's quota. */
  readonly family: string | null;
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
  readonly prices: Prices | null;
  /** Limits of this model at this provider, beside the provider's own. */
  readonly limits: readonly LimitSpec[];
}

export type LimitPeriod = "s" | CalendarPeriod;

/** A limit as written. `limits.ts` turns it into a bucket's `Limit`. */
export interface LimitSpec {
  readonly dimension: Dimension;
  /** In the dimension's own unit; dollars for `usd`. */
  readonly amount: number;
  /** null only for `concurrent`. */
  readonly per: LimitPeriod | null;
  /** What the bucket holds when it is full, in the same unit. */
  readonly burst: number;
  readonly refill: "continuous" | "calendar" | "held";
  /** IANA name; matters to `calendar` only. */
  readonly timezone: string;
}

/** How a provider's rate-limit headers are to be read, where their looks do not tell. */
export interface LimitHeaders {
  /** What a bare number in a reset header means. */
  readonly resetUnit: "ms" | "s" | "epoch_s" | "epoch_ms" | null;
  /** By the last part of the header's name (`requests`, `req-10-second`): what it counts, and over how long if known. */
  readonly names: Readonly<
    Record<string, { readonly dimension: Dimension; readonly windowMs: number | null }>
  >;
}

/** How a provider counts a request against its own limits. */
export interface Counting {
  /** Whether `tokens` counts output too; some count input alone. */
  readonly tokensCountOutput: boolean;
  /** Whether input read from a cache counts. */
  readonly cachedInputCounts: boolean;
  /** What the provider sets aside for the answer at admission: nothing, the request's `max_tokens`, or that and the model's maximum when it is unset. */
  readonly reservesOutput: "none" | "max_tokens" | "model_maximum";
  /** How many units one output token costs. */
  readonly outputWeight: number;
}

/** What an error of this provider means. All the conditions given have to hold. */
export interface ErrorHint {
  readonly status: number | null;
  /** Equal to the error's `code`, `type` or status name. */
  readonly code: string | null;
  /** Contained in the error's message, whatever the case. */
  readonly message: string | null;
  readonly kind: ErrorKind;
}

export const ERROR_KINDS = [
  "quota_spent",
  "rate_limited",
  "overloaded",
  "capacity",
  "bad_request",
  "auth",
  "not_found",
  "content_filter",
  "context_length",
  "transient",
] as const;

export type ErrorKind = (typeof ERROR_KINDS)[number];

export const STRATEGIES = ["ordered", "weighted", "least_busy", "lowest_latency", "most_room"] as const;

export type Strategy = (typeof STRATEGIES)[number];

export interface ModelAlias {
  readonly name: string;
  readonly strategy: Strategy;
  /** At least one; at least one weight is above zero. */
  readonly targets: readonly Target[];
  /** How long a target may be without room and still count as having some. */
  readonly patienceMs: number;
  /** Whether requests of one session stay with one target. */
  readonly isSticky: boolean;
  /** Sends this percentage of requests to another target first. */
  readonly canary?: { readonly to: Target; readonly percent: number };
  /** Sends copies of this percentage of requests to another target, whose answers nobody sees. */
  readonly shadow?: { readonly to: Target; readonly percent: number };
}

export type Target = TargetChoice &
  (
    | { readonly kind: "model"; readonly provider: string; readonly model: string }
    /** Another entry of `models`; there are no loops. */
    | { readonly kind: "alias"; readonly alias: string }
  );

interface TargetChoice {
  readonly weight: number;
  /** The target is used only for requests that this holds for. */
  readonly when?: TargetCondition;
}

/** All that is given has to hold. */
export interface TargetCondition {
  /** The name that the client asked for is one of these. */
  readonly models?: readonly string[];
  /** The client key is one of these. */
  readonly keys?: readonly string[];
  /** Headers with exactly these values, names in lower case; `*`: any value. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Members of the body's `metadata` with exactly these values; `*`: any value. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly promptTokensMin?: number;
  readonly promptTokensMax?: number;
  readonly tools?: boolean;
  readonly images?: boolean;
  readonly stream?: boolean;
}

export interface QueueConfig {
  /** How long a request may wait for room; 0: it is refused at once. */
  readonly maxWaitMs: number;
  /** How many requests may wait for one bucket. */
  readonly maxLength: number;
}

export interface RetryConfig {
  /** How often one request may be sent, over all its targets; at least 1. */
  readonly attempts: number;
  /** The first pause is up to this long, each further one up to twice as long as the one before. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** Nobody waits longer than this before a retry. */
  readonly pauseMsMax: number;
  readonly budget: RetryBudgetConfig;
}

/** How much retries may add to a provider's load. */
export interface RetryBudgetConfig {
  /** Retries that each request allows. */
  readonly share: number;
  /** How many retries can be saved up; also what there is at the start. */
  readonly saved: number;
}

/** What leaves nothing behind at a provider, so that it can be asked twice. */
export const HEDGED_ENDPOINTS = [
  "chat",
  "completions",
  "embeddings",
  "messages",
  "moderations",
  "rerank",
] as const satisfies readonly Endpoint[];

/** When a second target is asked because the first is slow. */
export interface HedgeConfig {
  /** Longer than this share of answers took to begin, or a time. */
  readonly after:
    | { readonly kind: "quantile"; readonly share: number }
    | { readonly kind: "time"; readonly afterMs: number };
  readonly afterMsMin: number;
  /** Hedges that each request allows. */
  readonly budget: RetryBudgetConfig;
  readonly endpoints: ReadonlySet<Endpoint>;
}

/** When a circuit opens, and how it closes again. */
export interface CircuitConfig {
  readonly failuresInRow: number;
  /** From 0 to 1. */
  readonly errorRate: number;
  readonly windowMs: number;
  readonly resultsMin: number;
  readonly openMs: number;
  readonly openMsMax: number;
  readonly probes: number;
  readonly probeTimeoutMs: number;
}

export interface Timeouts {
  readonly connectMs: number;
  /** From sending the request to the first event of the answer. */
  readonly firstTokenMs: number;
  /** From sending the request to the beginning of any answer; null: no such deadline. */
  readonly attemptMs: number | null;
  /** Between two parts of an answer. */
  readonly idleMs: number;
  /** From the request's arrival to its end. */
  readonly totalMs: number;
  /** How long running requests may go on after SIGTERM. */
  readonly drainMs: number;
}

export const PRIORITIES = ["low", "normal", "high"] as const;

export type Priority = (typeof PRIORITIES)[number];

/** What a client key may do. */
export interface KeyDefinition {
  readonly name: string;
  /** Names that this key may ask for, as a client writes them; null: all. With a limit in dollars, only names with known prices. */
  readonly models: ReadonlySet<string> | null;
  readonly priority: Priority;
  /** Its part of what is served while other keys of its priority wait too; above zero. */
  readonly weight: number;
  readonly limits: readonly LimitSpec[];
  /** Milliseconds since the epoch from which on it is refused; null: never. */
  readonly expiresMs: number | null;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A secret of a client key; the secret itself is not kept. */
export interface KeySecret {
  /** In lower-case hexadecimal. */
  readonly sha256: string;
  /** Milliseconds since the epoch from which on it is refused: it was replaced by another one. null: never. */
  readonly expiresMs: number | null;
}

export interface ClientKey extends KeyDefinition {
  /** One from the configuration has one; one that was rotated at run time may have several for a while. */
  readonly secrets: readonly KeySecret[];
}

export interface AdminConfig {
  /** SHA-256 of the admin key in hexadecimal; null: none is set, so only loopback clients may use the admin routes. */
  readonly keySha256: string | null;
}

export interface UsageConfig {
  /** For how many days totals of use are kept. */
  readonly days: number;
}

export interface FleetConfig {
  /** For people; replicas know each other by a random id. */
  readonly name: string;
  /** Where siblings connect; null when there are none. */
  readonly listen: ListenAddress | null;
  /** Empty: this instance is alone. */
  readonly peers: readonly Peer[];
  /** Shared by all siblings. A secret. */
  readonly secret: string | null;
  readonly reclaim: Reclaim;
  /** How long silent peers are waited for before a fleet is founded without them; null: for ever. */
  readonly foundAfterMs: number | null;
  /** Whether that goes for peers that can't be reached as well, and not only for those that are not there. */
  readonly foundsUnheard: boolean;
  /** After how long without news a sibling gets nothing more. */
  readonly unreachableAfterMs: number;
  /** How long a start waits for siblings that may know more than the disk. */
  readonly bootGraceMs: number;
}

export type Peer =
  | { readonly kind: "http"; readonly url: string }
  /** Resolved again and again: SRV records if there are any, else the addresses with this port. */
  | { readonly kind: "dns"; readonly host: string; readonly port: number }
  | { readonly kind: "nats"; readonly url: string };

/** What becomes of the share of a sibling that is silent. */
export type Reclaim =
  | { readonly kind: "never" }
  | { readonly kind: "operator" }
  | { readonly kind: "after"; readonly afterMs: number };
