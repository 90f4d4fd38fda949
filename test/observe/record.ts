// A request that is over, for tests: a good one unless told otherwise.
import type { RequestRecord } from "../../src/observe/events.ts";

export function requestRecord(changes: Partial<RequestRecord> = {}): RequestRecord {
  return {
    id: "request-1",
    route: "/v1/chat/completions",
    startedMs: 1000,
    keyName: "team-a",
    modelAsked: "smart",
    provider: "main",
    model: "large",
    isStream: false,
    attempts: 1,
    status: 200,
    outcome: "ok",
    errorCode: "",
    waitedMs: 0,
    sentMs: 1000.2,
    firstByteMs: 1100,
    endedMs: 1500,
    usage: {
      inputTokens: 10,
      outputTokens: 20,
      cachedInputTokens: 4,
      cacheWriteTokens: 0,
      reasoningTokens: 0,
    },
    isUsageEstimated: false,
    cache: "",
    ...changes,
  };
}
