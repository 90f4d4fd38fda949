import { describe, expect, test } from "vitest";
import { CLIENT_DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";

const responses = CLIENT_DIALECTS.get("responses")!;
const USER: Json = { role: "user", content: "hi" };
const TOOL: Json = {
  type: "function",
  name: "f",
  description: "d",
  parameters: { type: "object" },
  strict: true,
};
const CHAT_TOOL: Json = {
  type: "function",
  function: { name: "f", description: "d", parameters: { type: "object" }, strict: true },
};

function check(request: Json, expected: Json): readonly string[] {
  const { request: chat, warnings } = responses.decode({ model: "m", input: "hi", ...request });
  expect(JSON.parse(JSON.stringify(chat))).toEqual({ model: "m", messages: [USER], ...expected });
  return warnings;
}

describe("members", () => {
  test.each<[string, Json, Json]>([
    ["instructions", { instructions: "i" }, { messages: [{ role: "system", content: "i" }, USER] }],
    [
      "limits and sampling",
      { max_output_tokens: 5, temperature: 0.5, top_p: 0.4 },
      { max_completion_tokens: 5, temperature: 0.5, top_p: 0.4 },
    ],
    [
      "stream, with usage",
      { stream: true, stream_options: {} },
      { stream: true, stream_options: { include_usage: true } },
    ],
    ["reasoning", { reasoning: { effort: "high", summary: "auto" } }, { reasoning_effort: "high" }],
    ["verbosity", { text: { verbosity: "low" } }, { verbosity: "low" }],
    [
      "a JSON object",
      { text: { format: { type: "json_object" } } },
      { response_format: { type: "json_object" } },
    ],
    [
      "a schema",
      { text: { format: { type: "json_schema", name: "n", schema: { a: 1 }, strict: true } } },
      {
        response_format: { type: "json_schema", json_schema: { name: "n", schema: { a: 1 }, strict: true } },
      },
    ],
    ["logprobs", { top_logprobs: 3 }, { logprobs: true, top_logprobs: 3 }],
    [
      "logprobs that are included",
      { include: ["message.output_text.logprobs", "reasoning.encrypted_content"] },
      { logprobs: true },
    ],
    [
      "who asks and how",
      {
        user: "u",
        safety_identifier: "s",
        prompt_cache_key: "k",
        service_tier: "flex",
        parallel_tool_calls: false,
      },
      {
        user: "u",
        safety_identifier: "s",
        prompt_cache_key: "k",
        service_tier: "flex",
        parallel_tool_calls: false,
      },
    ],
    [
      "what only the answer shows",
      {
        metadata: { a: "b" },
        store: false,
        truncation: "disabled",
        background: false,
        previous_response_id: null,
      },
      {},
    ],
    ["tools", { tools: [TOOL], tool_choice: "required" }, { tools: [CHAT_TOOL], tool_choice: "required" }],
    [
      "one tool",
      { tools: [TOOL], tool_choice: { type: "function", name: "f" } },
      { tools: [CHAT_TOOL], tool_choice: { type: "function", function: { name: "f" } } },
    ],
    [
      "allowed tools",
      {
        tools: [TOOL],
        tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "f" }] },
      },
      {
        tools: [CHAT_TOOL],
        tool_choice: {
          type: "allowed_tools",
          allowed_tools: { mode: "required", tools: [{ type: "function", function: { name: "f" } }] },
        },
      },
    ],
  ])("are carried over: %s", (_, request, expected) => {
    expect(check(request, expected)).toEqual([]);
  });

  test.each<[string, Json, string]>([
    ["store", { store: true }, "store was dropped"],
    ["truncation", { truncation: "auto" }, "truncation was dropped"],
    ["max_tool_calls", { max_tool_calls: 5 }, "max_tool_calls was dropped"],
    [
      "what there is no output of",
      { include: ["file_search_call.results"] },
      "include file_search_call.results was dropped",
    ],
    ["what nobody knows", { frobnicate: 1 }, "frobnicate was dropped"],
  ])("that can't be are dropped with a warning: %s", (_, request, warning) => {
    expect(check(request, {})).toEqual([expect.stringContaining(warning)]);
  });

  test.each<[string, Json, string, string]>([
    ["an earlier response", { previous_response_id: "r" }, "unsupported_parameter", "previous_response_id"],
    ["a conversation", { conversation: "c" }, "unsupported_parameter", "conversation"],
    ["a stored prompt", { prompt: { id: "p" } }, "unsupported_parameter", "prompt"],
    ["background work", { background: true }, "unsupported_parameter", "background"],
    ["a hosted tool", { tools: [TOOL, { type: "web_search" }] }, "unsupported_parameter", "tools[1]"],
    [
      "a hosted tool's choice",
      { tools: [TOOL], tool_choice: { type: "file_search" } },
      "unsupported_parameter",
      "tool_choice",
    ],
    [
      "a reference to an item",
      { input: [{ type: "item_reference", id: "i" }] },
      "unsupported_parameter",
      "input[0]",
    ],
    ["a hosted call", { input: [{ type: "web_search_call", id: "i" }] }, "unsupported_parameter", "input[0]"],
    [
      "an image by id",
      { input: [{ role: "user", content: [{ type: "input_image", file_id: "f" }] }] },
      "unsupported_parameter",
      "input[0].content[0]",
    ],
    [
      "strange content",
      { input: [{ role: "user", content: [{ type: "hologram" }] }] },
      "unsupported_parameter",
      "input[0].content[0]",
    ],
    ["no input", { input: undefined }, "invalid_request", "input"],
    ["an empty list", { input: [] }, "invalid_request", "input"],
    ["an item of the wrong type", { input: [5] }, "invalid_request", "input[0]"],
    ["an unknown role", { input: [{ role: "tool", content: "x" }] }, "invalid_request", "input[0].role"],
    [
      "content of the wrong type",
      { input: [{ role: "user", content: 5 }] },
      "invalid_request",
      "input[0].content",
    ],
    [
      "a call without a name",
      { input: [{ type: "function_call", call_id: "x" }] },
      "invalid_request",
      "input[0]",
    ],
    [
      "a result without a call",
      { input: [{ type: "function_call_output", output: "r" }] },
      "invalid_request",
      "input[0].call_id",
    ],
    ["a tool without a name", { tools: [{ type: "function" }] }, "invalid_request", "tools[0].name"],
    [
      "broken thinking",
      { input: [{ type: "reasoning", encrypted_content: "sluice.%%%" }] },
      "invalid_request",
      "encrypted_content",
    ],
  ])("that can't be at all are refused by name: %s", (_, request, code, param) => {
    expect(() => responses.decode({ model: "m", input: "hi", ...request })).toThrow(
      expect.objectContaining({ code, param }),
    );
  });
});

