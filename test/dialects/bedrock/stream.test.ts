import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { CLIENTS } from "../clients.ts";
import {
  ARE_RECORDINGS_ABSENT,
  decodePieces,
  encode,
  everyCut,
  NOTICE,
  recordedFile,
  recordedLines,
  summary,
  target,
  type Decoded,
} from "../recordings.ts";
import { event, exception, frame, joined } from "./frames.ts";

const { chat } = DIALECTS.get("bedrock")!;
const START: Json = { messageStart: { role: "assistant", p: "abc" } };
const stop = (reason = "end_turn"): Json => ({ messageStop: { stopReason: reason } });
const META: Json = {
  metadata: {
    usage: {
      inputTokens: 10,
      outputTokens: 20,
      totalTokens: 35,
      cacheReadInputTokens: 4,
      cacheWriteInputTokens: 1,
    },
    metrics: {},
  },
};
const delta = (each: Json, index = 0): Json => ({
  contentBlockDelta: { contentBlockIndex: index, delta: each },
});
const close = (index = 0): Json => ({ contentBlockStop: { contentBlockIndex: index } });
const tool = (index: number, id: string, ...pieces: string[]): Json[] => [
  { contentBlockStart: { contentBlockIndex: index, start: { toolUse: { toolUseId: id, name: "f" } } } },
  ...pieces.map((input) => delta({ toolUse: { input } }, index)),
  close(index),
];

function decode(frames: readonly (Json | Uint8Array)[], includeUsage = false): Decoded {
  const bytes = joined(frames.map((each) => (each instanceof Uint8Array ? each : event(each))));
  return decodePieces(chat.stream(target(), includeUsage), [bytes]);
}

describe("a stream", () => {
  test.each<[string, readonly Json[], Partial<ReturnType<typeof summary>>]>([
    [
      "text",
      [START, delta({ text: "a" }), delta({ text: "b" }), close(), stop(), META],
      { content: "ab", finish: "stop" },
    ],
    ["usage before the stop", [START, delta({ text: "a" }), META, stop()], { content: "a", finish: "stop" }],
    ["no usage", [START, delta({ text: "a" }), stop()], { content: "a", finish: "stop" }],
    [
      "tools counted from 0",
      [
        START,
        delta({ text: "a" }),
        close(),
        ...tool(1, "x", '{"a"', ":1}"),
        ...tool(2, "y"),
        stop("tool_use"),
        META,
      ],
      {
        tools: [
          { id: "x", name: "f", args: '{"a":1}' },
          { id: "y", name: "f", args: "{}" },
        ],
        finish: "tool_calls",
      },
    ],
    [
      "a tool never stopped",
      [START, ...tool(0, "x").slice(0, 1), stop("tool_use"), META],
      { tools: [{ id: "x", name: "f", args: "{}" }] },
    ],
    [
      "reasoning",
      [
        START,
        delta({ reasoningContent: { text: "hm" } }),
        delta({ reasoningContent: { signature: "s" } }),
        close(),
        delta({ text: "a" }, 1),
        stop(),
        META,
      ],
      { reasoning: "hm", content: "a" },
    ],
    ["no start", [delta({ text: "a" }), stop(), META], { content: "a" }],
    [
      "unknown events",
      [START, { future: {} }, delta({ future: {} }), delta({ text: "a" }), stop(), META],
      { content: "a" },
    ],
    [
      "deltas of an unknown kind, beside others and in a block that was never started",
      [START, delta({ future: { a: 1 } }, 3), delta({ text: "a", future: 2 }), stop(), META],
      { content: "a" },
    ],
    ...Object.entries({
      stop_sequence: "stop",
      max_tokens: "length",
      model_context_window_exceeded: "length",
      guardrail_intervened: "content_filter",
      content_filtered: "content_filter",
      news: "stop",
    }).map(([reason, finish]): [string, readonly Json[], { finish: string }] => [
      `the end ${reason}`,
      [START, delta({ text: "a" }), stop(reason), META],
      { finish },
    ]),
  ])("carries %s", async (_, frames, expected) => {
    const { chunks, failure, finished } = decode(frames);
    expect({ failure, finished }).toEqual({ failure: null, finished: true });
    expect(summary(chunks)).toMatchObject(expected);
    for (const client of CLIENTS) await expect(client.accumulate(chunks)).resolves.toBeDefined();
  });

  test("keeps deltas of a kind that nobody knows", () => {
    const { chunks } = decode([
      START,
      delta({ future: { a: 1 } }, 3),
      delta({ text: "a", future: 2 }),
      stop(),
    ]);
    const kept = chunks.flatMap((chunk) => JSON.stringify(chunk).match(/"blocks":\[.*?\]/g) ?? []);
    expect(kept).toEqual(['"blocks":[{"future":{"a":1}}]', '"blocks":[{"future":2}]']);
  });

  test("counts usage with what came from and went to the cache, and gives it last", () => {
    const { chunks, usage } = decode([START, META, stop()], true);
    expect(usage).toEqual({
      inputTokens: 15,
      outputTokens: 20,
      cachedInputTokens: 4,
      cacheWriteTokens: 1,
      reasoningTokens: 0,
    });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 15, total_tokens: 35 } });
    expect(JSON.stringify(decode([START, META, stop()]).chunks)).not.toContain("usage");
  });

  test("gives whole thinking blocks, and what chat has no place for", () => {
    const text = JSON.stringify(
      decode([
        START,
        delta({ reasoningContent: { text: "h" } }),
        delta({ reasoningContent: { text: "m" } }),
        delta({ reasoningContent: { signature: "s" } }),
        close(),
        delta({ reasoningContent: { redactedContent: "d" } }, 1),
        delta({ citation: { title: "t" } }, 2),
        { contentBlockStart: { contentBlockIndex: 3, start: { image: { format: "png" } } } },
        stop(),
      ]).chunks,
    );
    expect(text).toContain('"thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"}]');
    expect(text).toContain('"thinking_blocks":[{"type":"redacted_thinking","data":"d"}]');
    expect(text).toContain('"extra_content":{"bedrock":{"blocks":[{"citation":{"title":"t"}}]}}');
    expect(text).toContain('"extra_content":{"bedrock":{"blocks":[{"image":{"format":"png"}}]}}');
  });
});

