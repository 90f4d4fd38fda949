// A provider's traits from the file's words to the types that the rest reads.
import type { Quirks } from "../../providers/dialects/quirks.ts";
import type { Counting, ErrorHint, LimitHeaders } from "./config.ts";
import type { RawProvider } from "./schema.ts";

export function toQuirks(raw: RawProvider["quirks"] = {}): Quirks {
  const { rename, drop, roles, set, strip, canonical, reasoning_field: reasoningField } = raw;
  const { flatten_content: flattenContent, stream_options: streamOptions, add_reasoning: addReasoning } = raw;
  const {
    no_image_detail: noImageDetail,
    no_strict_tools: noStrictTools,
    tool_id_length: toolIdLength,
  } = raw;
  return {
    ...(rename && { rename }),
    ...(drop && { drop }),
    ...(roles && { roles }),
    ...(set && { set }),
    ...(strip && { strip }),
    ...(canonical !== undefined && { canonical }),
    ...(reasoningField !== undefined && { reasoningField }),
    ...(flattenContent !== undefined && { flattenContent }),
    ...(streamOptions !== undefined && { streamOptions }),
    ...(addReasoning !== undefined && { addReasoning }),
    ...(noImageDetail !== undefined && { noImageDetail }),
    ...(noStrictTools !== undefined && { noStrictTools }),
    ...(toolIdLength !== undefined && { toolIdLength }),
  };
}

export function toLimitHeaders(raw: RawProvider["limit_headers"] = {}): LimitHeaders {
  const names = Object.entries(raw.names ?? {}).map(([name, { dimension, window }]) => [
    name.toLowerCase(),
    { dimension, windowMs: window ?? null },
  ]);
  return { resetUnit: raw.reset_unit ?? null, names: Object.fromEntries(names) };
}

export function toCounting(raw: RawProvider["counting"] = {}): Counting {
  return {
    tokensCountOutput: raw.tokens_count_output ?? true,
    cachedInputCounts: raw.cached_input_counts ?? true,
    reservesOutput: raw.reserves_output ?? "none",
    outputWeight: raw.output_weight ?? 1,
  };
}

export function toErrorHints(raw: RawProvider["errors"] = []): readonly ErrorHint[] {
  return raw.map(({ status, code, message, kind }) => ({
    status: status ?? null,
    code: code ?? null,
    message: message ?? null,
    kind,
  }));
}
