// Events that only announce an answer (a role, a filter's verdict, the beginning of a message) are no answer yet: while
// nothing else has come, a provider that fails or falls silent is left for the next one, and the client sees none of it.
import { describe, expect, test } from "vitest";
import { jsonRequest } from "../http/raw-client.ts";
import { startGateway, type GatewayOptions } from "./gateway-fixture.ts";
import { event, OVERLOADED, START, streamed } from "./messages-provider.ts";
import { scriptedUpstream, stream, type Script } from "./scripted-upstream.ts";

const HEAD = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m" };
const chunk = (members: object): string => `data: ${JSON.stringify({ ...HEAD, ...members })}\n\n`;
const ROLE = chunk({
  choices: [{ index: 0, delta: { role: "assistant", content: "", refusal: null }, finish_reason: null }],
  usage: null,
});
const VERDICT = chunk({
  id: "",
  choices: [],
  prompt_filter_results: [{ prompt_index: 0, content_filter_results: { hate: { filtered: false } } }],
});
const response = { id: "resp_1", object: "response", status: "in_progress", output: [] };
const CREATED = event({ type: "response.created", sequence_number: 0, response });
const IN_PROGRESS = event({ type: "response.in_progress", sequence_number: 1, response });
const RESPONSE_TEXT = event({ type: "response.output_text.delta", sequence_number: 2, delta: "Hello" });
const COMPLETED = event({
  type: "response.completed",
  sequence_number: 3,
  response: {
    ...response,
    status: "completed",
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  },
});

interface Language {
  readonly name: string;
  readonly path: string;
  readonly options: Omit<GatewayOptions, "providers">;
  /** Events that announce an answer, one after the other. */
  readonly announcements: readonly string[];
  /** A failure that the provider tells in an event. */
  readonly error: string;
  readonly good: Script;
}

const ERROR = 'data: {"error":{"message":"Overloaded","type":"server_error","code":"503"}}\n\n';
const anthropic = { dialects: { a: "anthropic", b: "anthropic" } };
const LANGUAGES: readonly Language[] = [
  {
    name: "chat as it is",
    path: "/v1/chat/completions",
    options: { quirks: "{ canonical: true }" },
    announcements: [VERDICT, ROLE],
    error: ERROR,
    good: stream,
  },
  {
    name: "chat mended",
    path: "/v1/chat/completions",
    options: { quirks: "{}" },
    announcements: [VERDICT, ROLE],
    error: ERROR,
    good: stream,
  },
  {
    name: "chat translated for a Messages client",
    path: "/v1/messages",
    options: {},
    announcements: [VERDICT, ROLE],
    error: ERROR,
    good: stream,
  },
  {
    name: "messages translated for a chat client",
    path: "/v1/chat/completions",
    options: anthropic,
    announcements: [START, event({ type: "ping" })],
    error: event(OVERLOADED),
    good: streamed,
  },
  {
    name: "messages as they are",
    path: "/v1/messages",
    options: anthropic,
    announcements: [START, event({ type: "ping" })],
    error: event(OVERLOADED),
    good: streamed,
  },
  {
    name: "responses as they are",
    path: "/v1/responses",
    options: { provider: "endpoints: [chat, responses]" },
    announcements: [CREATED, IN_PROGRESS],
    error: event({ type: "error", sequence_number: 2, code: "server_error", message: "Oh.", param: null }),
    good: (r) =>
      r
        .streamHead()
        .chunk(CREATED + RESPONSE_TEXT + COMPLETED)
        .endChunks(),
  },
];

const BODY = {
  model: "any",
  max_tokens: 9,
  messages: [{ role: "user", content: "Hi" }],
  input: "Hi",
  stream: true,
};

function announced({ announcements }: Language): Script {
  return (r) => {
    r.streamHead();
    for (const each of announcements) r.chunk(each);
  };
}

describe.each(LANGUAGES)("$name:", (language) => {
  async function fallsBack(script: Script, advanceMs = 0) {
    const first = await scriptedUpstream(script);
    const second = await scriptedUpstream(language.good);
    const gateway = await startGateway({ ...language.options, providers: { a: first, b: second } });
    const client = gateway.client().send(jsonRequest(BODY, {}, language.path));
    await first.request(0);
    if (advanceMs > 0) {
      // What was sent arrives first: silence behind an announcement is to be seen, not silence from the start.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => void setImmediate(resolve));
      gateway.advance(advanceMs);
    }
    const answer = await client.answer();
    expect(answer.headers["x-sluice-provider"]).toBe("b");
    expect(answer.headers["x-sluice-attempts"]).toBe("2");
    expect(answer.status).toBe(200);
    expect(answer.body).toMatch(/Hel/);
    expect(answer.body).not.toMatch(/error/);
    await gateway.settled();
    return gateway;
  }

  test.each([
    ["an end", (r) => r.endChunks()],
    ["an error", (r) => r.chunk(language.error).endChunks()],
    ["no JSON", (r) => r.chunk("data: {oops\n\n").endChunks()],
    ["a reset", (r) => void setImmediate(() => setImmediate(() => r.reset()))],
    ["comments and an end", (r) => r.chunk(": wait\n\n").chunk(":\n\n").endChunks()],
  ] satisfies (readonly [string, Script])[])("the next provider is asked after %s", async (_, fault) => {
    await fallsBack((r) => {
      announced(language)(r);
      fault(r);
    });
  });

  test("the next provider is asked after silence, as long as a first token may take", async () => {
    await fallsBack(announced(language), 61_000);
  });

  test("an error takes no units", async () => {
    const first = await scriptedUpstream((r) => {
      announced(language)(r);
      r.chunk(language.error).endChunks();
    });
    const gateway = await startGateway({
      ...language.options,
      providers: { a: first },
      config: "retry: { attempts: 1 }",
    });
    const answer = await gateway
      .client()
      .send(jsonRequest(BODY, {}, language.path))
      .answer();
    expect(answer.status).toBeGreaterThanOrEqual(500);
    const { tokens } = await gateway.settled();
    // Where the announcement says what came in, that is what was used.
    expect(tokens).toBe(language.announcements.includes(START) ? 11 : 0);
  });
});
