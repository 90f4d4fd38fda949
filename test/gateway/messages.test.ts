// Clients of the Messages language, at providers of chat completions and at providers of their own language.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway } from "./gateway-fixture.ts";
import { END, event, MESSAGE, OVERLOADED, over, START, TEXT, whole } from "./messages-provider.ts";
import { scriptedUpstream, type Script } from "./scripted-upstream.ts";

describe("a Messages client", () => {
  const ASK = { model: "any", max_tokens: 50, messages: [{ role: "user", content: "Hi" }] };
  const HEAD = { id: "c1", object: "chat.completion.chunk", created: 1, model: "m" };
  const chunk = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ ...HEAD, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

  test("gets a message from a provider of chat completions", async () => {
    const upstream = await scriptedUpstream((request) =>
      request.answer(
        200,
        JSON.stringify({
          id: "c1",
          object: "chat.completion",
          choices: [{ index: 0, message: { role: "assistant", content: "Hi." }, finish_reason: "stop" }],
          usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
        }),
      ),
    );
    const gateway = await startGateway({ providers: { chat: upstream } });
    const answer = await gateway.ask(ASK, "/v1/messages?beta=true");
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({
      type: "message",
      content: [{ type: "text", text: "Hi." }],
      stop_reason: "end_turn",
      usage: { input_tokens: 5, output_tokens: 2 },
    });
    expect((await upstream.request(0)).json()).toMatchObject({ model: "m", max_completion_tokens: 50 });
    expect((await gateway.settled()).tokens).toBe(7);
  });

  test("gets named events that begin, grow and stop blocks", async () => {
    const upstream = await scriptedUpstream((request) =>
      request
        .streamHead()
        .chunk(chunk({ role: "assistant", content: "" }) + chunk({ content: "Hi." }) + chunk({}, "stop"))
        .chunk("data: [DONE]\n\n")
        .endChunks(),
    );
    const gateway = await startGateway({ providers: { chat: upstream } });
    const answer = await gateway.ask({ ...ASK, stream: true }, "/v1/messages");
    const names = [...answer.body.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);
    expect(names).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    expect((await upstream.request(0)).json()).toMatchObject({ stream_options: { include_usage: true } });
    await gateway.settled();
  });

  test("is told in its own shape how a stream broke off", async () => {
    const upstream = await scriptedUpstream((request) =>
      request
        .streamHead()
        .chunk(chunk({ role: "assistant", content: "Hi" }))
        .endChunks(),
    );
    const gateway = await startGateway({ providers: { chat: upstream } });
    const answer = await gateway.ask({ ...ASK, stream: true }, "/v1/messages");
    expect(answer.body).toMatch(
      /event: error\ndata: \{"type":"error","error":\{"type":"api_error"[^\n]*\}\n\n$/,
    );
    expect(answer.body).not.toContain("message_stop");
    await gateway.settled();
  });

  test("gets a count of tokens, which takes nothing", async () => {
    const upstream = await scriptedUpstream((request) => request.answer(500, "{}"));
    const gateway = await startGateway({ providers: { chat: upstream } });
    const answer = await gateway.ask(ASK, "/v1/messages/count_tokens");
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ input_tokens: expect.any(Number) });
    expect(await gateway.settled()).toEqual({ requests: 0, tokens: 0, concurrent: 0 });
    expect(upstream.requests).toHaveLength(0);
  });

  test("is refused in its own shape", async () => {
    const gateway = await startGateway({ providers: { chat: { port: 1 } } });
    const answer = await gateway.ask({ ...ASK, model: "nobody" }, "/v1/messages");
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ type: "error", error: { type: "not_found_error" } });
  });
});

