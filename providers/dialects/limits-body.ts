// Limits that only a refusal tells, in its body: quota violations with ids and values, and sentences with figures. For
// providers without headers this is all there is to learn from.
import type { ErrorWords } from "./classify-words.ts";
import { isRecord } from "./classify-words.ts";
import { limitOf } from "./limits-window.ts";
import type { LimitReport, ReportedDimension } from "./limits.ts";

/** Limits that a 429's body shows, each of them used up. `waitMs`: how long the provider asked to be left alone. */
export function limitsInBody(
  words: Pick<ErrorWords, "json" | "message">,
  waitMs: number | null,
): readonly LimitReport[] {
  return [...violationsOf(words.json, 0), ...sentencesOf(words.message, waitMs)];
}

const QUOTA_ID = /(InputToken|Token|Request)[A-Za-z]*?Per(Second|Minute|Hour|Day)/;
/** The order is free: `GenerateContentInputTokensPerModelPerMinute`. */
const QUOTA_WINDOW = /Per(Second|Minute|Hour|Day)/;

const WINDOW_MS: Readonly<Record<string, number>> = {
  Second: 1000,
  Minute: 60_000,
  Hour: 3_600_000,
  Day: 86_400_000,
  S: 1000,
  M: 60_000,
  H: 3_600_000,
  D: 86_400_000,
};

const COUNTED: Readonly<Record<string, ReportedDimension>> = {
  InputToken: "input_tokens",
  Token: "tokens",
  Request: "requests",
  R: "requests",
  T: "tokens",
  IT: "input_tokens",
  OT: "output_tokens",
};

function violationsOf(value: unknown, depth: number): readonly LimitReport[] {
  if (depth > 6) return [];
  if (Array.isArray(value)) return value.slice(0, 16).flatMap((item) => violationsOf(item, depth + 1));
  if (!isRecord(value)) return [];
  const { quotaId, quotaValue } = value;
  if (typeof quotaId === "string") return reportOfQuota(quotaId, Number(quotaValue));
  return ["error", "details", "violations"].flatMap((name) => violationsOf(value[name], depth + 1));
}

function reportOfQuota(id: string, limit: number): readonly LimitReport[] {
  const dimension = COUNTED[QUOTA_ID.exec(id)?.[1] ?? ""];
  const windowMs = WINDOW_MS[QUOTA_WINDOW.exec(id)?.[1] ?? ""];
  const units = limitOf(limit);
  if (dimension === undefined || windowMs === undefined || units === null) return [];
  return [
    { name: id, dimension, windowMs, isWindowInferred: false, limit: units, remaining: 0, resetMs: null },
  ];
}

/** "on tokens per min (TPM): Limit 10000, Used 9000, Requested 2000". */
const SENTENCE = /\(((?:IT|OT|R|T))P([SMHD])\): Limit (\d{1,15})(?:, Used (\d{1,15}))?/g;

function sentencesOf(message: string, waitMs: number | null): readonly LimitReport[] {
  return [...message.slice(0, 4000).matchAll(SENTENCE)].flatMap(
    ([, counted = "", window = "", figure, used]) => {
      const dimension = COUNTED[counted];
      const windowMs = WINDOW_MS[window];
      const limit = limitOf(Number(figure));
      if (dimension === undefined || windowMs === undefined || limit === null) return [];
      const remaining = used === undefined ? null : Math.max(0, limit - Number(used));
      return [
        {
          name: `${counted}P${window}`,
          dimension,
          windowMs,
          isWindowInferred: false,
          limit,
          remaining,
          // What was asked for is free then, not everything; a longer time would be wrong and a shorter one a promise.
          resetMs: remaining === null ? null : waitMs,
        },
      ];
    },
  );
}
