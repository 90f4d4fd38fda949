import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import type { ClientContext } from "../../../providers/dialects/dialect.ts";
import { CLIENT_DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";

const messages = CLIENT_DIALECTS.get("messages")!;
const CONTEXT: ClientContext = { request: { model: "asked" }, id: "1", createdSeconds: 5, inputTokens: 42 };
const USAGE: Json = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 30, cache_write_tokens: 10 },
};

describe("an answer", () => {
  const answer = (message: Json, finish = "stop"): Json => ({
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
    usage: USAGE,
  });

  test.each<[string, Json, Json]>([
    ["text", answer({ content: "a" }), { content: [{ type: "text", text: "a" }], stop_reason: "end_turn" }],
    [
      "calls",
      answer(
        {
          content: null,
          tool_calls: [
            { id: "x", function: { name: "f", arguments: '{"a":1}' } },
            { id: "y", function: { name: "f", arguments: "" } },
          ],
        },
        "tool_calls",
      ),
      {
        content: [
          { type: "tool_use", id: "x", name: "f", input: { a: 1 } },
          { type: "tool_use", id: "y", name: "f", input: {} },
        ],
        stop_reason: "tool_use",
      },
    ],
    [
      "arguments that are no JSON object",
      answer(
        { content: null, tool_calls: [{ id: "x", function: { name: "f", arguments: "{a" } }] },
        "tool_calls",
      ),
      { content: [{ type: "tool_use", id: "x", name: "f", input: { arguments: "{a" } }] },
    ],
    [
      "signed thinking",
      answer({
        content: "a",
        reasoning_content: "t",
        thinking_blocks: [{ type: "thinking", thinking: "t", signature: "s" }],
      }),
      {
        content: [
          { type: "thinking", thinking: "t", signature: "s" },
          { type: "text", text: "a" },
        ],
      },
    ],
    [
      "reasoning",
      answer({ content: "a", reasoning_content: "t" }),
      {
        content: [
          { type: "thinking", thinking: "t", signature: "sluice-unsigned" },
          { type: "text", text: "a" },
        ],
      },
    ],
    [
      "a refusal",
      answer({ content: null, refusal: "no" }),
      { content: [{ type: "text", text: "no" }], stop_reason: "refusal" },
    ],
    ["a filter", answer({ content: "a" }, "content_filter"), { stop_reason: "refusal" }],
    [
      "nothing",
      { choices: [] },
      {
        content: [],
        stop_reason: "end_turn",
        usage: {
          input_tokens: 42,
          output_tokens: 0,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
        },
      },
    ],
  ])("carries %s", (_, chat, expected) => {
    expect(messages.encode(chat, CONTEXT)).toMatchObject({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "asked",
      stop_sequence: null,
      ...expected,
    });
  });

  test("leaves cached tokens out of the input", () => {
    expect(messages.encode(answer({ content: "a" }), CONTEXT)["usage"]).toEqual({
      input_tokens: 60,
      cache_read_input_tokens: 30,
      cache_creation_input_tokens: 10,
      output_tokens: 20,
    });
  });
});

test.each([
  ["invalid_request", "invalid_request_error"],
  ["invalid_api_key", "authentication_error"],
  ["permission_denied", "permission_error"],
  ["model_not_found", "not_found_error"],
  ["request_too_large", "request_too_large"],
  ["headers_too_large", "invalid_request_error"],
  ["rate_limit_exceeded", "rate_limit_error"],
  ["internal_error", "api_error"],
  ["provider_error", "api_error"],
  ["provider_overloaded", "overloaded_error"],
  ["provider_timeout", "timeout_error"],
] as const)("a stream that fails by %s says %s", (code, type) => {
  const said = messages.stream(CONTEXT).fail(new GatewayError(code, "m"));
  expect(said).toBe(
    `event: error\ndata: ${JSON.stringify({ type: "error", error: { type, message: "m" } })}\n\n`,
  );
});
