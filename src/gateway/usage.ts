// What a request used, read from the usage object of the client's own language, or estimated when there is none.
import type { Usage } from "../observe/events.ts";

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

/** Reads the bytes of a `usage` object; `null` when they don't say how many tokens came in. */
export function parseUsage(bytes: Buffer): Usage | null {
  let usage: unknown;
  try {
    usage = JSON.parse(bytes.toString("utf8"));
  } catch {
    // Not JSON after all: the same as not reported, so it is estimated.
    return null;
  }
  // Where nothing is generated, the total may be all that is said.
  const inputTokens =
    count(usage, "prompt_tokens") ?? count(usage, "input_tokens") ?? count(usage, "total_tokens");
  if (inputTokens === null) return null;
  const input = member(usage, "prompt_tokens_details") ?? member(usage, "input_tokens_details");
  return {
    inputTokens,
    outputTokens: count(usage, "completion_tokens") ?? count(usage, "output_tokens") ?? 0,
    cachedInputTokens: count(input, "cached_tokens") ?? 0,
    cacheWriteTokens: count(input, "cache_write_tokens") ?? 0,
    reasoningTokens: count(member(usage, "completion_tokens_details"), "reasoning_tokens") ?? 0,
  };
}

export const NOTHING_USED: Usage = estimatedUsage(0, 0);

/** The usage of an answer that came without one. */
export function estimatedUsage(inputTokens: number, outputTokens: number): Usage {
  return { inputTokens, outputTokens, cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
}
