import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

const { chat } = DIALECTS.get("bedrock")!;
const USER: Json = { role: "user", content: "hi" };
const CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const BUDGET = "anthropic.claude-3-7-sonnet-20250219-v1:0";
const NEW = "anthropic.claude-opus-4-8-v1";
const NOVA = "us.amazon.nova-2-lite-v1:0";
const OSS = "openai.gpt-oss-120b-1:0";
const LLAMA = "meta.llama3-1-70b-instruct-v1:0";

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
const SPEC: Json = {
  toolSpec: { name: "f", description: "d", inputSchema: { json: { type: "object", $defs: {} } } },
};
const config = (choice: Json = {}): Json => ({ toolConfig: { tools: [SPEC], ...choice } });
const extra = (fields: Json): Json => ({ additionalModelRequestFields: fields });

describe("members", () => {
  test.each<[string, Json, Json, string?]>([
    [
      "limits",
      { max_completion_tokens: 5, stop: ["a", " "] },
      { inferenceConfig: { maxTokens: 5, stopSequences: ["a"] } },
    ],
    ["sampling", { temperature: 0.5 }, { inferenceConfig: { temperature: 0.5 } }],
    [
      "sampling of a model of another maker",
      { temperature: 0.5, top_p: 0.4, top_k: 3 },
      { inferenceConfig: { temperature: 0.5, topP: 0.4 }, ...extra({ topK: 3 }) },
      LLAMA,
    ],
    ["top_k", { top_k: 3 }, extra({ top_k: 3 })],
    ["tiers", { service_tier: "flex" }, { serviceTier: { type: "flex" } }],
    ["no tier", { service_tier: "auto" }, {}],
    [
      "the target's own members",
      { guardrailConfig: { a: 1 }, additionalModelRequestFields: { b: 2 } },
      { guardrailConfig: { a: 1 }, ...extra({ b: 2 }) },
    ],
    [
      "a budget",
      { reasoning_effort: "medium", max_tokens: 4000 },
      {
        inferenceConfig: { maxTokens: 4000 },
        ...extra({ thinking: { type: "enabled", budget_tokens: 2000 } }),
      },
      BUDGET,
    ],
    [
      "a budget of the model's maximum",
      { reasoning_effort: "low" },
      {
        inferenceConfig: { maxTokens: 64_000 },
        ...extra({ thinking: { type: "enabled", budget_tokens: 12_800 } }),
      },
      BUDGET,
    ],
    [
      "an effort",
      { reasoning_effort: "max" },
      {
        inferenceConfig: { maxTokens: 64_000 },
        ...extra({ thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "max" } }),
      },
      NEW,
    ],
    [
      "an effort of Nova",
      { reasoning_effort: "xhigh" },
      extra({ reasoningConfig: { type: "enabled", maxReasoningEffort: "high" } }),
      NOVA,
    ],
    [
      "no effort of Nova",
      { reasoning_effort: "none" },
      extra({ reasoningConfig: { type: "disabled" } }),
      NOVA,
    ],
    ["an effort of gpt-oss", { reasoning_effort: "minimal" }, extra({ reasoning_effort: "low" }), OSS],
    [
      "a schema",
      { response_format: { type: "json_schema", json_schema: { name: "n", schema: { a: 1 } } } },
      {
        outputConfig: {
          textFormat: { type: "json_schema", structure: { jsonSchema: { name: "n", schema: '{"a":1}' } } },
        },
      },
    ],
    ["tools", { tools: [TOOL] }, config()],
    [
      "a strict tool with a cache point",
      {
        tools: [
          { type: "function", cache_control: { type: "ephemeral" }, function: { name: "g", strict: true } },
        ],
      },
      {
        toolConfig: {
          tools: [
            {
              toolSpec: {
                name: "g",
                inputSchema: { json: { type: "object", properties: {} } },
                strict: true,
              },
            },
            { cachePoint: { type: "default" } },
          ],
        },
      },
    ],
    ["auto", { tools: [TOOL], tool_choice: "auto" }, config({ toolChoice: { auto: {} } })],
    ["required", { tools: [TOOL], tool_choice: "required" }, config({ toolChoice: { any: {} } })],
    [
      "named",
      { tools: [TOOL], tool_choice: { type: "function", function: { name: "f" } } },
      config({ toolChoice: { tool: { name: "f" } } }),
    ],
    ["none, which leaves the tools out", { tools: [TOOL], tool_choice: "none" }, {}],
  ])("are carried over: %s", (_, request, expected, model) => {
    expect(check(request, expected, model)).toEqual([]);
  });

  test.each<[string, Json, Json, string, string?]>([
    ["seed", { seed: 1 }, {}, "seed was dropped"],
    ["user", { user: "u" }, {}, "user was dropped"],
    ["a tier", { service_tier: "scale" }, {}, "service_tier scale was dropped"],
    ["one call at a time", { parallel_tool_calls: false }, {}, "parallel_tool_calls was dropped"],
    [
      "temperature above 1",
      { temperature: 2 },
      { inferenceConfig: { temperature: 1 } },
      "temperature was lowered",
    ],
    [
      "top_p beside temperature",
      { temperature: 0.5, top_p: 0.5 },
      { inferenceConfig: { temperature: 0.5 } },
      "top_p was dropped",
    ],
    ["temperature of a new model", { temperature: 0.5 }, {}, "temperature was dropped", NEW],
    [
      "effort of a model nobody knows",
      { reasoning_effort: "high" },
      {},
      "reasoning_effort was dropped",
      LLAMA,
    ],
    [
      "a schema of a model that takes none",
      { response_format: { type: "json_schema", json_schema: { schema: { a: 1 } } } },
      {
        system: [
          {
            text: 'Answer with one JSON object and nothing else: no prose, no code fence. It must follow this JSON schema: {"a":1}',
          },
        ],
      },
      "response_format became an instruction",
      LLAMA,
    ],
  ])("that can't be are dropped or changed with a warning: %s", (_, request, expected, warning, model) => {
    expect(check(request, expected, model)).toEqual([expect.stringContaining(warning)]);
  });

  test.each<[string, Json, string, string]>([
    ["n", { n: 2 }, "unsupported_parameter", "n"],
    [
      "an image by URL",
      {
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://x/y.png" } }] }],
      },
      "unsupported_parameter",
      "messages[0].content[0]",
    ],
    [
      "a picture of a strange kind",
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image_url", image_url: { url: "data:image/tiff;base64,QUJD" } }],
          },
        ],
      },
      "unsupported_parameter",
      "messages[0].content[0]",
    ],
    [
      "a file by id",
      { messages: [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }] },
      "unsupported_parameter",
      "messages[0].content[0]",
    ],
    [
      "a result without a call",
      { messages: [{ role: "tool", content: "r" }] },
      "unsupported_parameter",
      "messages[0].tool_call_id",
    ],
    ["an unknown role", { messages: [{ role: "function" }] }, "unsupported_parameter", "messages[0].role"],
    ["an unknown format", { response_format: { type: "xml" } }, "invalid_request", "response_format.type"],
  ])("that can't be at all are refused: %s", (_, request, code, param) => {
    expect(() => encode(request)).toThrow(expect.objectContaining({ code, param }));
  });
});

test.each([
  [CLAUDE, {}, "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"],
  [
    "arn:aws:bedrock:us-east-1:1:inference-profile/x",
    { stream: true },
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse-stream",
  ],
])("%s with %j goes to %s", (model, request, path) => {
  expect(encode(request, model).path).toBe(path);
});
