// What requests tell the metrics. One `Series` per route, provider and model holds plain numbers; a request finds its
// series through three maps and adds to it, without building a string. Label values are bounded: a model gets its own
// label once it is known from the configuration or has answered, and there are at most `SERIES_MAX` series, so a
// client that invents names can't fill the memory of whoever scrapes.
import { Histogram, LATENCY_BOUNDS_S, OVERHEAD_BOUNDS_S } from "./histogram.ts";
import type { Family, Labels, Point } from "./exposition.ts";
import type { Outcome, RequestRecord } from "./events.ts";

const SERIES_MAX = 1000;
const KEYS_MAX = 1000;
/** The label of what has none of its own. */
const OTHER = "other";

interface Series {
  readonly labels: Labels;
  readonly outcomes: Map<Outcome, number>;
  readonly duration: Histogram;
  readonly firstToken: Histogram;
  readonly overhead: Histogram;
  readonly waiting: Histogram;
  attempts: number;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  cacheWriteTokens: number;
  reasoningTokens: number;
  estimatedUsages: number;
}

type ByModel = Map<string, Series>;

export class RequestMetrics {
  private readonly series = new Map<string, Map<string, ByModel>>();
  private seriesCount = 0;
  private readonly errors = new Map<string, number>();
  private readonly keys = new Map<string, { requests: number; tokens: number }>();
  /** `provider/model`, as the configuration has them. */
  private knownModels: ReadonlySet<string> = new Set();
  private readonly answeredModels = new Set<string>();
  private readonly toLabel: (model: string) => string;

  /** `toLabel` makes a model's name fit to be shown: clients may call one anything. */
  constructor(toLabel: (model: string) => string) {
    this.toLabel = toLabel;
  }

  /** Models that get labels of their own before they have answered, as `provider/model`. */
  setKnownModels(models: ReadonlySet<string>): void {
    this.knownModels = models;
  }

  /** Counts a request that is over. Under a microsecond. */
  add(record: RequestRecord): void {
    const series = this.find(record);
    const { startedMs, sentMs, firstByteMs, endedMs, waitedMs, usage } = record;
    series.outcomes.set(record.outcome, (series.outcomes.get(record.outcome) ?? 0) + 1);
    series.attempts += record.attempts;
    series.duration.observe(endedMs - startedMs);
    if (firstByteMs > 0) series.firstToken.observe(firstByteMs - startedMs);
    if (waitedMs > 0) series.waiting.observe(waitedMs);
    const overheadMs = gatewayOverheadMs(record);
    if (overheadMs !== null) series.overhead.observe(overheadMs);
    if (record.errorCode !== "")
      this.errors.set(record.errorCode, (this.errors.get(record.errorCode) ?? 0) + 1);
    if (usage !== null) {
      series.inputTokens += usage.inputTokens;
      series.outputTokens += usage.outputTokens;
      series.cachedInputTokens += usage.cachedInputTokens;
      series.cacheWriteTokens += usage.cacheWriteTokens;
      series.reasoningTokens += usage.reasoningTokens;
      if (record.isUsageEstimated) series.estimatedUsages += 1;
    }
    if (record.keyName !== "") this.addToKey(record);
    if (sentMs > 0 && record.attempts === 0) series.attempts += 1;
  }

  private addToKey({ keyName, usage }: RequestRecord): void {
    let key = this.keys.get(keyName);
    if (key === undefined) {
      const name = this.keys.size < KEYS_MAX ? keyName : OTHER;
      key = this.keys.get(name) ?? { requests: 0, tokens: 0 };
      this.keys.set(name, key);
    }
    key.requests += 1;
    if (usage !== null) key.tokens += usage.inputTokens + usage.outputTokens;
  }

  private find(record: RequestRecord): Series {
    const found = this.series.get(record.route)?.get(record.provider)?.get(record.model);
    if (found !== undefined) return found;
    const name = `${record.provider}/${record.model}`;
    const hasRoom = this.seriesCount < SERIES_MAX;
    if (hasRoom && record.outcome === "ok") this.answeredModels.add(name);
    const isOwn = record.model === "" || this.isKnown(name);
    const model = hasRoom && isOwn ? record.model : OTHER;
    return this.open(record.route, record.provider, model);
  }

  private isKnown(name: string): boolean {
    return this.knownModels.has(name) || this.answeredModels.has(name);
  }

  /** The model's label in what is counted otherwise. */
  labelOf(provider: string, model: string): string {
    return this.isKnown(`${provider}/${model}`) ? this.toLabel(model) : OTHER;
  }

  /** The labels of those that requests have gone to. */
  *targets(): Iterable<{ readonly provider: string; readonly model: string }> {
    for (const { labels } of this.all()) {
      const { provider = "", model = "" } = labels;
      if (provider !== "" && model !== "") yield { provider, model };
    }
  }

