// What each vendor would answer, in its own words: one saying, written whole and streamed in four wire languages. The
// shapes follow the vendors' references, with the habits that recordings show: a "compatible" provider whose tool calls have
// neither type nor index, padded frames, lines that end in CRLF, usage spread over a stream's ends.
import type { Json } from "../../providers/dialects/json.ts";
import { event, exception, joined } from "./bedrock/frames.ts";
import { chatSse, encode, namedSse } from "./recordings.ts";

export interface Call {
  readonly id: string;
  readonly name: string;
  readonly args: Json;
}

/** One answer of a model, and what it cost: 20 tokens in, of them 4 cached, and 9 out, of them 3 of thinking if it thought. */
export interface Said {
  readonly thinking?: string;
  readonly text?: string;
  readonly calls?: readonly Call[];
}

export interface VendorAnswers {
  whole(said: Said): Json;
  streamed(said: Said): Uint8Array;
  /** A stream that says `Hel` and then fails, the provider being overloaded. */
  broken(): Uint8Array;
}

/** The signature on all thinking, where the vendor signs it. */
export const SIGNATURE = "c2lnbmVk";

const halves = (text: string): readonly string[] => {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
};
const stopOr = (calls: readonly unknown[] | undefined, stop: string, tools: string): string =>
  calls === undefined ? stop : tools;

/** A provider that claims to speak chat completions. */
const compatible: VendorAnswers = {
  whole: ({ thinking, text, calls }) => ({
    ...CHAT_HEAD,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        finish_reason: stopOr(calls, "stop", "tool_calls"),
        message: {
          role: "assistant",
          content: thinking === undefined ? (text ?? "") : [thoughtPart(thinking), { type: "text", text }],
          tool_calls: calls?.map(untypedCall) ?? null,
        },
      },
    ],
    usage: chatUsage(thinking),
  }),
  streamed: ({ thinking, text = "", calls }) =>
    chatSse([
      ...chatDeltas(thinking, text),
      chatChunk(
        { content: "", ...(calls === undefined ? {} : { tool_calls: calls.map(untypedCall) }) },
        { finish_reason: stopOr(calls, "stop", "tool_calls"), usage: chatUsage(thinking) },
      ),
    ]),
  broken: () =>
    chatSse(
      [
        chatChunk({ role: "assistant", content: "Hel" }),
        { error: { message: OVERLOADED, type: "overloaded_error", code: 503 } },
      ],
      false,
    ),
};

const OVERLOADED = "The model is overloaded.";
const CHAT_HEAD: Json = { id: "cmpl-1", created: 1_700_000_000, model: "served" };

function chatUsage(thinking: string | undefined): Json {
  return {
    prompt_tokens: 20,
    completion_tokens: 9,
    total_tokens: 29,
    prompt_tokens_details: { cached_tokens: 4 },
    ...(thinking === undefined ? {} : { completion_tokens_details: { reasoning_tokens: 3 } }),
  };
}

const thoughtPart = (text: string): Json => ({ type: "thinking", thinking: [{ type: "text", text }] });
const untypedCall = ({ id, name, args }: Call): Json => ({
  id,
  function: { name, arguments: JSON.stringify(args) },
});

function chatDeltas(thinking: string | undefined, text: string): readonly Json[] {
  const thoughts = thinking === undefined ? [] : [chatChunk({ content: [thoughtPart(thinking)] })];
  const texts = halves(text).map((content) => chatChunk({ content }));
  return [chatChunk({ role: "assistant", content: "" }), ...thoughts, ...texts];
}

function chatChunk(delta: Json, end: { finish_reason?: string; usage?: Json } = {}): Json {
  const { finish_reason = null, ...usage } = end;
  return {
    ...CHAT_HEAD,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason }],
    ...usage,
  };
}

/** A block whole, and how it is streamed: what it starts as, and what follows. */
interface Block {
  readonly whole: Json;
  readonly start: Json;
  readonly deltas: readonly Json[];
}

const MESSAGES_INPUT: Json = {
  input_tokens: 14,
  cache_read_input_tokens: 4,
  cache_creation_input_tokens: 2,
};

const anthropic: VendorAnswers = {
  whole: (said) => ({
    ...messageHead({ ...MESSAGES_INPUT, output_tokens: 9 }),
    content: messageBlocks(said).map(({ whole }) => whole),
    stop_reason: stopOr(said.calls, "end_turn", "tool_use"),
  }),
  streamed: (said) =>
    namedSse([
      { type: "message_start", message: messageHead({ ...MESSAGES_INPUT, output_tokens: 1 }) },
      { type: "ping" },
      ...messageBlocks(said).flatMap(streamedMessageBlock),
      {
        type: "message_delta",
        delta: { stop_reason: stopOr(said.calls, "end_turn", "tool_use"), stop_sequence: null },
        usage: { output_tokens: 9 },
      },
      { type: "message_stop" },
    ]),
  broken: () =>
    namedSse([
      { type: "message_start", message: messageHead({ ...MESSAGES_INPUT, output_tokens: 1 }) },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hel" } },
      { type: "error", error: { type: "overloaded_error", message: OVERLOADED } },
    ]),
};

function streamedMessageBlock({ start, deltas }: Block, index: number): readonly Json[] {
  const between = deltas.map((delta) => ({ type: "content_block_delta", index, delta }));
  const first = { type: "content_block_start", index, content_block: start };
  return [first, ...between, { type: "content_block_stop", index }];
}

function messageHead(usage: Json): Json {
  const head = { id: "msg_1", type: "message", role: "assistant", model: "served", content: [] };
  return { ...head, stop_reason: null, stop_sequence: null, usage };
}

