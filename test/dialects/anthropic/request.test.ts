import { describe, expect, test } from "vitest";
import type { Json } from "../../../providers/dialects/json.ts";
import { USER, encode, check, LATEST, TOOL, USE } from "./asking.ts";

describe("tools", () => {
  const schema = { type: "object", properties: {}, $defs: {}, allOf: [], additionalProperties: false };
  const tools = [{ name: "f", description: "d", input_schema: schema }];
  test.each<[string, Json, Json]>([
    ["a schema is kept whole", { tools: [TOOL] }, { tools }],
    [
      "no parameters",
      { tools: [{ type: "function", function: { name: "g" } }] },
      { tools: [{ name: "g", input_schema: { type: "object", properties: {} } }] },
    ],
    [
      "strict and cache_control",
      {
        tools: [
          {
            type: "function",
            cache_control: { type: "ephemeral" },
            function: { name: "g", strict: true, parameters: { properties: {} } },
          },
        ],
      },
      {
        tools: [
          {
            name: "g",
            input_schema: { type: "object", properties: {} },
            strict: true,
            cache_control: { type: "ephemeral" },
          },
        ],
      },
    ],
    [
      "the target's own",
      { tools: [{ type: "web_search_20250305", name: "web_search" }] },
      { tools: [{ type: "web_search_20250305", name: "web_search" }] },
    ],
    ["auto", { tools: [TOOL], tool_choice: "auto" }, { tools, tool_choice: { type: "auto" } }],
    ["none", { tools: [TOOL], tool_choice: "none" }, { tools, tool_choice: { type: "none" } }],
    ["required", { tools: [TOOL], tool_choice: "required" }, { tools, tool_choice: { type: "any" } }],
    [
      "named",
      { tools: [TOOL], tool_choice: { type: "function", function: { name: "f" } } },
      { tools, tool_choice: { type: "tool", name: "f" } },
    ],
    [
      "one at a time",
      { tools: [TOOL], parallel_tool_calls: false },
      { tools, tool_choice: { type: "auto", disable_parallel_tool_use: true } },
    ],
    [
      "one at a time, required",
      { tools: [TOOL], tool_choice: "required", parallel_tool_calls: false },
      { tools, tool_choice: { type: "any", disable_parallel_tool_use: true } },
    ],
    [
      "allowed tools",
      {
        tools: [TOOL, { type: "function", function: { name: "g" } }],
        tool_choice: {
          type: "allowed_tools",
          allowed_tools: { mode: "required", tools: [{ type: "function", function: { name: "f" } }] },
        },
      },
      { tools, tool_choice: { type: "any" } },
    ],
    ["a choice without tools", { tool_choice: "none" }, {}],
  ])("are carried over: %s", (_, request, expected) => {
    expect(check(request, expected)).toEqual([]);
  });

  test("of the conversation are declared when the request has none", () => {
    const messages = [
      USER,
      { role: "assistant", tool_calls: [USE] },
      { role: "tool", tool_call_id: "x", content: "r" },
    ];
    expect(encode({ messages }).body).toMatchObject({
      tools: [{ name: "f", input_schema: { type: "object" } }],
      tool_choice: { type: "none" },
    });
  });
});

describe("the address", () => {
  test("is /messages with the API version and the configured betas", () => {
    expect(encode({}, { options: { anthropic_beta: "a,b" } })).toMatchObject({
      path: "/messages",
      headers: { "anthropic-version": "2023-06-01", "anthropic-beta": "a,b" },
    });
    expect(encode({}, LATEST).headers).toMatchObject({ "anthropic-version": "2026-10-21" });
  });

  test("at Vertex has the model in the path and the version in the body", () => {
    const baseUrl = "https://x/v1/projects/p/locations/l/publishers/anthropic";
    const { path, headers, body } = encode(
      { stream: true },
      { model: "claude-sonnet-4-5@20250929", baseUrl },
    );
    expect(path).toBe("/models/claude-sonnet-4-5%4020250929:streamRawPredict");
    expect(headers).toEqual({ "content-type": "application/json" });
    expect(body).toMatchObject({ anthropic_version: "vertex-2023-10-16", stream: true });
    expect(body["model"]).toBeUndefined();
    expect(encode({}, { model: "claude", baseUrl }).path).toMatch(/:rawPredict$/);
  });
});
