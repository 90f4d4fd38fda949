// What vendors are known to send beyond what the recordings hold: each habit as a stream and, where it has one, as a whole
// answer in its vendor's language, and what every client must find in it.
import type { Json } from "../../providers/dialects/json.ts";
import { event, exception, joined } from "./bedrock/frames.ts";
import { chatSse, encode, namedSse } from "./recordings.ts";

export interface Habit {
  readonly name: string;
  readonly dialect: "openai" | "anthropic" | "gemini" | "bedrock";
  readonly model?: string;
  readonly stream?: Uint8Array;
  readonly whole?: Json;
  readonly holds: HabitHolds;
}

export interface HabitHolds {
  readonly text?: string;
  readonly reasoning?: string;
  readonly calls?: readonly { readonly name: string; readonly args: unknown }[];
  readonly finish?: "stop" | "length" | "tool_calls" | "content_filter";
  /** What stands under `extra_content`, for clients that have no other place for it. */
  readonly extra?: Json;
  readonly pictures?: number;
  readonly annotations?: number;
  /** The error that it is; nothing else is looked at then. */
  readonly fails?: string;
}

const HEAD = { id: "gen-1", object: "chat.completion.chunk", created: 5, model: "served" };
const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const chunk = (delta: Json, finish: string | null = null, more: Json = {}): Json => ({
  ...HEAD,
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...more,
});
const said = (message: Json, finish = "stop", more: Json = {}): Json => ({
  ...HEAD,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
  usage: USAGE,
  ...more,
});
const PNG = "data:image/png;base64,QUJD";
const CITATION = { type: "url_citation", url_citation: { url: "https://a.test", title: "T" } };

const compatible: readonly Omit<Habit, "dialect">[] = [
  {
    name: "comments, reasoning details and usage beside an empty choice",
    stream: encode(
      [
        ": PROCESSING\n\n: PROCESSING\n\n",
        ...[
          chunk({ role: "assistant", content: "", reasoning: "Hm", reasoning_details: [{ text: "Hm" }] }),
          chunk({ role: "assistant", content: "Hi" }),
          chunk({ role: "assistant", content: "" }, "stop"),
          chunk({ role: "assistant", content: "" }, null, { usage: { ...USAGE, cost: 0.1 } }),
        ].map((each) => `data: ${JSON.stringify(each)}\n\n`),
        "data: [DONE]\n\n",
      ].join(""),
    ),
    whole: said({ content: "Hi", reasoning: "Hm", refusal: null }),
    holds: { text: "Hi", reasoning: "Hm" },
  },
  {
    name: "an error beside a finish reason",
    stream: chatSse([
      chunk({ role: "assistant", content: "Hel" }),
      { ...chunk({ content: "" }, "error"), error: { code: "server_error", message: "Disconnected" } },
    ]),
    whole: { ...said({ content: "" }, "error") },
    holds: { fails: "provider_error" },
  },
  {
    name: "pictures beside the text",
    stream: chatSse([
      chunk({ role: "assistant", content: "A cat", images: [{ image_url: { url: PNG }, index: 0 }] }),
      chunk({}, "stop"),
    ]),
    whole: said({ content: "A cat", images: [{ type: "image_url", image_url: { url: PNG } }] }),
    holds: { text: "A cat", pictures: 1 },
  },
  {
    name: "a citation",
    stream: chatSse([
      chunk({ role: "assistant", content: "A cat" }),
      chunk({ content: "", annotations: [CITATION] }),
      chunk({}, "stop"),
    ]),
    whole: said({ content: "A cat", annotations: [CITATION] }),
    holds: { text: "A cat", annotations: 1 },
  },
  {
    name: "sources beside the choices, repeated on every chunk",
    stream: chatSse([
      chunk({ role: "assistant", content: "A " }, null, { citations: ["https://a.test"], usage: USAGE }),
      chunk({ content: "cat" }, "stop", { citations: ["https://a.test"], usage: USAGE }),
    ]),
    whole: said({ content: "A cat" }, "stop", { citations: ["https://a.test"] }),
    holds: { text: "A cat", extra: { citations: ["https://a.test"] } },
  },
  {
    name: "references among the content",
    stream: chatSse([
      chunk({ role: "assistant", content: "" }),
      chunk({
        content: [
          { type: "text", text: "Hi" },
          { type: "reference", reference_ids: [0] },
        ],
      }),
      chunk({ content: "" }, "stop"),
    ]),
    whole: said({
      content: [
        { type: "text", text: "Hi" },
        { type: "reference", reference_ids: [0] },
      ],
    }),
    holds: { text: "Hi", extra: { content_parts: [{ type: "reference", reference_ids: [0] }] } },
  },
  {
    name: "calls between which text is said",
    stream: chatSse([
      chunk({ role: "assistant", content: "A" }),
      chunk({
        tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: '{"x":' } }],
      }),
      chunk({
        tool_calls: [{ index: 1, id: "b", type: "function", function: { name: "g", arguments: "" } }],
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: "1}" } }] }),
      chunk({ content: "B" }),
      chunk({}, "tool_calls"),
    ]),
    holds: {
      text: "AB",
      calls: [
        { name: "f", args: { x: 1 } },
        { name: "g", args: {} },
      ],
      finish: "tool_calls",
    },
  },
  {
    name: "a finish reason with details",
    stream: chatSse([chunk({ role: "assistant", content: "Hi" }, "content_filter: RECITATION")]),
    holds: { text: "Hi", finish: "content_filter" },
  },
  {
    name: "an error that is the object itself",
    stream: chatSse([
      chunk({ role: "assistant", content: "Hi" }),
      { object: "error", message: "CUDA", code: 500 },
    ]),
    whole: { object: "error", message: "CUDA", code: 500 },
    holds: { fails: "provider_error" },
  },
];

