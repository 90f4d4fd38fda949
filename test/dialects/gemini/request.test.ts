import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

const { chat } = DIALECTS.get("gemini")!;
const USER: Json = { role: "user", content: "hi" };
const HI: Json = { role: "user", parts: [{ text: "hi" }] };

const VERTEX = "https://x/v1/projects/p/locations/l/publishers/google";

interface Asked {
  readonly baseUrl?: string;
  readonly model?: string;
  readonly options?: Readonly<Record<string, string>>;
}

function encode(
  request: Json,
  { model = "gemini-2.5-flash", options = {}, baseUrl = target().baseUrl }: Asked = {},
): { body: Json; warnings: readonly string[]; path: string } {
  const { body, ...rest } = chat.encode(
    { messages: [USER], ...request },
    target({ model, options, baseUrl }),
  );
  return { body: JSON.parse(String(body)), ...rest };
}

function check(request: Json, expected: Json, asked: Asked = {}): readonly string[] {
  const { body, warnings } = encode(request, asked);
  expect(body).toEqual({ contents: [HI], ...expected });
  return warnings;
}

const OLD = { model: "gemini-1.5-flash" };
const PRO = { model: "gemini-2.5-pro" };
const NEW = { model: "gemini-3-flash-preview" };
const NEW_PRO = { model: "gemini-3-pro-preview" };
const MIDDLE_PRO = { model: "gemini-3.1-pro-preview" };
const thinking = (config: Json): Json => ({ generationConfig: { thinkingConfig: config } });

describe("members", () => {
  test.each<[string, Json, Json, Asked?]>([
    [
      "sampling",
      { temperature: 2, top_p: 0.5, top_k: 4, seed: 1, presence_penalty: 0.5, frequency_penalty: 1 },
      {
        generationConfig: {
          temperature: 2,
          topP: 0.5,
          topK: 4,
          seed: 1,
          presencePenalty: 0.5,
          frequencyPenalty: 1,
        },
      },
    ],
    [
      "limits",
      { max_completion_tokens: 5, stop: ["a", ""], n: 2 },
      { generationConfig: { maxOutputTokens: 5, stopSequences: ["a"], candidateCount: 2 } },
    ],
    [
      "logprobs",
      { logprobs: true, top_logprobs: 3 },
      { generationConfig: { responseLogprobs: true, logprobs: 3 } },
    ],
    [
      "pictures",
      { modalities: ["text", "image"] },
      { generationConfig: { responseModalities: ["TEXT", "IMAGE"] } },
    ],
    [
      "nothing special",
      { n: 1, modalities: ["text"], logprobs: false, stream: true, tool_choice: "auto" },
      {},
    ],
    [
      "a JSON object",
      { response_format: { type: "json_object" } },
      { generationConfig: { responseMimeType: "application/json" } },
    ],
    [
      "a schema",
      { response_format: { type: "json_schema", json_schema: { schema: { $defs: {} } } } },
      { generationConfig: { responseMimeType: "application/json", responseJsonSchema: { $defs: {} } } },
    ],
    [
      "a schema for an old model",
      {
        response_format: {
          type: "json_schema",
          json_schema: { schema: { type: "object", additionalProperties: false } },
        },
      },
      { generationConfig: { responseMimeType: "application/json", responseSchema: { type: "object" } } },
      OLD,
    ],
    ["a tier", { service_tier: "priority" }, { serviceTier: "priority" }],
    ["the default tier", { service_tier: "default" }, {}],
    ["search", { web_search_options: {} }, { tools: [{ googleSearch: {} }] }],
    [
      "safety settings and cached content",
      { safety_settings: [{}], cached_content: "c" },
      { safetySettings: [{}], cachedContent: "c" },
    ],
    [
      "the target's own members",
      { safetySettings: [{}], labels: { a: "b" } },
      { safetySettings: [{}], labels: { a: "b" } },
    ],
    [
      "what Google's chat endpoint takes",
      {
        extra_body: {
          google: { thinking_config: { thinking_budget: 5, include_thoughts: true }, cached_content: "c" },
        },
      },
      { ...thinking({ thinkingBudget: 5, includeThoughts: true }), cachedContent: "c" },
    ],
    ["a budget", { reasoning_effort: "medium" }, thinking({ thinkingBudget: 8192, includeThoughts: true })],
    [
      "the largest budget",
      { reasoning_effort: "max" },
      thinking({ thinkingBudget: 24_576, includeThoughts: true }),
    ],
    ["no budget", { reasoning_effort: "none" }, thinking({ thinkingBudget: 0 })],
    [
      "a level",
      { reasoning_effort: "medium" },
      thinking({ thinkingLevel: "medium", includeThoughts: true }),
      NEW,
    ],
    [
      "the highest level",
      { reasoning_effort: "xhigh" },
      thinking({ thinkingLevel: "high", includeThoughts: true }),
      NEW,
    ],
    [
      "the least level",
      { reasoning_effort: "minimal" },
      thinking({ thinkingLevel: "minimal", includeThoughts: true }),
      NEW,
    ],
    [
      "the least level of a large model",
      { reasoning_effort: "minimal" },
      thinking({ thinkingLevel: "low", includeThoughts: true }),
      NEW_PRO,
    ],
    [
      "a middle that the first large model lacks",
      { reasoning_effort: "medium" },
      thinking({ thinkingLevel: "high", includeThoughts: true }),
      NEW_PRO,
    ],
    [
      "a middle that later ones have",
      { reasoning_effort: "medium" },
      thinking({ thinkingLevel: "medium", includeThoughts: true }),
      MIDDLE_PRO,
    ],
    ["no level", { reasoning_effort: "none" }, thinking({ thinkingLevel: "minimal" }), NEW],
    [
      "a level of a model nobody knows",
      { reasoning_effort: "low" },
      thinking({ thinkingLevel: "low", includeThoughts: true }),
      { model: "gemini-flash-latest" },
    ],
  ])("are carried over: %s", (_, request, expected, asked) => {
    expect(check(request, expected, asked)).toEqual([]);
  });

  test.each<[string, Json, Json, string, Asked?]>([
    ["logit_bias", { logit_bias: { 5: 1 } }, {}, "logit_bias was dropped"],
    ["user", { user: "u" }, {}, "user was dropped"],
    ["another tier", { service_tier: "scale" }, {}, "service_tier scale was dropped"],
    ["one call at a time", { parallel_tool_calls: false }, {}, "parallel_tool_calls was dropped"],
    [
      "effort of a model that does not think",
      { reasoning_effort: "high" },
      {},
      "reasoning_effort was dropped",
      { model: "gemini-2.0-flash" },
    ],
    [
      "no thinking where it can't be stopped",
      { reasoning_effort: "none" },
      thinking({ thinkingBudget: 128 }),
      "can't stop thinking",
      PRO,
    ],
    [
      "no level where it can't be stopped",
      { reasoning_effort: "none" },
      thinking({ thinkingLevel: "low" }),
      "can't stop thinking",
      NEW_PRO,
    ],
    [
      "cache_control",
      { messages: [{ role: "user", content: [{ type: "text", text: "hi", cache_control: {} }] }] },
      {},
      "cache_control was dropped",
    ],
  ])("that can't be are dropped or changed with a warning: %s", (_, request, expected, warning, asked) => {
    const warnings = check(request, expected, asked);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(warning);
  });

  test.each<[string, Json, string, string]>([
    ["audio answers", { modalities: ["audio"] }, "unsupported_parameter", "modalities"],
    ["functions", { functions: [{}] }, "unsupported_parameter", "functions"],
    [
      "another language's parts",
      { messages: [{ role: "user", content: [{ type: "search_result" }] }] },
      "unsupported_parameter",
      "messages[0].content[0]",
    ],
    ["half a candidate", { n: 1.5 }, "invalid_request", "n"],
    [
      "a result without a call",
      { messages: [{ role: "tool", tool_call_id: "x", content: "r" }] },
      "invalid_request",
      "messages[0].tool_call_id",
    ],
    ["an unknown format", { response_format: { type: "xml" } }, "invalid_request", "response_format.type"],
  ])("that can't be at all are refused: %s", (_, request, code, param) => {
    expect(() => encode(request)).toThrow(expect.objectContaining({ code, param }));
  });
});

