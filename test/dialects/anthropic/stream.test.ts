import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { CLIENTS } from "../clients.ts";
import { decodePieces, encode, namedSse, summary, target, type Decoded } from "../recordings.ts";

const { chat } = DIALECTS.get("anthropic")!;
const START: Json = {
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content: [],
    stop_reason: null,
    usage: { input_tokens: 10, cache_creation_input_tokens: 3, cache_read_input_tokens: 5, output_tokens: 1 },
  },
};
const STOP: Json = { type: "message_stop" };
const open = (index: number, block: Json): Json => ({
  type: "content_block_start",
  index,
  content_block: block,
});
const delta = (index: number, each: Json): Json => ({ type: "content_block_delta", index, delta: each });
const close = (index: number): Json => ({ type: "content_block_stop", index });
const finish = (reason: string | null, usage: Json = { output_tokens: 20 }, extra: Json = {}): Json => ({
  type: "message_delta",
  delta: { stop_reason: reason, stop_sequence: null, ...extra },
  usage,
});
const text = (index: number, value: string): Json[] => [
  open(index, { type: "text", text: "" }),
  delta(index, { type: "text_delta", text: value }),
  close(index),
];
const tool = (index: number, id: string, ...pieces: string[]): Json[] => [
  open(index, { type: "tool_use", id, name: "f", input: {} }),
  ...pieces.map((piece) => delta(index, { type: "input_json_delta", partial_json: piece })),
  close(index),
];

function decode(events: readonly Json[] | Uint8Array, includeUsage = false): Decoded {
  const bytes = events instanceof Uint8Array ? events : namedSse(events);
  return decodePieces(chat.stream(target(), includeUsage), [bytes]);
}