const message = (blocks: readonly Json[], end: Json = {}): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "served",
  content: blocks,
  stop_reason: "end_turn",
  usage: { input_tokens: 10, output_tokens: 5 },
  ...end,
});

/** The same as a stream. `deltas`: how each block grows. */
function messageEvents(
  blocks: readonly { start: Json; deltas?: readonly Json[] }[],
  end: Json = {},
): Uint8Array {
  return namedSse([
    { type: "message_start", message: message([], { stop_reason: null }) },
    { type: "ping" },
    ...blocks.flatMap(({ start, deltas = [] }, index) => [
      { type: "content_block_start", index, content_block: start },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ]),
    { type: "message_delta", delta: { stop_reason: "end_turn", ...end }, usage: { output_tokens: 5 } },
    { type: "message_stop" },
  ]);
}

const SEARCH = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search" };
const FOUND = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] };
const CITED = { type: "web_search_result_location", url: "https://a.test", title: "T", cited_text: "c" };
const CONTAINER = { container: { id: "c1" }, context_management: { applied_edits: [] } };
const SIGNED = { type: "signature_delta", signature: "c2ln" };

const anthropic: readonly Omit<Habit, "dialect">[] = [
  {
    name: "the provider's own search, and what it cites",
    stream: messageEvents([
      { start: { ...SEARCH, input: {} }, deltas: [{ type: "input_json_delta", partial_json: '{"q":1}' }] },
      { start: FOUND },
      {
        start: { type: "text", text: "" },
        deltas: [
          { type: "citations_delta", citation: CITED },
          { type: "text_delta", text: "Hi" },
        ],
      },
    ]),
    whole: message([{ ...SEARCH, input: { q: 1 } }, FOUND, { type: "text", text: "Hi", citations: [CITED] }]),
    holds: {
      text: "Hi",
      extra: { anthropic: { blocks: [{ ...SEARCH, input: { q: 1 } }, FOUND], citations: [CITED] } },
    },
  },
  {
    name: "a refusal with an explanation",
    stream: messageEvents([], { stop_reason: "refusal", stop_details: { explanation: "No." } }),
    whole: message([], { stop_reason: "refusal", stop_details: { explanation: "No." } }),
    holds: { text: "No.", finish: "content_filter" },
  },
  {
    name: "thinking whose text is not shown",
    stream: messageEvents([
      { start: { type: "thinking", thinking: "", signature: "" }, deltas: [SIGNED] },
      { start: { type: "redacted_thinking", data: "RR" } },
      { start: { type: "text", text: "" }, deltas: [{ type: "text_delta", text: "Hi" }] },
    ]),
    holds: { text: "Hi" },
  },
  {
    name: "a container to go on in, and what was edited out",
    stream: messageEvents([{ start: { type: "text", text: "Hi" } }], CONTAINER),
    whole: message([{ type: "text", text: "Hi" }], CONTAINER),
    holds: { text: "Hi", extra: { anthropic: CONTAINER } },
  },
  {
    name: "overload before anything was said",
    stream: namedSse([{ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }]),
    whole: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
    holds: { fails: "provider_overloaded" },
  },
];

const generated = (parts: readonly Json[], end: Json = {}): Json => ({
  candidates: [{ content: { role: "model", parts }, index: 0, ...end }],
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5 },
});
const generatedEvents = (...events: readonly Json[]): Uint8Array =>
  encode(events.map((each) => `data: ${JSON.stringify(each)}\r\n\r\n`).join(""));
const STOP = { finishReason: "STOP" };
const GROUNDING = {
  groundingMetadata: { groundingChunks: [{ web: { uri: "https://a.test" } }] },
  urlContextMetadata: { urlMetadata: [] },
};
const GROUNDED = {
  google: {
    grounding_metadata: GROUNDING.groundingMetadata,
    url_context_metadata: GROUNDING.urlContextMetadata,
  },
};

