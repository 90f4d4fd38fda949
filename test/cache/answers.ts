// Answers for the cache's tests.
import type { CachedAnswer } from "../../src/cache/answer.ts";

export function answer(body = '{"id":"1"}', changes: Partial<CachedAnswer> = {}): CachedAnswer {
  return {
    storedMs: 1_764_547_200_000,
    isStream: false,
    provider: "main",
    model: "large",
    inputTokens: 12,
    outputTokens: 5,
    warnings: [],
    body: Buffer.from(body),
    ...changes,
  };
}
