import { describe, expect, test } from "vitest";
import { DIALECTS, rewriteMarks, THOUGHT_MARK } from "../../../providers/dialects/index.ts";
import { readArray, readString, type Json } from "../../../providers/dialects/json.ts";
import { FOREIGN_MEMBERS, type Quirks } from "../../../providers/dialects/quirks.ts";
import { target } from "../recordings.ts";

const chat = DIALECTS.get("openai")!.chat;
const USER: Json = { role: "user", content: "hi" };

function encoded(request: Json, quirks: Quirks = {}): { body: Json; warnings: readonly string[] } {
  const { body, warnings } = chat.encode(request, target({ quirks }));
  const { model: _model, ...rest } = JSON.parse(String(body));
  return { body: rest, warnings };
}

describe("a quirk", () => {
  test.each<[string, Quirks, Json, Json]>([
    [
      "rename",
      { rename: { max_completion_tokens: "max_tokens" } },
      { max_completion_tokens: 5, seed: 1 },
      { max_tokens: 5, seed: 1 },
    ],
    [
      "rename, with the other name sent too",
      { rename: { seed: "random_seed" } },
      { seed: 1, random_seed: 2 },
      { random_seed: 2 },
    ],
    ["drop", { drop: ["logit_bias"] }, { logit_bias: {}, seed: 1 }, { seed: 1 }],
    ["streamOptions", { streamOptions: false }, { stream: true, stream_options: {} }, { stream: true }],
    ["set", { set: { enable_thinking: false, a: 1 } }, { a: 2 }, { enable_thinking: false, a: 2 }],
    [
      "roles",
      { roles: { developer: "system" } },
      { messages: [{ role: "developer", content: "x" }, USER] },
      { messages: [{ role: "system", content: "x" }, USER] },
    ],
    [
      "flattenContent",
      { flattenContent: true },
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "a" },
              { type: "text", text: "b" },
            ],
          },
        ],
      },
      { messages: [{ role: "user", content: "a\nb" }] },
    ],
    [
      "flattenContent, with an image",
      { flattenContent: true },
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
    ],
    [
      "noImageDetail",
      { noImageDetail: true },
      {
        messages: [
          { role: "user", content: [{ type: "image_url", image_url: { url: "u", detail: "low" } }] },
        ],
      },
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "u" } }] }] },
    ],
    [
      "noStrictTools",
      { noStrictTools: true },
      { tools: [{ type: "function", function: { name: "f", strict: true } }] },
      { tools: [{ type: "function", function: { name: "f" } }] },
    ],
    [
      "strip: nothing",
      { strip: [] },
      { messages: [{ ...USER, cache_control: {} }] },
      { messages: [{ ...USER, cache_control: {} }] },
    ],
  ])("changes what it names and nothing else: %s", (_, quirks, request, expected) => {
    expect(encoded({ unknown: [1], ...request }, quirks).body).toEqual({ unknown: [1], ...expected });
  });

  test("that loses something is told to the client", () => {
    expect(encoded({ logit_bias: {} }, { drop: ["logit_bias"] }).warnings).toEqual([
      "logit_bias was dropped: the provider does not take it.",
    ]);
  });
});

test("what other languages left for themselves is taken out of messages, parts, calls and tools", () => {
  const { body, warnings } = encoded({
    messages: [
      { role: "user", content: [{ type: "text", text: "a", cache_control: {} }] },
      {
        role: "assistant",
        thinking_blocks: [{}],
        tool_calls: [{ id: `x${THOUGHT_MARK}s`, extra_content: {} }],
      },
      { role: "tool", tool_call_id: `x${THOUGHT_MARK}s` },
    ],
    tools: [{ type: "function", function: { name: "f" }, cache_control: {} }],
  });
  expect(body).toEqual({
    messages: [
      { role: "user", content: [{ type: "text", text: "a" }] },
      { role: "assistant", tool_calls: [{ id: "x" }] },
      { role: "tool", tool_call_id: "x" },
    ],
    tools: [{ type: "function", function: { name: "f" } }],
  });
  expect(warnings).toEqual([
    "messages[].thinking_blocks was dropped: only the provider that made it can read it.",
  ]);
});