  private open(route: string, provider: string, model: string): Series {
    const byProvider = childOf(this.series, route, () => new Map<string, ByModel>());
    const byModel = childOf(byProvider, provider, (): ByModel => new Map());
    return childOf(byModel, model, () => {
      this.seriesCount += 1;
      return newSeries({ route, provider, model: this.toLabel(model) });
    });
  }

  private *all(): Iterable<Series> {
    for (const byProvider of this.series.values()) {
      for (const byModel of byProvider.values()) yield* byModel.values();
    }
  }

  families(): Family[] {
    const all = [...this.all()];
    const histogram = (name: string, help: string, pick: (series: Series) => Histogram): Family => ({
      name,
      help,
      kind: "histogram",
      points: all.flatMap((series) => pick(series).points(series.labels)),
    });
    const counter = (name: string, help: string, pick: (series: Series) => readonly Point[]): Family => ({
      name,
      help,
      kind: "counter",
      points: all.flatMap(pick),
    });
    return [
      counter("sluice_requests_total", "Requests that are over, by how they ended.", outcomePoints),
      counter(
        "sluice_attempts_total",
        "Attempts at providers, the first of each request included.",
        (series) => [{ suffix: "", labels: series.labels, value: series.attempts }],
      ),
      histogram("sluice_request_duration_seconds", "From arrival to the last byte.", (s) => s.duration),
      histogram(
        "sluice_time_to_first_token_seconds",
        "From arrival to the first byte of the provider's answer.",
        (series) => series.firstToken,
      ),
      histogram(
        "sluice_gateway_overhead_seconds",
        "The gateway's own time before a request went out: neither waiting for room nor the provider's time.",
        (series) => series.overhead,
      ),
      histogram(
        "sluice_wait_seconds",
        "Time in the line for units, of requests that waited.",
        (s) => s.waiting,
      ),
      counter("sluice_tokens_total", "Model tokens as the providers reported them.", tokenPoints),
      counter(
        "sluice_usage_estimated_total",
        "Requests whose usage the provider did not report.",
        (series) => [{ suffix: "", labels: series.labels, value: series.estimatedUsages }],
      ),
      ...this.errorFamilies(),
    ];
  }

  private errorFamilies(): Family[] {
    const errors = [...this.errors].map(([code, value]) => ({ suffix: "", labels: { code }, value }));
    const perKey = (pick: (key: { requests: number; tokens: number }) => number): Point[] =>
      [...this.keys].map(([key, counts]) => ({ suffix: "", labels: { key }, value: pick(counts) }));
    return [
      family("sluice_errors_total", "Requests that ended with an error, by its code.", errors),
      family(
        "sluice_key_requests_total",
        "Requests by client key.",
        perKey((counts) => counts.requests),
      ),
      family(
        "sluice_key_tokens_total",
        "Model tokens by client key.",
        perKey((counts) => counts.tokens),
      ),
    ];
  }
}

/**
 * Total less provider's time less waiting, in milliseconds. null where it would say something else: nothing was sent,
 * or earlier attempts took their time.
 */
export function gatewayOverheadMs(record: RequestRecord): number | null {
  if (record.sentMs === 0 || record.attempts > 1) return null;
  return Math.max(0, record.sentMs - record.startedMs - record.waitedMs);
}

function family(name: string, help: string, points: readonly Point[]): Family {
  return { name, help, kind: "counter", points };
}

function outcomePoints({ labels, outcomes }: Series): Point[] {
  return [...outcomes].map(([outcome, value]) => ({ suffix: "", labels: { ...labels, outcome }, value }));
}

/** `input` includes `cached_input` and `cache_write`; `output` includes `reasoning`. */
function tokenPoints(series: Series): Point[] {
  const { provider = "", model = "" } = series.labels;
  const kinds = [
    ["input", series.inputTokens],
    ["output", series.outputTokens],
    ["cached_input", series.cachedInputTokens],
    ["cache_write", series.cacheWriteTokens],
    ["reasoning", series.reasoningTokens],
  ] as const;
  const route = series.labels["route"] ?? "";
  return kinds
    .filter(([, value]) => value > 0)
    .map(([kind, value]) => ({ suffix: "", labels: { route, provider, model, kind }, value }));
}

function childOf<T>(map: Map<string, T>, name: string, make: () => T): T {
  const found = map.get(name);
  if (found !== undefined) return found;
  const made = make();
  map.set(name, made);
  return made;
}

function newSeries(labels: Labels): Series {
  return {
    labels,
    outcomes: new Map(),
    duration: new Histogram(LATENCY_BOUNDS_S),
    firstToken: new Histogram(LATENCY_BOUNDS_S),
    overhead: new Histogram(OVERHEAD_BOUNDS_S),
    waiting: new Histogram(LATENCY_BOUNDS_S),
    attempts: 0,
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    estimatedUsages: 0,
  };
}
