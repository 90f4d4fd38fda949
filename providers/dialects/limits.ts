// What a provider says about its limits with each answer, in whatever headers: one reader for all of them. Names are
// understood once and remembered, so that reading costs a lookup per header.
import { dimensionOf, limitNameOf, windowOf } from "./limits-names.ts";
import type { LimitPart, ReportedDimension } from "./limits-names.ts";
import { readTime } from "./limits-time.ts";
import { believableWindow, impliedWindow, LIMIT_MAX, limitOf, resetOf } from "./limits-window.ts";
import type { ResetUnit } from "./limits-window.ts";

export type { ReportedDimension } from "./limits-names.ts";

/** One limit as an answer shows it. */
export interface LimitReport {
  /** The provider's name for it; reports of one name speak of one limit. */
  readonly name: string;
  /** null: it counts something else. */
  readonly dimension: ReportedDimension | null;
  /** null: not known. */
  readonly windowMs: number | null;
  /** Whether the window was worked out from the figures rather than named. */
  readonly isWindowInferred: boolean;
  readonly limit: number | null;
  readonly remaining: number | null;
  /** Milliseconds until it is completely free again; null: not known. */
  readonly resetMs: number | null;
}

/** What a catalog file knows of a provider's headers beyond their looks. */
export interface LimitHeaders {
  /** What a bare number in a reset header means. */
  readonly resetUnit: ResetUnit;
  /** By the limit's name: what it counts, and over how long if known. */
  readonly names: Readonly<Record<string, { readonly dimension: string; readonly windowMs: number | null }>>;
}

/** An answer's headers, names in lower case. */
export type LimitSource = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Longer names and numbers are not read. */
const LENGTH_MAX = 100;

/** How many header names are remembered; providers invent some per request. */
const NAMES_MAX = 500;

/** What is known of one limit by its name alone. */
interface Facts {
  readonly name: string;
  readonly dimension: ReportedDimension | null;
  /** null: the name does not tell. */
  readonly windowMs: number | null;
}

/** One limit's texts, as they are collected from the headers. */
interface Draft {
  readonly facts: Facts;
  limit: string | null;
  remaining: string | null;
  reset: string | null;
  window: string | null;
  utilization: string | null;
  /** What a structured field says that it counts (`qu`), where that is something else than its name suggests. */
  quotaUnit: string | null;
  /** Whether it came in a structured field, whose times are seconds by definition. */
  isField: boolean;
}

interface Header {
  readonly facts: Facts;
  readonly part: LimitPart;
}

/** Reads the headers of one provider. */
export class LimitReader {
  readonly #known: LimitHeaders;
  readonly #headers = new Map<string, Header | null>();
  readonly #facts = new Map<string, Facts>();

  constructor(known: LimitHeaders) {
    this.#known = known;
  }

  /** The limits that an answer shows; empty for most providers. `wallMs` is the time now, since the Unix epoch. */
  read(headers: LimitSource, status: number, wallMs: number): readonly LimitReport[] {
    let drafts: Draft[] | undefined;
    for (const name in headers) {
      const header = this.#headerOf(name);
      if (header === null) continue;
      const value = headers[name];
      const text = typeof value === "string" ? value : value?.[0];
      if (text === undefined) continue;
      drafts ??= [];
      if (header.part === "fields") this.#addFields(drafts, text);
      else draftOf(drafts, header.facts)[header.part] = text;
    }
    if (drafts === undefined) return [];
    const reports: LimitReport[] = [];
    for (const draft of drafts) {
      const report = this.#finish(draft, status, wallMs);
      if (report !== null) reports.push(report);
    }
    return reports;
  }

