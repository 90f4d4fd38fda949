// Days of use: UTC days, written as 2026-11-21, and the pages that hold them. Pure.

const DAY_MS = 86_400_000;

export function dayOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 10);
}

/** The first day of the month that a day lies in. */
export function monthStart(day: string): string {
  return `${day.slice(0, 8)}01`;
}

/** Whether a text is a day of the calendar. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && dayOf(ms) === text;
}

/** How many days lie from one to the other, both included. */
export function daysBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
}

export const USAGE_PREFIX = "usage/";

/** A page's name in the fleet: `usage/2026-11-21/REPLICA/17`. */
export function pageKey(day: string, replica: string, page: number): string {
  return `${USAGE_PREFIX}${day}/${replica}/${page}`;
}

/** The day of a page; null for a name that is none. */
export function dayIn(key: string): string | null {
  const day = key.slice(USAGE_PREFIX.length, USAGE_PREFIX.length + 10);
  return isDay(day) ? day : null;
}
