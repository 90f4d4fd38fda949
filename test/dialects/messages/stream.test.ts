import Anthropic from "@anthropic-ai/sdk";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import type { ClientContext } from "../../../providers/dialects/dialect.ts";
import { CLIENT_DIALECTS, DIALECTS } from "../../../providers/dialects/index.ts";
import { isObject, type Json } from "../../../providers/dialects/json.ts";
import { decodePieces, encode, summary, target } from "../recordings.ts";

const messages = CLIENT_DIALECTS.get("messages")!;
const CONTEXT: ClientContext = { request: { model: "asked" }, id: "1", createdSeconds: 5, inputTokens: 42 };
const USAGE: Json = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 30, cache_write_tokens: 10 },
};

const chunk = (delta: Json, finish: string | null = null): Json => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const usageChunk: Json = { choices: [], usage: USAGE };
const tool = (index: number, call: Json): Json => chunk({ tool_calls: [{ index, ...call }] });
const opened = (index: number, id: string, args = ""): Json =>
  tool(index, { id, type: "function", function: { name: "f", arguments: args } });
const more = (index: number, args: string): Json => tool(index, { function: { arguments: args } });

function write(chunks: readonly Json[]): string {
  const stream = messages.stream(CONTEXT);
  return chunks.map((each) => stream.push(each)).join("") + stream.end();
}

/** The events, as the wire names them. */
function events(text: string): { name: string; data: Json }[] {
  return text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const [event = "", data = ""] = frame.split("\n");
      return { name: event.slice("event: ".length), data: JSON.parse(data.slice("data: ".length)) };
    });
}

/** What the official client makes of the bytes. */
function accumulate(text: string): Promise<Anthropic.Message> {
  const client = new Anthropic({
    apiKey: "none",
    maxRetries: 0,
    fetch: () => Promise.resolve(new Response(text, { headers: { "content-type": "text/event-stream" } })),
  });
  return client.messages.stream({ model: "asked", max_tokens: 5, messages: [] }).finalMessage();
}

