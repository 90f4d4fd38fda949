import OpenAI from "openai";
import OpenAI6 from "openai-v6";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import type { ClientContext } from "../../../providers/dialects/dialect.ts";
import { CLIENT_DIALECTS } from "../../../providers/dialects/index.ts";
import { isObject, readArray, readObject, type Json } from "../../../providers/dialects/json.ts";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedStreams } from "../recordings.ts";

const responses = CLIENT_DIALECTS.get("responses")!;
const REQUEST: Json = {
  model: "asked",
  input: "hi",
  temperature: 0.5,
  metadata: { a: "b" },
  text: { verbosity: "low" },
};
const CONTEXT: ClientContext = { request: REQUEST, id: "1", createdSeconds: 5, inputTokens: 42 };
const USAGE: Json = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 30 },
  completion_tokens_details: { reasoning_tokens: 7 },
};

const chunk = (delta: Json, finish: string | null = null, extra: Json = {}): Json => ({
  choices: [{ index: 0, delta, finish_reason: finish, ...extra }],
});
const usageChunk: Json = { choices: [], usage: USAGE };
const opened = (index: number, id: string, args = ""): Json =>
  chunk({ tool_calls: [{ index, id, type: "function", function: { name: "f", arguments: args } }] });
const more = (index: number, args: string): Json =>
  chunk({ tool_calls: [{ index, function: { arguments: args } }] });

function write(chunks: readonly Json[]): string {
  const stream = responses.stream(CONTEXT);
  return chunks.map((each) => stream.push(each)).join("") + stream.end();
}

function events(text: string): { name: string; data: Json }[] {
  return text
    .split("\n\n")
    .filter((frame) => frame.startsWith("event: "))
    .map((frame) => {
      const [event = "", data = ""] = frame.split("\n");
      return { name: event.slice("event: ".length), data: JSON.parse(data.slice("data: ".length)) };
    });
}

/** Whole clients: the response each makes of the bytes. */
function answering(text: string): typeof fetch {
  return () => Promise.resolve(new Response(text, { headers: { "content-type": "text/event-stream" } }));
}

const ASKED = { model: "asked", input: "hi" };
const CLIENTS = [
  (text: string): Promise<unknown> =>
    new OpenAI({ apiKey: "none", maxRetries: 0, fetch: answering(text) }).responses
      .stream(ASKED)
      .finalResponse(),
  (text: string): Promise<unknown> =>
    new OpenAI6({ apiKey: "none", maxRetries: 0, fetch: answering(text) }).responses
      .stream(ASKED)
      .finalResponse(),
];

const message = (...content: Json[]): Json => ({
  type: "message",
  role: "assistant",
  status: "completed",
  content,
});
const output = (text: string): Json => ({ type: "output_text", text });

