import { describe, expect, test } from "vitest";
import { isObject, type Json } from "../../../providers/dialects/json.ts";
import { CLIENTS, WIRE_CLIENTS } from "../clients.ts";
import { chatSse, encode, summary, target } from "../recordings.ts";
import { chat, chunk, decode, DEFECTS, HEAD, relay, ROLE, STOP, USAGE } from "./streams.ts";

describe("a stream in which", () => {
  test.each(DEFECTS)("$name is accepted by official clients", async (defect) => {
    const { chunks, failure, finished } = decode(chatSse(defect.sent));
    expect({ failure, finished }).toEqual({ failure: null, finished: true });
    expect(summary(chunks)).toEqual({
      content: defect.content ?? "",
      reasoning: defect.reasoning ?? "",
      tools: defect.tools ?? [],
      finish: defect.finish ?? (defect.tools === undefined ? "stop" : "tool_calls"),
    });
    for (const client of CLIENTS) {
      const [choice] = (await client.accumulate(chunks)).choices;
      expect(choice?.message.content ?? "").toBe(defect.content ?? "");
      expect(choice?.message.tool_calls?.length ?? 0).toBe(defect.tools?.length ?? 0);
    }
  });

  test.each(DEFECTS)("$name comes out the same as bytes and as objects", async (defect) => {
    const bytes = chatSse(defect.sent);
    const { text } = relay(bytes);
    const { chunks } = decode(bytes);
    const objects = decode(encode(text)).chunks;
    expect(summary(objects)).toEqual(summary(chunks));
    for (const client of WIRE_CLIENTS) expect(await client.read(encode(text))).toHaveLength(objects.length);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    // What went through once is canonical: it goes through again untouched.
    expect(relay(encode(text)).text).toBe(text);
  });
});

describe("usage", () => {
  test.each<[string, readonly Json[]]>([
    ["in a chunk of its own", [ROLE, STOP, { ...HEAD, choices: [], usage: USAGE }]],
    ["on the finish chunk", [ROLE, chunk({}, "stop", { usage: USAGE })]],
    ["in x_groq", [ROLE, chunk({}, "stop", { x_groq: { id: "r", usage: USAGE } })]],
    [
      "in the choice",
      [ROLE, { ...HEAD, choices: [{ index: 0, delta: {}, finish_reason: "stop", usage: USAGE }] }],
    ],
    [
      "growing on every chunk",
      [
        chunk({ role: "assistant" }, null, { usage: { ...USAGE, completion_tokens: 1 } }),
        chunk({}, "stop", { usage: USAGE }),
      ],
    ],
    ["twice", [ROLE, chunk({}, "stop", { usage: USAGE }), { ...HEAD, choices: [], usage: USAGE }]],
  ])("%s is read, given once at the end to who asked, and to nobody else", (_, sent) => {
    const asked = decode(chatSse(sent), true);
    expect(asked.usage).toMatchObject({ inputTokens: 10, outputTokens: 5 });
    const withUsage = asked.chunks.filter((each) => isObject(each["usage"]));
    expect(withUsage).toHaveLength(1);
    expect(asked.chunks.at(-1)).toMatchObject({ id: "chatcmpl-1", choices: [], usage: USAGE });
    const unasked = decode(chatSse(sent), false);
    expect(unasked.usage).toEqual(asked.usage);
    expect(JSON.stringify(unasked.chunks)).not.toContain("usage");
    expect(relay(chatSse(sent), false).text).not.toContain("usage");
  });

  test.each([
    [
      "output without reasoning, told by the total",
      {
        prompt_tokens: 291,
        completion_tokens: 26,
        total_tokens: 513,
        completion_tokens_details: { reasoning_tokens: 196 },
      },
      { inputTokens: 291, outputTokens: 222, reasoningTokens: 196 },
    ],
    [
      "output with reasoning",
      {
        prompt_tokens: 10,
        completion_tokens: 20,
        total_tokens: 30,
        completion_tokens_details: { reasoning_tokens: 15 },
      },
      { outputTokens: 20, reasoningTokens: 15 },
    ],
    [
      "cache hits by another name",
      { prompt_tokens: 339, completion_tokens: 83, total_tokens: 422, prompt_cache_hit_tokens: 320 },
      { cachedInputTokens: 320 },
    ],
    ["only a total", { prompt_tokens: 10, total_tokens: 30 }, { inputTokens: 10, outputTokens: 20 }],
    ["nonsense", { prompt_tokens: -5, completion_tokens: "7", total_tokens: null }, null],
  ])("is understood: %s", (_, usage, expected) => {
    const { usage: read, chunks } = decode(chatSse([ROLE, chunk({}, "stop", { usage })]), true);
    if (expected === null) expect(read).toBeNull();
    else {
      expect(read).toMatchObject(expected);
      expect(chunks.at(-1)?.["usage"]).toMatchObject({
        total_tokens: (read?.inputTokens ?? 0) + (read?.outputTokens ?? 0),
      });
    }
  });
});

