// Calls in chat's other two forms, the legacy `function_call` and custom tools, which providers send unasked too: clients
// of other languages hear of them as of any call, whole and streamed, and official clients can read them.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import OpenAI6 from "openai-v6";
import { describe, expect, test } from "vitest";
import type { ClientContext } from "../../providers/dialects/dialect.ts";
import { CLIENT_DIALECTS } from "../../providers/dialects/index.ts";
import { readArray, type Json } from "../../providers/dialects/json.ts";

const CONTEXT: ClientContext = { request: { model: "m" }, id: "req-1", createdSeconds: 5, inputTokens: 4 };
const messages = CLIENT_DIALECTS.get("messages")!;
const responses = CLIENT_DIALECTS.get("responses")!;

const FREE = 'say "hi"\n\\ 🎉';

interface Case {
  readonly name: string;
  readonly message: Json;
  readonly deltas: readonly Json[];
  readonly finish: string;
  readonly blocks: readonly Json[];
  readonly items: readonly Json[];
}

const id = expect.stringMatching(/./);
const CASES: readonly Case[] = [
  {
    name: "a legacy call",
    message: { content: null, function_call: { name: "f", arguments: '{"a":1}' } },
    deltas: [
      { function_call: { name: "f", arguments: "" } },
      { function_call: { arguments: '{"a"' } },
      { function_call: { arguments: ":1}" } },
    ],
    finish: "function_call",
    blocks: [{ type: "tool_use", id, name: "f", input: { a: 1 } }],
    items: [{ type: "function_call", call_id: id, name: "f", arguments: '{"a":1}' }],
  },
  {
    name: "a legacy call that ends as text does",
    message: { content: "Hm.", function_call: { name: "f", arguments: "{}" } },
    deltas: [{ content: "Hm." }, { function_call: { name: "f", arguments: "{}" } }],
    finish: "stop",
    blocks: [
      { type: "text", text: "Hm." },
      { type: "tool_use", id, name: "f", input: {} },
    ],
    items: [{ type: "message" }, { type: "function_call", call_id: id, name: "f", arguments: "{}" }],
  },
  {
    name: "a legacy call that repeats a call",
    message: {
      content: null,
      tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
      function_call: { name: "f", arguments: "{}" },
    },
    deltas: [
      {
        tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        function_call: { name: "f", arguments: "{}" },
      },
    ],
    finish: "tool_calls",
    blocks: [{ type: "tool_use", id: "c1", name: "f", input: {} }],
    items: [{ type: "function_call", call_id: "c1", name: "f", arguments: "{}" }],
  },
  {
    name: "a custom call beside a function's",
    message: {
      content: null,
      tool_calls: [
        { id: "c1", type: "custom", custom: { name: "g", input: FREE } },
        { id: "c2", type: "function", function: { name: "f", arguments: '{"a":1}' } },
      ],
    },
    deltas: [
      { tool_calls: [{ index: 0, id: "c1", type: "custom", custom: { name: "g", input: "" } }] },
      // The last two pieces cut a character in two.
      ...[FREE.slice(0, 5), FREE.slice(5, -1), FREE.slice(-1)].map((input) => ({
        tool_calls: [{ index: 0, custom: { input } }],
      })),
      { tool_calls: [{ index: 1, id: "c2", type: "function", function: { name: "f", arguments: "" } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{"a":1}' } }] },
    ],
    finish: "tool_calls",
    blocks: [
      { type: "tool_use", id: "c1", name: "g", input: { input: FREE } },
      { type: "tool_use", id: "c2", name: "f", input: { a: 1 } },
    ],
    items: [
      { type: "custom_tool_call", call_id: "c1", name: "g", input: FREE },
      { type: "function_call", call_id: "c2", name: "f", arguments: '{"a":1}' },
    ],
  },
];

const answer = ({ message, finish }: Case): Json => ({
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
});

function streamed(dialect: typeof messages, { deltas, finish }: Case): string {
  const stream = dialect.stream(CONTEXT);
  const chunks = [...deltas.map((delta) => [delta, null] as const), [{}, finish] as const];
  const text = chunks.map(([delta, finish_reason]) =>
    stream.push({ choices: [{ index: 0, delta, finish_reason }] }),
  );
  return text.join("") + stream.end();
}

function answering(text: string): typeof fetch {
  return () => Promise.resolve(new Response(text, { headers: { "content-type": "text/event-stream" } }));
}

const ASKED = { model: "m", input: "hi" };
const RESPONSE_CLIENTS = [
  (text: string): Promise<unknown> =>
    new OpenAI({ apiKey: "none", maxRetries: 0, fetch: answering(text) }).responses
      .stream(ASKED)
      .finalResponse(),
  (text: string): Promise<unknown> =>
    new OpenAI6({ apiKey: "none", maxRetries: 0, fetch: answering(text) }).responses
      .stream(ASKED)
      .finalResponse(),
];

describe.each(CASES)("$name", (call) => {
  test("is a block of a message", () => {
    expect(messages.encode(answer(call), CONTEXT)).toMatchObject({
      content: call.blocks,
      stop_reason: "tool_use",
    });
  });

  test("is a block of a streamed message", async () => {
    const client = new Anthropic({
      apiKey: "none",
      maxRetries: 0,
      fetch: answering(streamed(messages, call)),
    });
    const asked = { model: "m", max_tokens: 5, messages: [] };
    const message = await client.messages.stream(asked).finalMessage();
    expect(message).toMatchObject({ content: call.blocks, stop_reason: "tool_use" });
  });

  test("is an item of a response", () => {
    expect(responses.encode(answer(call), CONTEXT)).toMatchObject({
      output: call.items,
      status: "completed",
    });
  });

  test("is an item of a streamed response", async () => {
    const text = streamed(responses, call);
    for (const read of RESPONSE_CLIENTS) {
      expect(await read(text)).toMatchObject({ output: call.items, status: "completed" });
    }
  });
});

test("a custom call of the conversation so far is one in chat, with its result", () => {
  const { request } = responses.decode({
    model: "m",
    input: [
      { type: "custom_tool_call", call_id: "c1", name: "g", input: FREE },
      { type: "custom_tool_call_output", call_id: "c1", output: "done" },
    ],
  });
  expect(readArray(request, "messages")).toMatchObject([
    { role: "assistant", tool_calls: [{ id: "c1", type: "custom", custom: { name: "g", input: FREE } }] },
    { role: "tool", tool_call_id: "c1", content: "done" },
  ]);
});
