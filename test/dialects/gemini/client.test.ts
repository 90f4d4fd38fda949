// The vendor's own client as the reference for shapes: it writes requests to a server of ours, which must be what our
// requests are for the same question; and it reads the answers that our other tests take for the vendor's.
import { createServer, type Server } from "node:http";
import { FinishReason, GoogleGenAI } from "@google/genai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import { readObject, without, type Json } from "../../../providers/dialects/json.ts";
import { ANSWERS } from "../features.ts";
import { target } from "../recordings.ts";
import { VENDOR_ANSWERS, type Said } from "../vendor-answers.ts";
import { QUESTIONS } from "./client-questions.ts";

const gemini = DIALECTS.get("gemini")!;
/** The client writes an empty member in some requests, which says nothing. */
function withoutEmptyConfig(theirs: Json): Json {
  const isEmpty = Object.keys(readObject(theirs, "generationConfig") ?? { a: 1 }).length === 0;
  return isEmpty ? without(theirs, new Set(["generationConfig"])) : theirs;
}

let server: Server;
let client: GoogleGenAI;
let seen: { readonly url: string; readonly key: unknown; readonly body: Json } | undefined;
let answer: { readonly type: string; readonly body: string | Uint8Array };

beforeAll(async () => {
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request
      .on("data", (part: Buffer) => parts.push(part))
      .on("end", () => {
        const body: Json = JSON.parse(Buffer.concat(parts).toString());
        seen = { url: request.url ?? "", key: request.headers["x-goog-api-key"], body };
        response.writeHead(200, { "content-type": answer.type }).end(answer.body);
      });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  client = new GoogleGenAI({
    apiKey: "key",
    httpOptions: { baseUrl: `http://127.0.0.1:${port}`, apiVersion: "v1beta" },
  });
});

