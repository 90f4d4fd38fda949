// Totals of use as a table for people.
import { z } from "zod";
import { count, table } from "./table.ts";

const counts = z.object({
  requests: z.number(),
  errors: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cached_input_tokens: z.number(),
  usd: z.number(),
});

const report = z.object({
  from: z.string(),
  to: z.string(),
  group_by: z.array(z.enum(["key", "provider", "model", "day"])),
  data: z.array(
    counts.extend({
      key: z.string().optional(),
      provider: z.string().optional(),
      model: z.string().optional(),
      day: z.string().optional(),
    }),
  ),
  total: counts,
});

/** `text`: what `/admin/usage` answered. */
export function usageText(text: string): string {
  const { from, to, group_by: groups, data, total } = report.parse(JSON.parse(text));
  if (data.length === 0) return `Nothing was used from ${from} to ${to}.`;
  const rows = data.map((row) => groups.map((group) => row[group] || "(none)").concat(cells(row)));
  const sum = ["all", ...groups.slice(1).map(() => ""), ...cells(total)];
  const head = [...groups, "requests", "errors", "input", "cached", "output", "usd"];
  return `From ${from} to ${to} (UTC):\n\n${table(head, [...rows, sum])}`;
}

function cells(row: z.infer<typeof counts>): string[] {
  return [
    count(row.requests),
    count(row.errors),
    count(row.input_tokens),
    count(row.cached_input_tokens),
    count(row.output_tokens),
    row.usd.toFixed(row.usd < 1 ? 6 : 2),
  ];
}