  #headerOf(header: string): Header | null {
    const remembered = this.#headers.get(header);
    if (remembered !== undefined) return remembered;
    const named = header.length > LENGTH_MAX ? null : limitNameOf(header.toLowerCase());
    const understood = named === null ? null : { facts: this.#factsOf(named.name), part: named.part };
    if (this.#headers.size < NAMES_MAX) this.#headers.set(header, understood);
    return understood;
  }

  #factsOf(name: string): Facts {
    const remembered = this.#facts.get(name);
    if (remembered !== undefined) return remembered;
    const known = Object.hasOwn(this.#known.names, name) ? this.#known.names[name] : undefined;
    const facts = {
      name,
      dimension: dimensionOf(known?.dimension ?? name),
      windowMs: known?.windowMs ?? windowOf(name),
    };
    if (this.#facts.size < NAMES_MAX) this.#facts.set(name, facts);
    return facts;
  }

  #finish(draft: Draft, status: number, wallMs: number): LimitReport | null {
    const { name } = draft.facts;
    const dimension = draft.quotaUnit === null ? draft.facts.dimension : dimensionOf(draft.quotaUnit);
    const limit = draft.utilization === null ? limitOf(numberOf(draft.limit)) : 1;
    const remaining = remainingOf(draft, limit);
    const namedMs = secondsOf(draft.window) ?? believableWindow(draft.facts.windowMs);
    const unit = draft.isField ? "s" : this.#known.resetUnit;
    const time = draft.reset === null ? undefined : readTime(draft.reset, wallMs);
    const reset =
      time === undefined ? null : resetOf(time, { limit, remaining, windowMs: namedMs, unit, status });
    if (limit === null && remaining === null && reset === null) return null;
    return {
      name,
      dimension,
      windowMs: namedMs ?? impliedWindow(reset, { limit, remaining }),
      isWindowInferred: namedMs === null,
      limit,
      remaining,
      resetMs: reset?.ms ?? null,
    };
  }

  /** `"api";r=999;t=295, "day";r=5` and the older `limit=10, remaining=9, reset=30`. */
  #addFields(drafts: Draft[], text: string): void {
    let facts = this.#factsOf("requests");
    for (const item of text.slice(0, 1000).split(/[,;]/)) {
      const [key = "", value] = item.trim().split("=", 2);
      const part = FIELDS.get(key);
      if (value === undefined) facts = this.#factsOf(fieldName(key.replaceAll('"', "")));
      else if (key === "qu") draftOf(drafts, facts).quotaUnit = value.replaceAll('"', "");
      else if (part !== undefined) {
        const draft = draftOf(drafts, facts);
        draft[part] = value;
        draft.isField = true;
      }
    }
  }
}

/** How long until `units` are free, in milliseconds; null when the report does not tell. */
export function waitFor(report: LimitReport, units: number): number | null {
  const { limit, remaining, resetMs } = report;
  if (remaining === null) return null;
  if (units <= remaining) return 0;
  if (limit === null || resetMs === null || units > limit) return null;
  return ((units - remaining) * resetMs) / (limit - remaining);
}

function draftOf(drafts: Draft[], facts: Facts): Draft {
  for (const draft of drafts) if (draft.facts === facts || draft.facts.name === facts.name) return draft;
  const draft: Draft = {
    facts,
    limit: null,
    remaining: null,
    reset: null,
    window: null,
    utilization: null,
    quotaUnit: null,
    isField: false,
  };
  drafts.push(draft);
  return draft;
}

const FIELDS: ReadonlyMap<string, Exclude<LimitPart, "fields">> = new Map([
  ["q", "limit"],
  ["limit", "limit"],
  ["r", "remaining"],
  ["remaining", "remaining"],
  ["t", "reset"],
  ["reset", "reset"],
  ["w", "window"],
]);

/** A policy counts requests unless its name says otherwise. */
function fieldName(policy: string): string {
  if (policy === "") return "requests";
  return dimensionOf(policy) === null ? `${policy}-requests` : policy;
}

/** A remainder of zero without a limit is how some say that they don't know. */
function remainingOf({ remaining, utilization }: Draft, limit: number | null): number | null {
  if (utilization !== null) {
    const used = numberOf(utilization);
    return used === null ? null : Math.max(0, 1 - used);
  }
  const units = numberOf(remaining);
  const isTold = units !== null && units >= 0 && units <= LIMIT_MAX && (units > 0 || limit !== null);
  return isTold ? units : null;
}

function secondsOf(text: string | null): number | null {
  const seconds = numberOf(text);
  return seconds === null ? null : believableWindow(seconds * 1000);
}

/** The number at the beginning; some append a policy: `60, 60;w=60`. */
function numberOf(text: string | null): number | null {
  if (text === null || text.length > LENGTH_MAX) return null;
  const match = NUMBER.exec(text);
  return match === null ? null : Number(match[1]);
}

const NUMBER = /^\s*(-?\d+(?:\.\d+)?)(?:\s*[,;]|\s*$)/;
