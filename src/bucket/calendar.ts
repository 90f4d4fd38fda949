// Calendar quotas are full again at each boundary of a minute, hour, day or month in a time zone. A period is named by
// a number that grows by one per period, so "was this boundary passed already?" is a comparison of integers, and a
// wall clock that is set back can't refill twice. Days and months are civil (a day may have 23 or 25 hours); hours and
// minutes follow the zone's offset within the hour only, so that a daylight-saving change repeats none of them.
// Time zones come from the runtime's Intl data; the wall time comes in.
import type { CalendarPeriod } from "./limit.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Formatters are costly to make; there is one per time zone that some limit names. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timezone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timezone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone: timezone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formatters.set(timezone, formatter);
  }
  return formatter;
}

/** The civil time of an instant, as if it were UTC, in milliseconds since the epoch (whole seconds). */
function civilMs(wallMs: number, timezone: string): number {
  if (timezone === "UTC") return Math.floor(wallMs / 1000) * 1000;
  const field = new Map<string, number>();
  for (const part of formatterOf(timezone).formatToParts(wallMs)) field.set(part.type, Number(part.value));
  return Date.UTC(
    field.get("year") ?? 1970,
    (field.get("month") ?? 1) - 1,
    field.get("day") ?? 1,
    field.get("hour") ?? 0,
    field.get("minute") ?? 0,
    field.get("second") ?? 0,
  );
}

/** The number of the period that an instant lies in; it never falls as wall time advances. */
export function periodOf(wallMs: number, period: CalendarPeriod, timezone: string): number {
  switch (period) {
    case "min":
      return Math.floor(wallMs / MINUTE_MS);
    case "h": {
      const offset = civilMs(wallMs, timezone) - Math.floor(wallMs / 1000) * 1000;
      return Math.floor((wallMs + (offset % HOUR_MS)) / HOUR_MS);
    }
    case "day":
      return Math.floor(civilMs(wallMs, timezone) / DAY_MS);
    case "month": {
      const civil = new Date(civilMs(wallMs, timezone));
      return civil.getUTCFullYear() * 12 + civil.getUTCMonth();
    }
  }
}

/** Longer than any period of its kind, so that a boundary lies within it. */
const LONGEST_MS: Readonly<Record<CalendarPeriod, number>> = {
  min: MINUTE_MS,
  h: 2 * HOUR_MS,
  day: 26 * HOUR_MS,
  month: 32 * DAY_MS,
};

/** The wall time of the next boundary, in milliseconds since the epoch: the first instant of the next period. */
export function boundaryAfter(wallMs: number, period: CalendarPeriod, timezone: string): number {
  const current = periodOf(wallMs, period, timezone);
  let before = Math.floor(wallMs);
  let after = before + LONGEST_MS[period];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (periodOf(middle, period, timezone) > current) after = middle;
    else before = middle;
  }
  return after;
}

/** The end of a period by the wall clock; `wallMs` lies in it or (a clock that was set back) a few periods before. */
export function endOfPeriod(
  number: number,
  wallMs: number,
  period: CalendarPeriod,
  timezone: string,
): number {
  let end = boundaryAfter(wallMs, period, timezone);
  for (let tries = 0; tries < 4 && periodOf(end, period, timezone) <= number; tries++) {
    end = boundaryAfter(end, period, timezone);
  }
  return end;
}
