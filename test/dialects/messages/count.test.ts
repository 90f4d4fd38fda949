import { describe, expect, test } from "vitest";
import { CLIENT_DIALECTS, countTokens, DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedFile, target } from "../recordings.ts";

const messages = CLIENT_DIALECTS.get("messages")!;
const TOOL: Json = { name: "f", description: "d", input_schema: { type: "object", $defs: {} } };

describe("a count of tokens", () => {
  test.each<[string, Json, number, number]>([
    ["nothing", {}, 1, 1],
    [
      "a sentence",
      { messages: [{ role: "user", content: "The quick brown fox jumps over the lazy dog." }] },
      10,
      30,
    ],
    ["German", { messages: [{ role: "user", content: "Größe".repeat(20) }] }, 20, 60],
    ["Chinese", { messages: [{ role: "user", content: "你好".repeat(50) }] }, 100, 120],
    [
      "a picture of a megabyte",
      {
        messages: [
          {
            role: "user",
            content: [
              {
                type: "image",
                source: { type: "base64", media_type: "image/png", data: "A".repeat(1_000_000) },
              },
            ],
          },
        ],
      },
      1500,
      1700,
    ],
    [
      "a picture by URL",
      {
        messages: [{ role: "user", content: [{ type: "image", source: { type: "url", url: "https://i" } }] }],
      },
      1500,
      1700,
    ],
    [
      "a document",
      {
        messages: [
          {
            role: "user",
            content: [
              {
                type: "document",
                source: { type: "base64", media_type: "application/pdf", data: "A".repeat(67_000) },
              },
            ],
          },
        ],
      },
      2000,
      3000,
    ],
    [
      "text as a document",
      {
        messages: [
          {
            role: "user",
            content: [
              {
                type: "document",
                source: { type: "text", media_type: "text/plain", data: "word ".repeat(700) },
              },
            ],
          },
        ],
      },
      900,
      1100,
    ],
    ["tools", { tools: [TOOL] }, 310, 360],
  ])("of %s is about right", (_, request, least, most) => {
    expect(countTokens(request)).toBeGreaterThanOrEqual(least);
    expect(countTokens(request)).toBeLessThanOrEqual(most);
  });

  test("survives any nesting", () => {
    const deep = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
    expect(countTokens({ messages: deep })).toBe(1);
  });
});

describe.skipIf(ARE_RECORDINGS_ABSENT)(`a recorded coding agent's request${NOTICE}`, () => {
  const request = (): Json => JSON.parse(recordedFile("inbound/claude-code-request.json"));

  test.each(["openai", "anthropic", "gemini", "bedrock"])("goes to a provider that speaks %s", (dialect) => {
    const { request: chat, warnings } = messages.decode(request());
    expect(warnings).toEqual(["context_management was dropped: the model's provider has nothing like it."]);
    expect(chat).toMatchObject({ stream: true, reasoning_effort: "high", max_completion_tokens: 32_000 });
    const { body } = DIALECTS.get(dialect)!.chat.encode(chat, target({ model: "some-model" }));
    expect(String(body)).toContain("Reply with exactly the word PONG");
    expect(String(body)).toContain("ReportFindings");
  });

  test("is counted", () => {
    expect(countTokens(request())).toBeGreaterThan(1500);
  });
});