describe("a stream", () => {
  test("becomes chunks with one id, the role first, a finish reason and usage last", () => {
    const { chunks, usage } = decode([START, ...text(0, "a"), finish("end_turn"), STOP], true);
    const head = {
      id: "chatcmpl-msg_1",
      object: "chat.completion.chunk",
      created: 1_700_000_000,
      model: "claude-x",
    };
    const chunk = (each: Json, reason: string | null = null): Json => ({
      ...head,
      choices: [{ index: 0, delta: each, logprobs: null, finish_reason: reason }],
      usage: null,
    });
    expect(chunks).toEqual([
      chunk({ role: "assistant", content: "" }),
      chunk({ content: "a" }),
      chunk({}, "stop"),
      {
        ...head,
        choices: [],
        usage: {
          prompt_tokens: 18,
          completion_tokens: 20,
          total_tokens: 38,
          prompt_tokens_details: { cached_tokens: 5, cache_write_tokens: 3 },
          completion_tokens_details: { reasoning_tokens: 0 },
        },
      },
    ]);
    expect(usage).toEqual({
      inputTokens: 18,
      outputTokens: 20,
      cachedInputTokens: 5,
      cacheWriteTokens: 3,
      reasoningTokens: 0,
    });
  });

  test("has no usage for clients that did not ask", () => {
    expect(JSON.stringify(decode([START, finish("end_turn"), STOP]).chunks)).not.toContain("usage");
  });

  test.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["pause_turn", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool_calls"],
    ["refusal", "content_filter"],
    ["a reason to come", "stop"],
  ])("that stops with %s finishes with %s", (reason, expected) => {
    expect(summary(decode([START, ...text(0, "a"), finish(reason), STOP]).chunks).finish).toBe(expected);
  });

  test.each<[string, readonly Json[], Partial<ReturnType<typeof summary>>]>([
    ["text of several blocks", [...text(0, "a"), ...text(1, "b")], { content: "ab" }],
    ["text in the block's start", [open(0, { type: "text", text: "a" })], { content: "a" }],
    [
      "tools counted from 0, whatever their block",
      [...text(0, "a"), ...tool(1, "x", "", '{"a"', ":1}"), ...tool(2, "y", "[]")],
      {
        content: "a",
        tools: [
          { id: "x", name: "f", args: '{"a":1}' },
          { id: "y", name: "f", args: "[]" },
        ],
      },
    ],
    ["a tool without arguments", tool(0, "x", ""), { tools: [{ id: "x", name: "f", args: "{}" }] }],
    [
      "a tool with its input in the start",
      [open(0, { type: "tool_use", id: "x", name: "f", input: { a: 1 } })],
      { tools: [{ id: "x", name: "f", args: '{"a":1}' }] },
    ],
    [
      "a tool never stopped",
      [open(0, { type: "tool_use", id: "x", name: "f", input: {} })],
      { tools: [{ id: "x", name: "f", args: "{}" }] },
    ],
    [
      "interleaved tools",
      [
        open(0, { type: "tool_use", id: "x", name: "f" }),
        open(1, { type: "tool_use", id: "y", name: "f" }),
        delta(0, { type: "input_json_delta", partial_json: "{}" }),
        delta(1, { type: "input_json_delta", partial_json: "[]" }),
      ],
      {
        tools: [
          { id: "x", name: "f", args: "{}" },
          { id: "y", name: "f", args: "[]" },
        ],
      },
    ],
    [
      "thinking",
      [
        open(0, { type: "thinking", thinking: "", signature: "" }),
        delta(0, { type: "thinking_delta", thinking: "hm" }),
        delta(0, { type: "signature_delta", signature: "s" }),
        close(0),
        ...text(1, "a"),
      ],
      { reasoning: "hm", content: "a" },
    ],
    [
      "a ping and unknown events and deltas",
      [
        { type: "ping" },
        { type: "future" },
        open(0, { type: "text", text: "" }),
        delta(0, { type: "future_delta" }),
        ...text(0, "a"),
      ],
      { content: "a" },
    ],
    ["a second message_start", [...text(0, "a"), START, ...text(1, "b")], { content: "ab" }],
  ])("carries %s", (_, events, expected) => {
    const { chunks, failure } = decode([
      START,
      ...events,
      finish(expected.tools === undefined ? "end_turn" : "tool_use"),
      STOP,
    ]);
    expect(failure).toBeNull();
    expect(summary(chunks)).toMatchObject(expected);
    expect(JSON.stringify(chunks).match(/"role"/g)).toHaveLength(1);
  });

  test("gives each thinking block whole, for the client to send back", () => {
    const events = [
      open(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "h" }),
      delta(0, { type: "thinking_delta", thinking: "m" }),
      delta(0, { type: "signature_delta", signature: "s" }),
      close(0),
      open(1, { type: "redacted_thinking", data: "d" }),
      close(1),
    ];
    const { chunks } = decode([START, ...events, finish("end_turn"), STOP]);
    const blocks = JSON.stringify(chunks).match(/"thinking_blocks":\[.*?\]/g);
    expect(blocks).toEqual([
      '"thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}]',
      '"thinking_blocks":[{"type":"redacted_thinking","data":"d"}]',
    ]);
  });

  test("keeps what chat has no place for", () => {
    const events = [
      open(0, { type: "server_tool_use", id: "s", name: "web_search", input: {} }),
      delta(0, { type: "input_json_delta", partial_json: '{"query":"q"}' }),
      close(0),
      open(1, { type: "text", text: "" }),
      delta(1, { type: "citations_delta", citation: { url: "u" } }),
      close(1),
    ];
    const extras = JSON.stringify(decode([START, ...events, finish("end_turn"), STOP]).chunks);
    expect(extras).toContain(
      '"extra_content":{"anthropic":{"blocks":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}}]}}',
    );
    expect(extras).toContain('"extra_content":{"anthropic":{"citations":[{"url":"u"}]}}');
  });

  test("keeps what is streamed into a block of a kind that is not known", () => {
    const events = [
      open(0, { type: "compaction", content: null }),
      delta(0, { type: "compaction_delta", content: "So " }),
      delta(0, { type: "compaction_delta", content: "far." }),
      close(0),
    ];
    const extras = JSON.stringify(decode([START, ...events, finish("end_turn"), STOP]).chunks);
    expect(extras).toContain('"blocks":[{"type":"compaction","content":"So far."}]');
  });

  test("says why the model refused", () => {
    const stopDetails = { stop_details: { type: "refusal", explanation: "because" } };
    const { chunks } = decode([START, finish("refusal", {}, stopDetails), STOP]);
    expect(chunks.at(-1)).toMatchObject({
      choices: [{ delta: { refusal: "because" }, finish_reason: "content_filter" }],
    });
  });

  test.each<[string, readonly Json[], Json]>([
    [
      "cumulative output",
      [finish(null, { output_tokens: 5 }), finish("end_turn", { output_tokens: 20 })],
      { inputTokens: 18, outputTokens: 20 },
    ],
    [
      "restated input",
      [
        finish("end_turn", {
          input_tokens: 12,
          cache_read_input_tokens: 5,
          cache_creation_input_tokens: 3,
          output_tokens: 20,
        }),
      ],
      { inputTokens: 20, outputTokens: 20 },
    ],
    [
      "input restated as nothing",
      [finish("end_turn", { input_tokens: 0, cache_read_input_tokens: null, output_tokens: 20 })],
      { inputTokens: 18, cachedInputTokens: 5 },
    ],
    [
      "thinking tokens",
      [finish("end_turn", { output_tokens: 20, output_tokens_details: { thinking_tokens: 15 } })],
      { outputTokens: 20, reasoningTokens: 15 },
    ],
    ["a second start", [START, finish("end_turn")], { inputTokens: 18, outputTokens: 20 }],
  ])("counts usage once: %s", (_, events, expected) => {
    expect(decode([START, ...events, STOP]).usage).toMatchObject(expected);
  });
});