describe("a stream", () => {
  test.each<[string, readonly Json[], readonly Json[], Json]>([
    [
      "text",
      [
        chunk({ role: "assistant", content: "" }),
        chunk({ content: "a" }),
        chunk({ content: "b" }),
        chunk({}, "stop"),
      ],
      [message(output("ab"))],
      { status: "completed" },
    ],
    [
      "a limit",
      [chunk({ content: "a" }, "length")],
      [{ ...message(output("a")), status: "incomplete" }],
      { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    ],
    [
      "a filter",
      [chunk({ content: "a" }, "content_filter")],
      [{ ...message(output("a")), status: "incomplete" }],
      { status: "incomplete", incomplete_details: { reason: "content_filter" } },
    ],
    [
      "a refusal",
      [chunk({ refusal: "n" }), chunk({ refusal: "o" }, "stop")],
      [message({ type: "refusal", refusal: "no" })],
      { status: "completed" },
    ],
    ["nothing", [chunk({}, "stop")], [], { status: "completed" }],
    [
      "calls",
      [
        chunk({ content: "a" }),
        opened(0, "x"),
        more(0, '{"a"'),
        more(0, ":1}"),
        opened(1, "y", "{}"),
        chunk({}, "tool_calls"),
      ],
      [
        message(output("a")),
        { type: "function_call", call_id: "x", name: "f", arguments: '{"a":1}' },
        { type: "function_call", call_id: "y", arguments: "{}" },
      ],
      { status: "completed" },
    ],
    [
      "calls that overlap",
      [opened(0, "x", "{"), opened(1, "y", "["), more(0, "}"), more(1, "]"), chunk({}, "tool_calls")],
      [
        { call_id: "x", arguments: "{}" },
        { call_id: "y", arguments: "[]" },
      ],
      { status: "completed" },
    ],
    [
      "reasoning",
      [chunk({ reasoning_content: "h" }), chunk({ reasoning_content: "m" }), chunk({ content: "a" }, "stop")],
      [{ type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] }, message(output("a"))],
      { status: "completed" },
    ],
    [
      "reasoning again after text",
      [chunk({ content: "a" }), chunk({ reasoning_content: "h" }), chunk({ content: "b" }, "stop")],
      [message(output("ab")), { type: "reasoning" }],
      { status: "completed" },
    ],
    [
      "signed thinking",
      [
        chunk({ reasoning_content: "h" }),
        chunk({ thinking_blocks: [{ type: "thinking", thinking: "h", signature: "s" }] }),
        opened(0, "x", "{}"),
        chunk({}, "tool_calls"),
      ],
      [
        { type: "reasoning", encrypted_content: expect.stringMatching(/^sluice\./) },
        { type: "function_call" },
      ],
      { status: "completed" },
    ],
    [
      "sources",
      [
        chunk({ content: "a" }),
        chunk(
          {
            annotations: [
              { type: "url_citation", url_citation: { url: "u", title: "t", start_index: 0, end_index: 1 } },
            ],
          },
          "stop",
        ),
      ],
      [
        message({
          ...output("a"),
          annotations: [{ type: "url_citation", url: "u", title: "t", start_index: 0, end_index: 1 }],
        }),
      ],
      { status: "completed" },
    ],
  ])("carries %s", async (_, chunks, items, ending) => {
    const text = write([...chunks, usageChunk]);
    for (const accumulate of CLIENTS) {
      expect(await accumulate(text)).toMatchObject({
        id: "resp_1",
        object: "response",
        created_at: 5,
        model: "asked",
        temperature: 0.5,
        metadata: { a: "b" },
        output: items,
        usage: {
          input_tokens: 100,
          input_tokens_details: { cached_tokens: 30 },
          output_tokens: 20,
          output_tokens_details: { reasoning_tokens: 7 },
          total_tokens: 120,
        },
        ...ending,
      });
    }
  });

  test("is numbered, named, announces before it grows, and ends without [DONE]", () => {
    const text = write([
      chunk({ reasoning_content: "h" }),
      chunk({ content: "a" }),
      opened(0, "x", "{}"),
      chunk({}, "tool_calls"),
      usageChunk,
    ]);
    const all = events(text);
    expect(all.map(({ name }) => name)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.reasoning_summary_part.added",
      "response.reasoning_summary_text.delta",
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.completed",
    ]);
    for (const [index, { name, data }] of all.entries())
      expect(data).toMatchObject({ type: name, sequence_number: index });
    expect(text).not.toContain("[DONE]");
  });

  test("carries logprobs", () => {
    const logprobs = { content: [{ token: "a", logprob: -1, top_logprobs: [] }] };
    const all = events(write([chunk({ content: "a" }, "stop", { logprobs })]));
    expect(all.find(({ name }) => name === "response.output_text.delta")?.data).toMatchObject({
      logprobs: logprobs.content,
    });
    expect(all.find(({ name }) => name === "response.output_text.done")?.data).toMatchObject({
      logprobs: logprobs.content,
    });
  });

  test("that fails ends with an error and a failed response", async () => {
    const stream = responses.stream(CONTEXT);
    const text =
      stream.push(chunk({ content: "a" })) +
      stream.ping() +
      stream.fail(new GatewayError("provider_overloaded", "m"));
    expect(events(text).slice(-2)).toMatchObject([
      { name: "error", data: { code: "provider_overloaded", message: "m" } },
      {
        name: "response.failed",
        data: {
          response: {
            status: "failed",
            error: { code: "provider_overloaded", message: "m" },
            output: [{ type: "message" }],
          },
        },
      },
    ]);
    for (const accumulate of CLIENTS) await expect(accumulate(text)).rejects.toThrow();
  });

  test("sent back as input is the same turn in chat", () => {
    const thinking = { type: "thinking", thinking: "hä", signature: "s" };
    const chunks = [
      chunk({ reasoning_content: "hä" }),
      chunk({ thinking_blocks: [thinking] }),
      chunk({ content: "a" }),
      opened(0, "x", "{}"),
      chunk({}, "tool_calls"),
    ];
    const last = events(write(chunks)).at(-1)?.data;
    const input = [
      { role: "user", content: "q" },
      ...readArray(readObject(last, "response"), "output"),
      { type: "function_call_output", call_id: "x", output: "r" },
    ];
    expect(responses.decode({ model: "m", input }).request["messages"]).toEqual([
      { role: "user", content: "q" },
      {
        role: "assistant",
        content: "a",
        thinking_blocks: [thinking],
        tool_calls: [{ id: "x", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "x", content: "r" },
    ]);
  });

  test("of any chunks is accepted by official clients", async () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const call = fc.oneof(
      json,
      fc.record(
        {
          index: fc.nat(2),
          id: json,
          function: fc.oneof(json, fc.record({ name: json, arguments: fc.string() })),
        },
        { requiredKeys: [] },
      ),
    );
    const delta = fc.oneof(
      json,
      fc.record(
        {
          content: fc.oneof(fc.string(), json),
          reasoning_content: fc.oneof(fc.string(), json),
          refusal: fc.string(),
          tool_calls: fc.array(call),
          thinking_blocks: json,
        },
        { requiredKeys: [] },
      ),
    );
    const any = fc.oneof(
      json,
      fc.record(
        {
          choices: fc.array(
            fc.record({
              index: fc.constant(0),
              delta,
              finish_reason: fc.constantFrom(null, "stop", "length"),
            }),
          ),
          usage: json,
        },
        { requiredKeys: ["choices"] },
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(any), async (chunks) => {
        const text = write(chunks.flatMap((each) => (isObject(each) ? [each] : [])));
        for (const accumulate of CLIENTS) await expect(accumulate(text)).resolves.toBeDefined();
      }),
      { numRuns: 100 },
    );
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`a recorded stream${NOTICE}`, () => {
  test("has no event and no member of the envelope that ours lacks", () => {
    const ours = events(
      write([chunk({ content: "a" }), opened(0, "x", "{}"), chunk({}, "tool_calls"), usageChunk]),
    );
    const names = new Set(ours.map(({ name }) => name));
    const envelope = Object.keys(readObject(ours.at(-1)?.data, "response") ?? {});
    for (const bytes of recordedStreams("openai/responses-stream.json")) {
      const recorded = events(new TextDecoder().decode(bytes));
      expect([...names]).toEqual(expect.arrayContaining(recorded.map(({ name }) => name)));
      expect(envelope).toEqual(
        expect.arrayContaining(Object.keys(readObject(recorded.at(-1)?.data, "response") ?? {})),
      );
    }
  });
});
