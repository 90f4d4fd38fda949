import { describe, expect, test } from "vitest";
import type { Json } from "../../../providers/dialects/json.ts";
import { USER, HI, encode, check, BUDGET, LATEST, TOOL, USE, TOOL_USE } from "./asking.ts";

describe("messages", () => {
  const cached = { cache_control: { type: "ephemeral" } };
  test.each<[string, readonly Json[], Json]>([
    [
      "leading system and developer messages go to the top in order",
      [
        { role: "system", content: "a" },
        { role: "developer", content: [{ type: "text", text: "b", ...cached }] },
        USER,
      ],
      {
        system: [
          { type: "text", text: "a" },
          { type: "text", text: "b", ...cached },
        ],
        messages: [HI],
      },
    ],
    [
      "neighbours are merged",
      [USER, USER],
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "hi" },
              { type: "text", text: "hi" },
            ],
          },
        ],
      },
    ],
    [
      "empty text is left out",
      [
        {
          role: "user",
          content: [
            { type: "text", text: "" },
            { type: "text", text: "hi" },
          ],
        },
      ],
      { messages: [HI] },
    ],
    [
      "an image as data",
      [
        {
          role: "user",
          content: [
            {
              type: "image_url",
              image_url: { url: "data:image/JPG;charset=utf-8;base64,QUJD", detail: "low" },
            },
          ],
        },
      ],
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image", source: { type: "base64", media_type: "image/jpeg", data: "QUJD" } }],
          },
        ],
      },
    ],
    [
      "an image as percent-encoded data",
      [
        {
          role: "user",
          content: [{ type: "image_url", image_url: { url: "data:image/svg+xml,%3Csvg/%3E" } }],
        },
      ],
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "image", source: { type: "base64", media_type: "image/svg+xml", data: "PHN2Zy8+" } },
            ],
          },
        ],
      },
    ],
    [
      "an image by URL",
      [{ role: "user", content: [{ type: "image_url", image_url: "https://x/y.png", ...cached }] }],
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image", source: { type: "url", url: "https://x/y.png" }, ...cached }],
          },
        ],
      },
    ],
    [
      "a PDF",
      [
        {
          role: "user",
          content: [
            { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,QUJD" } },
          ],
        },
      ],
      {
        messages: [
          {
            role: "user",
            content: [
              {
                type: "document",
                source: { type: "base64", media_type: "application/pdf", data: "QUJD" },
                title: "a.pdf",
              },
            ],
          },
        ],
      },
    ],
    [
      "a text file",
      [{ role: "user", content: [{ type: "file", file: { file_data: "data:text/markdown;base64,w6Q=" } }] }],
      {
        messages: [
          {
            role: "user",
            content: [{ type: "document", source: { type: "text", media_type: "text/plain", data: "ä" } }],
          },
        ],
      },
    ],
    [
      "a file by id",
      [{ role: "user", content: [{ type: "file", file: { file_id: "file_1" } }] }],
      {
        messages: [
          { role: "user", content: [{ type: "document", source: { type: "file", file_id: "file_1" } }] },
        ],
      },
    ],
    [
      "the target's own blocks",
      [{ role: "user", content: [{ type: "search_result", source: "s", title: "t", content: [] }] }],
      {
        messages: [
          { role: "user", content: [{ type: "search_result", source: "s", title: "t", content: [] }] },
        ],
      },
    ],
    [
      "a cache_control of the message",
      [{ ...USER, ...cached }],
      { messages: [{ role: "user", content: [{ type: "text", text: "hi", ...cached }] }] },
    ],
    [
      "a refusal is text",
      [USER, { role: "assistant", content: null, refusal: "no" }, USER],
      { messages: [HI, { role: "assistant", content: [{ type: "text", text: "no" }] }, HI] },
    ],
    [
      "an answer to continue does not end in space",
      [USER, { role: "assistant", content: "a \n" }],
      { messages: [HI, { role: "assistant", content: [{ type: "text", text: "a" }] }] },
    ],
  ])("are carried over: %s", (_, messages, expected) => {
    expect(check({ messages }, expected)).toEqual([]);
  });

  test("with parallel calls answer them in one turn, results first", () => {
    const messages = [
      USER,
      {
        role: "assistant",
        content: "",
        tool_calls: [USE, { id: "y:0", function: { name: "f", arguments: "" } }],
      },
      { role: "tool", tool_call_id: "x", content: "r" },
      { role: "user", content: "and?" },
      {
        role: "tool",
        tool_call_id: "y:0",
        content: [
          { type: "text", text: "s" },
          { type: "image_url", image_url: { url: "https://i" } },
        ],
      },
    ];
    expect(encode({ messages, tools: [TOOL] }).body["messages"]).toEqual([
      HI,
      { role: "assistant", content: [TOOL_USE, { type: "tool_use", id: "y_0", name: "f", input: {} }] },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "x", content: "r" },
          {
            type: "tool_result",
            tool_use_id: "y_0",
            content: [
              { type: "text", text: "s" },
              { type: "image", source: { type: "url", url: "https://i" } },
            ],
          },
          { type: "text", text: "and?" },
        ],
      },
    ]);
  });

  test("later system messages stay in place where the API has one, else move to the top with a warning", () => {
    const messages = [USER, { role: "system", content: "s" }, { role: "assistant", content: "a" }, USER];
    const placed = encode({ messages }, LATEST);
    expect(placed.body["messages"]).toMatchObject([
      { role: "user" },
      { role: "system" },
      { role: "assistant" },
      { role: "user" },
    ]);
    expect(placed.warnings).toEqual([]);
    const moved = encode({ messages });
    expect(moved.body).toMatchObject({
      system: [{ text: "s" }],
      messages: [{ role: "user" }, { role: "assistant" }, { role: "user" }],
    });
    expect(moved.warnings[0]).toContain("moved to the top");
  });

  test("of the system alone are asked as the user's", () => {
    const { body, warnings } = encode({ messages: [{ role: "system", content: "s" }] });
    expect(body["messages"]).toEqual([{ role: "user", content: [{ type: "text", text: "s" }] }]);
    expect(warnings).toHaveLength(1);
  });

  describe("with thinking", () => {
    const signed = { type: "thinking", thinking: "t", signature: "s" };
    const redacted = { type: "redacted_thinking", data: "d" };
    const tool = { role: "tool", tool_call_id: "x", content: "r" };
    const blocks = (
      assistant: Json,
      request: Json = {},
    ): { content: unknown; body: Json; warnings: readonly string[] } => {
      const { body, warnings } = encode(
        {
          messages: [USER, { role: "assistant", tool_calls: [USE], ...assistant }, tool],
          tools: [TOOL],
          ...request,
        },
        BUDGET,
      );
      const turns = body["messages"];
      return { content: Array.isArray(turns) ? turns[1].content : undefined, body, warnings };
    };

    test.each<[string, Json]>([
      ["thinking_blocks", { thinking_blocks: [signed, redacted] }],
      ["parts of the content", { content: [signed, redacted] }],
      [
        "reasoning_details",
        {
          reasoning_details: [
            { type: "reasoning.text", text: "t", signature: "s" },
            { type: "reasoning.encrypted", data: "d" },
          ],
        },
      ],
      [
        "pieces of a stream",
        {
          thinking_blocks: [
            { type: "thinking", thinking: "t" },
            { type: "thinking", thinking: "", signature: "s" },
            redacted,
          ],
        },
      ],
    ])("replay it first in the turn, from %s", (_, assistant) => {
      const { content, warnings } = blocks(assistant);
      expect(content).toEqual([signed, redacted, TOOL_USE]);
      expect(warnings).toEqual([]);
    });

    test.each<[string, Json]>([
      ["thinking_blocks", { thinking_blocks: [{ type: "thinking", thinking: "t" }] }],
      ["a part of the content", { content: [{ type: "reasoning", reasoning: "t" }] }],
      ["reasoning_content", { reasoning_content: "t" }],
    ])("that has no signature drop it with a warning, from %s", (_, assistant) => {
      const { content, warnings } = blocks(assistant);
      expect(content).toEqual([TOOL_USE]);
      expect(warnings).toEqual(["Thinking without a signature was dropped: it can't be replayed."]);
    });

    test("don't ask for a budget when the calls being answered were made without", () => {
      expect(blocks({}, { reasoning_effort: "high" })).toMatchObject({
        body: { tools: [{}] },
        warnings: [expect.stringContaining("without thinking")],
      });
      expect(blocks({}, { reasoning_effort: "high" }).body["thinking"]).toBeUndefined();
      expect(
        blocks({ thinking_blocks: [signed] }, { reasoning_effort: "high" }).body["thinking"],
      ).toBeDefined();
    });
  });
});
