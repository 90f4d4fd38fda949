import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

const { chat } = DIALECTS.get("anthropic")!;

describe("an answer", () => {
  const answer = (content: readonly Json[], extra: Json = {}): Json => ({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-x",
    content,
    stop_reason: "end_turn",
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 5,
      cache_creation_input_tokens: 3,
      output_tokens: 20,
    },
    ...extra,
  });

  test("becomes a chat completion", () => {
    const blocks = [
      { type: "thinking", thinking: "hm", signature: "s" },
      { type: "redacted_thinking", data: "d" },
      { type: "text", text: "a" },
      { type: "text", text: "b", citations: [{ url: "u" }] },
      { type: "tool_use", id: "x", name: "f", input: { a: 1 } },
      { type: "web_search_tool_result", content: [] },
    ];
    expect(chat.decode(answer(blocks, { stop_reason: "tool_use" }), target()).body).toEqual({
      id: "chatcmpl-msg_1",
      object: "chat.completion",
      created: 1_700_000_000,
      model: "claude-x",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "ab",
            refusal: null,
            reasoning_content: "hm",
            thinking_blocks: blocks.slice(0, 2),
            tool_calls: [{ id: "x", type: "function", function: { name: "f", arguments: '{"a":1}' } }],
            extra_content: {
              anthropic: {
                blocks: [{ type: "web_search_tool_result", content: [] }],
                citations: [{ url: "u" }],
              },
            },
          },
          logprobs: null,
          finish_reason: "tool_calls",
        },
      ],
      usage: {
        prompt_tokens: 18,
        completion_tokens: 20,
        total_tokens: 38,
        prompt_tokens_details: { cached_tokens: 5, cache_write_tokens: 3 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    });
  });

  test.each<[string, Json, Json]>([
    ["no content", answer([]), { message: { content: null }, finish_reason: "stop" }],
    [
      "a refusal",
      answer([], { stop_reason: "refusal", stop_details: { explanation: "because" } }),
      { message: { refusal: "because" }, finish_reason: "content_filter" },
    ],
  ])("may have %s", (_, body, choice) => {
    expect(chat.decode(body, target()).body).toMatchObject({ choices: [choice] });
  });

  test.each<[string, unknown, string]>([
    [
      "an error in a 200",
      { type: "error", error: { type: "overloaded_error", message: "m" } },
      "provider_overloaded",
    ],
    ["a web page", "<html>", "provider_bad_response"],
    ["nothing", null, "provider_bad_response"],
    ["no content member", { id: "x" }, "provider_bad_response"],
  ])("that is none fails: %s", (_, body, code) => {
    expect(() => chat.decode(body, target())).toThrow(expect.objectContaining({ code }));
  });

  test("sent back is the request's turn again", () => {
    const blocks = [
      { type: "thinking", thinking: "hm", signature: "s" },
      { type: "redacted_thinking", data: "d" },
      { type: "text", text: "a" },
      { type: "tool_use", id: "x", name: "f", input: { a: 1 } },
    ];
    const { body } = chat.decode(answer(blocks), target());
    const [choice] = JSON.parse(JSON.stringify(body)).choices;
    const messages = [
      { role: "user", content: "q" },
      choice.message,
      { role: "tool", tool_call_id: "x", content: "r" },
    ];
    const sent = JSON.parse(String(chat.encode({ messages }, target()).body));
    expect(sent.messages[1]).toEqual({ role: "assistant", content: blocks });
  });
});
