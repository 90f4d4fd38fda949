import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import { readArray, readObject, readString, type Json } from "../../../providers/dialects/json.ts";
import { CLIENTS } from "../clients.ts";
import { decodePieces, encode, summary, target, type Decoded } from "../recordings.ts";

const { chat } = DIALECTS.get("gemini")!;
const ABOUT: Json = { modelVersion: "gemini-x", responseId: "r1" };
const USAGE: Json = {
  promptTokenCount: 10,
  candidatesTokenCount: 5,
  totalTokenCount: 22,
  thoughtsTokenCount: 7,
  cachedContentTokenCount: 4,
};

function event(parts: readonly Json[], candidate: Json = {}, extra: Json = {}): Json {
  return { candidates: [{ content: { role: "model", parts }, index: 0, ...candidate }], ...ABOUT, ...extra };
}
const STOP = { finishReason: "STOP" };

/** Frames end in CRLF, as they do on the wire. */
function crlf(events: readonly Json[]): Uint8Array {
  return encode(events.map((each) => `data: ${JSON.stringify(each)}\r\n\r\n`).join(""));
}

function decode(events: readonly Json[] | Uint8Array, includeUsage = false): Decoded {
  return decodePieces(chat.stream(target(), includeUsage), [
    events instanceof Uint8Array ? events : crlf(events),
  ]);
}

const call = (name: string, extra: Json = {}): Json => ({ functionCall: { name, args: { a: 1 } }, ...extra });

describe("a stream", () => {
  test.each<[string, readonly Json[], Partial<ReturnType<typeof summary>>]>([
    ["text", [event([{ text: "a" }]), event([{ text: "b" }], STOP)], { content: "ab", finish: "stop" }],
    [
      "thoughts",
      [event([{ text: "hm", thought: true }]), event([{ text: "a" }], STOP)],
      { reasoning: "hm", content: "a" },
    ],
    [
      "a call, with a STOP beside it",
      [event([call("f")], STOP)],
      { tools: [{ id: "call_0123456789abcdef_0_0", name: "f", args: '{"a":1}' }], finish: "tool_calls" },
    ],
    [
      "a call, with a STOP later",
      [event([call("f")]), event([{ text: "" }], STOP)],
      { finish: "tool_calls" },
    ],
    [
      "calls with ids",
      [event([{ functionCall: { id: "x", name: "f" } }, call("g")], STOP)],
      {
        tools: [
          { id: "x", name: "f", args: "{}" },
          { id: "call_0123456789abcdef_0_1", name: "g", args: '{"a":1}' },
        ],
      },
    ],
    [
      "a signature, in the id",
      [event([call("f", { thoughtSignature: "s+/=" })], STOP)],
      { tools: [{ id: "call_0123456789abcdef_0_0__thought__s+/=", name: "f", args: '{"a":1}' }] },
    ],
    ["a limit", [event([{ text: "a" }], { finishReason: "MAX_TOKENS" })], { content: "a", finish: "length" }],
    [
      "a limit to be continued from",
      [event([{ text: "a" }], { finishReason: "CONTINUATION" })],
      { content: "a", finish: "length" },
    ],
    [
      "no content at the end",
      [event([{ text: "a" }]), { candidates: [{ finishReason: "STOP" }] }],
      { content: "a", finish: "stop" },
    ],
    [
      "a blocked prompt",
      [{ promptFeedback: { blockReason: "SAFETY" }, ...ABOUT }],
      { finish: "content_filter" },
    ],
    ["a finish reason to come", [event([{ text: "a" }], { finishReason: "NEWS" })], { finish: "stop" }],
    ...[
      "SAFETY",
      "RECITATION",
      "LANGUAGE",
      "BLOCKLIST",
      "PROHIBITED_CONTENT",
      "SPII",
      "IMAGE_SAFETY",
      "IMAGE_OTHER",
      "NO_IMAGE",
    ].map((reason): [string, readonly Json[], { finish: string }] => [
      reason,
      [event([{ text: "a" }], { finishReason: reason })],
      { finish: "content_filter" },
    ]),
  ])("carries %s", async (_, events, expected) => {
    const { chunks, failure } = decode(events);
    expect(failure).toBeNull();
    expect(summary(chunks)).toMatchObject(expected);
    for (const client of CLIENTS) await expect(client.accumulate(chunks)).resolves.toBeDefined();
  });

  test("keeps pictures, other parts, sources and signatures", () => {
    const { chunks } = decode([
      event([
        { inlineData: { mimeType: "image/png", data: "QUJD" } },
        { executableCode: { code: "1" } },
        { text: "a", thoughtSignature: "s" },
        {},
      ]),
      event([], { ...STOP, groundingMetadata: { chunks: 1 } }),
    ]);
    const deltas = chunks.map((chunk) => readObject(readArray(chunk, "choices")[0], "delta"));
    expect(deltas).toEqual([
      {
        role: "assistant",
        content: "",
        images: [{ type: "image_url", image_url: { url: "data:image/png;base64,QUJD" } }],
      },
      { extra_content: { google: { parts: [{ executableCode: { code: "1" } }] } } },
      { content: "a" },
      { extra_content: { google: { thought_signature: "s" } } },
      { extra_content: { google: { grounding_metadata: { chunks: 1 } } } },
      {},
    ]);
  });

  test("of several candidates keeps them apart", () => {
    const { chunks, failure } = decode([
      {
        candidates: [
          { index: 1, content: { parts: [{ text: "b" }] } },
          { index: 0, content: { parts: [call("f")] }, ...STOP },
        ],
      },
      { candidates: [{ index: 1, ...STOP }] },
    ]);
    expect(failure).toBeNull();
    expect(
      chunks
        .flatMap((chunk) => readArray(chunk, "choices"))
        .filter((choice) => readString(choice, "finish_reason") !== undefined),
    ).toMatchObject([
      { index: 0, finish_reason: "tool_calls" },
      { index: 1, finish_reason: "stop" },
    ]);
  });

  test.each<[string, readonly Json[], Json | null]>([
    [
      "cumulative: the last counts",
      [
        event([{ text: "a" }], {}, { usageMetadata: { promptTokenCount: 15 } }),
        event([], STOP, { usageMetadata: { promptTokenCount: 13, candidatesTokenCount: 8 } }),
      ],
      { inputTokens: 13, outputTokens: 8 },
    ],
    [
      "thoughts beside the answer",
      [event([], STOP, { usageMetadata: USAGE })],
      { inputTokens: 10, outputTokens: 12, reasoningTokens: 7, cachedInputTokens: 4 },
    ],
    [
      "tools beside the prompt",
      [event([], STOP, { usageMetadata: { promptTokenCount: 10, toolUsePromptTokenCount: 3 } })],
      { inputTokens: 13 },
    ],
    ["in an event of its own", [event([{ text: "a" }], STOP), { usageMetadata: USAGE }], { inputTokens: 10 }],
    ["never", [event([{ text: "a" }], STOP)], null],
  ])("counts usage %s", (_, events, expected) => {
    const { usage, chunks } = decode(events, true);
    if (expected === null) expect(usage).toBeNull();
    else {
      expect(usage).toMatchObject(expected);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: usage?.inputTokens } });
    }
    expect(JSON.stringify(decode(events).chunks)).not.toContain("usage");
  });
});