beforeEach(() => {
  answer = { type: "application/json", body: JSON.stringify(ANSWERS["gemini"]) };
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const named = QUESTIONS.map(
  (question) =>
    [
      question.differs === undefined ? question.name : `${question.name}, but ${question.differs.because}`,
      question,
    ] as const,
);

describe("a request is what the vendor's client writes", () => {
  test.each(named)("for %s", async (_, question) => {
    const { model = "gemini-2.5-flash", contents = "hi", config = {}, chat, differs } = question;
    const { path, body } = gemini.chat.encode(
      { messages: [{ role: "user", content: "hi" }], ...chat },
      target({ model }),
    );
    await client.models.generateContent({ model, contents, config });
    const theirs = withoutEmptyConfig(seen?.body ?? {});
    const ours: unknown = JSON.parse(String(body));
    expect(`/v1beta${path}`).toBe(seen?.url);
    const meant = differs?.ours(theirs) ?? theirs;
    expect(ours).toEqual(meant);
    // A difference that is gone must leave the table.
    if (differs !== undefined) expect(meant).not.toEqual(theirs);
  });

  test("for a stream", async () => {
    answer = { type: "text/event-stream", body: VENDOR_ANSWERS.gemini.streamed({ text: "Hello." }) };
    const model = "gemini-2.5-flash";
    const messages: readonly Json[] = [{ role: "user", content: "hi" }];
    const { path, body } = gemini.chat.encode({ messages, stream: true }, target({ model }));
    await Array.fromAsync(await client.models.generateContentStream({ model, contents: "hi" }));
    expect(seen).toEqual({ url: `/v1beta${path}`, key: "key", body: JSON.parse(String(body)) });
  });

  test("for embeddings", async () => {
    answer = { type: "application/json", body: JSON.stringify({ embeddings: [{ values: [1] }] }) };
    const model = "gemini-embedding-001";
    const request = { input: ["a", "b"], dimensions: 8 };
    const { path, body } = gemini.embeddings?.encode(request, target({ model })) ?? {};
    await client.models.embedContent({
      model,
      contents: ["a", "b"],
      config: { outputDimensionality: 8 },
    });
    expect(seen?.url).toBe(`/v1beta${path}`);
    // The client names a role, which a text without a conversation has not.
    expect(JSON.parse(String(body).replaceAll('"content":{', '"content":{"role":"user",'))).toEqual(
      seen?.body,
    );
  });
});

const CALLS = [
  { id: "call_1", name: "get_weather", args: { city: "Oslo" } },
  { id: "call_2", name: "get_weather", args: { city: "Rome" } },
];

describe("the answers that tests take for the vendor's are read by its client", () => {
  test.each<[string, Said]>([
    ["text", { text: "Hello." }],
    ["thinking", { thinking: "Hm.", text: "Hello." }],
    ["parallel calls", { calls: CALLS }],
  ])("when they hold %s, whole and streamed", async (_, said) => {
    const asked = { model: "gemini-2.5-flash", contents: "hi" };
    answer = { type: "application/json", body: JSON.stringify(VENDOR_ANSWERS.gemini.whole(said)) };
    const whole = await client.models.generateContent(asked);
    answer = { type: "text/event-stream", body: VENDOR_ANSWERS.gemini.streamed(said) };
    const events = await Array.fromAsync(await client.models.generateContentStream(asked));
    for (const answers of [[whole], events]) {
      const parts = answers.flatMap((each) => each.candidates?.[0]?.content?.parts ?? []);
      const text = (isThought: boolean): string =>
        parts.map((part) => ((part.thought ?? false) === isThought ? (part.text ?? "") : "")).join("");
      expect(text(false)).toBe(said.text ?? "");
      expect(text(true)).toBe(said.thinking ?? "");
      expect(answers.flatMap((each) => each.functionCalls ?? [])).toEqual(said.calls ?? []);
      expect(answers.at(-1)?.candidates?.[0]?.finishReason).toBe(FinishReason.STOP);
      expect(answers.at(-1)?.usageMetadata).toMatchObject({ promptTokenCount: 20, totalTokenCount: 29 });
    }
  });

  test("with everything they can hold", async () => {
    const whole = await client.models.generateContent({ model: "gemini-2.5-flash", contents: "hi" });
    const parts = whole.candidates?.[0]?.content?.parts ?? [];
    expect(parts.map((part) => part.text ?? part.inlineData?.data ?? part.thoughtSignature)).toEqual([
      "THOUGHT",
      "TEXT",
      "SIGNATURE",
      "UElDVFVSRQ==",
    ]);
    expect(whole.functionCalls).toEqual([{ id: "CALLID", name: "TOOLNAME", args: { PROPERTY: "ARGUMENT" } }]);
    expect(whole.usageMetadata?.thoughtsTokenCount).toBe(7);
  });
});

/** What each of the client's finish reasons is in chat's words; `fails` ends the request with an error. */
const FINISH_REASONS: Readonly<Record<FinishReason, string>> = {
  FINISH_REASON_UNSPECIFIED: "stop",
  STOP: "stop",
  MAX_TOKENS: "length",
  CONTINUATION: "length",
  SAFETY: "content_filter",
  RECITATION: "content_filter",
  LANGUAGE: "content_filter",
  BLOCKLIST: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  SPII: "content_filter",
  NO_IMAGE: "content_filter",
  IMAGE_SAFETY: "content_filter",
  IMAGE_PROHIBITED_CONTENT: "content_filter",
  IMAGE_RECITATION: "content_filter",
  IMAGE_OTHER: "content_filter",
  OTHER: "fails",
  MALFORMED_FUNCTION_CALL: "fails",
  MALFORMED_RESPONSE: "fails",
  UNEXPECTED_TOOL_CALL: "fails",
  TOO_MANY_TOOL_CALLS: "fails",
};

test.each(Object.values(FinishReason))("the client's finish reason %s is known", (finishReason) => {
  const candidates = [{ content: { parts: [{ text: "a" }] }, finishReason }];
  const decode = (): unknown => gemini.chat.decode({ candidates }, target()).body;
  const expected = FINISH_REASONS[finishReason];
  if (expected === "fails") expect(decode).toThrow(finishReason);
  else expect(decode()).toMatchObject({ choices: [{ finish_reason: expected }] });
});
