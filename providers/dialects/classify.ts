// What a provider's failure means: one small function over a table of rules (classify-rules.ts). Retry and fallback
// read only the kind, the wait and nothing else; the message is for the client, on one line, without secrets.
import { GatewayError } from "../../src/errors.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { BY_STATUS, LONG_QUOTA_CODE, RULES } from "./classify-rules.ts";
import type { ErrorKind } from "./classify-rules.ts";
import { waitOf } from "./classify-wait.ts";
import { wordsOf } from "./classify-words.ts";
import type { AnswerHeaders, ErrorWords } from "./classify-words.ts";

export type { ErrorKind } from "./classify-rules.ts";
export type { AnswerHeaders } from "./classify-words.ts";

/** What an error of one provider means, from its catalog file. All the conditions given have to hold. */
export interface ErrorHint {
  readonly status: number | null;
  /** Equal to one of the error's codes. */
  readonly code: string | null;
  /** Contained in the error's message, whatever the case. */
  readonly message: string | null;
  readonly kind: ErrorKind;
}

/** A provider's answer that is an error. */
export interface FailedAnswer {
  /** The HTTP status; 200 for an error inside a body or a stream, which may bring its own. */
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** Bytes, text or parsed JSON: the body, or the event of a stream. At most its first 64 KiB are read. */
  readonly body: unknown;
}

export interface Failure {
  readonly kind: ErrorKind;
  /** A limit over some time refused, be it a minute or a month: no want of money, and no overload. */
  readonly isMetered: boolean;
  /** How long the provider asks us to stay away, in milliseconds, above 0; null when it does not say. */
  readonly waitMs: number | null;
  /** The provider's words on one line, bounded, without keys and account ids; may be empty. */
  readonly message: string;
  /** The request's field at fault, in the provider's words. */
  readonly param: string | null;
  /** The status that the provider meant. */
  readonly status: number;
  /** Whether it says, in the code that clients match, that it does not know a parameter. */
  readonly isUnsupported: boolean;
}

/** A wait from which on a rate limit is as good as a quota that is used up: nobody waits for it. */
const SPENT_WAIT_MS = 600_000;

/** How much of a message is searched: what matters stands at its beginning, and what follows may be anything. */
const READ_LENGTH_MAX = 1500;

/** Quotas that are longer than a minute, as messages name them. */
const LONG_QUOTA = /\b(per day|daily|TPD|RPD|per month|monthly)\b/i;

/** Classifies a failed answer. Hints come before the general rules. Never throws. */
export function classify(answer: FailedAnswer, hints: readonly ErrorHint[], wallMs: number): Failure {
  const words = wordsOf(answer.body, answer.headers);
  const status = answer.status < 300 ? (words.status ?? answer.status) : answer.status;
  const kind = hinted(words, status, hints) ?? ruled(words, status) ?? byStatus(status, words.isPage);
  const mayWait = status === 429 || status >= 500 || kind === "rate_limited" || kind === "overloaded";
  const waitMs = mayWait ? waitOf(words, answer.headers, wallMs) : null;
  const isLong =
    kind === "rate_limited" && (waitMs === null ? LONG_QUOTA.test(words.message) : waitMs >= SPENT_WAIT_MS);
  return {
    kind: isLong ? "quota_spent" : kind,
    isMetered: kind === "rate_limited" || (kind === "quota_spent" && words.codes.some(isLongQuota)),
    waitMs: untilQuotaDay(words, waitMs, wallMs),
    message: cleanMessage(words.message),
    param: words.param,
    status,
    isUnsupported: kind === "bad_request" && words.codes.includes("unsupported_parameter"),
  };
}

function isLongQuota(code: string): boolean {
  return LONG_QUOTA_CODE.test(code);
}

function hinted(words: ErrorWords, status: number, hints: readonly ErrorHint[]): ErrorKind | undefined {
  const message = words.message.toLowerCase();
  return hints.find(
    (hint) =>
      (hint.status === null || hint.status === status) &&
      (hint.code === null || words.codes.includes(hint.code)) &&
      (hint.message === null || message.includes(hint.message.toLowerCase())),
  )?.kind;
}