describe("a failed stream", () => {
  test.each<[string, Uint8Array, string]>([
    [
      "an error object",
      chatSse([ROLE, { error: { message: "no", type: "server_error", code: null } }]),
      "provider_error",
    ],
    [
      "an error with an integer code",
      chatSse([ROLE, { error: { message: "no", code: 429 } }]),
      "provider_rate_limited",
    ],
    ["an error as text", chatSse([ROLE, { error: "overloaded" }]), "provider_overloaded"],
    [
      "event: error without an error key",
      encode(`event: error\ndata: {"message":"no","code":"overloaded"}\n\n`),
      "provider_overloaded",
    ],
    [
      "an error that is the object itself",
      chatSse([ROLE, { object: "error", message: "out of memory", type: "InternalServerError", code: 500 }]),
      "provider_error",
    ],
    [
      "an error that is the object itself, at once",
      chatSse([{ object: "error", message: "maximum context length is 9 tokens", code: 400 }]),
      "context_length_exceeded",
    ],
    [
      "a status in the place of an answer",
      chatSse([
        { id: "1", choices: null, base_resp: { status_code: 1008, status_msg: "insufficient balance" } },
      ]),
      "provider_quota_spent",
    ],
    ["event: error with text", encode(`event: error\ndata: "overloaded"\n\n`), "provider_overloaded"],
    ["a message without choices", chatSse([ROLE, { message: "overloaded" }]), "provider_overloaded"],
    ["a finish reason that is a failure", chatSse([ROLE, chunk({}, "error")]), "provider_error"],
    ["an answer that was aborted", chatSse([ROLE, chunk({ content: "a" }, "abort")]), "provider_error"],
    [
      "a call that the provider could not read",
      chatSse([ROLE, chunk({}, "function_call_filter: MALFORMED_FUNCTION_CALL")]),
      "provider_bad_response",
    ],
    [
      "insufficient_system_resource",
      chatSse([ROLE, chunk({}, "insufficient_system_resource")]),
      "provider_overloaded",
    ],
    ["data that is not JSON", encode("data: <html>\n\n"), "provider_bad_response"],
    [
      "data cut short",
      encode('data: {"id":"x","choices":[{"index":0,"delta":{"content":"a'),
      "provider_bad_response",
    ],
    ["data that is no object", encode("data: 5\n\n"), "provider_bad_response"],
    ["[DONE] alone", encode("data: [DONE]\n\n"), "provider_bad_response"],
    ["nothing", encode(""), "stream_interrupted"],
    ["HTML", encode("<html><body>Bad gateway</body></html>"), "stream_interrupted"],
    ["no end", chatSse([ROLE, chunk({ content: "a" })], false), "stream_interrupted"],
  ])("%s is a failure and never a clean end", (_, bytes, code) => {
    expect(decode(bytes)).toMatchObject({ failure: code });
    const { text, failure } = relay(bytes);
    expect(failure).toBe(code);
    expect(text).not.toContain("[DONE]");
  });

  test("keeps what came before the failure in the same read", () => {
    const { chunks } = decode(
      chatSse([ROLE, chunk({ content: "a" }), { error: { message: "no" } }, chunk({ content: "b" })]),
    );
    expect(summary(chunks).content).toBe("a");
  });

  test("gives nothing after its failure", () => {
    const stream = chat.stream(target(), false);
    stream.push(chatSse([{ error: { message: "no" } }]));
    expect(stream.push(chatSse([ROLE]))).toEqual([]);
    expect(stream.end()).toEqual([]);
  });

  test("is no failure when only [DONE] is missing", () => {
    expect(decode(chatSse([ROLE, STOP], false))).toMatchObject({ failure: null, finished: true });
  });
});

test("choices are normalised apart from each other", () => {
  const choice = (index: number, delta: Json, finish: string | null = null): Json => ({
    ...HEAD,
    choices: [{ index, delta, finish_reason: finish }],
  });
  const { chunks } = decode(
    chatSse([
      choice(0, { content: "a" }),
      choice(1, { tool_calls: [{ function: { name: "f", arguments: "{}" } }] }),
      choice(0, {}, "stop"),
    ]),
  );
  expect(chunks.map((each) => each["choices"])).toEqual([
    [{ index: 0, delta: { role: "assistant", content: "a" }, finish_reason: null }],
    [
      {
        index: 1,
        delta: {
          role: "assistant",
          content: "",
          tool_calls: [
            {
              index: 0,
              id: "call_0123456789abcdef_1_0",
              type: "function",
              function: { name: "f", arguments: "{}" },
            },
          ],
        },
        finish_reason: null,
      },
    ],
    [{ index: 0, delta: {}, finish_reason: "stop" }],
    [{ index: 1, delta: {}, logprobs: null, finish_reason: "tool_calls" }],
  ]);
});
