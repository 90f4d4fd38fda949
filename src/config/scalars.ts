// What a text in the configuration can mean: an amount, a duration, an address, a limit. Each is a zod schema from the text
// to the meaning, whose error says what is expected and never repeats the text. `meta` is what an editor is told.
import { z } from "zod";
import type { LimitPeriod, ListenAddress } from "./config.ts";

/** Longer waits than a timer of Node's can hold. */
const DURATION_MAX_MS = 24 * 86_400_000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const UNIT_BYTES: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
const BYTES_MAX = 1024 ** 4;
const BYTE_SIZE = /^(\d+(?:\.\d+)?) ?([kmg]b)$/i;

const DURATION = /^(-?\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const NUMBER = /^-?\d[\d_]*(?:\.\d+)?$/;
const RATE = /^([^/\s]+)\s*\/\s*(\S+)$/;

/** Beyond this, whole units could no longer be told apart. */
const AMOUNT_MAX = 1e12;

export const PERIODS = ["s", "min", "h", "day", "month"] as const satisfies readonly LimitPeriod[];

/** Words that people write for a period. */
const PERIOD_WORDS: Readonly<Record<string, LimitPeriod>> = {
  sec: "s",
  second: "s",
  m: "min",
  minute: "min",
  hour: "h",
  hr: "h",
  d: "day",
  mo: "month",
};

/** A meaning, or why there is none. */
type Parsed<T> = { readonly value: T } | { readonly fault: string };

/** A schema from text to meaning. `expected` completes "expected …". */
function scalar<T>(expected: string, parse: (text: string) => Parsed<T>) {
  return z.string({ error: `expected ${expected}` }).transform((text, context) => {
    const parsed = parse(text.trim());
    if ("value" in parsed) return parsed.value;
    context.addIssue({ code: "custom", message: parsed.fault });
    return z.NEVER;
  });
}

/** Any text, but not an empty one. */
export function text(expected = "text") {
  return z
    .string({ error: `expected ${expected}` })
    .min(1, { error: `expected ${expected}, not an empty text` });
}

/** A text that must not be shown. */
export function secret() {
  return text("a secret");
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: `expected one of ${words.join(", ")}` });
}

export function flag() {
  return scalar("true or false", (text) =>
    text === "true" || text === "false" ? { value: text === "true" } : { fault: "expected true or false" },
  ).meta({ type: "boolean" });
}

/** Anything at all, with numbers, true, false and null where the text looks like them. */
export function anyValue() {
  return z.unknown().transform(typed);
}

function typed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typed);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, typed(inner)]));
  }
  if (value === undefined) return null;
  if (value === "true" || value === "false") return value === "true";
  return typeof value === "string" && NUMBER.test(value) ? parseNumber(value) : value;
}

interface Range {
  readonly min: number;
  readonly max?: number;
}

/** A whole number; `_` may part its digits. */
export function integer({ min, max = AMOUNT_MAX }: Range) {
  const expected = `a whole number from ${min} to ${max}`;
  return scalar(expected, (text) => {
    const value = parseNumber(text);
    return Number.isInteger(value) && value >= min && value <= max
      ? { value }
      : { fault: `expected ${expected}` };
  }).meta({ type: ["integer", "string"], minimum: min, maximum: max, pattern: "^[0-9_]+$|\\$\\{" });
}

/** A number, perhaps with a fraction; `_` may part its digits. */
export function number({ min, max = AMOUNT_MAX }: Range) {
  const expected = max === AMOUNT_MAX ? `a number of at least ${min}` : `a number from ${min} to ${max}`;
  return scalar(expected, (text) => {
    const value = parseNumber(text);
    return value >= min && value <= max ? { value } : { fault: `expected ${expected}` };
  }).meta({ type: ["number", "string"], minimum: min, pattern: "^[0-9_.]+$|\\$\\{" });
}

/** A duration in milliseconds: `250ms 10s 5m 1h`. */
export function duration() {
  return scalar("a duration such as 250ms, 10s, 5m or 1h", parseDuration).meta({
    type: ["string", "integer"],
    pattern: "^[0-9.]+(ms|s|m|h|d)$|^0$|\\$\\{",
  });
}

