import { describe, expect, test } from "vitest";
import { CLIENT_DIALECTS, DIALECTS, withoutUnsignedThinking } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

const messages = CLIENT_DIALECTS.get("messages")!;
const USER: Json = { role: "user", content: "hi" };
const TOOL: Json = { name: "f", description: "d", input_schema: { type: "object", $defs: {} } };
const cached = { cache_control: { type: "ephemeral" } };

function check(request: Json, expected: Json): readonly string[] {
  const { request: chat, warnings } = messages.decode({ model: "m", messages: [USER], ...request });
  expect(JSON.parse(JSON.stringify(chat))).toEqual({ model: "m", messages: [USER], ...expected });
  return warnings;
}

describe("turns", () => {
  const use: Json = { type: "tool_use", id: "x", name: "f", input: { a: 1 } };
  const call: Json = { id: "x", type: "function", function: { name: "f", arguments: '{"a":1}' } };
  const signed: Json = { type: "thinking", thinking: "t", signature: "s" };
  test.each<[string, Json, readonly Json[]]>([
    ["text", { role: "user", content: [{ type: "text", text: "hi" }] }, [USER]],
    [
      "text with a cache control",
      { role: "user", content: [{ type: "text", text: "hi", ...cached }] },
      [{ role: "user", content: [{ type: "text", text: "hi", ...cached }] }],
    ],
    [
      "images",
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/png", data: "QUJD" } },
          { type: "image", source: { type: "url", url: "https://i" } },
        ],
      },
      [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,QUJD" } },
            { type: "image_url", image_url: { url: "https://i" } },
          ],
        },
      ],
    ],
    [
      "documents",
      {
        role: "user",
        content: [
          {
            type: "document",
            title: "t",
            source: { type: "base64", media_type: "application/pdf", data: "QUJD" },
          },
          { type: "document", source: { type: "text", data: "d" } },
          { type: "document", source: { type: "url", url: "https://d" } },
          { type: "document", source: { type: "content", content: [{ type: "text", text: "c" }] } },
        ],
      },
      [
        {
          role: "user",
          content: [
            { type: "file", file: { filename: "t", file_data: "data:application/pdf;base64,QUJD" } },
            { type: "text", text: "d" },
            { type: "file", file: { file_url: "https://d" } },
            { type: "text", text: "c" },
          ],
        },
      ],
    ],
    [
      "a search result",
      {
        role: "user",
        content: [{ type: "search_result", title: "t", source: "s", content: [{ type: "text", text: "c" }] }],
      },
      [{ role: "user", content: "t\ns\nc" }],
    ],
    [
      "results, before the rest of the turn",
      {
        role: "user",
        content: [
          { type: "text", text: "and?" },
          { type: "tool_result", tool_use_id: "x", content: "r" },
          { type: "tool_result", tool_use_id: "y", is_error: true, content: [{ type: "text", text: "no" }] },
          { type: "tool_result", tool_use_id: "z" },
        ],
      },
      [
        { role: "tool", tool_call_id: "x", content: "r" },
        { role: "tool", tool_call_id: "y", content: "no", is_error: true },
        { role: "tool", tool_call_id: "z", content: "" },
        { role: "user", content: "and?" },
      ],
    ],
    [
      "results alone",
      { role: "user", content: [{ type: "tool_result", tool_use_id: "x", content: "r" }] },
      [{ role: "tool", tool_call_id: "x", content: "r" }],
    ],
    ["an answer", { role: "assistant", content: "a" }, [{ role: "assistant", content: "a" }]],
    [
      "an answer with calls",
      { role: "assistant", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }, use] },
      [{ role: "assistant", content: "ab", tool_calls: [call] }],
    ],
    [
      "calls alone",
      { role: "assistant", content: [use] },
      [{ role: "assistant", content: null, tool_calls: [call] }],
    ],
    [
      "signed thinking",
      { role: "assistant", content: [signed, { type: "redacted_thinking", data: "d" }, use] },
      [
        {
          role: "assistant",
          content: null,
          thinking_blocks: [signed, { type: "redacted_thinking", data: "d" }],
          tool_calls: [call],
        },
      ],
    ],
    [
      "thinking nobody signed",
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "t", signature: "sluice-unsigned" },
          { type: "text", text: "a" },
        ],
      },
      [{ role: "assistant", content: "a", reasoning_content: "t" }],
    ],
    ["a system turn", { role: "system", content: "s" }, [{ role: "system", content: "s" }]],
  ])("are carried over: %s", (_, turn, expected) => {
    expect(check({ messages: [turn] }, { messages: expected })).toEqual([]);
  });

  test("of a provider's own tools lose their results with a warning", () => {
    const turn = {
      role: "assistant",
      content: [
        { type: "server_tool_use", id: "x" },
        { type: "text", text: "a" },
      ],
    };
    expect(check({ messages: [turn] }, { messages: [{ role: "assistant", content: "a" }] })).toEqual([
      expect.stringContaining("server_tool_use was dropped"),
    ]);
  });

  test("come out of the Messages dialect as they went in", () => {
    const turns = [
      USER,
      { role: "assistant", content: [signed, { type: "text", text: "a" }, use] },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "x", content: "r" },
          { type: "text", text: "and?", ...cached },
        ],
      },
    ];
    const request = {
      model: "m",
      max_tokens: 5,
      system: [{ type: "text", text: "s", ...cached }],
      messages: turns,
      tools: [TOOL],
      tool_choice: { type: "any" },
    };
    const { body } = DIALECTS.get("anthropic")!.chat.encode(
      messages.decode(request).request,
      target({ model: "m" }),
    );
    expect(JSON.parse(String(body))).toEqual({
      ...request,
      messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }, ...turns.slice(1)],
    });
  });

  test("for their own provider lose only thinking that nobody signed", () => {
    const unsigned = { type: "thinking", thinking: "t", signature: "sluice-unsigned" };
    const kept = { role: "assistant", content: [signed] };
    expect(
      withoutUnsignedThinking({
        messages: [USER, kept, { role: "assistant", content: [unsigned, use] }],
        x: 1,
      }),
    ).toEqual({ messages: [USER, kept, { role: "assistant", content: [use] }], x: 1 });
    const clean = { messages: [USER, kept] };
    expect(withoutUnsignedThinking(clean)).toBe(clean);
  });
});
