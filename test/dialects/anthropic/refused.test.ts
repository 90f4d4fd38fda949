import { describe, expect, test } from "vitest";
import type { Json } from "../../../providers/dialects/json.ts";
import { USER, encode } from "./asking.ts";

describe("members", () => {
  test.each<[string, Json, string]>([
    ["n", { n: 2 }, "n"],
    ["logprobs", { logprobs: true }, "logprobs"],
    ["top_logprobs", { top_logprobs: 3 }, "top_logprobs"],
    ["audio answers", { modalities: ["text", "audio"] }, "modalities"],
    ["web search", { web_search_options: {} }, "web_search_options"],
    ["functions", { functions: [{}] }, "functions"],
    [
      "audio",
      {
        messages: [
          { role: "user", content: [{ type: "input_audio", input_audio: { data: "a", format: "wav" } }] },
        ],
      },
      "messages[0].content[0]",
    ],
    [
      "video",
      { messages: [{ role: "user", content: [{ type: "video_url", video_url: { url: "https://v" } }] }] },
      "messages[0].content[0]",
    ],
    [
      "an unknown part",
      { messages: [{ role: "user", content: [{ type: "hologram" }] }] },
      "messages[0].content[0]",
    ],
    [
      "a spreadsheet",
      {
        messages: [
          {
            role: "user",
            content: [{ type: "file", file: { file_data: "data:application/vnd.ms-excel;base64,aaaa" } }],
          },
        ],
      },
      "messages[0].content[0]",
    ],
    ["an unknown role", { messages: [{ role: "function", content: "x" }] }, "messages[0].role"],
    ["a free-form tool", { tools: [{ type: "custom", custom: { name: "x" } }] }, "tools[0]"],
  ])("that would change the answer's shape are refused: %s", (_, request, param) => {
    expect(() => encode(request)).toThrow(expect.objectContaining({ code: "unsupported_parameter", param }));
  });

  test.each<[string, Json, string | null]>([
    ["no messages", { messages: undefined }, "messages"],
    ["an empty list", { messages: [] }, "messages"],
    ["a message of the wrong type", { messages: [5] }, "messages[0]"],
    ["content of the wrong type", { messages: [{ role: "user", content: 5 }] }, "messages[0].content"],
    ["a part of the wrong type", { messages: [{ role: "user", content: [5] }] }, "messages[0].content[0]"],
    [
      "text of the wrong type",
      { messages: [{ role: "user", content: [{ type: "text", text: 5 }] }] },
      "messages[0].content[0].text",
    ],
    [
      "an image without a URL",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "messages[0].content[0].image_url.url",
    ],
    [
      "an image at a path",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "/etc/passwd" } }] }] },
      "messages[0].content[0].image_url.url",
    ],
    [
      "a data: URL cut short",
      {
        messages: [
          { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64" } }] },
        ],
      },
      "messages[0].content[0].image_url.url",
    ],
    [
      "a data: URL without data",
      {
        messages: [
          { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64," } }] },
        ],
      },
      "messages[0].content[0].image_url.url",
    ],
    [
      "arguments that are not JSON",
      {
        messages: [
          USER,
          { role: "assistant", tool_calls: [{ id: "x", function: { name: "f", arguments: "{a" } }] },
        ],
      },
      "messages[1].tool_calls[0].function.arguments",
    ],
    [
      "arguments that are no object",
      {
        messages: [
          USER,
          { role: "assistant", tool_calls: [{ id: "x", function: { name: "f", arguments: "[]" } }] },
        ],
      },
      "messages[1].tool_calls[0].function.arguments",
    ],
    ["a tool without a name", { tools: [{ type: "function", function: {} }] }, "tools[0].function.name"],
    ["max_tokens below 1", { max_tokens: 0 }, "max_tokens"],
    ["a temperature as text", { temperature: "hot" }, "temperature"],
    ["a stop that is a number", { stop: [5] }, "stop[0]"],
    ["an unknown effort", { reasoning_effort: "extreme" }, "reasoning_effort"],
    ["an unknown format", { response_format: { type: "xml" } }, "response_format.type"],
    [
      "a schema that is missing",
      { response_format: { type: "json_schema" } },
      "response_format.json_schema.schema",
    ],
    ["an unknown choice", { tool_choice: "sometimes" }, "tool_choice"],
  ])("that are wrong anywhere are refused by name: %s", (_, request, param) => {
    expect(() => encode(request)).toThrow(expect.objectContaining({ code: "invalid_request", param }));
  });
});
