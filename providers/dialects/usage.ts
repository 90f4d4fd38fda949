// Token counts: one meaning for every provider's words. Input includes what was read from and written to a cache,
// output includes reasoning; providers that leave a part out are corrected here, once, before anything is charged.
import type { DialectUsage } from "./dialect.ts";
import { isObject, readNumber, readObject, type Json } from "./json.ts";

export const NO_USAGE: DialectUsage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

/** A count as reported: whole and not negative, else nothing. */
export function readCount(from: unknown, key: string): number | undefined {
  const count = readNumber(from, key);
  return count === undefined || count < 0 ? undefined : Math.round(count);
}

/** What a chat answer's `usage` says, or null when it holds no counts. */
export function usageFromChat(usage: unknown, addReasoning = false): DialectUsage | null {
  const input = readCount(usage, "prompt_tokens");
  const output = readCount(usage, "completion_tokens");
  if (input === undefined && output === undefined) return null;
  const total = readCount(usage, "total_tokens");
  const reasoning =
    readCount(readObject(usage, "completion_tokens_details"), "reasoning_tokens") ??
    readCount(usage, "reasoning_tokens") ??
    0;
  const inputTokens = input ?? 0;
  const reported = output ?? Math.max(0, (total ?? inputTokens) - inputTokens);
  // Where the total is larger by exactly the reasoning, output was reported without it.
  const isApart = addReasoning || (reasoning > 0 && total === inputTokens + reported + reasoning);
  const details = readObject(usage, "prompt_tokens_details");
  return {
    inputTokens,
    outputTokens: isApart ? reported + reasoning : reported,
    cachedInputTokens: cachedTokens(usage, details),
    cacheWriteTokens: readCount(details, "cache_write_tokens") ?? 0,
    reasoningTokens: reasoning,
  };
}

function cachedTokens(usage: unknown, details: Json | undefined): number {
  return (
    readCount(details, "cached_tokens") ??
    readCount(usage, "prompt_cache_hit_tokens") ??
    readCount(usage, "cached_tokens") ??
    0
  );
}

/** The `usage` member of a chat answer. */
export function usageToChat(usage: DialectUsage): Json {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedInputTokens,
      cache_write_tokens: usage.cacheWriteTokens,
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

/** A provider's own `usage` with the counts that clients read put right and everything else kept. */
export function mendChatUsage(reported: Json, usage: DialectUsage): Json {
  const standard = usageToChat(usage);
  const prompt = reported["prompt_tokens_details"];
  const completion = reported["completion_tokens_details"];
  return {
    ...reported,
    ...standard,
    prompt_tokens_details: isObject(prompt)
      ? { ...prompt, cached_tokens: usage.cachedInputTokens }
      : { cached_tokens: usage.cachedInputTokens },
    completion_tokens_details: isObject(completion)
      ? { ...completion, reasoning_tokens: usage.reasoningTokens }
      : { reasoning_tokens: usage.reasoningTokens },
  };
}
