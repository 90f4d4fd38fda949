// Streams in a client's own language that is not chat, passed on as they are: whatever happens to them behind their first
// event, the client gets whole events only, and the last one tells it in its own language how the stream ended.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway } from "./gateway-fixture.ts";
import { END, event, OVERLOADED, over, START, TEXT } from "./messages-provider.ts";
import { scriptedUpstream, type Script } from "./scripted-upstream.ts";

interface Fault {
  readonly name: string;
  /** What the provider does behind the first text. */
  readonly play: Script;
  readonly advanceMs?: number;
}

const FAULTS: readonly Fault[] = [
  { name: "an end before the last event", play: (r) => r.endChunks() },
  { name: "an end within an event", play: (r) => r.chunk('event: x\ndata: {"type":"x","de').endChunks() },
  { name: "half an event and a blank line", play: (r) => r.chunk('data: {"type":"x","de\n\n').endChunks() },
  {
    name: "half an event before others",
    play: (r) => r.chunk('data: {"type":"x\n\n: hello\n\n').endChunks(),
  },
  { name: "an event that is a list", play: (r) => r.chunk("data: [1]\n\n").endChunks() },
  { name: "the end mark of another language", play: (r) => r.chunk("data: [DONE]\n\n").endChunks() },
  { name: "a reset", play: (r) => void setImmediate(() => setImmediate(() => r.reset())) },
  { name: "a reset within an event", play: (r) => void r.chunk('data: {"ty').socket.end() },
  { name: "silence", play: () => undefined, advanceMs: 121_000 },
];

/** The events of a stream; each has to be whole. */
function eventsIn(
  body: string,
): readonly { readonly name: string; readonly data: Record<string, unknown> }[] {
  expect(body).toMatch(/\n\n$/);
  return body
    .split("\n\n")
    .filter((frame) => frame.trim() !== "" && !frame.startsWith(":"))
    .map((frame) => ({
      name: /^event: (.*)$/m.exec(frame)?.[1] ?? "",
      data: JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? ""),
    }));
}

describe("a Responses stream at a provider that has the API itself", () => {
  const response = { id: "resp_1", object: "response", status: "in_progress", output: [], model: "m" };
  const CREATED = event({ type: "response.created", sequence_number: 0, response });
  const DELTA = event({ type: "response.output_text.delta", sequence_number: 1, item_id: "i", delta: "Hi" });

  async function ask(script: Script, advanceMs = 0) {
    const upstream = await scriptedUpstream(script);
    const gateway = await startGateway({
      providers: { one: upstream },
      provider: "endpoints: [chat, responses]",
      config: "retry: { attempts: 1 }",
    });
    const client = gateway
      .client()
      .send(jsonRequest({ model: "any", input: "Hi", stream: true }, {}, "/v1/responses"));
    await client.until('"delta":"Hi"');
    if (advanceMs > 0) gateway.advance(advanceMs);
    const answer = await client.answer();
    await gateway.settled();
    return eventsIn(answer.body);
  }

  test.each(FAULTS)("$name: ends as a response that failed", async ({ play, advanceMs }) => {
    const events = await ask((r) => play(r.streamHead().chunk(CREATED).chunk(DELTA)), advanceMs);
    expect(events.map(({ name }) => name)).toEqual([
      "response.created",
      "response.output_text.delta",
      "error",
      "response.failed",
    ]);
    const [, , told, failed] = events;
    expect(told?.data).toEqual({
      type: "error",
      sequence_number: 2,
      code: expect.stringMatching(/^(stream_interrupted|provider_(bad_response|timeout))$/),
      message: expect.any(String),
      param: null,
    });
    const { code, message } = told?.data ?? {};
    expect(failed?.data).toEqual({
      type: "response.failed",
      sequence_number: 3,
      response: { ...response, id: "resp_1__at__one", status: "failed", error: { code, message } },
    });
  });

  test("the provider's own error is not told twice", async () => {
    const error = { type: "error", sequence_number: 2, code: "server_error", message: "Oh.", param: null };
    const events = await ask((r) =>
      r.streamHead().chunk(CREATED).chunk(DELTA).chunk(event(error)).endChunks(),
    );
    expect(events.slice(2).map(({ name }) => name)).toEqual(["error", "response.failed"]);
    expect(events[2]?.data).toEqual(error);
    expect(events[3]?.data).toMatchObject({
      sequence_number: 3,
      response: {
        id: "resp_1__at__one",
        status: "failed",
        error: { message: expect.stringContaining("Oh.") },
      },
    });
  });

  test("the provider's own failed response is the last event", async () => {
    const failed = { ...response, status: "failed", error: { code: "server_error", message: "Oh." } };
    const last = { type: "response.failed", sequence_number: 2, response: failed };
    const events = await ask((r) =>
      r
        .streamHead()
        .chunk(CREATED + DELTA)
        .chunk(`data: ${JSON.stringify(last)}\n\n${DELTA}`)
        .endChunks(),
    );
    expect(events.slice(2)).toEqual([
      { name: "", data: { ...last, response: { ...failed, id: "resp_1__at__one" } } },
    ]);
  });
});

