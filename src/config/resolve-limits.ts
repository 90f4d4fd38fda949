// Limits as written, in the short form or the long one, with their defaults filled in.
import type { Dimension } from "../bucket/limit.ts";
import type { LimitPeriod, LimitSpec } from "./config.ts";
import { limitName } from "./limits.ts";
import type { Path } from "./problems.ts";
import { DIMENSIONS, type RawLimit } from "./provider-schema.ts";
import type { Findings } from "./report.ts";

/** How limits per day and month come back when they don't say it themselves. */
export interface DayDefaults {
  readonly refill: "continuous" | "calendar";
  readonly timezone: string;
}

/** A day of client keys, and of providers of which nothing else is known. */
export const UTC_DAYS: DayDefaults = { refill: "calendar", timezone: "UTC" };

/** More dollars than this could not be counted in thousandths of a micro-dollar. */
const USD_MAX = 5_000_000;

/** The limits of one owner; no two of them count the same thing over the same period. */
export function resolveLimits(
  raw: readonly RawLimit[],
  days: DayDefaults,
  path: Path,
  report: Findings,
): readonly LimitSpec[] {
  const names = new Set<string>();
  return raw.flatMap((entry, index) => {
    const place = [...path, index];
    const spec = resolveLimit(entry, days, place, report);
    if (spec === undefined) return [];
    const name = limitName(spec);
    if (names.has(name)) {
      report.error(place, `there already is a limit of ${name.replace("/", " per ")} here`);
      return [];
    }
    names.add(name);
    return [spec];
  });
}

interface Core {
  readonly dimension: Dimension;
  readonly amount: number;
  readonly per: LimitPeriod | null;
}

function resolveLimit(raw: RawLimit, days: DayDefaults, path: Path, report: Findings): LimitSpec | undefined {
  const core = coreOf(raw);
  if (typeof core === "string") {
    report.error(path, core);
    return undefined;
  }
  const fault = limitFault(raw, core);
  if (fault !== undefined) {
    report.error(path, fault);
    return undefined;
  }
  const refill = refillOf(raw, core, days);
  return { ...core, burst: raw.burst ?? core.amount, refill, timezone: raw.timezone ?? days.timezone };
}

/** What is counted, how much, and per what; or why that can't be told. */
function coreOf(raw: RawLimit): Core | string {
  const short = DIMENSIONS.filter((dimension) => raw[dimension] !== undefined);
  if (raw.dimension !== undefined) {
    if (short.length > 0) return `give either \`dimension\` or \`${short[0]}\`, not both`;
    return longForm(raw, raw.dimension);
  }
  const [dimension] = short;
  if (dimension === undefined) return `expected one of ${DIMENSIONS.join(", ")}`;
  if (short.length > 1)
    return `one limit counts one thing; write ${short.join(" and ")} as entries of their own`;
  if (raw.amount !== undefined || raw.per !== undefined) return "`amount` and `per` go with `dimension` only";
  const value = raw[dimension];
  if (value === undefined) return "expected an amount";
  return typeof value === "number" ? { dimension, amount: value, per: null } : { dimension, ...value };
}

function longForm({ amount, per }: RawLimit, dimension: Dimension): Core | string {
  if (amount === undefined || amount <= 0) return "the long form needs an `amount` above zero";
  if (dimension === "concurrent") {
    if (per !== undefined) return "running requests are not counted per period; leave `per` out";
    return Number.isInteger(amount) ? { dimension, amount, per: null } : "the amount must be a whole number";
  }
  return per === undefined ? "the long form needs `per`, the period" : { dimension, amount, per };
}

/** Why there can't be such a limit; undefined when there can. */
export function limitFault(raw: RawLimit, { dimension, amount, per }: Core): string | undefined {
  const isTimed = raw.burst !== undefined || raw.refill !== undefined || raw.timezone !== undefined;
  if (per === null) {
    return isTimed ? "a limit of running requests has no burst, refill or timezone" : undefined;
  }
  if (raw.refill === "calendar" && per === "s")
    return "a calendar refill needs a period of min, h, day or month";
  if (raw.refill === "calendar" && raw.burst !== undefined && raw.burst !== amount) {
    return "a calendar refill has no burst: the amount is what there is per period";
  }
  if (dimension === "usd" && Math.max(amount, raw.burst ?? 0) > USD_MAX) {
    return `a limit in dollars is at most ${USD_MAX}`;
  }
  if (dimension !== "usd" && (raw.burst ?? amount) < 1) {
    return "with less than one unit in the bucket nothing could ever be sent; set `burst` to at least 1";
  }
  return undefined;
}

function refillOf(raw: RawLimit, { per }: Core, days: DayDefaults): LimitSpec["refill"] {
  if (per === null) return "held";
  if (raw.refill !== undefined) return raw.refill;
  const isDay = per === "day" || per === "month";
  // A burst makes sense only where units come back little by little.
  return isDay && raw.burst === undefined ? days.refill : "continuous";
}