test.each<[Json, Asked, string]>([
  [{}, {}, "/models/gemini-2.5-flash:generateContent"],
  [{ stream: true }, {}, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"],
  [{}, { model: "models/gemini-2.5-pro" }, "/models/gemini-2.5-pro:generateContent"],
  [{}, { model: "tunedModels/a b" }, "/tunedModels/a%20b:generateContent"],
  [{ stream: true }, { baseUrl: VERTEX }, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"],
])("%j to %j goes to %s", (request, asked, path) => {
  expect(encode(request, asked).path).toBe(path);
});

describe("tools", () => {
  const schema = {
    type: "object",
    properties: { a: { type: ["string", "null"] } },
    additionalProperties: false,
  };
  const tool: Json = { type: "function", function: { name: "f", description: "d", parameters: schema } };
  const declared = [
    { functionDeclarations: [{ name: "f", description: "d", parametersJsonSchema: schema }] },
  ];
  const config = (each: Json): Json => ({ tools: declared, toolConfig: { functionCallingConfig: each } });
  test.each<[string, Json, Json, Asked?]>([
    ["a schema is kept whole", { tools: [tool] }, { tools: declared }],
    [
      "an old model's schema is converted",
      { tools: [tool] },
      {
        tools: [
          {
            functionDeclarations: [
              {
                name: "f",
                description: "d",
                parameters: { type: "object", properties: { a: { type: "string", nullable: true } } },
              },
            ],
          },
        ],
      },
      OLD,
    ],
    [
      "an old model's tool without arguments has none",
      { tools: [{ type: "function", function: { name: "f" } }] },
      { tools: [{ functionDeclarations: [{ name: "f" }] }] },
      OLD,
    ],
    ["the target's own", { tools: [{ codeExecution: {} }] }, { tools: [{ codeExecution: {} }] }],
    ["auto", { tools: [tool], tool_choice: "auto" }, config({ mode: "AUTO" })],
    ["none", { tools: [tool], tool_choice: "none" }, config({ mode: "NONE" })],
    ["required", { tools: [tool], tool_choice: "required" }, config({ mode: "ANY" })],
    [
      "named",
      { tools: [tool], tool_choice: { type: "function", function: { name: "f" } } },
      config({ mode: "ANY", allowedFunctionNames: ["f"] }),
    ],
  ])("are carried over: %s", (_, request, expected, asked) => {
    expect(check(request, expected, asked)).toEqual([]);
  });
});