describe("a stream that fails", () => {
  test.each<[string, readonly Json[] | Uint8Array, string]>([
    [
      "overload",
      [START, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
      "provider_overloaded",
    ],
    [
      "a rate",
      [START, { type: "error", error: { type: "rate_limit_error", message: "m" } }],
      "provider_rate_limited",
    ],
    [
      "an error of no known type",
      [START, { type: "error", error: { type: "api_error", message: "m" } }],
      "provider_error",
    ],
    ["an unnamed error", encode('event: error\ndata: {"message":"m"}\n\n'), "provider_error"],
    ["no end", [START, ...text(0, "a")], "stream_interrupted"],
    ["an empty body", encode(""), "stream_interrupted"],
    ["a web page", encode("<!doctype html>\n<html>\n\n</html>"), "stream_interrupted"],
    ["data cut short", encode('event: message_start\ndata: {"type":"mess'), "provider_bad_response"],
    ["data that is no object", encode("data: []\n\n"), "provider_bad_response"],
    [
      "arguments without a call",
      [START, delta(3, { type: "input_json_delta", partial_json: "{}" })],
      "provider_bad_response",
    ],
  ])("by %s says so and does not finish", (_, events, code) => {
    const { failure, finished, chunks } = decode(events);
    expect({ failure, finished }).toEqual({ failure: code, finished: false });
    expect(summary(chunks).finish).toBeNull();
  });

  test("after its stop reason has nothing missing", () => {
    expect(decode([START, ...text(0, "a"), finish("end_turn")])).toMatchObject({
      failure: null,
      finished: true,
    });
  });
});

test("no events whatever make it throw, or give chunks that clients refuse", async () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const block = fc.record(
    {
      type: fc.constantFrom("text", "tool_use", "thinking", "redacted_thinking", "x"),
      text: json,
      id: json,
      name: json,
      input: json,
      thinking: json,
      data: json,
    },
    { requiredKeys: ["type"] },
  );
  const part = fc.record(
    {
      type: fc.constantFrom(
        "text_delta",
        "input_json_delta",
        "thinking_delta",
        "signature_delta",
        "citations_delta",
      ),
      text: json,
      partial_json: fc.oneof(fc.string(), json),
      thinking: json,
      signature: json,
    },
    { requiredKeys: ["type"] },
  );
  const event = fc.oneof(
    json,
    fc.record({
      type: fc.constant("message_start"),
      message: fc.oneof(json, fc.constant({ id: "m", usage: { input_tokens: 5 } })),
    }),
    fc.record({
      type: fc.constant("content_block_start"),
      index: fc.oneof(fc.nat(3), json),
      content_block: fc.oneof(block, json),
    }),
    fc.record({
      type: fc.constant("content_block_delta"),
      index: fc.oneof(fc.nat(3), json),
      delta: fc.oneof(part, json),
    }),
    fc.record({ type: fc.constant("content_block_stop"), index: fc.nat(3) }),
    fc.record({ type: fc.constant("message_delta"), delta: json, usage: json }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event), async (events) => {
      const bytes = encode([...events, STOP].map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""));
      const { failure, chunks } = decode(bytes);
      if (failure !== null) return;
      for (const client of CLIENTS) await expect(client.accumulate(chunks)).resolves.toBeDefined();
    }),
    { numRuns: 300 },
  );
});
