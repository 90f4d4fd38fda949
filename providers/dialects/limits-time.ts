// Times as providers write them: "1m3.2s", "12ms", 59, "0.5", 2026-11-21T10:00:00Z, 1795255200, 1795255200000, "Sat, 21 Nov
// 2026 10:00:00 GMT". Everything becomes milliseconds from now. What is negative or can't be read is unknown, never zero:
// a wait of zero would be a promise.

/** A time as far as it explains itself. */
export type WrittenTime =
  /** Milliseconds from now; below zero for an instant that has passed. `stepMs`: how finely it is written. */
  | { readonly kind: "from_now"; readonly ms: number; readonly stepMs: number }
  /** A small number without a unit: seconds at most providers, milliseconds at some. */
  | { readonly kind: "bare"; readonly value: number };

/** Above this a bare number is an instant: seconds since 1970 (this is 2001), above the second milliseconds. */
const EPOCH_SECONDS_MIN = 1e9;
const EPOCH_MS_MIN = 1e12;

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["μs", 1e-3],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** A part of Go's durations (`1h2m3.5s`), which protobuf's JSON form (`34.4s`) is a case of; `d` besides. */
const DURATION_PART = /(\d+(?:\.\d+)?)([nuµμm]?s|[mhd])/y;
const NUMBER = /^\d+(?:\.\d+)?$/;

/** Longer texts are not times. */
const LENGTH_MAX = 40;

/** Reads one time, or undefined. `wallMs` is the time now, since the Unix epoch. */
export function readTime(text: string, wallMs: number): WrittenTime | undefined {
  // Where a header came twice, or has a policy behind it, the first counts.
  const written = text.trim().replace(/^([\d.hmsnuµμd]+)\s*[,;].*$/s, "$1");
  if (written === "" || written.length > LENGTH_MAX) return undefined;
  if (NUMBER.test(written)) return fromNumber(Number(written), wallMs);
  const durationMs = readDuration(written);
  if (durationMs !== undefined) return { kind: "from_now", ms: durationMs, stepMs: 1 };
  // RFC 3339 or an HTTP date (RFC 9110 §5.6.7). Date.parse takes a lot more, so the beginning is checked.
  if (!/^(?:\d{4}-\d\d-\d\dT|[A-Z][a-z]{2})/.test(written)) return undefined;
  const instantMs = Date.parse(written);
  if (Number.isNaN(instantMs)) return undefined;
  return { kind: "from_now", ms: instantMs - wallMs, stepMs: written.includes(".") ? 1 : 1000 };
}

/** `1m3.2s` in milliseconds, or undefined when it is no duration. */
export function readDuration(text: string): number | undefined {
  let ms = 0;
  let at = 0;
  while (at < text.length) {
    DURATION_PART.lastIndex = at;
    const part = DURATION_PART.exec(text);
    if (part === null) return undefined;
    ms += Number(part[1]) * (UNIT_MS.get(part[2] ?? "") ?? 0);
    at = DURATION_PART.lastIndex;
  }
  return at === 0 ? undefined : ms;
}

function fromNumber(value: number, wallMs: number): WrittenTime {
  if (value >= EPOCH_MS_MIN) return { kind: "from_now", ms: value - wallMs, stepMs: 1 };
  if (value >= EPOCH_SECONDS_MIN) return { kind: "from_now", ms: value * 1000 - wallMs, stepMs: 1000 };
  return { kind: "bare", value };
}
