// A provider that falls silent in the middle of an answer: the client hears every 15 seconds that it is still waited for.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway, type GatewayOptions } from "./gateway-fixture.ts";
import { END, START, TEXT } from "./messages-provider.ts";
import { contentFrame, DONE_FRAME, FINISH_FRAME, scriptedUpstream } from "./scripted-upstream.ts";

const COMMENT = ": still here\n\n";
const PING = 'event: ping\ndata: {"type":"ping"}\n\n';

interface Course {
  readonly first: string;
  readonly rest: string;
  readonly path?: string;
  readonly options?: Partial<GatewayOptions>;
}

/** Plays a stream with 40 seconds of silence behind its first frame; the client's text. */
async function withSilence({ first, rest, path, options }: Course): Promise<string> {
  const upstream = await scriptedUpstream((r) => r.streamHead().chunk(first));
  const gateway = await startGateway({ providers: { a: upstream }, ...options });
  const body = { model: "any", stream: true, max_tokens: 9, messages: [{ role: "user", content: "x" }] };
  const client = gateway.client().send(jsonRequest(body, {}, path));
  const request = await upstream.request(0);
  await client.until("data: ");
  // The first look notes the time of the latest progress.
  for (const ms of [1, 14_900, 200, 14_000, 1100, 9000]) gateway.advance(ms);
  request.chunk(rest).endChunks();
  const answer = await client.answer();
  await gateway.settled();
  return answer.body;
}

describe("silence in a stream", () => {
  const first = contentFrame("Hel");
  const rest = `${contentFrame("lo")}${FINISH_FRAME.replace(',"usage":null', "")}${DONE_FRAME}`;

  test("brings a comment every 15 seconds, between two events", async () => {
    expect(await withSilence({ first, rest })).toBe(`${first}${COMMENT}${COMMENT}${rest}`);
  });

  test("brings it where chunks are mended too", async () => {
    const body = await withSilence({ first, rest, options: { quirks: "{}" } });
    expect(body.split(COMMENT)).toHaveLength(3);
  });

  test("never comes into half an event", async () => {
    const cut = first.length - 20;
    const body = await withSilence({
      first: `${first}${first.slice(0, cut)}`,
      rest: `${first.slice(cut)}${rest}`,
    });
    expect(body).toBe(`${first}${COMMENT}${COMMENT}${first}${rest}`);
  });

  test("brings pings to clients of the messages route, from providers of their language and of others", async () => {
    const [opened = "", ...filled] = TEXT.split(/(?<=\n\n)/);
    const native = await withSilence({
      first: START + opened,
      rest: `${filled.join("")}${END}`,
      path: "/v1/messages",
      options: { dialects: { a: "anthropic" } },
    });
    expect(native).toBe(`${START}${opened}${PING}${PING}${filled.join("")}${END}`);
    const translated = await withSilence({ first, rest, path: "/v1/messages" });
    expect(translated.split(PING)).toHaveLength(3);
    expect(translated).toContain("event: message_stop");
  });

  test("before an answer brings nothing: its status is not known yet", async () => {
    const upstream = await scriptedUpstream((r) => r.streamHead());
    const gateway = await startGateway({ providers: { a: upstream } });
    const client = gateway.client().send(jsonRequest({ model: "any", messages: [], stream: true }));
    const request = await upstream.request(0);
    for (const ms of [1, 16_000, 16_000]) gateway.advance(ms);
    request.chunk(`${first}${rest}`).endChunks();
    expect((await client.answer()).body).toBe(`${first}${rest}`);
    await gateway.settled();
  });
});
