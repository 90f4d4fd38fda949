import { describe, expect, test } from "vitest";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";
import { type Asked, chat, USER, check, OLD, BUDGET, NEW, LATEST, TOOL } from "./asking.ts";

describe("members", () => {
  test.each<[string, Json, Json, Asked?]>([
    ["max_completion_tokens wins over max_tokens", { max_completion_tokens: 7 }, { max_tokens: 7 }],
    ["stream", { stream: true, stream_options: { include_usage: true } }, { stream: true }],
    ["stop as text", { stop: "a" }, { stop_sequences: ["a"] }],
    ["stop as a list, without blanks", { stop: ["a", "", " ", "b"] }, { stop_sequences: ["a", "b"] }],
    ["user", { user: "u" }, { metadata: { user_id: "u" } }],
    ["safety_identifier", { safety_identifier: "u" }, { metadata: { user_id: "u" } }],
    ["the target's own metadata", { metadata: { user_id: "m" }, user: "u" }, { metadata: { user_id: "m" } }],
    ["temperature and top_k", { temperature: 0.5, top_k: 5 }, { temperature: 0.5, top_k: 5 }],
    [
      "values that ask for nothing",
      {
        n: 1,
        logprobs: false,
        presence_penalty: 0,
        logit_bias: {},
        store: false,
        seed: null,
        modalities: ["text"],
      },
      {},
    ],
    ["service_tier", { service_tier: "default" }, { service_tier: "standard_only" }],
    [
      "the target's own members",
      { thinking: { type: "adaptive" }, container: "c", cache_control: { type: "ephemeral" } },
      { thinking: { type: "adaptive" }, container: "c", cache_control: { type: "ephemeral" } },
    ],
    [
      "a schema",
      { response_format: { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } } },
      { output_config: { format: { type: "json_schema", schema: { type: "object" } } } },
    ],
    [
      "a schema beside an effort",
      {
        response_format: { type: "json_schema", json_schema: { schema: { a: 1 } } },
        reasoning_effort: "xhigh",
      },
      {
        thinking: { type: "adaptive", display: "summarized" },
        output_config: { effort: "xhigh", format: { type: "json_schema", schema: { a: 1 } } },
      },
      NEW,
    ],
    ["text as the format", { response_format: { type: "text" } }, {}],
    [
      "minimal effort",
      { reasoning_effort: "minimal" },
      { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "low" } },
      NEW,
    ],
    [
      "effort for a model nobody knows",
      { reasoning_effort: "max" },
      { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "max" } },
      { model: "some-model" },
    ],
    ["no effort for a new model", { reasoning_effort: "none" }, { thinking: { type: "disabled" } }, NEW],
    ["no effort for an older model", { reasoning_effort: "none" }, {}, BUDGET],
    [
      "effort as a budget",
      { reasoning_effort: "medium" },
      { thinking: { type: "enabled", budget_tokens: 2000 } },
      BUDGET,
    ],
    [
      "the smallest budget",
      { reasoning_effort: "minimal", max_tokens: 2000 },
      { max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 } },
      BUDGET,
    ],
    [
      "a budget below max_tokens",
      { reasoning_effort: "max", max_tokens: 1025 },
      { max_tokens: 1025, thinking: { type: "enabled", budget_tokens: 1024 } },
      BUDGET,
    ],
    [
      "temperature 1 while thinking",
      { reasoning_effort: "high", temperature: 1, top_p: 0.95 },
      { thinking: { type: "enabled", budget_tokens: 3200 }, top_p: 0.95 },
      BUDGET,
    ],
    ["the default temperature where none is taken", { temperature: 1, top_p: 1 }, {}, LATEST],
  ])("are carried over: %s", (_, request, expected, asked) => {
    expect(check(request, expected, asked)).toEqual([]);
  });

  test.each<[string, Json, Json, string, Asked?]>([
    ["seed", { seed: 5 }, {}, "seed was dropped"],
    ["penalties", { presence_penalty: 1 }, {}, "presence_penalty was dropped"],
    ["what nobody knows", { frobnicate: 1 }, {}, "frobnicate was dropped"],
    ["a tier", { service_tier: "flex" }, {}, "service_tier flex was dropped"],
    ["temperature above 1", { temperature: 1.5 }, { temperature: 1 }, "temperature was lowered to 1"],
    ["top_p beside temperature", { temperature: 0.5, top_p: 0.5 }, { temperature: 0.5 }, "top_p was dropped"],
    ["temperature for a new model", { temperature: 0.5 }, {}, "temperature was dropped", NEW],
    ["top_p for a new model", { top_p: 0.5 }, {}, "top_p was dropped", NEW],
    ["top_k for a new model", { top_k: 5 }, {}, "top_k was dropped", NEW],
    [
      "temperature for any model of the 2026 version",
      { temperature: 0.5 },
      {},
      "temperature was dropped",
      { model: "claude-haiku-4-5", options: { anthropic_version: "2026-10-21" } },
    ],
    [
      "temperature while thinking",
      { temperature: 0.5, reasoning_effort: "medium" },
      { thinking: { type: "enabled", budget_tokens: 2000 } },
      "temperature was dropped",
      BUDGET,
    ],
    [
      "effort for a model that does not think",
      { reasoning_effort: "high" },
      {},
      "reasoning_effort was dropped",
      OLD,
    ],
    [
      "effort with a tiny answer",
      { reasoning_effort: "high", max_tokens: 500 },
      { max_tokens: 500 },
      "reasoning_effort was dropped",
      BUDGET,
    ],
    [
      "effort with a forced call",
      { reasoning_effort: "high", tools: [TOOL], tool_choice: "required" },
      {
        tools: [
          {
            name: "f",
            description: "d",
            input_schema: {
              type: "object",
              properties: {},
              $defs: {},
              allOf: [],
              additionalProperties: false,
            },
          },
        ],
        tool_choice: { type: "any" },
      },
      "reasoning_effort was dropped",
      NEW,
    ],
    [
      "json_object",
      { response_format: { type: "json_object" } },
      {
        system: [
          { type: "text", text: "Answer with one JSON object and nothing else: no prose, no code fence." },
        ],
      },
      "response_format became an instruction",
    ],
    [
      "a schema for an old model",
      { response_format: { type: "json_schema", json_schema: { schema: { a: 1 } } } },
      {
        system: [
          {
            type: "text",
            text: 'Answer with one JSON object and nothing else: no prose, no code fence. It must follow this JSON schema: {"a":1}',
          },
        ],
      },
      "response_format became an instruction",
      OLD,
    ],
  ])("that can't be are dropped or changed with a warning: %s", (_, request, expected, warning, asked) => {
    const warnings = check(request, expected, asked);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(warning);
  });
});
describe("max_tokens, which the API requires,", () => {
  test.each<[string, number | undefined, number]>([
    ["claude-3-opus-20240229", undefined, 4096],
    ["claude-3-5-haiku-latest", undefined, 8192],
    ["claude-opus-4-1", undefined, 32_000],
    ["claude-sonnet-4-20250514", undefined, 64_000],
    ["claude-sonnet-4-5", 1234, 1234],
  ])("defaults to the model's maximum: %s", (model, maxOutputTokens, expected) => {
    const known = maxOutputTokens === undefined ? {} : { maxOutputTokens };
    const { body, warnings } = chat.encode({ messages: [USER] }, target({ model, ...known }));
    expect(JSON.parse(String(body))).toMatchObject({ max_tokens: expected });
    expect(warnings).toEqual([]);
  });

  test("is set with a warning where the maximum is not known", () => {
    const { body, warnings } = chat.encode({ messages: [USER] }, target({ model: "mystery" }));
    expect(JSON.parse(String(body))).toMatchObject({ max_tokens: 8192 });
    expect(warnings[0]).toContain("max_tokens was set to 8192");
  });
});
