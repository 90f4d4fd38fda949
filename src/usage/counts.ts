// What is counted of use, and one page of it as the fleet keeps it. Pure.
//
// A replica keeps its own totals of a day in pages, rows of (key, provider, model) with counts. Nobody else writes them, they
// only grow, and the fleet's use is the sum over replicas; so nothing is counted twice, whatever is lost or repeated.
import { tryParse } from "../json.ts";

/** Money in micro-dollars. Input includes what was read from and written to caches. */
export interface Counts {
  readonly requests: number;
  /** Requests that ended with an error; not those whose client left. */
  readonly errors: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly microUsd: number;
}

/** Whose use of what. */
export interface Subject {
  readonly key: string;
  readonly provider: string;
  readonly model: string;
}

export interface Row extends Subject {
  readonly counts: Counts;
}

export const NO_COUNTS: Counts = {
  requests: 0,
  errors: 0,
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  microUsd: 0,
};

/** Stands for all that found no row of its own. */
export const OTHER: Subject = { key: "(other)", provider: "(other)", model: "(other)" };

export function sum(left: Counts, right: Counts): Counts {
  return {
    requests: left.requests + right.requests,
    errors: left.errors + right.errors,
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    cachedInputTokens: left.cachedInputTokens + right.cachedInputTokens,
    cacheWriteTokens: left.cacheWriteTokens + right.cacheWriteTokens,
    microUsd: left.microUsd + right.microUsd,
  };
}

/** Names of keys, providers and models hold no line breaks. */
export function rowId({ key, provider, model }: Subject): string {
  return `${key}\n${provider}\n${model}`;
}

export type Page = ReadonlyMap<string, Row>;

const VERSION = 1;
/** What the fleet takes as one entry. */
const PAGE_BYTES_MAX = 4096;
/** Seven counts of up to sixteen digits, and what stands between them. */
const COUNTS_BYTES_MAX = 7 * 17 + 8;

/** The most bytes that a row will ever take. */
function rowBytesMax({ key, provider, model }: Subject): number {
  return Buffer.byteLength(JSON.stringify([key, provider, model])) + COUNTS_BYTES_MAX;
}

const BASE_BYTES = 32 + rowBytesMax(OTHER);

/** A page that counts are added to. */
export class Draft {
  readonly #rows: Map<string, Row>;
  #bytes = BASE_BYTES;
  isChanged = false;

  constructor(page: Page) {
    this.#rows = new Map(page);
    for (const row of page.values()) this.#bytes += rowBytesMax(row);
  }

  get page(): Page {
    return this.#rows;
  }

  /** Whether one more row fits, however large its counts become. */
  hasRoom(subject: Subject): boolean {
    return this.#bytes + rowBytesMax(subject) <= PAGE_BYTES_MAX;
  }

  /** Adds to the subject's row. One that has none begins it, for which there must be room. */
  add(subject: Subject, counts: Counts): void {
    if (this.#put(subject, counts)) this.#bytes += rowBytesMax(subject);
  }

  /** Adds to the row of all others, for which there always is room. */
  addOther(counts: Counts): void {
    this.#put(OTHER, counts);
  }

  /** Says whether the row is new. */
  #put(subject: Subject, counts: Counts): boolean {
    const id = rowId(subject);
    const known = this.#rows.get(id);
    this.#rows.set(id, { ...subject, counts: sum(known?.counts ?? NO_COUNTS, counts) });
    this.isChanged = true;
    return known === undefined;
  }
}

export function encodePage(page: Page): Uint8Array {
  const rows = [...page.values()].map(({ key, provider, model, counts }) => [
    key,
    provider,
    model,
    counts.requests,
    counts.errors,
    counts.inputTokens,
    counts.outputTokens,
    counts.cachedInputTokens,
    counts.cacheWriteTokens,
    counts.microUsd,
  ]);
  return new TextEncoder().encode(JSON.stringify({ v: VERSION, rows }));
}

/** Reads a page, a sibling's perhaps; rows that are none are left out, and so is a page of another version. */
export function decodePage(bytes: Uint8Array): Page {
  const page = new Map<string, Row>();
  const parsed = tryParse(new TextDecoder().decode(bytes));
  if (typeof parsed !== "object" || parsed === null || !("v" in parsed) || parsed.v !== VERSION) return page;
  if (!("rows" in parsed) || !Array.isArray(parsed.rows)) return page;
  for (const entry of parsed.rows) {
    const row = toRow(entry);
    if (row !== null) page.set(rowId(row), row);
  }
  return page;
}

function toRow(entry: unknown): Row | null {
  if (!Array.isArray(entry)) return null;
  const values: readonly unknown[] = entry;
  const [key, provider, model, ...numbers] = values;
  if (typeof key !== "string" || typeof provider !== "string" || typeof model !== "string") return null;
  if (numbers.length < 7 || !numbers.every(isCount)) return null;
  const [requests = 0, errors = 0, inputTokens = 0, outputTokens = 0, ...rest] = numbers;
  const [cachedInputTokens = 0, cacheWriteTokens = 0, microUsd = 0] = rest;
  const counts = {
    requests,
    errors,
    inputTokens,
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    microUsd,
  };
  return { key, provider, model, counts };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}
