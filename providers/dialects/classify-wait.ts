// How long a provider asks us to stay away. Headers first (the exact one before the coarse), then the body, then what
// the message says to people. Read only from 429 and 5xx: some providers send `retry-after` with every answer.
import { headerOf, isRecord } from "./classify-words.ts";
import type { AnswerHeaders, ErrorWords } from "./classify-words.ts";
import { readDuration, readTime } from "./limits-time.ts";

/** Longer waits are not believed, and would not help anybody. */
const WAIT_MS_MAX = 32 * 86_400_000;

const MS_HEADERS = ["retry-after-ms", "x-ms-retry-after-ms"];

/** "Please try again in 1m2.5s", "retry in 20 seconds". */
const IN_WORDS =
  /(?:try again|retry|available|wait)(?: your request)?(?: in| after| for)? (?:(\d[\d.]*(?:ns|µs|us|ms|[smhd])[\dnµumshd.]*)|(\d+(?:\.\d+)?) ?(milliseconds?|seconds?|secs?|minutes?|hours?))/i;

const WORD_MS: Readonly<Record<string, number>> = { mil: 1, sec: 1000, min: 60_000, hou: 3_600_000 };

/** Milliseconds, above zero; null when nothing believable is said. `wallMs` is the time now, since the Unix epoch. */
export function waitOf(words: ErrorWords, headers: AnswerHeaders, wallMs: number): number | null {
  return fromHeaders(headers, wallMs) ?? fromDetails(words.json, wallMs, 0) ?? fromMessage(words.message);
}

function fromHeaders(headers: AnswerHeaders, wallMs: number): number | null {
  for (const name of MS_HEADERS) {
    const waitMs = believable(Number(headerOf(headers, name)));
    if (waitMs !== null) return waitMs;
  }
  return fromTime(headerOf(headers, "retry-after"), wallMs);
}

/** A bare number is seconds (RFC 9110 §10.2.3). */
function fromTime(text: unknown, wallMs: number): number | null {
  if (typeof text === "number") return fromTime(String(text), wallMs);
  const time = typeof text === "string" ? readTime(text, wallMs) : undefined;
  if (time === undefined) return null;
  return believable(time.kind === "bare" ? time.value * 1000 : time.ms);
}

const MEMBERS = ["retryDelay", "retry_after", "retry_after_seconds", "estimated_time", "X-RateLimit-Reset"];

function fromDetails(value: unknown, wallMs: number, depth: number): number | null {
  if (depth > 4) return null;
  if (Array.isArray(value)) return firstOf(value.slice(0, 8), (item) => fromDetails(item, wallMs, depth + 1));
  if (!isRecord(value)) return null;
  return (
    firstOf(MEMBERS, (name) => fromTime(value[name], wallMs)) ??
    firstOf(["error", "details", "metadata", "headers"], (name) =>
      fromDetails(value[name], wallMs, depth + 1),
    )
  );
}

function fromMessage(message: string): number | null {
  const match = IN_WORDS.exec(message.slice(0, 4000));
  if (match === null) return null;
  const [, duration, amount, unit] = match;
  if (duration !== undefined) return believable(readDuration(duration.replace(/\.$/, "")) ?? Number.NaN);
  return believable(Number(amount) * (WORD_MS[(unit ?? "").slice(0, 3).toLowerCase()] ?? Number.NaN));
}

function firstOf<T>(items: readonly T[], read: (item: T) => number | null): number | null {
  for (const item of items) {
    const found = read(item);
    if (found !== null) return found;
  }
  return null;
}

function believable(ms: number): number | null {
  return ms > 0 && ms <= WAIT_MS_MAX ? Math.ceil(ms) : null;
}
