// Text in columns for a terminal.
import { unitsPerAmount as unitsPerAmountOf } from "../../config/limits.ts";

/** Rows under a head; columns as wide as their widest cell, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const isRight = head.map(
    (_, at) => rows.length > 0 && rows.every((row) => /^[-−]?[\d,.]*( ?%| m?s)?$/.test(row[at] ?? "")),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) =>
        isRight[at] === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [line(head), ...rows.map(line)].join("\n");
}

/** With thousands apart; one decimal for what is not whole. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
  return rounded.toLocaleString("en-US");
}

/** How many of its units make one of what the limit is configured in: a budget counts millionths of dollars. */
export function unitsPerAmount(limit: string): number {
  return unitsPerAmountOf(isBudget(limit) ? "usd" : "requests");
}

/** An amount in what the limit is configured in; requests cost small parts of a dollar. */
export function amountOf(limit: string, amount: number): string {
  return isBudget(limit) && Math.abs(amount) < 100 ? String(Math.round(amount * 1e4) / 1e4) : count(amount);
}

/** By the end of its name: `key/alice/usd/month`. */
function isBudget(limit: string): boolean {
  return /\/usd\/\w+$/.test(limit);
}