describe("a stream", () => {
  test.each<[string, readonly Json[], readonly Json[], string]>([
    [
      "text",
      [
        chunk({ role: "assistant", content: "" }),
        chunk({ content: "a" }),
        chunk({ content: "b" }),
        chunk({}, "stop"),
      ],
      [{ type: "text", text: "ab" }],
      "end_turn",
    ],
    ["a limit", [chunk({ content: "a" }, "length")], [{ type: "text", text: "a" }], "max_tokens"],
    ["a filter", [chunk({ content: "a" }, "content_filter")], [{ type: "text", text: "a" }], "refusal"],
    ["a refusal", [chunk({ refusal: "no" }), chunk({}, "stop")], [{ type: "text", text: "no" }], "refusal"],
    ["nothing", [chunk({}, "stop")], [], "end_turn"],
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
        { type: "text", text: "a" },
        { type: "tool_use", id: "x", name: "f", input: { a: 1 } },
        { type: "tool_use", id: "y", name: "f", input: {} },
      ],
      "tool_use",
    ],
    [
      "calls that overlap",
      [
        opened(0, "x", '{"a"'),
        opened(1, "y", '{"b"'),
        more(0, ":1}"),
        more(1, ":2}"),
        chunk({}, "tool_calls"),
      ],
      [
        { type: "tool_use", id: "x", name: "f", input: { a: 1 } },
        { type: "tool_use", id: "y", name: "f", input: { b: 2 } },
      ],
      "tool_use",
    ],
    [
      "text inside a call",
      [opened(0, "x", '{"a"'), chunk({ content: "t" }), more(0, ":1}"), chunk({}, "tool_calls")],
      [
        { type: "tool_use", id: "x", name: "f", input: { a: 1 } },
        { type: "text", text: "t" },
      ],
      "tool_use",
    ],
    [
      "signed thinking",
      [
        chunk({ reasoning_content: "h" }),
        chunk({ reasoning_content: "m" }),
        chunk({ thinking_blocks: [{ type: "thinking", thinking: "hm", signature: "s" }] }),
        chunk({ thinking_blocks: [{ type: "redacted_thinking", data: "d" }] }),
        chunk({ content: "a" }, "stop"),
      ],
      [
        { type: "thinking", thinking: "hm", signature: "s" },
        { type: "redacted_thinking", data: "d" },
        { type: "text", text: "a" },
      ],
      "end_turn",
    ],
    [
      "thinking that shows no text",
      [
        chunk({ thinking_blocks: [{ type: "thinking", thinking: "", signature: "s" }] }),
        chunk({ content: "a" }, "stop"),
      ],
      [
        { type: "thinking", thinking: "", signature: "s" },
        { type: "text", text: "a" },
      ],
      "end_turn",
    ],
    [
      "thinking nobody signed",
      [chunk({ reasoning_content: "hm" }), chunk({ content: "a" }, "stop")],
      [
        { type: "thinking", thinking: "hm", signature: "sluice-unsigned" },
        { type: "text", text: "a" },
      ],
      "end_turn",
    ],
    [
      "other choices, which are left out",
      [chunk({ content: "a" }), { choices: [{ index: 1, delta: { content: "b" } }] }, chunk({}, "stop")],
      [{ type: "text", text: "a" }],
      "end_turn",
    ],
  ])("carries %s", async (_, chunks, content, reason) => {
    const text = write([...chunks, usageChunk]);
    const message = await accumulate(text);
    expect(JSON.parse(JSON.stringify(message.content))).toEqual(
      content.map((block) => expect.objectContaining(block)),
    );
    expect(message).toMatchObject({ id: "msg_1", model: "asked", role: "assistant", stop_reason: reason });
    expect(message.usage).toMatchObject({
      input_tokens: 60,
      cache_read_input_tokens: 30,
      cache_creation_input_tokens: 10,
      output_tokens: 20,
    });
    // Blocks start, grow and stop one after another, and each event is named by its type.
    let open: unknown;
    for (const { name, data } of events(text)) {
      expect(name).toBe(data["type"]);
      if (name === "content_block_start") expect(open).toBeUndefined();
      if (name === "content_block_delta" || name === "content_block_stop") expect(data["index"]).toBe(open);
      open =
        name === "content_block_start" ? data["index"] : name === "content_block_stop" ? undefined : open;
    }
  });

  test("begins with an estimate of the input and ends with one delta and one stop", () => {
    const [start, ...rest] = events(write([chunk({ content: "a" }, "stop"), usageChunk]));
    expect(start?.data).toMatchObject({
      type: "message_start",
      message: { content: [], stop_reason: null, usage: { input_tokens: 42 } },
    });
    expect(rest.map(({ name }) => name)).toEqual([
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  test("without usage is counted by its length", () => {
    const last = events(write([chunk({ content: "a".repeat(40) }, "stop")])).at(-2);
    expect(last?.data).toMatchObject({ usage: { input_tokens: 42, output_tokens: 10 } });
  });

  test("that fails ends with an error event the client throws on", async () => {
    const stream = messages.stream(CONTEXT);
    const text =
      stream.push(chunk({ content: "a" })) +
      stream.ping() +
      stream.fail(new GatewayError("provider_overloaded", "m"));
    expect(events(text).at(-1)).toEqual({
      name: "error",
      data: { type: "error", error: { type: "overloaded_error", message: "m" } },
    });
    await expect(accumulate(text)).rejects.toThrow("overloaded_error");
  });

  test("read back as a provider's is the same chat", () => {
    const piece = fc.oneof(
      fc.record({ content: fc.string({ minLength: 1 }) }),
      fc.record({ reasoning_content: fc.string({ minLength: 1 }) }),
      fc.record({
        tool: fc.nat(3),
        args: fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify({ value })),
      }),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        let calls = 0;
        const chunks = pieces.map((each) =>
          "args" in each ? opened(calls, `id${calls++}`, each.args) : chunk(each),
        );
        const all = [...chunks, chunk({}, calls > 0 ? "tool_calls" : "stop"), usageChunk];
        const stream = DIALECTS.get("anthropic")!.chat.stream(target(), true);
        const { chunks: back, failure, usage } = decodePieces(stream, [encode(write(all))]);
        expect(failure).toBeNull();
        expect(summary(back)).toEqual(summary(all));
        expect(usage).toMatchObject({
          inputTokens: 100,
          outputTokens: 20,
          cachedInputTokens: 30,
          cacheWriteTokens: 10,
        });
      }),
    );
  });

  test("of any chunks neither throws nor breaks the order of events", () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const any = fc.oneof(
      json,
      fc.record({
        choices: fc.array(
          fc.record({
            index: fc.constant(0),
            delta: fc.oneof(
              json,
              fc.record({
                content: json,
                tool_calls: fc.array(
                  fc.oneof(
                    json,
                    fc.record({ index: fc.nat(2), function: fc.record({ arguments: fc.string() }) }),
                  ),
                ),
              }),
            ),
          }),
        ),
      }),
    );
    fc.assert(
      fc.property(fc.array(any), (chunks) => {
        const objects = chunks.flatMap((each) => (isObject(each) ? [each] : []));
        const names = events(write(objects)).map(({ name }) => name);
        expect(names.at(0)).toBe("message_start");
        expect(names.slice(-2)).toEqual(["message_delta", "message_stop"]);
        expect(names.filter((name) => name === "content_block_start")).toHaveLength(
          names.filter((name) => name === "content_block_stop").length,
        );
      }),
    );
  });
});
