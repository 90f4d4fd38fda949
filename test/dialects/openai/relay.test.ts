import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameNormaliser } from "../../../providers/dialects/index.ts";
import { CLIENTS, WIRE_CLIENTS } from "../clients.ts";
import {
  ARE_RECORDINGS_ABSENT,
  chatSse,
  decodePieces,
  encode,
  everyCut,
  NOTICE,
  recordedLines,
  recordedStreams,
  summary,
  target,
} from "../recordings.ts";
import { chat, chunk, decode, relay, ROLE } from "./streams.ts";

describe("a canonical frame", () => {
  const stream = [
    ROLE,
    chunk({ content: 'quotes \\" and "usage":{ inside' }),
    chunk({ content: null, refusal: null }, null, {
      obfuscation: "x",
      service_tier: "default",
      list: [{ a: [1] }],
    }),
    chunk({ tool_calls: [{ index: 0, id: "x", type: "function", function: { name: "f", arguments: "" } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: "{}" } }] }),
    chunk({ content: "a", reasoning_content: "b" }),
    chunk({}, "tool_calls"),
  ];

  test.each(stream.map((frame, index) => ({ index, frame })))(
    "is passed on as the same bytes: $index",
    ({ index }) => {
      const normaliser = new FrameNormaliser(target(), false);
      for (const earlier of stream.slice(0, index)) normaliser.frame(chatSse([earlier], false));
      const bytes = chatSse([stream[index] ?? {}], false);
      expect(normaliser.frame(bytes)).toBe(bytes);
    },
  );

  test.each([": ping\n\n", ":\n\n", "\n", "\n\n"])("may be a comment: %j", (text) => {
    const bytes = encode(text);
    expect(new FrameNormaliser(target(), false).frame(bytes)).toBe(bytes);
  });

  test.each([
    [`data: ${JSON.stringify(chunk({ content: "a" })).slice(0, -1)},"usage":null}\n\n`],
    [`data: {"usage":null,${JSON.stringify(chunk({ content: "a" })).slice(1)}\n\n`],
    [`data: ${JSON.stringify(chunk({ content: "a" })).slice(0, -1)},"usage":null,"x":[1,{"y":"z"}]}\n\n`],
  ])("loses a usage of null that nobody asked for, and nothing else: %s", (frame) => {
    const normaliser = new FrameNormaliser(target(), false);
    normaliser.frame(chatSse([ROLE], false));
    const sent = new TextDecoder().decode(normaliser.frame(encode(frame)));
    const { usage: _usage, ...kept } = JSON.parse(frame.slice(6));
    expect(JSON.parse(sent.slice(6))).toEqual(kept);
    const asked = new FrameNormaliser(target(), true);
    asked.frame(chatSse([ROLE], false));
    const bytes = encode(frame);
    expect(asked.frame(bytes)).toBe(bytes);
  });
});

describe("a run of frames", () => {
  const canonical = chatSse([chunk({ content: "a" }), chunk({ content: "b" })], false);

  test("comes back as the same bytes when none of them has to change", () => {
    const normaliser = new FrameNormaliser(target(), false);
    normaliser.frames(chatSse([ROLE], false));
    expect(normaliser.frames(canonical)).toBe(canonical);
  });

  test.each(["\n\n", "\r\n\r\n", "\r\r"])("is mended frame by frame, whatever ends them: %j", (end) => {
    const frames = [
      ROLE,
      chunk({ content: "a" }),
      chunk({ role: "assistant", content: "b" }),
      chunk({}, "stop"),
    ];
    const bytes = encode(
      [...frames.map((each) => JSON.stringify(each)), "[DONE]"].map((data) => `data: ${data}${end}`).join(""),
    );
    const sent = new TextDecoder().decode(new FrameNormaliser(target(), false).frames(bytes));
    expect(sent).toBe(
      new TextDecoder().decode(
        chatSse([ROLE, chunk({ content: "a" }), chunk({ content: "b" }), chunk({}, "stop")]),
      ),
    );
  });

  const frame = fc.constantFrom(
    chunk({ content: "a" }),
    chunk({ content: "a longer text" }, null, { usage: null }),
    chunk({ content: "b" }, null, { usage: null }),
    chunk({ content: 'quoted "text"' }, null, { usage: null }),
    chunk({ role: "assistant", content: "mended" }),
    chunk({ content: "c" }, null, { id: "another" }),
  );
  test("is what its frames are one by one, wherever it is cut between them", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.nat(12), (frames, cutAt) => {
        const one = new FrameNormaliser(target(), false);
        const all = [ROLE, ...frames];
        const single = all.map((each) => text(one.frame(chatSse([each], false)))).join("");
        const run = new FrameNormaliser(target(), false);
        const pieces = [all.slice(0, cutAt), all.slice(cutAt)].map((piece) => chatSse(piece, false));
        expect(pieces.map((piece) => text(run.frames(piece))).join("")).toBe(single);
      }),
      { numRuns: 500 },
    );
  });
});

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