function messageBlocks({ thinking, text, calls = [] }: Said): readonly Block[] {
  const thought = (whole: string): Block => ({
    whole: { type: "thinking", thinking: whole, signature: SIGNATURE },
    start: { type: "thinking", thinking: "", signature: "" },
    deltas: [
      { type: "thinking_delta", thinking: whole },
      { type: "signature_delta", signature: SIGNATURE },
    ],
  });
  const said = (whole: string): Block => ({
    whole: { type: "text", text: whole },
    start: { type: "text", text: "" },
    deltas: halves(whole).map((half) => ({ type: "text_delta", text: half })),
  });
  const called = ({ id, name, args }: Call): Block => ({
    whole: { type: "tool_use", id, name, input: args },
    start: { type: "tool_use", id, name, input: {} },
    deltas: ["", ...halves(JSON.stringify(args))].map((partial_json) => ({
      type: "input_json_delta",
      partial_json,
    })),
  });
  return [
    ...(thinking === undefined ? [] : [thought(thinking)]),
    ...(text === undefined ? [] : [said(text)]),
    ...calls.map(called),
  ];
}

const gemini: VendorAnswers = {
  whole: (said) => generated(generatedParts(said), said, "STOP"),
  streamed: (said) => {
    const text = halves(said.text ?? "").filter((half) => half !== "");
    const parts = generatedParts({ ...said, text: text[0] ?? "" });
    const events = [
      ...parts.map((part) => generated([part], said)),
      ...text.slice(1).map((half) => generated([{ text: half }], said)),
      generated([{ text: "" }], said, "STOP"),
    ];
    return crlfSse(events);
  },
  broken: () =>
    crlfSse([
      generated([{ text: "Hel" }], {}),
      { error: { code: 503, message: OVERLOADED, status: "UNAVAILABLE" } },
    ]),
};

function crlfSse(payloads: readonly Json[]): Uint8Array {
  return encode(payloads.map((payload) => `data: ${JSON.stringify(payload)}\r\n\r\n`).join(""));
}

function generatedParts({ thinking, text, calls = [] }: Said): readonly Json[] {
  return [
    ...(thinking === undefined ? [] : [{ text: thinking, thought: true }]),
    ...(text === undefined || text === "" ? [] : [{ text }]),
    ...calls.map(({ id, name, args }) => ({ functionCall: { id, name, args } })),
  ];
}

function generated(parts: readonly Json[], { thinking }: Said, finishReason?: string): Json {
  const thoughts = thinking === undefined ? 0 : 3;
  return {
    candidates: [
      {
        content: { parts, role: "model" },
        index: 0,
        ...(finishReason === undefined ? {} : { finishReason }),
      },
    ],
    usageMetadata: {
      promptTokenCount: 20,
      cachedContentTokenCount: 4,
      candidatesTokenCount: 9 - thoughts,
      ...(thoughts === 0 ? {} : { thoughtsTokenCount: thoughts }),
      totalTokenCount: 29,
    },
    modelVersion: "served",
    responseId: "response-1",
  };
}

const CONVERSE_USAGE: Json = {
  inputTokens: 14,
  outputTokens: 9,
  totalTokens: 29,
  cacheReadInputTokens: 4,
  cacheWriteInputTokens: 2,
};

const bedrock: VendorAnswers = {
  whole: (said) => ({
    metrics: { latencyMs: 5 },
    output: { message: { role: "assistant", content: converseBlocks(said).map(({ whole }) => whole) } },
    stopReason: stopOr(said.calls, "end_turn", "tool_use"),
    usage: CONVERSE_USAGE,
  }),
  streamed: (said) =>
    joined(
      [
        { messageStart: { role: "assistant", p: "abcd" } },
        ...converseBlocks(said).flatMap(streamedConverseBlock),
        { messageStop: { stopReason: stopOr(said.calls, "end_turn", "tool_use"), p: "ab" } },
        { metadata: { metrics: { latencyMs: 5 }, usage: CONVERSE_USAGE, p: "a" } },
      ].map(event),
    ),
  broken: () =>
    joined([
      event({ messageStart: { role: "assistant" } }),
      event({ contentBlockDelta: { contentBlockIndex: 0, delta: { text: "Hel" } } }),
      exception("serviceUnavailableException", OVERLOADED),
    ]),
};

/** Only calls say how they start. */
function streamedConverseBlock({ start, deltas }: Block, contentBlockIndex: number): readonly Json[] {
  const first = "toolUse" in start ? [{ contentBlockStart: { contentBlockIndex, start } }] : [];
  const between = deltas.map((delta) => ({ contentBlockDelta: { contentBlockIndex, delta, p: "abcdefgh" } }));
  return [...first, ...between, { contentBlockStop: { contentBlockIndex } }];
}

function converseBlocks({ thinking, text, calls = [] }: Said): readonly Block[] {
  const thought = (whole: string): Block => ({
    whole: { reasoningContent: { reasoningText: { text: whole, signature: SIGNATURE } } },
    start: {},
    deltas: [{ reasoningContent: { text: whole } }, { reasoningContent: { signature: SIGNATURE } }],
  });
  const said = (whole: string): Block => ({
    whole: { text: whole },
    start: {},
    deltas: halves(whole).map((half) => ({ text: half })),
  });
  const called = ({ id, name, args }: Call): Block => ({
    whole: { toolUse: { toolUseId: id, name, input: args } },
    start: { toolUse: { toolUseId: id, name } },
    deltas: halves(JSON.stringify(args)).map((input) => ({ toolUse: { input } })),
  });
  return [
    ...(thinking === undefined ? [] : [thought(thinking)]),
    ...(text === undefined ? [] : [said(text)]),
    ...calls.map(called),
  ];
}

/** By what the vendor's type is called in the catalog. */
export const VENDOR_ANSWERS = { mistral: compatible, anthropic, gemini, bedrock } as const;
