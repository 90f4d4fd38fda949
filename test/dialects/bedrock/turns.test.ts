import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

const { chat } = DIALECTS.get("bedrock")!;
const USER: Json = { role: "user", content: "hi" };
const CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const BUDGET = "anthropic.claude-3-7-sonnet-20250219-v1:0";

function encode(request: Json, model = CLAUDE): { body: Json; warnings: readonly string[]; path: string } {
  const { body, ...rest } = chat.encode({ messages: [USER], ...request }, target({ model }));
  return { body: JSON.parse(String(body)), ...rest };
}

function check(request: Json, expected: Json, model?: string): readonly string[] {
  const { body, warnings } = encode(request, model);
  expect(body).toEqual({ messages: [{ role: "user", content: [{ text: "hi" }] }], ...expected });
  return warnings;
}

const TOOL: Json = {
  type: "function",
  function: { name: "f", description: "d", parameters: { type: "object", $defs: {} } },
};

describe("messages", () => {
  const call = (id: string): Json => ({
    id,
    type: "function",
    function: { name: "f", arguments: '{"a":1}' },
  });
  const use = (id: string): Json => ({ toolUse: { toolUseId: id, name: "f", input: { a: 1 } } });
  const result = (id: string, ...content: Json[]): Json => ({ toolResult: { toolUseId: id, content } });
  const point: Json = { cachePoint: { type: "default" } };
  const cached = { cache_control: { type: "ephemeral" } };
  const user = (...content: Json[]): Json => ({ role: "user", content });
  const HI = user({ text: "hi" });

  test.each<[string, readonly Json[], Json]>([
    [
      "system messages with cache points",
      [{ role: "system", content: [{ type: "text", text: "a", ...cached }] }, USER],
      { system: [{ text: "a" }, point] },
    ],
    [
      "a long cache point",
      [
        {
          role: "user",
          content: [{ type: "text", text: "hi", cache_control: { type: "ephemeral", ttl: "1h" } }],
        },
      ],
      { messages: [user({ text: "hi" }, { cachePoint: { type: "default", ttl: "1h" } })] },
    ],
    ["a cache point of the message", [{ ...USER, ...cached }], { messages: [user({ text: "hi" }, point)] }],
    [
      "neighbours, without blank text",
      [USER, { role: "user", content: " \n" }, USER],
      { messages: [user({ text: "hi" }, { text: "hi" })] },
    ],
    [
      "pictures",
      [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/jpg;base64,QUJD" } },
            { type: "image_url", image_url: { url: "s3://b/x.webp" } },
          ],
        },
      ],
      {
        messages: [
          user(
            { image: { format: "jpeg", source: { bytes: "QUJD" } } },
            { image: { format: "webp", source: { s3Location: { uri: "s3://b/x.webp" } } } },
          ),
        ],
      },
    ],
    [
      "a document, which never stands alone",
      [
        {
          role: "user",
          content: [
            { type: "file", file: { filename: "a_b.pdf", file_data: "data:application/pdf;base64,QUJD" } },
          ],
        },
      ],
      {
        messages: [
          user(
            { document: { format: "pdf", name: "a-b-pdf", source: { bytes: "QUJD" } } },
            { text: "a-b-pdf" },
          ),
        ],
      },
    ],
    [
      "sound and film",
      [
        {
          role: "user",
          content: [
            { type: "input_audio", input_audio: { data: "QUJD", format: "wav" } },
            { type: "video_url", video_url: { url: "s3://b/x.mov" } },
          ],
        },
      ],
      {
        messages: [
          user(
            { audio: { format: "wav", source: { bytes: "QUJD" } } },
            { video: { format: "mov", source: { s3Location: { uri: "s3://b/x.mov" } } } },
          ),
        ],
      },
    ],
    [
      "parallel calls and results, first in one turn",
      [
        USER,
        { role: "assistant", content: "", tool_calls: [call("x"), call("y.1")] },
        { role: "tool", tool_call_id: "x", content: "r" },
        USER,
        { role: "tool", tool_call_id: "y.1", content: "", is_error: true },
      ],
      {
        messages: [
          HI,
          { role: "assistant", content: [use("x"), use("y_1")] },
          user(
            result("x", { text: "r" }),
            { toolResult: { toolUseId: "y_1", content: [{ text: "(empty)" }], status: "error" } },
            { text: "hi" },
          ),
        ],
        toolConfig: { tools: [{ toolSpec: { name: "f", inputSchema: { json: { type: "object" } } } }] },
      },
    ],
    [
      "thinking",
      [
        USER,
        {
          role: "assistant",
          content: "a",
          thinking_blocks: [
            { type: "thinking", thinking: "t", signature: "s" },
            { type: "redacted_thinking", data: "d" },
          ],
        },
        USER,
      ],
      {
        messages: [
          HI,
          {
            role: "assistant",
            content: [
              { reasoningContent: { reasoningText: { text: "t", signature: "s" } } },
              { reasoningContent: { redactedContent: "d" } },
              { text: "a" },
            ],
          },
          HI,
        ],
      },
    ],
    [
      "a refusal",
      [USER, { role: "assistant", content: null, refusal: "no" }, USER],
      { messages: [HI, { role: "assistant", content: [{ text: "no" }] }, HI] },
    ],
  ])("are carried over: %s", (_, messages, expected) => {
    expect(check({ messages }, expected)).toEqual([]);
  });

  test.each<[string, readonly Json[], Json, string]>([
    ["a later system message", [USER, { role: "system", content: "s" }], {}, "moved to the top"],
    ["the system alone", [{ role: "system", content: "s" }], {}, "sent as the user's"],
    ["names", [{ ...USER, name: "n" }], {}, "name was dropped"],
    [
      "thinking without a signature",
      [USER, { role: "assistant", content: "a", thinking_blocks: [{ thinking: "t" }] }],
      {},
      "Thinking without a signature",
    ],
    [
      "no tools where some were called",
      [
        USER,
        { role: "assistant", tool_calls: [call("x")] },
        { role: "tool", tool_call_id: "x", content: "r" },
      ],
      { tools: [TOOL], tool_choice: "none" },
      "tool_choice none was dropped",
    ],
  ])("that change are warned of: %s", (_, messages, request, warning) => {
    expect(encode({ messages, ...request }).warnings).toEqual([expect.stringContaining(warning)]);
  });

  test("don't ask for a budget when the calls being answered were made without", () => {
    const turn = (assistant: Json): Json => {
      const messages = [
        USER,
        { role: "assistant", tool_calls: [call("x")], ...assistant },
        { role: "tool", tool_call_id: "x", content: "r" },
      ];
      return encode({ messages, tools: [TOOL], reasoning_effort: "high" }, BUDGET).body;
    };
    expect(turn({})["additionalModelRequestFields"]).toBeUndefined();
    expect(
      turn({ thinking_blocks: [{ thinking: "t", signature: "s" }] })["additionalModelRequestFields"],
    ).toMatchObject({ thinking: { type: "enabled" } });
  });
});
