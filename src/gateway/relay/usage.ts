// What a request used, read from the usage object of the client's own language, or estimated when there is none.
import { tryParse } from "../../json.ts";
import type { Sale, Usage } from "../../observe/events.ts";
import { firstUsage, lastUsage, USAGE_METADATA } from "./frames.ts";

/** More than any request can use; larger numbers are a provider's mistake. */
const TOKENS_MAX = 1e9;

/** A member of an object of unknown shape. */
function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

function count(value: unknown, name: string): number | null {
  const tokens = member(value, name);
  return typeof tokens === "number" && tokens >= 0 && tokens <= TOKENS_MAX ? Math.round(tokens) : null;
}

function first(value: unknown, names: readonly string[]): number | null {
  for (const name of names) {
    const found = count(value, name);
    if (found !== null) return found;
  }
  return null;
}

/** What the counts are called, by the languages that providers answer in. */
const INPUT = ["prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens"];
const OUTPUT = ["completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"];
/** Where nothing is generated, the total may be all that is said. */
const TOTAL = ["total_tokens", "totalTokens"];

/** What is not JSON after all is the same as not reported, so it is estimated. */
function parsed(bytes: Buffer): unknown {
  return tryParse(bytes.toString("utf8"));
}

/** Sound that went in: alone, or beside tokens. */
const AUDIO_SECONDS = ["seconds", "prompt_audio_seconds"];
/** A day of sound; more is a provider's mistake. */
const SECONDS_MAX = 86_400;

/** Reads the bytes of a `usage` object; `null` when they don't say how many tokens, or seconds of sound, came in. */
export function parseUsage(bytes: Buffer): Usage | null {
  const usage = parsed(bytes);
  const tokens = first(usage, INPUT) ?? first(usage, TOTAL);
  const seconds = audioSeconds(usage);
  if (tokens === null && seconds === null) return null;
  const inputTokens = tokens ?? 0;
  const input = member(usage, "prompt_tokens_details") ?? member(usage, "input_tokens_details");
  return {
    ...(seconds === null
      ? {}
      : { sold: { sale: { kind: "audio", seconds }, hasTokens: tokens !== null } as const }),
    inputTokens,
    outputTokens: first(usage, OUTPUT) ?? 0,
    cachedInputTokens: count(input, "cached_tokens") ?? 0,
    cacheWriteTokens: count(input, "cache_write_tokens") ?? 0,
    reasoningTokens: count(member(usage, "completion_tokens_details"), "reasoning_tokens") ?? 0,
  };
}

function audioSeconds(usage: unknown): number | null {
  for (const name of AUDIO_SECONDS) {
    const seconds = member(usage, name);
    if (typeof seconds === "number" && seconds >= 0 && seconds <= SECONDS_MAX) return seconds;
  }
  return null;
}

const BILLED_UNITS = Buffer.from('"billed_units"');
/** As a member of the answer itself: inside a text the quotation mark would be escaped. */
const DURATION = /(?<!\\)"duration"\s*:\s*(\d{1,6}(?:\.\d{1,9})?)(?=\s*[,}])/;
const DURATION_BYTES = 4096;

/** What an answer without a usage object says of what is sold otherwise than by tokens; null: nothing. */
export function soldIn(body: Buffer): Usage | null {
  const searches = count(parsed(lastUsage(body, BILLED_UNITS) ?? Buffer.alloc(0)), "search_units");
  if (searches !== null) return soldAlone({ kind: "searches", count: searches });
  const seconds = DURATION.exec(body.toString("latin1", 0, DURATION_BYTES))?.[1];
  return seconds === undefined ? null : soldAlone({ kind: "audio", seconds: Number(seconds) });
}

function soldAlone(sale: Sale): Usage {
  return { ...NOTHING_USED, sold: { sale, hasTokens: false } };
}

/** What an answer in whatever language says of usage at its beginning and at its end, the larger of each count; null: nothing. */
export function usageAround(head: Buffer, tail: Buffer): Usage | null {
  let [inputTokens, outputTokens, isSaid] = [0, 0, false];
  const said = [
    firstUsage(head) ?? firstUsage(head, USAGE_METADATA),
    lastUsage(tail) ?? lastUsage(tail, USAGE_METADATA),
  ];
  for (const bytes of said) {
    const usage = bytes === null ? null : parsed(bytes);
    const output = first(usage, OUTPUT);
    const input = first(usage, INPUT) ?? (output === null ? first(usage, TOTAL) : null);
    inputTokens = Math.max(inputTokens, input ?? 0);
    outputTokens = Math.max(outputTokens, output ?? 0);
    isSaid ||= input !== null || output !== null;
  }
  return isSaid ? estimatedUsage(inputTokens, outputTokens) : null;
}

export const NOTHING_USED: Usage = estimatedUsage(0, 0);

/** The usage of an answer that came without one. */
export function estimatedUsage(inputTokens: number, outputTokens: number): Usage {
  return { inputTokens, outputTokens, cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
}
