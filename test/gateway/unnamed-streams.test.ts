// A stream was asked for, and the answer's type is another: what is one all the same is relayed as one, what is none is
// told from it by its first bytes.
import { describe, expect, test } from "vitest";
import { startGateway, WAYS } from "./gateway-fixture.ts";
import { END, over, START, TEXT } from "./messages-provider.ts";
import {
  answerBody,
  contentFrame,
  DONE_FRAME,
  FINISH_FRAME,
  good,
  scriptedUpstream,
  type Script,
} from "./scripted-upstream.ts";

const TYPES = [
  "text/plain; charset=utf-8",
  "application/json",
  "application/x-ndjson",
  "Text/Event-Stream",
  "",
];
const ASK = { model: "any", messages: [], stream: true };
const FRAMES = contentFrame("Hel") + contentFrame("lo") + FINISH_FRAME + DONE_FRAME;

function sending(text: string, type: string, step = text.length): Script {
  return (r) => {
    r.streamHead({ "content-type": type });
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += step) r.chunk(bytes.subarray(at, at + step));
    r.endChunks();
  };
}

async function ask(script: Script, quirks: string) {
  const upstream = await scriptedUpstream(script);
  const gateway = await startGateway({
    providers: { a: upstream },
    quirks,
    config: "retry: { attempts: 1 }",
  });
  const answer = await gateway.ask(ASK);
  await gateway.settled();
  return { answer, gateway };
}

describe.each(WAYS)("events passed on $way:", ({ quirks }) => {
  test.each(TYPES.flatMap((type) => [FRAMES.length, 1].map((step) => ({ type, step }))))(
    "are a stream, sent as $type in pieces of $step bytes",
    async ({ type, step }) => {
      const { answer } = await ask(sending(FRAMES, type, step), quirks);
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe("text/event-stream");
      expect(answer.body).toContain('"content":"Hel"');
      expect(answer.body.endsWith(DONE_FRAME)).toBe(true);
    },
  );

  test.each([
    ["a byte order mark", `\uFEFF${FRAMES}`],
    ["blank lines", `\r\n\r\n\n${FRAMES}`],
    ["a comment", `: wait\n\n${FRAMES}`],
    ["an event's name", `event: message\n${FRAMES}`],
  ])("are a stream behind %s", async (_, text) => {
    const { answer } = await ask(sending(text, "text/plain", 1), quirks);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('"content":"Hel"');
  });

  test.each([
    ["text", "Hello", "text/plain"],
    ["nothing", "", "text/plain"],
    ["the beginning of an event's name", "dat", "text/plain"],
    ["a page", "<html>data: no</html>", "text/html"],
    ["an error", '{"error":{"message":"Overloaded"}}', "application/json"],
    ["JSON that is no answer", '{"data:":1}', "application/json"],
  ])("are not %s, and the next provider is asked", async (_, text, type) => {
    const first = await scriptedUpstream(sending(text, type, 1));
    const second = await scriptedUpstream(good);
    const gateway = await startGateway({ providers: { a: first, b: second }, quirks });
    const answer = await gateway.ask(ASK);
    expect([answer.status, answer.headers["x-sluice-provider"]]).toEqual([200, "b"]);
    await gateway.settled();
  });

  test("that break off end like every stream", async () => {
    const { answer } = await ask(sending(contentFrame("Hel"), "text/plain"), quirks);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain("stream_interrupted");
    expect(answer.body).not.toContain("[DONE]");
  });
});

test("a whole answer is still a stream to the client", async () => {
  const { answer } = await ask((r) => r.answer(200, answerBody()), "{}");
  expect(answer.headers["content-type"]).toBe("text/event-stream");
  expect(answer.body).toMatch(/"content":"Hello".*\[DONE\]\n\n$/s);
});

test.each(["/v1/messages", "/v1/chat/completions"])("%s reads another language's events", async (path) => {
  const { gateway } = await over(sending(START + TEXT + END, "text/plain", 1));
  const answer = await gateway.ask(
    { model: "any", max_tokens: 9, messages: [{ role: "user", content: "Hi" }], stream: true },
    path,
  );
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe("text/event-stream");
  expect(answer.body).toContain("Hello");
  expect((await gateway.settled()).tokens).toBe(13);
});
