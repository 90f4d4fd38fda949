import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import { readArray, readString, type Json } from "../../../providers/dialects/json.ts";
import { CLIENTS } from "../clients.ts";
import {
  ARE_RECORDINGS_ABSENT,
  decodePieces,
  encode,
  everyCut,
  NOTICE,
  recordedFile,
  recordedStreams,
  summary,
  target,
  type Decoded,
} from "../recordings.ts";

const { chat } = DIALECTS.get("gemini")!;
const STOP = { finishReason: "STOP" };
const USAGE: Json = {
  promptTokenCount: 10,
  candidatesTokenCount: 5,
  totalTokenCount: 22,
  thoughtsTokenCount: 7,
  cachedContentTokenCount: 4,
};
const call = (name: string, extra: Json = {}): Json => ({ functionCall: { name, args: { a: 1 } }, ...extra });

function event(parts: readonly Json[], candidate: Json = {}, extra: Json = {}): Json {
  const content = { role: "model", parts };
  return {
    candidates: [{ content, index: 0, ...candidate }],
    modelVersion: "gemini-x",
    responseId: "r1",
    ...extra,
  };
}

function decode(bytes: Uint8Array): Decoded {
  return decodePieces(chat.stream(target(), false), [bytes]);
}

describe("an answer", () => {
  test("becomes a chat completion", () => {
    const logprobsResult = {
      chosenCandidates: [{ token: "a", logProbability: -0.5 }],
      topCandidates: [{ candidates: [{ token: "b", logProbability: -1 }] }],
    };
    const parts = [
      { text: "hm", thought: true },
      { text: "a", thoughtSignature: "t" },
      call("f", { thoughtSignature: "s" }),
      { executableCode: {} },
    ];
    expect(
      chat.decode(event(parts, { ...STOP, logprobsResult }, { usageMetadata: USAGE }), target()).body,
    ).toEqual({
      id: "chatcmpl-r1",
      object: "chat.completion",
      created: 1_700_000_000,
      model: "gemini-x",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "a",
            refusal: null,
            reasoning_content: "hm",
            tool_calls: [
              {
                id: "call_0123456789abcdef_0_0__thought__s",
                type: "function",
                function: { name: "f", arguments: '{"a":1}' },
                extra_content: { google: { thought_signature: "s" } },
              },
            ],
            extra_content: { google: { parts: [{ executableCode: {} }], thought_signature: "t" } },
          },
          logprobs: {
            content: [
              {
                token: "a",
                logprob: -0.5,
                bytes: [97],
                top_logprobs: [{ token: "b", logprob: -1, bytes: [98] }],
              },
            ],
            refusal: null,
          },
          finish_reason: "tool_calls",
        },
      ],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 12,
        total_tokens: 22,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 7 },
      },
    });
  });

  test("to a blocked prompt is a refusal", () => {
    const { body } = chat.decode({ promptFeedback: { blockReason: "SAFETY" } }, target());
    expect(body).toMatchObject({
      choices: [
        {
          message: { content: null, refusal: "The provider blocked the prompt: SAFETY." },
          finish_reason: "content_filter",
        },
      ],
    });
  });

  test.each<[string, unknown, string]>([
    [
      "an error in a 200",
      { error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "m" } },
      "provider_rate_limited",
    ],
    ["no candidates", { candidates: [] }, "provider_bad_response"],
    ["a candidate that says nothing", { candidates: [{}] }, "provider_bad_response"],
    [
      "a candidate without parts or an end",
      { candidates: [{ content: { parts: [] } }] },
      "provider_bad_response",
    ],
    ["a malformed call", event([], { finishReason: "MALFORMED_FUNCTION_CALL" }), "provider_bad_response"],
    ["a web page", "<html>", "provider_bad_response"],
    ["a list", [], "provider_bad_response"],
  ])("that is none fails: %s", (_, body, code) => {
    expect(() => chat.decode(body, target())).toThrow(expect.objectContaining({ code }));
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`recorded streams${NOTICE}`, () => {
  const streams = ["stream-crlf", "stream-tool-thought-signature"].flatMap((name) =>
    recordedStreams(`gemini/${name}.json`).map((bytes, index): [string, Uint8Array] => [
      `${name} ${index}`,
      bytes,
    ]),
  );

  test.each(streams)(
    "%s is accepted by official clients and gives the same chunks wherever it is cut",
    async (_, bytes) => {
      const whole = decode(bytes);
      expect(whole.failure).toBeNull();
      for (const client of CLIENTS) await expect(client.accumulate(whole.chunks)).resolves.toBeDefined();
      for (const pieces of everyCut(bytes))
        expect(decodePieces(chat.stream(target(), false), pieces)).toEqual(whole);
    },
  );

  test("with a signature, sent back as the client got it, is the provider's own turn again", () => {
    const [recordedCall] = summary(decode(streams[1]?.[1] ?? encode("")).chunks).tools;
    const calls = [
      {
        id: recordedCall?.id,
        type: "function",
        function: { name: recordedCall?.name, arguments: recordedCall?.args },
      },
    ];
    const messages = [
      { role: "user", content: "q" },
      { role: "assistant", content: null, tool_calls: calls },
      { role: "tool", tool_call_id: recordedCall?.id, content: "Mexico" },
    ];
    const sent = JSON.parse(
      String(chat.encode({ messages }, target({ model: "gemini-3-pro-preview" })).body),
    );
    const [part] = readArray(sent.contents[1], "parts");
    const cassette = JSON.parse(recordedFile("gemini/stream-tool-thought-signature.json"));
    const echoed = cassette.interactions[1].request.json.contents[1].parts[0].thoughtSignature;
    const signature = readString(part, "thoughtSignature") ?? "";
    expect(signature.replaceAll("+", "-").replaceAll("/", "_")).toBe(echoed);
    expect(sent.contents[2].parts[0]).toMatchObject({
      functionResponse: { name: "get_country", response: { content: "Mexico" } },
    });
  });
});