describe("a stream that fails", () => {
  test.each<[string, readonly (Json | Uint8Array)[], string]>([
    ["throttling", [START, exception("throttlingException", "m")], "provider_rate_limited"],
    ["overload", [exception("serviceUnavailableException", "m")], "provider_overloaded"],
    ["a wrong request", [exception("validationException", "m")], "invalid_request"],
    ["a fault of theirs", [START, exception("internalServerException", "m")], "provider_error"],
    ["a fault of the model", [START, exception("modelStreamErrorException", "m")], "provider_error"],
    ["an unknown exception", [START, exception("news", "m")], "provider_error"],
    [
      "an error without a payload",
      [
        frame({
          headers: { ":message-type": "error", ":error-code": "throttlingException", ":error-message": "m" },
        }),
      ],
      "provider_rate_limited",
    ],
    ["a malformed call", [START, stop("malformed_tool_use")], "provider_bad_response"],
    ["arguments without a call", [START, delta({ toolUse: { input: "{}" } })], "provider_bad_response"],
    [
      "a payload that is not JSON",
      [frame({ headers: { ":event-type": "messageStart" }, payload: "<html>" })],
      "provider_bad_response",
    ],
    [
      "a payload that is no object",
      [frame({ headers: { ":event-type": "messageStart" }, payload: "[]" })],
      "provider_bad_response",
    ],
    ["no end", [START, delta({ text: "a" })], "stream_interrupted"],
    ["nothing", [], "stream_interrupted"],
    ["half a frame", [START, event(stop()).subarray(0, 40)], "stream_interrupted"],
    ["a web page", [encode("<html><body>Bad gateway</body></html>")], "provider_bad_response"],
    ["JSON", [encode('{"message":"too many requests, please wait"}')], "provider_bad_response"],
  ])("by %s says so and does not finish", (_, frames, code) => {
    const { failure, finished, chunks } = decode(frames);
    expect({ failure, finished }).toEqual({ failure: code, finished: false });
    expect(summary(chunks).finish).toBeNull();
  });
});