describe("anything at all", () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const almost = fc.record(
    {
      id: fc.oneof(fc.string(), json),
      choices: fc.oneof(
        fc.array(
          fc.record(
            {
              index: fc.oneof(fc.nat(3), json),
              delta: fc.oneof(
                fc.record(
                  { role: json, content: json, tool_calls: fc.oneof(fc.array(json), json), reasoning: json },
                  { requiredKeys: [] },
                ),
                json,
              ),
              finish_reason: fc.oneof(fc.constantFrom("stop", "length", "", null), json),
            },
            { requiredKeys: [] },
          ),
        ),
        json,
      ),
      usage: fc.oneof(fc.record({ prompt_tokens: json, completion_tokens: json }), json),
      error: fc.oneof(fc.constant(null), json),
    },
    { requiredKeys: [] },
  );

  test("neither throws nor ends cleanly without a choice", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(json, almost)), fc.boolean(), (payloads, includeUsage) => {
        const bytes = encode(
          payloads.map((payload) => `data: ${JSON.stringify(payload)}\n\n`).join("") + "data: [DONE]\n\n",
        );
        const { failure, finished, chunks } = decode(bytes, includeUsage);
        if (failure === null) expect(finished && chunks.length > 0).toBe(true);
        expect(relay(bytes, includeUsage).failure).toBe(failure);
      }),
      { numRuns: 500 },
    );
  });

  test("that goes in as chunks comes out as chunks that clients accept, or fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(almost, { minLength: 1 }), async (payloads) => {
        const { failure, chunks } = decode(chatSse(payloads));
        if (failure === null) await expect(CLIENTS[1].accumulate(chunks)).resolves.toBeDefined();
      }),
      { numRuns: 200 },
    );
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`recorded streams${NOTICE}`, () => {
  const streams: [string, Uint8Array][] = [
    ...["mistral-tool-call", "groq-tool-call", "deepseek-tool-call"].map((name): [string, Uint8Array] => [
      name,
      chatSse(recordedLines(`compat/${name}.chunks.txt`)),
    ]),
    ...["openai/chat-streaming", "openai/chat-streaming-detailed-usage", "azure/chat-stream"].flatMap(
      (name) =>
        recordedStreams(`${name}.json`).map((bytes, index): [string, Uint8Array] => [
          `${name} ${index}`,
          bytes,
        ]),
    ),
  ];

  test.each(streams)("%s is accepted by official clients, as objects and as bytes", async (_, bytes) => {
    const { chunks, failure } = decode(bytes, true);
    expect(failure).toBeNull();
    for (const client of CLIENTS) await expect(client.accumulate(chunks)).resolves.toBeDefined();
    const { text } = relay(bytes, true);
    for (const client of WIRE_CLIENTS) expect((await client.read(encode(text))).length).toBeGreaterThan(0);
  });

  test.each(streams)("%s gives the same chunks wherever it is cut", (_, bytes) => {
    const part = bytes.subarray(0, 6000);
    const whole = decode(part);
    for (const pieces of everyCut(part)) {
      expect(decodePieces(chat.stream(target(), false), pieces)).toEqual(whole);
    }
  });

  test.each(streams.filter(([name]) => name.startsWith("openai") || name.startsWith("azure")))(
    "%s passes untouched",
    (_, bytes) => {
      expect(relay(bytes, true).text).toBe(new TextDecoder().decode(bytes));
    },
  );

  test("the tool calls of all are complete", () => {
    expect(
      streams
        .slice(0, 3)
        .map(([, bytes]) => summary(decode(bytes).chunks).tools.map(({ name, args }) => [name, args])),
    ).toEqual([
      [["weather", '{"location": "San Francisco"}']],
      [["weather", "{}"]],
      [["weather", '{"location": "San Francisco"}']],
    ]);
  });
});