/** A duration that is not nothing: a deadline of 0 would let nothing through. */
export function positiveDuration() {
  return scalar("a duration such as 250ms, 10s, 5m or 1h", (text) => {
    const parsed = parseDuration(text);
    return "value" in parsed && parsed.value === 0 ? { fault: "this duration must be above zero" } : parsed;
  }).meta({ type: "string", pattern: "^[0-9.]+(ms|s|m|h|d)$|\\$\\{" });
}

/** An amount of memory or disk in bytes: `512kb 64mb 1gb`, in powers of 1024; at least `min`. */
export function byteSize(min: number) {
  return scalar("a size such as 512kb, 64mb or 1gb", (text) => {
    const parsed = parseByteSize(text);
    if (!("value" in parsed) || parsed.value >= min) return parsed;
    return { fault: `this size must be ${min === 1 ? "above zero" : `at least ${min / 1024}kb`}` };
  }).meta({
    type: ["string", "integer"],
    pattern: "^[0-9.]+ ?(kb|mb|gb|KB|MB|GB)$|^0$|\\$\\{",
  });
}

/** Either a duration or one of a few words. */
export function durationOr<const Word extends string>(...words: readonly Word[]) {
  return scalar(`a duration such as 5s, or ${words.join(", or ")}`, (text): Parsed<number | Word> => {
    const word = words.find((each) => each === text);
    return word === undefined ? parseDuration(text) : { value: word };
  }).meta({
    type: ["string", "integer"],
    pattern: `^[0-9.]+(ms|s|m|h|d)$|^0$|^(${words.join("|")})$|\\$\\{`,
  });
}

/** A day (its beginning, UTC) or an instant with its offset, in milliseconds since the epoch. */
export function instant() {
  return scalar("a day such as 2027-01-31, or an instant such as 2027-01-31T18:00:00Z", parseInstant).meta({
    type: "string",
  });
}

/** A percentile (`p95`), a duration, or `never`. */
export function percentileOr() {
  const expected = "a percentile such as p95, a duration such as 800ms, or never";
  return scalar(expected, (text): Parsed<Percentile> => {
    if (text === "never") return { value: { kind: "never" } };
    const share = Number(/^p(\d{1,2}(?:\.\d{1,3})?)$/.exec(text)?.[1]) / 100;
    if (share > 0 && share < 1) return { value: { kind: "quantile", share } };
    const parsed = parseDuration(text);
    if ("fault" in parsed || parsed.value === 0) return { fault: `expected ${expected}` };
    return { value: { kind: "time", afterMs: parsed.value } };
  }).meta({ type: "string", pattern: "^p[0-9.]+$|^[0-9.]+(ms|s|m|h|d)$|^never$|\\$\\{" });
}

type Percentile =
  | { readonly kind: "never" }
  /** From 0 to 1. */
  | { readonly kind: "quantile"; readonly share: number }
  | { readonly kind: "time"; readonly afterMs: number };

/** `HOST:PORT`, with an IPv6 address in brackets. */
export function listenAddress() {
  return scalar("HOST:PORT such as 127.0.0.1:8787", parseListen).meta({ type: "string" });
}

/** An `http` or `https` URL, without its trailing slash. `{placeholders}` may stand in it. */
export function baseUrl() {
  return scalar("a URL such as https://api.example.com/v1", parseBaseUrl).meta({ type: "string" });
}

/** An address that is asked as it is, query included. */
export function url() {
  return scalar("a URL such as https://auth.example.com/token", (text) => {
    const [base = "", ...query] = text.split("?");
    const parsed = parseBaseUrl(base);
    return "fault" in parsed ? parsed : { value: [base, ...query].join("?") };
  }).meta({ type: "string" });
}

/** An amount and its period: `500/min`. */
export function rate() {
  return scalar("an amount and a period such as 500/min", parseRate).meta({
    type: ["string", "integer"],
    pattern: `^[0-9_.]+ */ *(${PERIODS.join("|")})$|\\$\\{`,
  });
}

