// Where events become metrics and log lines. The request path pays for adding numbers and for one line of text; the
// rest happens when somebody scrapes.
import type { Clock } from "../clock.ts";
import type {
  IsAsked,
  Observer,
  ProviderRefusal,
  RefusalObserver,
  RequestRecord,
  Sample,
  SampleSource,
} from "./events.ts";
import { renderFamilies } from "./exposition.ts";
import type { Family, Point } from "./exposition.ts";
import type { LineWriter } from "./line-writer.ts";
import { LineLog } from "./log.ts";
import { processMetrics } from "./process-metrics.ts";
import type { LogLevel } from "./log.ts";
import { ProviderRefusals } from "./provider-refusals.ts";
import { Redactor } from "./redact.ts";
import { RequestMetrics } from "./request-metrics.ts";

export interface ObserverOptions {
  readonly writer: LineWriter;
  readonly clock: Clock;
  readonly level: LogLevel;
  /** Short lines for people instead of JSON. Default: JSON. */
  readonly isPretty?: boolean;
  readonly hasColors?: boolean;
  /** Whether the process's own metrics (CPU, heap, event loop) are collected. Default: they are. */
  readonly hasProcessMetrics?: boolean;
}

/** What the configuration tells the observer, at start and at each reload. */
export interface ObserverSettings {
  readonly level: LogLevel;
  /** Values that must never show in a log line: keys, credentials, header values. */
  readonly secrets: Iterable<string>;
  /** `provider/model`: those that get a label of their own before they have answered. */
  readonly models: Iterable<string>;
}

export interface GatewayObserver extends Observer, RefusalObserver {
  readonly log: LineLog;
  configure(settings: ObserverSettings): void;
  /** The text of `/metrics`, with these limits. Never throws: a source that fails is left out, logged and counted. */
  metrics(isAsked?: IsAsked): string;
}

export function createObserver(options: ObserverOptions): GatewayObserver {
  return new MetricsAndLines(options);
}

class MetricsAndLines implements GatewayObserver {
  readonly log: LineLog;
  private readonly redactor = new Redactor();
  private readonly requests = new RequestMetrics((model) => this.redactor.name(model));
  private readonly refusals: ProviderRefusals;
  private readonly sources: SampleSource[] = [];
  private readonly process: () => Family[];
  private readonly writer: LineWriter;
  private failures = 0;

  constructor(options: ObserverOptions) {
    const { writer, clock, level, isPretty = false, hasColors = false } = options;
    this.writer = writer;
    this.log = new LineLog({
      writer,
      redactor: this.redactor,
      wallMs: () => clock.wallMs(),
      level,
      isPretty,
      hasColors,
    });
    this.refusals = new ProviderRefusals(this.log, () => clock.elapsedMs());
    this.process = options.hasProcessMetrics === false ? () => [] : processMetrics(() => clock.wallMs());
  }

  configure({ level, secrets, models }: ObserverSettings): void {
    this.log.setLevel(level);
    this.redactor.setSecrets(secrets);
    this.requests.setKnownModels(new Set(models));
  }

  requestEnded(record: RequestRecord): void {
    this.requests.add(record);
    this.log.request(record);
  }

  providerRefused(refusal: ProviderRefusal): void {
    this.refusals.add(refusal, this.requests.labelOf(refusal.provider, refusal.model));
  }

  addSource(source: SampleSource): void {
    this.sources.push(source);
  }

  metrics(isAsked: IsAsked = () => true): string {
    const families = familiesOf(this.sources.flatMap((source) => this.read(source, isAsked)));
    return renderFamilies([
      ...this.requests.families(),
      this.refusals.family(this.requests.targets()),
      ...families,
      ...this.ownFamilies(),
      ...this.process(),
    ]);
  }

  private read(source: SampleSource, isAsked: IsAsked): readonly Sample[] {
    try {
      return [...source(isAsked)];
    } catch (error) {
      this.failures += 1;
      this.log.error("metrics source failed", { error });
      return [];
    }
  }

  private ownFamilies(): Family[] {
    const counter = (name: string, help: string, value: number): Family => ({
      name,
      help,
      kind: "counter",
      points: [{ suffix: "", labels: {}, value }],
    });
    return [
      counter("sluice_log_lines_dropped_total", "Log lines nobody read in time.", this.writer.dropped()),
      counter("sluice_metrics_source_failures_total", "Sources of metrics that failed.", this.failures),
    ];
  }
}

/** Samples by name; the first one of a name tells its help and kind. */
function familiesOf(samples: readonly Sample[]): Family[] {
  const families = new Map<string, { readonly first: Sample; readonly points: Point[] }>();
  for (const sample of samples) {
    let family = families.get(sample.name);
    if (family === undefined) families.set(sample.name, (family = { first: sample, points: [] }));
    family.points.push({ suffix: "", labels: sample.labels, value: sample.value });
  }
  return [...families.values()].map(({ first: { name, help, kind }, points }) => ({
    name,
    help,
    kind,
    points,
  }));
}
