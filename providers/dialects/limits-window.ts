// What a reset means. Measured over a thousand recorded answers: it is the time until the limit is *completely* free again,
// refilled evenly, and not until one may send again. So it also tells the window, which headers mostly don't name:
//
//   window = reset · limit / (limit − remaining)          wait for N units = (N − remaining) · reset / (limit − remaining)
//
// A bare whole number does not tell its unit. The unit is the one that makes the window a usual one.
import type { WrittenTime } from "./limits-time.ts";

/** The windows in use. */
const WINDOWS_MS = [1000, 10_000, 60_000, 3_600_000, 86_400_000, 30 * 86_400_000];

/** How far a figure may be off beyond its rounding, as a factor: remainders are rounded too, and refill is not quite even. */
const TOLERANCE = 1.2;

/** Larger limits are how some say that there is none; whole units could not be told apart either. */
export const LIMIT_MAX = 1e12;

/** A limit as it can be kept: whole, from 1 on; null for what is none. */
export function limitOf(units: number | null): number | null {
  return units !== null && units >= 1 && units <= LIMIT_MAX ? Math.floor(units) : null;
}

const WINDOW_MS_MIN = 100;
const WINDOW_MS_MAX = 400 * 86_400_000;

/** The window, unless it is none: names and numbers come from outside. */
export function believableWindow(windowMs: number | null): number | null {
  return windowMs !== null && windowMs >= WINDOW_MS_MIN && windowMs <= WINDOW_MS_MAX ? windowMs : null;
}

export interface Measured {
  readonly limit: number | null;
  readonly remaining: number | null;
}

/** The unit of a bare reset, where the catalog knows it. */
export type ResetUnit = "ms" | "s" | "epoch_s" | "epoch_ms" | null;

/** A reset, and how finely it was written. */
export interface Reset {
  readonly ms: number;
  readonly stepMs: number;
}

/** The window that a reset implies, in milliseconds: one of those in use, or null when nothing can be told. */
export function impliedWindow(reset: Reset | null, measured: Measured): number | null {
  const factor = windowPerReset(measured);
  if (reset === null || factor === null) return null;
  const leastMs = ((reset.ms - reset.stepMs) * factor) / TOLERANCE;
  const mostMs = (reset.ms + reset.stepMs) * factor * TOLERANCE;
  let found: number | null = null;
  for (const windowMs of WINDOWS_MS) {
    if (windowMs < leastMs || windowMs > mostMs) continue;
    if (found !== null) return null;
    found = windowMs;
  }
  return found;
}

/** What is known of a limit besides its reset. */
export interface Known extends Measured {
  /** null: nobody named it. */
  readonly windowMs: number | null;
  readonly unit: ResetUnit;
  /** The answer's: on 429 a bare number is seconds even where it is milliseconds otherwise. */
  readonly status: number;
}

/** A reset from now; null for one that has passed or is not known. */
export function resetOf(time: WrittenTime, known: Known): Reset | null {
  if (time.kind === "from_now") return time.ms > 0 ? time : null;
  // A number that is too small to be an instant, where instants are sent, is not one.
  if (time.value === 0 || known.unit === "epoch_s" || known.unit === "epoch_ms") return null;
  if (!Number.isInteger(time.value)) return { ms: time.value * 1000, stepMs: 1 };
  const isMs = known.unit === null ? isMilliseconds(time.value, known) : known.unit === "ms";
  return isMs ? { ms: time.value, stepMs: 1 } : { ms: time.value * 1000, stepMs: 1000 };
}

/** As milliseconds it has to give the window that was named, else the more usual one; as seconds nothing. */
function isMilliseconds(value: number, known: Known): boolean {
  const factor = windowPerReset(known);
  if (known.status === 429 || factor === null) return false;
  const asMs = distance(value * factor, known.windowMs ?? 60_000);
  const asSeconds = distance(value * 1000 * factor, known.windowMs ?? 60_000);
  return asMs < asSeconds && (known.windowMs === null || asMs <= TOLERANCE);
}

function windowPerReset({ limit, remaining }: Measured): number | null {
  return limit === null || remaining === null || remaining >= limit ? null : limit / (limit - remaining);
}

/** How many times the larger is the smaller. */
function distance(left: number, right: number): number {
  return left > right ? left / right : right / left;
}