export function period() {
  return scalar(`one of ${PERIODS.join(", ")}`, parsePeriod).meta({ type: "string", enum: [...PERIODS] });
}

/** The IANA name of a time zone, as `America/Los_Angeles`. */
export function timezone() {
  return scalar("a time zone such as Europe/Berlin", (text) =>
    isTimezone(text)
      ? { value: text }
      : { fault: "expected the IANA name of a time zone, such as Europe/Berlin" },
  ).meta({ type: "string" });
}

export interface Rate {
  readonly amount: number;
  readonly per: LimitPeriod;
}

function parseNumber(text: string): number {
  return NUMBER.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
}

const INSTANT = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

function parseInstant(text: string): Parsed<number> {
  const day = INSTANT.exec(text)?.[1];
  if (day === undefined) {
    return { fault: "expected a day such as 2027-01-31, or an instant such as 2027-01-31T18:00:00Z" };
  }
  const value = Date.parse(text);
  const midnightMs = Date.parse(day);
  // The 30th of February would be taken as the 2nd of March.
  const isDay = !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day);
  return isDay && !Number.isNaN(value) ? { value } : { fault: "there is no such day or time" };
}

function parseDuration(text: string): Parsed<number> {
  if (text === "0") return { value: 0 };
  const match = DURATION.exec(text);
  if (match === null) return { fault: "expected a duration such as 250ms, 10s, 5m or 1h" };
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? Number.NaN);
  if (ms < 0) return { fault: "a duration can't be negative" };
  if (ms > DURATION_MAX_MS) return { fault: "a duration can be at most 24d" };
  return { value: ms };
}

function parseByteSize(text: string): Parsed<number> {
  if (text === "0") return { value: 0 };
  const match = BYTE_SIZE.exec(text);
  if (match === null) return { fault: "expected a size such as 512kb, 64mb or 1gb" };
  const bytes = Number(match[1]) * (UNIT_BYTES[(match[2] ?? "").toLowerCase()] ?? Number.NaN);
  return bytes <= BYTES_MAX ? { value: Math.floor(bytes) } : { fault: "a size can be at most 1024gb" };
}

function parseRate(text: string): Parsed<Rate> {
  const match = RATE.exec(text);
  if (match === null) return { fault: "expected an amount and a period such as 500/min" };
  const amount = parseNumber(match[1] ?? "");
  if (!(amount > 0 && amount <= AMOUNT_MAX)) return { fault: "the amount must be a number above zero" };
  const per = parsePeriod(match[2] ?? "");
  return "fault" in per ? per : { value: { amount, per: per.value } };
}

function parsePeriod(text: string): Parsed<LimitPeriod> {
  const known = PERIODS.find((period) => period === text);
  if (known !== undefined) return { value: known };
  const meant = Object.hasOwn(PERIOD_WORDS, text) ? PERIOD_WORDS[text] : undefined;
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  return { fault: `the period must be one of ${PERIODS.join(", ")}${hint}` };
}

function parseListen(text: string): Parsed<ListenAddress> {
  const fault = "expected HOST:PORT such as 127.0.0.1:8787";
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) return { fault };
  const port = Number(match[3]);
  if (port > 65_535) return { fault: "a port is at most 65535" };
  return { value: { host, port, isLoopback: isLoopback(host) } };
}

/** Whether only processes of this machine can connect to this address. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function parseBaseUrl(text: string): Parsed<string> {
  const fault = "expected a URL such as https://api.example.com/v1";
  // Placeholders are filled in later, and a URL is checked as if they were.
  const probe = text.replaceAll(/\{[a-z_]+\}/g, "x");
  if (!URL.canParse(probe)) return { fault };
  const url = new URL(probe);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return { fault: "the URL must begin with http:// or https://" };
  if (url.username !== "" || url.password !== "")
    return { fault: "put credentials into `api_key`, not into the URL" };
  if (url.search !== "" || url.hash !== "")
    return { fault: "put what follows `?` into `query`, not into the URL" };
  return { value: text.replace(/\/+$/, "") };
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