test("no events whatever make it throw, or give chunks that clients refuse", async () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const index = fc.oneof(fc.nat(2), json);
  const any = fc.oneof(
    fc.dictionary(fc.string({ maxLength: 20 }), json, { minKeys: 1, maxKeys: 1 }),
    fc.record({ messageStart: json }),
    fc.record({
      contentBlockStart: fc.record({
        contentBlockIndex: index,
        start: fc.oneof(
          json,
          fc.record({ toolUse: fc.oneof(json, fc.record({ toolUseId: json, name: json })) }),
        ),
      }),
    }),
    fc.record({
      contentBlockDelta: fc.record({
        contentBlockIndex: index,
        delta: fc.oneof(
          json,
          fc.record({ text: json }),
          fc.record({ toolUse: fc.record({ input: fc.string() }) }),
          fc.record({ reasoningContent: fc.record({ text: json, signature: json }) }),
        ),
      }),
    }),
    fc.record({ contentBlockStop: fc.record({ contentBlockIndex: index }) }),
    fc.record({ metadata: fc.record({ usage: json }) }),
    fc.record({ chunk: fc.record({ bytes: fc.oneof(fc.base64String(), json) }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(any), async (events) => {
      const { failure, chunks } = decode([...events, stop()]);
      if (failure === null) await expect(CLIENTS[0].accumulate(chunks)).resolves.toBeDefined();
    }),
    { numRuns: 300 },
  );
});

describe("an answer", () => {
  const answer = (content: readonly Json[], extra: Json = {}): Json => ({
    output: { message: { role: "assistant", content } },
    stopReason: "end_turn",
    usage: { inputTokens: 10, outputTokens: 20 },
    ...extra,
  });

  test("becomes a chat completion", () => {
    const blocks = [
      { reasoningContent: { reasoningText: { text: "hm", signature: "s" } } },
      { reasoningContent: { redactedContent: "d" } },
      { text: "a" },
      { citationsContent: { content: [{ text: "b" }], citations: [] } },
      { toolUse: { toolUseId: "x", name: "f", input: { a: 1 } } },
    ];
    expect(chat.decode(answer(blocks, { stopReason: "tool_use" }), target()).body).toMatchObject({
      id: "chatcmpl-0123456789abcdef",
      model: "test-model",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "ab",
            reasoning_content: "hm",
            thinking_blocks: [
              { type: "thinking", thinking: "hm", signature: "s" },
              { type: "redacted_thinking", data: "d" },
            ],
            tool_calls: [{ id: "x", type: "function", function: { name: "f", arguments: '{"a":1}' } }],
            extra_content: {
              bedrock: { blocks: [{ citationsContent: { content: [{ text: "b" }], citations: [] } }] },
            },
          },
          finish_reason: "tool_calls",
        },
      ],
      usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 },
    });
  });

  test("sent back is the request's turn again", () => {
    const blocks = [
      { reasoningContent: { reasoningText: { text: "hm", signature: "s" } } },
      { text: "a" },
      { toolUse: { toolUseId: "x", name: "f", input: { a: 1 } } },
    ];
    const [choice] = JSON.parse(JSON.stringify(chat.decode(answer(blocks), target()).body)).choices;
    const messages = [
      { role: "user", content: "q" },
      choice.message,
      { role: "tool", tool_call_id: "x", content: "r" },
    ];
    expect(JSON.parse(String(chat.encode({ messages }, target()).body)).messages[1]).toEqual({
      role: "assistant",
      content: blocks,
    });
  });

  test.each<[string, unknown, string]>([
    ["no output", { usage: {} }, "provider_bad_response"],
    [
      "an error of the front",
      { Output: { __type: "UnknownOperationException" }, Version: "1.0" },
      "provider_bad_response",
    ],
    ["a message alone", { message: "Too many requests" }, "provider_error"],
    ["a malformed call", answer([], { stopReason: "malformed_model_output" }), "provider_bad_response"],
    ["a web page", "<html>", "provider_bad_response"],
    ["nothing", null, "provider_bad_response"],
  ])("that is none fails: %s", (_, body, code) => {
    expect(() => chat.decode(body, target())).toThrow(expect.objectContaining({ code }));
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`recorded streams${NOTICE}`, () => {
  const files: Readonly<Record<string, string>> = ARE_RECORDINGS_ABSENT
    ? {}
    : JSON.parse(recordedFile("bedrock/eventstream-bins.json")).files;
  const binary = (name: string): Uint8Array => Uint8Array.from(Buffer.from(files[name] ?? "", "base64"));
  const chunks = joined(recordedLines("bedrock/tool-call.chunks.txt").map((line) => event(JSON.parse(line))));

  test.each<[string, () => Uint8Array, Json]>([
    [
      "basic",
      () => binary("bedrock/basic"),
      { finish: "stop", content: expect.stringContaining("Once upon a time") },
    ],
    [
      "tool",
      () => binary("bedrock/tool"),
      {
        finish: "tool_calls",
        tools: [
          { name: "top_song", args: '{"sign":"WZPZ"}' },
          { name: "hello", args: '{"sign":"world"}' },
        ],
      },
    ],
    [
      "reasoning",
      () => binary("bedrock/reasoning"),
      { reasoning: "Two plus two is four.", content: "The answer is 4." },
    ],
    ["InvokeModel", () => binary("detect/bedrock-invoke"), { content: "Hello! How can I help you today?" }],
    [
      "usage before the stop",
      () => chunks,
      { finish: "tool_calls", tools: [{ id: "tool-use-id", args: '{"value":"Sparkle Day"}' }] },
    ],
  ])("%s: accepted by official clients, and the same wherever it is cut", async (_, bytesOf, expected) => {
    const bytes = bytesOf();
    const whole = decodePieces(chat.stream(target(), true), [bytes]);
    expect(whole).toMatchObject({
      failure: null,
      finished: true,
      usage: { outputTokens: expect.any(Number) },
    });
    expect(summary(whole.chunks)).toMatchObject(expected);
    for (const client of CLIENTS) await expect(client.accumulate(whole.chunks)).resolves.toBeDefined();
    for (const pieces of everyCut(bytes))
      expect(decodePieces(chat.stream(target(), true), pieces)).toEqual(whole);
  });

  test("a stream that was damaged on the way is refused", () => {
    expect(decodePieces(chat.stream(target(), true), [binary("detect/bedrock-broken")])).toMatchObject({
      chunks: [],
      failure: "provider_bad_response",
    });
  });
});