test("ids of calls that the provider would refuse are replaced, in calls and results alike", () => {
  const call = (id: string): Json => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  const ids = ["call_0123456789", "toolu_1", "abcDEF123", "call_0123456780"];
  const { body, warnings } = encoded(
    {
      messages: [
        { role: "assistant", content: null, tool_calls: ids.map(call) },
        ...ids.map((id) => ({ role: "tool", tool_call_id: id, content: id })),
      ],
    },
    { toolIdLength: 9 },
  );
  const [asked, ...results] = readArray(body, "messages");
  const sent = readArray(asked, "tool_calls").map((each) => readString(each, "id"));
  expect(new Set(sent).size).toBe(ids.length);
  for (const id of sent) expect(id).toMatch(/^[a-zA-Z0-9]{9}$/);
  expect(sent[2]).toBe("abcDEF123");
  expect(results.map((each) => readString(each, "tool_call_id"))).toEqual(sent);
  expect(warnings).toEqual([]);
});

test("a signature in a call's id goes where a provider that keeps it has it", () => {
  const message = { role: "assistant", tool_calls: [{ id: `x${THOUGHT_MARK}s` }, { id: "y" }] };
  const { body } = encoded(
    { messages: [message, { role: "tool", tool_call_id: `x${THOUGHT_MARK}s` }] },
    { strip: ["thinking_blocks"] },
  );
  expect(body).toEqual({
    messages: [
      {
        role: "assistant",
        tool_calls: [{ id: "x", extra_content: { google: { thought_signature: "s" } } }, { id: "y" }],
      },
      { role: "tool", tool_call_id: "x" },
    ],
  });
});

test.each([[{ messages: [5] }], [{ messages: [null] }], [{ messages: [[]] }]])("%j is refused", (request) => {
  expect(() => encoded(request)).toThrow("A message must be an object.");
});

describe("an answer", () => {
  const decode = (answer: unknown): Json => chat.decode(answer, target()).body;

  test("that is whole stays as it is", () => {
    const answer = {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 5,
      model: "m",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "a", refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: {
        prompt_tokens: 1,
        completion_tokens: 2,
        total_tokens: 3,
        prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
      service_tier: "default",
    };
    expect(decode(answer)).toEqual(answer);
  });

  test("is mended where a stream would be", () => {
    const message = {
      content: [
        { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
        { type: "text", text: "a" },
      ],
      tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }],
    };
    expect(decode({ choices: [{ message, finish_reason: "stop" }] })).toEqual({
      id: "chatcmpl-0123456789abcdef",
      object: "chat.completion",
      created: 1_700_000_000,
      model: "test-model",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "a",
            reasoning_content: "hm",
            tool_calls: [
              {
                id: "call_0123456789abcdef_0_0",
                type: "function",
                function: { name: "f", arguments: '{"a":1}' },
              },
            ],
          },
          finish_reason: "tool_calls",
        },
      ],
    });
  });

  test.each<[string, unknown, string]>([
    ["an error in a 200", { error: { message: "m", code: 529 } }, "provider_overloaded"],
    ["an error as text", { error: "m" }, "provider_error"],
    ["a detail", { detail: "m" }, "provider_error"],
    ["no choices", { choices: [] }, "provider_bad_response"],
    ["choices of the wrong type", { choices: 5 }, "provider_bad_response"],
    ["no object", "<html>", "provider_bad_response"],
    ["null", null, "provider_bad_response"],
    ["a failure as finish reason", { choices: [{ message: {}, finish_reason: "error" }] }, "provider_error"],
  ])("that is none fails: %s", (_, answer, code) => {
    expect(() => decode(answer)).toThrow(expect.objectContaining({ code }));
  });
});

const STRIPPED = FOREIGN_MEMBERS.map((name) => JSON.stringify(name));
test.each<[Quirks, readonly string[] | null]>([
  [{}, []],
  [{ strip: ["a"], streamOptions: false, reasoningField: "r", addReasoning: true }, []],
  [{ rename: {}, drop: [] }, []],
  [{ drop: ["a"] }, ['"a"', ...STRIPPED]],
  [{ roles: { developer: "system" }, strip: ["b"] }, ['"developer"', '"b"']],
  [{ rename: { a: "b" }, streamOptions: false, strip: [] }, ['"a"', '"stream_options"']],
  [{ flattenContent: true, noStrictTools: true, strip: [] }, ['"text"', '"strict"']],
  [{ noImageDetail: true, toolIdLength: 9, strip: [] }, ['"detail"', '"tool_call_id"']],
  [{ set: { a: 1 } }, null],
])("a provider with %j wants requests written anew that hold one of %j", (quirks, expected) => {
  expect(rewriteMarks(quirks)).toEqual(expected);
});