function ruled(words: ErrorWords, status: number): ErrorKind | undefined {
  const message = words.message.slice(0, READ_LENGTH_MAX);
  return RULES.find(
    (rule) =>
      (rule.statuses === undefined || rule.statuses.includes(status) || status < 300) &&
      (rule.code === undefined || words.codes.some((code) => rule.code?.test(code) === true)) &&
      (rule.message === undefined || rule.message.test(message)),
  )?.kind;
}

/** A page that forbids is a wall before the provider, which found fault with the words or the way; the key may be good. */
function byStatus(status: number, isPage: boolean): ErrorKind {
  if (status === 403 && isPage) return "transient";
  const known = BY_STATUS[status] ?? BY_STATUS[Math.floor(status / 100) * 100];
  return known ?? "transient";
}

/** The day of a daily quota by id ends at midnight in California, whatever delay stands beside it. */
function untilQuotaDay(words: ErrorWords, waitMs: number | null, wallMs: number): number | null {
  return words.codes.some((code) => /PerDay(Per|-|$)/.test(code)) ? msToPacificMidnight(wallMs) : waitMs;
}

const PACIFIC = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/Los_Angeles",
  hourCycle: "h23",
  hour: "numeric",
  minute: "numeric",
  second: "numeric",
});

/** On the two days a year whose length differs it is an hour off; the next refusal corrects that. */
function msToPacificMidnight(wallMs: number): number {
  let seconds = 0;
  for (const { type, value } of PACIFIC.formatToParts(wallMs)) {
    if (type === "hour") seconds += Number(value) * 3600;
    if (type === "minute") seconds += Number(value) * 60;
    if (type === "second") seconds += Number(value);
  }
  return (86_400 - seconds) * 1000;
}

const MESSAGE_LENGTH_MAX = 500;

/** Keys, account ids and access tokens, as far as they look like ones. */
const SECRETS =
  /\b(?:sk|pk|rk|gsk|xai|org|proj|acct|user)[-_](?=[\w*-]*[\d*])[\w*-]{6,}|\bAIza[\w-]{20,}|\bAKIA[0-9A-Z]{12,}|\bBearer +\S+|(?<=arn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}/g;

function cleanMessage(message: string): string {
  const line = message
    .slice(0, 4000)
    .replaceAll(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .replaceAll(SECRETS, "…");
  return line.length > MESSAGE_LENGTH_MAX ? `${line.slice(0, MESSAGE_LENGTH_MAX)}…` : line;
}

const CODES: Readonly<Record<ErrorKind, ErrorCode>> = {
  quota_spent: "provider_quota_spent",
  rate_limited: "provider_rate_limited",
  overloaded: "provider_overloaded",
  capacity: "provider_overloaded",
  bad_request: "invalid_request",
  auth: "provider_auth",
  not_found: "model_not_found",
  content_filter: "content_filter",
  context_length: "context_length_exceeded",
  transient: "provider_error",
};

/** What the gateway says where the provider's words are for its operator, not for the client. */
const OWN_WORDS: Partial<Readonly<Record<ErrorKind, string>>> = {
  quota_spent: "has no quota or credit left for this gateway",
  auth: "refused this gateway's API key",
};

/** The error for the client, should no other attempt help. `provider` is the configuration's name for it. */
export function toGatewayError(failure: Failure, provider: string): GatewayError {
  const { kind, message, waitMs, status, param, isUnsupported } = failure;
  const own = OWN_WORDS[kind];
  const said = message === "" ? `answered with status ${status}` : `says: ${message}`;
  return new GatewayError(
    isUnsupported ? "unsupported_parameter" : CODES[kind],
    `Provider \`${provider}\` ${own ?? said}${own === undefined ? "" : "."}`,
    {
      ...(waitMs === null ? {} : { retryAfterMs: waitMs }),
      ...(param === null ? {} : { param }),
      // A client tells 400, 413 and 422 apart; the rest is the gateway's to name.
      ...(kind === "bad_request" && status >= 400 && status < 500 ? { status } : {}),
    },
  );
}
