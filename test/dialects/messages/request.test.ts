import { describe, expect, test } from "vitest";
import { CLIENT_DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";

const messages = CLIENT_DIALECTS.get("messages")!;
const USER: Json = { role: "user", content: "hi" };
const TOOL: Json = { name: "f", description: "d", input_schema: { type: "object", $defs: {} } };
const CHAT_TOOL: Json = {
  type: "function",
  function: { name: "f", description: "d", parameters: { type: "object", $defs: {} } },
};
const cached = { cache_control: { type: "ephemeral" } };

function check(request: Json, expected: Json): readonly string[] {
  const { request: chat, warnings } = messages.decode({ model: "m", messages: [USER], ...request });
  expect(JSON.parse(JSON.stringify(chat))).toEqual({ model: "m", messages: [USER], ...expected });
  return warnings;
}

describe("members", () => {
  test.each<[string, Json, Json]>([
    ["system as text", { system: "s" }, { messages: [{ role: "system", content: "s" }, USER] }],
    [
      "system as blocks",
      {
        system: [
          { type: "text", text: "a" },
          { type: "text", text: "b", ...cached },
        ],
      },
      {
        messages: [
          {
            role: "system",
            content: [
              { type: "text", text: "a" },
              { type: "text", text: "b", ...cached },
            ],
          },
          USER,
        ],
      },
    ],
    [
      "limits and sampling",
      { max_tokens: 5, temperature: 0.5, top_p: 0.4, stop_sequences: ["a"] },
      { max_completion_tokens: 5, temperature: 0.5, top_p: 0.4, stop: ["a"] },
    ],
    ["stream, with usage", { stream: true }, { stream: true, stream_options: { include_usage: true } }],
    ["a user", { metadata: { user_id: "u" } }, { user: "u" }],
    [
      "no bookkeeping",
      { metadata: { user_id: "u".repeat(65) }, service_tier: "auto", cache_control: {} },
      {},
    ],
    ["tools", { tools: [TOOL] }, { tools: [CHAT_TOOL] }],
    [
      "a strict tool",
      { tools: [{ type: "custom", name: "g", strict: true, input_schema: {}, ...cached }] },
      { tools: [{ type: "function", function: { name: "g", parameters: {}, strict: true }, ...cached }] },
    ],
    [
      "auto",
      { tools: [TOOL], tool_choice: { type: "auto", disable_parallel_tool_use: true } },
      { tools: [CHAT_TOOL], tool_choice: "auto", parallel_tool_calls: false },
    ],
    ["any", { tools: [TOOL], tool_choice: { type: "any" } }, { tools: [CHAT_TOOL], tool_choice: "required" }],
    ["none", { tools: [TOOL], tool_choice: { type: "none" } }, { tools: [CHAT_TOOL], tool_choice: "none" }],
    [
      "one tool",
      { tools: [TOOL], tool_choice: { type: "tool", name: "f" } },
      { tools: [CHAT_TOOL], tool_choice: { type: "function", function: { name: "f" } } },
    ],
    ["a choice without tools", { tool_choice: { type: "auto" } }, {}],
    [
      "an effort",
      { output_config: { effort: "xhigh" }, thinking: { type: "adaptive" } },
      { reasoning_effort: "xhigh" },
    ],
    ["adaptive thinking, which asks for nothing", { thinking: { type: "adaptive" } }, {}],
    ["a small budget", { thinking: { type: "enabled", budget_tokens: 1024 } }, { reasoning_effort: "low" }],
    [
      "a middling budget",
      { thinking: { type: "enabled", budget_tokens: 10_000 } },
      { reasoning_effort: "medium" },
    ],
    [
      "a large budget",
      { thinking: { type: "enabled", budget_tokens: 31_999 } },
      { reasoning_effort: "high" },
    ],
    ["no thinking", { thinking: { type: "disabled" } }, {}],
    [
      "a schema",
      { output_config: { format: { type: "json_schema", schema: { a: 1 } } } },
      {
        response_format: {
          type: "json_schema",
          json_schema: { name: "output", schema: { a: 1 }, strict: true },
        },
      },
    ],
  ])("are carried over: %s", (_, request, expected) => {
    expect(check(request, expected)).toEqual([]);
  });

  test.each<[string, Json, string]>([
    ["top_k", { top_k: 5 }, "top_k was dropped"],
    ["context_management", { context_management: { edits: [] } }, "context_management was dropped"],
    ["what nobody knows", { frobnicate: 1 }, "frobnicate was dropped"],
    ["an effort that is none", { output_config: { effort: "extreme" } }, "effort extreme was dropped"],
    [
      "a budget of the whole task",
      { output_config: { task_budget: { total: 5 } } },
      "output_config.task_budget",
    ],
  ])("that can't be are dropped with a warning: %s", (_, request, warning) => {
    expect(check(request, {})).toEqual([expect.stringContaining(warning)]);
  });

  test.each<[string, Json, string, string]>([
    [
      "web search",
      { tools: [TOOL, { type: "web_search_20250305", name: "web_search" }] },
      "unsupported_parameter",
      "tools[1]",
    ],
    ["servers", { mcp_servers: [{}] }, "unsupported_parameter", "mcp_servers"],
    ["a thread", { thread: { type: "create" } }, "unsupported_parameter", "thread"],
    [
      "strange content",
      { messages: [{ role: "user", content: [{ type: "hologram" }] }] },
      "unsupported_parameter",
      "messages[0].content[0]",
    ],
    [
      "an image by id",
      { messages: [{ role: "user", content: [{ type: "image", source: { type: "file", file_id: "f" } }] }] },
      "unsupported_parameter",
      "messages[0].content[0].source",
    ],
    ["no messages", { messages: [] }, "invalid_request", "messages"],
    ["a message of the wrong type", { messages: ["hi"] }, "invalid_request", "messages[0]"],
    [
      "an unknown role",
      { messages: [{ role: "tool", content: "x" }] },
      "invalid_request",
      "messages[0].role",
    ],
    [
      "content of the wrong type",
      { messages: [{ role: "user", content: 5 }] },
      "invalid_request",
      "messages[0].content",
    ],
    [
      "text of the wrong type",
      { messages: [{ role: "user", content: [{ type: "text", text: 5 }] }] },
      "invalid_request",
      "messages[0].content[0].text",
    ],
    [
      "a result without a call",
      { messages: [{ role: "user", content: [{ type: "tool_result" }] }] },
      "invalid_request",
      "messages[0].content[0].tool_use_id",
    ],
    [
      "a call without a name",
      { messages: [{ role: "assistant", content: [{ type: "tool_use", id: "x" }] }] },
      "invalid_request",
      "messages[0].content[0]",
    ],
    ["a tool without a name", { tools: [{}] }, "invalid_request", "tools[0].name"],
    [
      "an unknown choice",
      { tools: [TOOL], tool_choice: { type: "some" } },
      "invalid_request",
      "tool_choice.type",
    ],
  ])("that can't be at all are refused by name: %s", (_, request, code, param) => {
    expect(() => messages.decode({ model: "m", messages: [USER], ...request })).toThrow(
      expect.objectContaining({ code, param }),
    );
  });
});

test.each<[string, Json, string]>([
  [
    "of tools",
    { tools: [{ ...TOOL, input_examples: [{}], defer_loading: false }] },
    "tools[].input_examples",
  ],
  [
    "of documents",
    {
      messages: [
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "x",
              content: [{ type: "search_result", citations: { enabled: true }, content: [] }],
            },
          ],
        },
      ],
    },
    "citations",
  ],
])("members %s that nobody else has are dropped with a warning", (_, request, name) => {
  const { warnings } = messages.decode({ model: "m", messages: [USER], ...request });
  expect(warnings).toEqual([expect.stringContaining(`${name} was dropped`)]);
});

test("what is said about a document stands before it", () => {
  const source = { type: "text", media_type: "text/plain", data: "b" };
  const content = [{ type: "document", title: "t", context: "a", source }];
  check(
    { messages: [{ role: "user", content }] },
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "t\n\nb" },
          ],
        },
      ],
    },
  );
});
