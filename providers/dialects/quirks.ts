// The closed list of ways in which a provider that claims the chat-completions language deviates from it, as data for
// its catalog file. The request side is listed here; almost every deviation of the answer side is recognised and mended
// by the stream normaliser without being told.

export interface Quirks {
  /** Top-level request members by another name: `max_completion_tokens: max_tokens`. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Top-level request members that the provider refuses; dropped with a warning. */
  readonly drop?: readonly string[];
  /** Message roles by another name: `developer: system`. */
  readonly roles?: Readonly<Record<string, string>>;
  /** Message contents that are lists of text parts are sent as one string. */
  readonly flattenContent?: boolean;
  /** `false`: the provider refuses `stream_options`. */
  readonly streamOptions?: boolean;
  /** Members added to every request that does not have them. */
  readonly set?: Readonly<Record<string, unknown>>;
  /**
   * Members removed from messages, their parts and tools when a request is written anew. The default removes what other
   * languages' clients and answers leave there, and reasoning; providers that want their `reasoning_content` back during
   * tool use list the others. An empty list keeps everything.
   */
  readonly strip?: readonly string[];
  /** `image_url.detail` is refused. */
  readonly noImageDetail?: boolean;
  /** `tools[].function.strict` is refused. */
  readonly noStrictTools?: boolean;
  /** Ids of tool calls must have this many letters and digits; others are replaced, calls and results alike. */
  readonly toolIdLength?: number;
  /** The delta's member that holds reasoning text, when it is neither `reasoning_content` nor `reasoning`. */
  readonly reasoningField?: string;
  /** Reported output tokens leave reasoning out: add it. Without this the totals decide. */
  readonly addReasoning?: boolean;
  /** Answers are known to be what official clients expect: they are passed on without a look at each frame. */
  readonly canonical?: boolean;
}

/** What chat answers of other languages carry for their own replay, and providers of this one may refuse. */
export const FOREIGN_MEMBERS: readonly string[] = [
  "cache_control",
  "thinking_blocks",
  "reasoning_details",
  "extra_content",
  "is_error",
  "reasoning_content",
];

/**
 * What tells that a chat request has to be parsed and written anew for this provider: one of these texts stands in it. null:
 * every request has to be; none: only what other languages leave behind asks for it. A text that means something else only
 * costs the time of writing.
 */
export function rewriteMarks(quirks: Quirks): readonly string[] | null {
  if (Object.keys(quirks.set ?? {}).length > 0) return null;
  const names = [
    ...Object.keys(quirks.rename ?? {}),
    ...Object.keys(quirks.roles ?? {}),
    ...(quirks.drop ?? []),
  ];
  if (quirks.flattenContent === true) names.push("text");
  if (quirks.noImageDetail === true) names.push("detail");
  if (quirks.noStrictTools === true) names.push("strict");
  if (quirks.toolIdLength !== undefined) names.push("tool_call_id");
  if (names.length === 0) return [];
  if (quirks.streamOptions === false) names.push("stream_options");
  return [...names, ...(quirks.strip ?? FOREIGN_MEMBERS)].map((name) => JSON.stringify(name));
}