const gemini: readonly Omit<Habit, "dialect">[] = [
  {
    name: "text and sources behind the reason of the end",
    stream: generatedEvents(generated([{ text: "Hi" }], STOP), generated([{ text: " there" }], GROUNDING)),
    whole: generated([{ text: "Hi there" }], { ...STOP, ...GROUNDING }),
    holds: { text: "Hi there", extra: GROUNDED },
  },
  {
    name: "a picture",
    stream: generatedEvents(
      generated([{ text: "A cat" }]),
      generated([{ inlineData: { mimeType: "image/png", data: "QUJD" } }], STOP),
    ),
    whole: generated([{ text: "A cat" }, { inlineData: { mimeType: "image/png", data: "QUJD" } }], STOP),
    holds: { text: "A cat", pictures: 1 },
  },
  {
    name: "code that was run",
    stream: generatedEvents(
      generated([{ executableCode: { code: "1+1" } }]),
      generated([{ codeExecutionResult: { output: "2" } }]),
      generated([{ text: "2" }], STOP),
    ),
    holds: {
      text: "2",
      extra: {
        google: { parts: [{ executableCode: { code: "1+1" } }, { codeExecutionResult: { output: "2" } }] },
      },
    },
  },
  {
    name: "a wall before the model",
    stream: generatedEvents(generated([], { finishReason: "MODEL_ARMOR" })),
    whole: generated([], { finishReason: "MODEL_ARMOR" }),
    holds: { finish: "content_filter" },
  },
  {
    name: "a call that the model garbled",
    stream: generatedEvents(generated([], { finishReason: "MALFORMED_FUNCTION_CALL" })),
    whole: generated([], { finishReason: "MALFORMED_FUNCTION_CALL" }),
    holds: { fails: "provider_bad_response" },
  },
];

const delta = (contentBlockIndex: number, each: Json): Json => ({
  contentBlockDelta: { contentBlockIndex, delta: each },
});
const start = (contentBlockIndex: number, each: Json): Json => ({
  contentBlockStart: { contentBlockIndex, start: each },
});
const stop = (contentBlockIndex: number): Json => ({ contentBlockStop: { contentBlockIndex } });
const BEGIN = { messageStart: { role: "assistant" } };
const END = [
  { messageStop: { stopReason: "end_turn" } },
  { metadata: { usage: { inputTokens: 10, outputTokens: 5 } } },
];
const GROUNDING_USE = { toolUseId: "t1", name: "nova_grounding", type: "server_tool_use" };
const GROUNDING_BLOCKS = [
  { toolUse: { ...GROUNDING_USE, input: { q: 1 } } },
  { toolResult: { toolUseId: "t1", content: [{ text: "r" }] } },
];

const bedrock: readonly Omit<Habit, "dialect">[] = [
  {
    name: "a tool that the provider runs itself",
    model: "amazon.nova-2-lite",
    stream: joined(
      [
        BEGIN,
        start(0, { toolUse: GROUNDING_USE }),
        delta(0, { toolUse: { input: '{"q"' } }),
        delta(0, { toolUse: { input: ":1}" } }),
        stop(0),
        start(1, { toolResult: { toolUseId: "t1" } }),
        delta(1, { toolResult: [{ text: "r" }] }),
        stop(1),
        delta(2, { text: "Hi" }),
        stop(2),
        ...END,
      ].map(event),
    ),
    whole: {
      output: { message: { role: "assistant", content: [...GROUNDING_BLOCKS, { text: "Hi" }] } },
      stopReason: "end_turn",
      usage: { inputTokens: 10, outputTokens: 5 },
    },
    holds: { text: "Hi", extra: { bedrock: { blocks: GROUNDING_BLOCKS } } },
  },
  {
    name: "what the request asked for beside the answer",
    stream: joined(
      [
        BEGIN,
        delta(0, { text: "Hi" }),
        stop(0),
        { messageStop: { stopReason: "end_turn", additionalModelResponseFields: { stop_sequence: "x" } } },
        { metadata: { usage: { inputTokens: 10, outputTokens: 5 }, trace: { guardrail: {} } } },
      ].map(event),
    ),
    whole: {
      output: { message: { role: "assistant", content: [{ text: "Hi" }] } },
      stopReason: "end_turn",
      additionalModelResponseFields: { stop_sequence: "x" },
      trace: { guardrail: {} },
      usage: { inputTokens: 10, outputTokens: 5 },
    },
    holds: {
      text: "Hi",
      extra: {
        bedrock: { additional_model_response_fields: { stop_sequence: "x" }, trace: { guardrail: {} } },
      },
    },
  },
  {
    name: "an exception after the first words",
    stream: joined([event(BEGIN), event(delta(0, { text: "Hel" })), exception("throttlingException", "m")]),
    holds: { fails: "provider_rate_limited" },
  },
];

type Dialect = Habit["dialect"];
const of = (dialect: Dialect, habits: readonly Omit<Habit, "dialect">[]): readonly Habit[] =>
  habits.map((habit) => Object.assign({ dialect }, habit));

export const HABITS: readonly Habit[] = [
  ...of("openai", compatible),
  ...of("anthropic", anthropic),
  ...of("gemini", gemini),
  ...of("bedrock", bedrock),
];
