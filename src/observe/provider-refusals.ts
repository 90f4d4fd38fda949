// Attempts that providers refused for want of room. Each had its units here before it was sent, so a refusal means that
// the provider counts otherwise, that others use the account, or that a limit of it is missing here: the promise that
// its limits are kept does not hold there. A retry or a fallback may mend the request, so its end does not tell; this
// does. Two kinds are no such news: where no limit of the provider is known here, and where requests have used more
// than they had reserved.
import type { Family, Labels } from "./exposition.ts";
import type { KnownLimit, Log, ProviderRefusal } from "./events.ts";

/** What was left here of the provider's limits. */
type Left = "room" | "overdrawn" | "none";

/** Of refusals alike there is one line in this time. */
const LINE_EVERY_MS = 1000;
/** Units that make no difference. */
const ROUNDING = 1e-6;

const MESSAGES: Readonly<Record<Left, string>> = {
  room: "a provider refused for want of room, though its limits here had room",
  overdrawn: "a provider refused for want of room, and a limit of it is overdrawn here",
  none: "a provider refused for want of room, and no limit of it is known here",
};

interface Series {
  readonly labels: Labels;
  count: number;
  /** When the latest line was written, by `elapsedMs`. */
  toldMs: number;
  /** How many have had no line since. */
  leftOut: number;
}

/** A provider, and a model by the name that metrics have for it. */
export interface Refuser {
  readonly provider: string;
  readonly model: string;
}

export class ProviderRefusals {
  readonly #log: Log;
  readonly #elapsedMs: () => number;
  readonly #series = new Map<string, Series>();

  constructor(log: Log, elapsedMs: () => number) {
    this.#log = log;
    this.#elapsedMs = elapsedMs;
  }

  /** Counts a refusal, and tells it unless one like it was told just before. `label`: the model's name in metrics; there is a bounded number of them. */
  add(refusal: ProviderRefusal, label: string): void {
    const left = leftOf(refusal.limits);
    const series = this.#of({ provider: refusal.provider, model: label }, left);
    series.count += 1;
    const now = this.#elapsedMs();
    if (now - series.toldMs < LINE_EVERY_MS) {
      series.leftOut += 1;
      return;
    }
    const fields = fieldsOf(refusal, series.leftOut);
    series.toldMs = now;
    series.leftOut = 0;
    if (left === "room") this.#log.warn(MESSAGES[left], fields);
    else this.#log.info(MESSAGES[left], fields);
  }

  /** These may refuse: what should never happen is shown as zero, or its first time would be no increase. */
  family(refusers: Iterable<Refuser>): Family {
    for (const refuser of refusers) this.#of(refuser, "room");
    return {
      name: "sluice_provider_refusals_total",
      help: "Attempts that a provider refused for want of room, by what was left of its limits here.",
      kind: "counter",
      points: Array.from(this.#series.values(), ({ labels, count }) => ({
        suffix: "",
        labels,
        value: count,
      })),
    };
  }

  #of({ provider, model }: Refuser, left: Left): Series {
    const name = JSON.stringify([provider, model, left]);
    const known = this.#series.get(name);
    if (known !== undefined) return known;
    const labels = { provider, model, limits: left };
    const series: Series = { labels, count: 0, toldMs: -Infinity, leftOut: 0 };
    this.#series.set(name, series);
    return series;
  }
}

function leftOf(limits: readonly KnownLimit[]): Left {
  if (limits.length === 0) return "none";
  return limits.some(({ level }) => level < -ROUNDING) ? "overdrawn" : "room";
}

function fieldsOf({ provider, model, limits, waitMs }: ProviderRefusal, leftOut: number) {
  return {
    provider,
    model,
    limits: limits.map(({ limit, level, capacity }) => ({ limit, level: rounded(level), capacity })),
    ...(waitMs === null ? {} : { retry_after_ms: waitMs }),
    ...(leftOut === 0 ? {} : { left_out: leftOut }),
  };
}

function rounded(units: number): number {
  return Math.round(units * 1000) / 1000;
}