describe("a Messages stream at a provider of that language", () => {
  const ASK = { model: "any", max_tokens: 50, messages: [{ role: "user", content: "Hi" }], stream: true };

  async function ask(script: Script, advanceMs = 0) {
    const { gateway } = await over(script);
    const client = gateway.client().send(jsonRequest(ASK, {}, "/v1/messages"));
    await client.until("Hello");
    if (advanceMs > 0) gateway.advance(advanceMs);
    const answer = await client.answer();
    await gateway.settled();
    return eventsIn(answer.body);
  }

  const BEGUN = ["message_start", "content_block_start", "content_block_delta"];
  const begun = START + TEXT.slice(0, TEXT.indexOf("\n\n", TEXT.indexOf("Hello")) + 2);

  test.each([
    ...FAULTS,
    {
      name: "arguments of a call that never began",
      play: (r) =>
        r
          .chunk(
            event({
              type: "content_block_delta",
              index: 7,
              delta: { type: "input_json_delta", partial_json: "{" },
            }),
          )
          .endChunks(),
    } satisfies Fault,
  ])("$name: ends with an error event", async ({ play, advanceMs }: Fault) => {
    const events = await ask((r) => play(r.streamHead().chunk(begun)), advanceMs);
    expect(events.map(({ name }) => name)).toEqual([...BEGUN, "error"]);
    expect(events.at(-1)?.data).toEqual({
      type: "error",
      error: { type: expect.stringMatching(/^(api|timeout)_error$/), message: expect.any(String) },
      request_id: expect.any(String),
    });
  });

  test("the provider's own error is the last event", async () => {
    const events = await ask((r) =>
      r
        .streamHead()
        .chunk(begun)
        .chunk(event({ type: "ping" }) + event(OVERLOADED) + END)
        .endChunks(),
    );
    expect(events.map(({ name }) => name)).toEqual([...BEGUN, "ping", "error"]);
    expect(events.at(-1)?.data).toEqual(OVERLOADED);
  });

  test.each([
    ["left out", END.slice(0, END.indexOf("event: message_stop"))],
    ["without its blank line", END.trimEnd()],
    [
      "left out, the one before it without its blank line",
      END.slice(0, END.indexOf("\n\nevent: message_stop")),
    ],
  ])("a last event that was %s is there", async (_, end) => {
    const events = await ask((r) => r.streamHead().chunk(START).chunk(TEXT).chunk(end).endChunks());
    expect(events.slice(-2).map(({ name }) => name)).toEqual(["message_delta", "message_stop"]);
    expect(events.at(-1)?.data).toEqual({ type: "message_stop" });
  });
});