describe("items", () => {
  const call = (id: string): Json => ({
    type: "function_call",
    id: `fc_${id}`,
    call_id: id,
    name: "f",
    arguments: "{}",
  });
  const chatCall = (id: string): Json => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  const said = (text: string): Json => ({
    type: "message",
    role: "assistant",
    content: [{ type: "output_text", text }],
  });
  test.each<[string, readonly Json[], readonly Json[]]>([
    [
      "messages",
      [
        { role: "developer", content: "d" },
        { type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] },
      ],
      [{ role: "system", content: "d" }, USER],
    ],
    [
      "pictures, sound and files",
      [
        {
          role: "user",
          content: [
            { type: "input_image", image_url: "https://i", detail: "low" },
            { type: "input_audio", input_audio: { data: "a", format: "wav" } },
            { type: "input_file", filename: "n", file_data: "data:x;base64,aa" },
          ],
        },
      ],
      [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "https://i", detail: "low" } },
            { type: "input_audio", input_audio: { data: "a", format: "wav" } },
            { type: "file", file: { filename: "n", file_data: "data:x;base64,aa" } },
          ],
        },
      ],
    ],
    [
      "a turn of text and calls",
      [said("a"), call("x"), call("y"), { type: "function_call_output", call_id: "x", output: "r" }],
      [
        { role: "assistant", content: "a", tool_calls: [chatCall("x"), chatCall("y")] },
        { role: "tool", tool_call_id: "x", content: "r" },
      ],
    ],
    ["calls alone", [call("x")], [{ role: "assistant", content: null, tool_calls: [chatCall("x")] }]],
    [
      "a refusal",
      [{ role: "assistant", content: [{ type: "refusal", refusal: "no" }] }],
      [{ role: "assistant", content: "no" }],
    ],
    [
      "turns one after another",
      [said("a"), said("b"), call("x"), { type: "reasoning", summary: [] }, said("c")],
      [
        { role: "assistant", content: "a" },
        { role: "assistant", content: "b", tool_calls: [chatCall("x")] },
        { role: "assistant", content: "c" },
      ],
    ],
    [
      "reasoning",
      [{ type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] }, said("a")],
      [{ role: "assistant", content: "a", reasoning_content: "hm" }],
    ],
    [
      "a result of parts",
      [
        {
          type: "function_call_output",
          call_id: "x",
          output: [
            { type: "input_text", text: "r" },
            { type: "input_image", image_url: "https://i" },
          ],
        },
      ],
      [
        {
          role: "tool",
          tool_call_id: "x",
          content: [
            { type: "text", text: "r" },
            { type: "image_url", image_url: { url: "https://i" } },
          ],
        },
      ],
    ],
  ])("are carried over: %s", (_, input, messages) => {
    expect(check({ input }, { messages })).toEqual([]);
  });

  test("of another provider's reasoning lose it with a warning", () => {
    expect(
      check(
        { input: [{ type: "reasoning", summary: [], encrypted_content: "theirs" }, said("a")] },
        { messages: [{ role: "assistant", content: "a" }] },
      ),
    ).toEqual([expect.stringContaining("encrypted_content was dropped")]);
  });
});
