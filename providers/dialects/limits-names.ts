// What a rate-limit header speaks of, from its name alone. There is no list of providers here: the name says what it
// counts and often over which time, and new names keep to the pattern.
//
//   x-ratelimit-remaining-tokens-minute        anthropic-ratelimit-output-tokens-reset        ratelimit-limit
//               ────┬──── ───┬── ──┬───                           ──────┬────── ──┬──
//                 part   dimension  window                           dimension   part

/** What a limit counts, as far as its name tells. */
export type ReportedDimension = "requests" | "tokens" | "input_tokens" | "output_tokens" | "concurrent";

/** What one header tells of a limit. */
export type LimitPart =
  | "limit"
  | "remaining"
  | "reset"
  /** Azure's `renewalperiod`: the window, in seconds. */
  | "window"
  /** Share used, from 0 to 1. */
  | "utilization"
  /** `"name";r=9;t=30` and `"name";q=10;w=60` (draft-ietf-httpapi-ratelimit-headers). */
  | "fields";

export interface LimitName {
  /** Headers with the same name speak of the same limit. */
  readonly name: string;
  readonly part: LimitPart;
}

const PARTS: Readonly<Record<string, LimitPart>> = {
  limit: "limit",
  remaining: "remaining",
  reset: "reset",
  renewalperiod: "window",
  utilization: "utilization",
};

/** `x-ratelimit-limit-requests`, `x-rate-limit-reset-tokens`, `x-tokenlimit-remaining`. */
const PART_FIRST = /^x-(rate-?|token)limit-(limit|remaining|reset|renewalperiod)(?:-(.+))?$/;
/** `anthropic-ratelimit-input-tokens-limit`. */
const PART_LAST = /^(?:[a-z]+-)?ratelimit-(?:(.+)-)?(limit|remaining|reset|utilization)$/;

/** Limits that are told by one number under a name of its own. */
const ALONE: ReadonlyMap<string, LimitName> = new Map([
  ["ratelimit", { name: "", part: "fields" }],
  ["ratelimit-policy", { name: "", part: "fields" }],
  ["x-endpoint-monthly-call-limit", { name: "calls-month", part: "limit" }],
  ["x-trial-endpoint-call-limit", { name: "calls-minute", part: "limit" }],
]);

/** What a header tells; null: nothing about limits. The name is in lower case. */
export function limitNameOf(header: string): LimitName | null {
  const alone = ALONE.get(header);
  if (alone !== undefined) return alone;
  const first = PART_FIRST.exec(header);
  if (first !== null) return named(first[3] ?? (first[1] === "token" ? "tokens" : "requests"), first[2]);
  const last = PART_LAST.exec(header);
  return last === null ? null : named(last[1] ?? "requests", last[2]);
}

function named(name: string, part: string | undefined): LimitName | null {
  const known = PARTS[part ?? ""];
  return known === undefined ? null : { name, part: known };
}

/** What a limit of this name counts; null: something that requests are not measured by here. */
export function dimensionOf(name: string): ReportedDimension | null {
  const words = name.toLowerCase();
  if (/image|audio|video|character|byte/.test(words)) return null;
  if (words.includes("token")) {
    if (/input|prompt/.test(words)) return "input_tokens";
    return /output|generated|completion/.test(words) ? "output_tokens" : "tokens";
  }
  if (/concurren|parallel/.test(words)) return "concurrent";
  return /req|call|api|default/.test(words) ? "requests" : null;
}

const SECOND = 1000;
const DAY = 86_400_000;

/** Ways in which names speak of time; the number before it multiplies: `req-10-second`, `unified-5h`. */
const WINDOWS: readonly (readonly [RegExp, number])[] = [
  [/(?:(\d+)-?|(?<![a-z]))(?:sec(?:ond)?s?\b)/, SECOND],
  [/(?:(\d+)-?|(?<![a-z]))(?:min(?:ute)?s?\b)/, 60 * SECOND],
  [/(?:(\d+)-?|(?<![a-z]))(?:hour(?:s|ly)?\b)/, 3600 * SECOND],
  [/(?:(\d+)-?|(?<![a-z]))(?:days?\b|daily\b)/, DAY],
  [/(?:(\d+)-?|(?<![a-z]))(?:week(?:s|ly)?\b)/, 7 * DAY],
  [/(?:(\d+)-?|(?<![a-z]))(?:month(?:s|ly)?\b)/, 30 * DAY],
  [/\b(\d+)m\b/, 60 * SECOND],
  [/\b(\d+)h\b/, 3600 * SECOND],
  [/\b(\d+)d\b/, DAY],
];

/** The window that a name speaks of, in milliseconds; null when it does not. */
export function windowOf(name: string): number | null {
  const words = name.toLowerCase();
  for (const [pattern, unitMs] of WINDOWS) {
    const match = pattern.exec(words);
    if (match !== null) return Number(match[1] ?? 1) * unitMs;
  }
  return null;
}