describe("a Messages client at a provider of its own language", () => {
  const ASK = '{"model":"any","max_tokens":50,  "unknown":[1],"messages":[{"role":"user","content":"Hi"}]';
  const HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "one-2026-01-01,two-2026-02-02",
    "x-api-key": "the client's own",
  };

  async function own(script: Script, text = `${ASK}}`, path = "/v1/messages?beta=true") {
    const { upstream, gateway } = await over(script);
    const answer = await gateway
      .client()
      .send(jsonRequest(text, HEADERS, path))
      .answer();
    return { upstream, gateway, answer };
  }

  test("has its bytes and headers passed on, with the model's name put in", async () => {
    const { upstream, answer, gateway } = await own(whole);
    const sent = await upstream.request(0);
    expect(sent.body).toBe(`${ASK.replace('"any"', '"m"')}}`);
    expect(sent.header("anthropic-beta")).toBe("one-2026-01-01,two-2026-02-02");
    expect(sent.head).toMatch(/^POST \/v1\/messages HTTP/);
    expect(sent.head).not.toContain("the client's own");
    expect(answer.body).toBe(JSON.stringify(MESSAGE));
    expect((await gateway.settled()).tokens).toBe(13);
  });

  test("gets the provider's stream byte by byte, and is settled with its usage", async () => {
    const text = START + event({ type: "ping" }) + TEXT + END;
    const { answer, gateway } = await own((request) => {
      request.streamHead();
      for (const at of Array(text.length).keys()) request.chunk(text.charAt(at));
      request.endChunks();
    }, `${ASK},"stream":true}`);
    expect(answer.body).toBe(text);
    expect((await gateway.settled()).tokens).toBe(13);
  });

  test("gets the provider's error as it is", async () => {
    const body =
      '{"type":"error", "error":{"type":"invalid_request_error","message":"max_tokens: too many"}}';
    const { answer } = await own((request) => request.answer(400, body));
    expect(answer.status).toBe(400);
    expect(answer.body).toBe(body);
  });

  test("does not get an error about the gateway's own key as it is", async () => {
    const body = '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}';
    const { answer } = await own((request) => request.answer(401, body));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ type: "error", error: { type: "api_error" } });
  });

  test("gets the provider's own error event once, as the last", async () => {
    const broken = START + TEXT.slice(0, TEXT.indexOf("event: content_block_stop"));
    const { upstream, gateway } = await over((request) => request.streamHead().chunk(broken));
    const asked = gateway
      .client()
      .send(jsonRequest(`${ASK},"stream":true}`, HEADERS, "/v1/messages"))
      .answer();
    (await upstream.request(0)).chunk(event(OVERLOADED)).endChunks();
    expect((await asked).body).toBe(broken + event(OVERLOADED));
    await gateway.settled();
  });

  test.each([
    ["half an event", 'event: content_block_delta\ndata: {"type":"content_blo\n\n'],
    ["an error in words alone", "event: error\ndata: upstream broke\n\n"],
  ])("gets an error event that it can read in place of %s", async (_, words) => {
    const broken = START + TEXT.slice(0, TEXT.indexOf("event: content_block_stop"));
    const { upstream, gateway } = await over((request) => request.streamHead().chunk(broken));
    const asked = gateway
      .client()
      .send(jsonRequest(`${ASK},"stream":true}`, HEADERS, "/v1/messages"))
      .answer();
    (await upstream.request(0)).chunk(words).endChunks();
    const { body } = await asked;
    expect(body.startsWith(broken)).toBe(true);
    expect(body.slice(broken.length)).toMatch(
      /^\n*event: error\ndata: \{"type":"error","error":\{"type":"\w+"[^\n]*\}\n\n$/,
    );
    await gateway.settled();
  });

  test("is not sent thinking that another provider left unsigned", async () => {
    const thinking = { type: "thinking", thinking: "Hm.", signature: "sluice-unsigned" };
    const request = {
      model: "any",
      max_tokens: 50,
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: [thinking, { type: "text", text: "Hello." }] },
        { role: "user", content: "Again" },
      ],
    };
    const { upstream } = await own(whole, JSON.stringify(request));
    expect((await upstream.request(0)).body).not.toContain("thinking");
  });
});
