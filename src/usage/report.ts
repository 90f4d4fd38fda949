// Use, added up by what somebody asks for: `?from=2026-11-01&to=2026-11-21&group_by=key,model`.
import { GatewayError } from "../errors.ts";
import { type Counts, NO_COUNTS, sum } from "./counts.ts";
import { dayOf, daysBetween, isDay, monthStart } from "./days.ts";
import type { DayRow, UsageBook } from "./usage-book.ts";

const GROUPS = ["key", "provider", "model", "day"] as const;

type Group = (typeof GROUPS)[number];

/** More days than are ever kept. */
const DAYS_MAX = 400;

export interface UsageQuestion {
  /** Days, both included. */
  readonly from: string;
  readonly to: string;
  readonly groupBy: readonly Group[];
}

/** Reads the question; by default the current month by key. Throws `invalid_request`. */
export function parseQuestion(query: URLSearchParams, wallMs: number, byDefault: Group): UsageQuestion {
  const today = dayOf(wallMs);
  const to = dayParameter(query, "to") ?? today;
  const from = dayParameter(query, "from") ?? monthStart(to);
  if (from > to) throw new GatewayError("invalid_request", "`from` is after `to`.", { param: "from" });
  if (daysBetween(from, to) > DAYS_MAX) {
    throw new GatewayError("invalid_request", `At most ${DAYS_MAX} days can be asked for at once.`, {
      param: "from",
    });
  }
  return { from, to, groupBy: groupsIn(query.get("group_by") ?? byDefault) };
}

function dayParameter(query: URLSearchParams, name: "from" | "to"): string | null {
  const text = query.get(name);
  if (text === null || isDay(text)) return text;
  throw new GatewayError("invalid_request", `\`${name}\` must be a day such as 2026-11-21.`, { param: name });
}

function groupsIn(text: string): readonly Group[] {
  return text.split(",").map((word) => {
    const group = GROUPS.find((known) => known === word.trim());
    if (group !== undefined) return group;
    throw new GatewayError("invalid_request", `\`group_by\` takes ${GROUPS.join(", ")}, parted by commas.`, {
      param: "group_by",
    });
  });
}

type Names = Partial<Record<Group, string>>;

export interface UsageReport {
  readonly object: "usage";
  readonly from: string;
  readonly to: string;
  readonly group_by: readonly Group[];
  readonly data: readonly (Names & ReturnType<typeof described>)[];
  readonly total: ReturnType<typeof described>;
}

/** The answer: one entry per group, the largest use first, and the sum of all. `key`: only this key's use. */
export async function usageReport(
  book: UsageBook,
  { from, to, groupBy }: UsageQuestion,
  key: string | null = null,
): Promise<UsageReport> {
  const groups = new Map<string, { readonly names: Names; counts: Counts }>();
  let total = NO_COUNTS;
  for await (const row of book.rows(from, to)) {
    if (key !== null && row.key !== key) continue;
    total = sum(total, row.counts);
    const names = namesOf(row, groupBy);
    const id = Object.values(names).join("\n");
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { names, counts: row.counts });
    else group.counts = sum(group.counts, row.counts);
  }
  const entries = [...groups.values()].sort(
    (left, right) =>
      right.counts.microUsd - left.counts.microUsd || tokens(right.counts) - tokens(left.counts),
  );
  const data = entries.map(({ names, counts }) => Object.assign(names, described(counts)));
  return { object: "usage", from, to, group_by: groupBy, data, total: described(total) };
}

function namesOf(row: DayRow, groupBy: readonly Group[]): Names {
  const names: Names = {};
  for (const group of groupBy) names[group] = row[group];
  return names;
}

function tokens({ inputTokens, outputTokens, requests }: Counts): number {
  return inputTokens + outputTokens + requests;
}

const MICRO = 1_000_000;

function described(counts: Counts) {
  return {
    requests: counts.requests,
    errors: counts.errors,
    input_tokens: counts.inputTokens,
    output_tokens: counts.outputTokens,
    cached_input_tokens: counts.cachedInputTokens,
    cache_write_tokens: counts.cacheWriteTokens,
    micro_usd: counts.microUsd,
    usd: counts.microUsd / MICRO,
  };
}