describe("a stream that fails", () => {
  test.each<[string, readonly Json[] | Uint8Array, string]>([
    [
      "an error",
      [{ error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "m" } }],
      "provider_rate_limited",
    ],
    [
      "an overload",
      [event([{ text: "a" }]), { error: { code: 503, status: "UNAVAILABLE", message: "m" } }],
      "provider_overloaded",
    ],
    [
      "a malformed call",
      [event([], { finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: "m" })],
      "provider_bad_response",
    ],
    ["an unexpected call", [event([], { finishReason: "UNEXPECTED_TOOL_CALL" })], "provider_bad_response"],
    ["no end", [event([{ text: "a" }])], "stream_interrupted"],
    ["an empty body", encode(""), "stream_interrupted"],
    ["no candidates", [{ candidates: [], ...ABOUT }], "stream_interrupted"],
    ["a list instead of events", encode('[{"candidates":[]}]'), "stream_interrupted"],
    ["a web page", encode("<html>\r\n\r\n"), "stream_interrupted"],
    ["data cut short", encode('data: {"candidates": [{"con'), "provider_bad_response"],
    ["data that is no object", encode("data: 5\r\n\r\n"), "provider_bad_response"],
  ])("by %s says so and does not finish", (_, events, code) => {
    expect(decode(events)).toMatchObject({ failure: code, finished: false });
  });
});

test("no events whatever make it throw, or give chunks that clients refuse", async () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const part = fc.oneof(
    json,
    fc.record(
      { text: fc.oneof(fc.string(), json), thought: json, thoughtSignature: json },
      { requiredKeys: [] },
    ),
    fc.record({
      functionCall: fc.oneof(json, fc.record({ name: json, args: json, id: json }, { requiredKeys: [] })),
    }),
    fc.record({ inlineData: json }),
  );
  const candidate = fc.oneof(
    json,
    fc.record(
      {
        index: fc.oneof(fc.nat(2), json),
        content: fc.oneof(json, fc.record({ parts: fc.array(part) })),
        finishReason: fc.oneof(fc.constantFrom("STOP", "SAFETY", ""), json),
      },
      { requiredKeys: [] },
    ),
  );
  const any = fc.oneof(
    json,
    fc.record(
      {
        candidates: fc.oneof(fc.array(candidate), json),
        usageMetadata: json,
        promptFeedback: json,
        responseId: json,
      },
      { requiredKeys: [] },
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(any), async (events) => {
      const bytes = encode(
        [...events, event([], STOP)].map((each) => `data: ${JSON.stringify(each)}\r\n\r\n`).join(""),
      );
      const { failure, chunks } = decode(bytes);
      if (failure !== null) return;
      await expect(CLIENTS[0].accumulate(chunks)).resolves.toBeDefined();
    }),
    { numRuns: 300 },
  );
});
