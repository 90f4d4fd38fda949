// Reads along while answers of the Responses language pass from a provider of that language to its client: what they
// used, whether they failed, and when a stream is over. Failures come inside a 200: as a response whose status says so,
// or as an `error` event that another event may follow.
import type { DialectStream, DialectTarget, DialectUsage } from "../dialect.ts";
import { errorMember, providerFailure, unexpectedAnswer } from "../failure.ts";
import { isObject, readObject, readText, tryParse, type Json } from "../json.ts";
import { SseParser } from "../sse.ts";
import { dialectStream, interrupted } from "../stream.ts";
import { readCount } from "../usage.ts";

/** What a whole response used. Throws the failure that it reports instead. */
export function responseUsed(answer: unknown, target: DialectTarget): DialectUsage | null {
  const error = errorMember(answer);
  if (readText(answer, "object") !== "response") {
    if (error !== undefined) throw providerFailure(error, target);
    if (!isObject(answer) || !Array.isArray(answer["output"])) throw unexpectedAnswer(answer, target);
  }
  return usageIn(answer);
}

function usageIn(answer: unknown): DialectUsage | null {
  const usage = readObject(answer, "usage");
  const inputTokens = readCount(usage, "input_tokens");
  if (inputTokens === undefined) return null;
  const input = readObject(usage, "input_tokens_details");
  const output = readObject(usage, "output_tokens_details");
  return {
    inputTokens,
    outputTokens: readCount(usage, "output_tokens") ?? 0,
    cachedInputTokens: readCount(input, "cached_tokens") ?? 0,
    cacheWriteTokens: readCount(input, "cache_write_tokens") ?? 0,
    reasoningTokens: readCount(output, "reasoning_tokens") ?? 0,
  };
}

const NOTHING: readonly Json[] = [];

/** Follows a stream; it yields no chunks. */
export function watchResponse(target: DialectTarget): DialectStream {
  let usage: DialectUsage | null = null;
  let isOver = false;
  let hasBegun = false;
  const onEvent = (name: string, data: string): void => {
    const event = tryParse(data);
    if (!isObject(event)) return;
    const type = readText(event, "type") ?? name;
    if (type === "error" && !hasBegun) throw providerFailure(readObject(event, "error") ?? event, target);
    hasBegun = true;
    const response = readObject(event, "response");
    if (type !== "response.completed" && type !== "response.incomplete" && type !== "response.failed") return;
    usage = usageIn(response);
    if (type === "response.failed") throw providerFailure(readObject(response, "error") ?? {}, target);
    isOver = true;
  };
  return dialectStream(new SseParser(onEvent), {
    end() {
      if (!isOver) throw interrupted();
    },
    finished: () => isOver,
    usage: () => usage,
    take: () => NOTHING,
  });
}
