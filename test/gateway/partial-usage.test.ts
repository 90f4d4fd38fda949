// What is booked when a stream has reported its use too early: with its beginning, as some providers do, or as nothing.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway } from "./gateway-fixture.ts";
import { END, over, TEXT as TEXT_EVENTS } from "./messages-provider.ts";
import {
  contentFrame,
  DONE_FRAME,
  FINISH_FRAME,
  scriptedUpstream,
  type Script,
} from "./scripted-upstream.ts";

/** About 400 tokens. */
const TEXT = "word ".repeat(320);

/** A chunk that reports use, beside the role. */
function usageFrame(input: number, output: number): string {
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  const choices = [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }];
  return `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", choices, usage })}\n\n`;
}

const ENDS: readonly (readonly [string, number, Script])[] = [
  ["is reset", 1, (r) => r.streamHead().chunk(usageFrame(40, 1)).chunk(contentFrame(TEXT, null)).reset()],
  [
    "ends early",
    0,
    (r) => r.streamHead().chunk(usageFrame(40, 0)).chunk(contentFrame(TEXT, null)).endChunks(),
  ],
];

describe("a stream that told of its use at its beginning", () => {
  test.each(ENDS)("and %s is booked with what it brought", async (_, reported, script) => {
    const gateway = await startGateway({ providers: { a: await scriptedUpstream(script) } });
    await gateway.ask({ model: "any", stream: true });
    await gateway.settled();
    const [record] = gateway.records;
    expect(record?.usage?.outputTokens).toBeGreaterThan(300 + reported);
    expect(record).toMatchObject({ isUsageEstimated: true, usage: { inputTokens: 40 } });
  });

  test("and whose client leaves is booked with what it brought", async () => {
    const upstream = await scriptedUpstream((r) =>
      r.streamHead().chunk(usageFrame(40, 1)).chunk(contentFrame(TEXT, null)),
    );
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
    await client.until("word word");
    client.socket.destroy();
    await gateway.settled();
    expect(gateway.records[0]?.usage?.outputTokens).toBeGreaterThan(300);
  });
});

test("a stream that does not tell of its prompt is booked with an estimate of it, and the client is told nothing", async () => {
  const { gateway } = await over((r) => r.streamHead().chunk(TEXT_EVENTS).chunk(END).endChunks());
  const messages = [{ role: "user", content: "word ".repeat(80) }];
  const stream = { stream: true, stream_options: { include_usage: true } };
  const answer = await gateway.ask({ model: "any", max_tokens: 9, messages, ...stream });
  await gateway.settled();
  expect(answer.body).toContain('"content":"Hello"');
  expect(answer.body).not.toContain("prompt_tokens");
  const [record] = gateway.records;
  expect(record).toMatchObject({ isUsageEstimated: true, usage: { outputTokens: 3 } });
  expect(record?.usage?.inputTokens).toBeGreaterThan(80);
});

test("a whole stream that reports nothing but noughts is booked with what it brought", async () => {
  const upstream = await scriptedUpstream((r) =>
    r
      .streamHead()
      .chunk(contentFrame("", null))
      .chunk(contentFrame(TEXT, null))
      .chunk(FINISH_FRAME)
      .chunk(usageFrame(0, 0))
      .chunk(DONE_FRAME)
      .endChunks(),
  );
  const gateway = await startGateway({ providers: { a: upstream } });
  await gateway.ask({ model: "any", stream: true });
  await gateway.settled();
  expect(gateway.records[0]?.usage?.outputTokens).toBeGreaterThan(300);
});
