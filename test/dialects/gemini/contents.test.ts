import { describe, expect, test } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

const { chat } = DIALECTS.get("gemini")!;
const USER: Json = { role: "user", content: "hi" };
const HI: Json = { role: "user", parts: [{ text: "hi" }] };

const VERTEX = "https://x/v1/projects/p/locations/l/publishers/google";

interface Asked {
  readonly baseUrl?: string;
  readonly model?: string;
  readonly options?: Readonly<Record<string, string>>;
}

function encode(
  request: Json,
  { model = "gemini-2.5-flash", options = {}, baseUrl = target().baseUrl }: Asked = {},
): { body: Json; warnings: readonly string[]; path: string } {
  const { body, ...rest } = chat.encode(
    { messages: [USER], ...request },
    target({ model, options, baseUrl }),
  );
  return { body: JSON.parse(String(body)), ...rest };
}

function check(request: Json, expected: Json, asked: Asked = {}): readonly string[] {
  const { body, warnings } = encode(request, asked);
  expect(body).toEqual({ contents: [HI], ...expected });
  return warnings;
}

const NEW = { model: "gemini-3-flash-preview" };

describe("messages", () => {
  const call = (id: string, extra: Json = {}): Json => ({
    id,
    type: "function",
    function: { name: "f", arguments: '{"a":1}' },
    ...extra,
  });
  const part = (id: string, signature?: string): Json => ({
    functionCall: { name: "f", args: { a: 1 }, id },
    ...(signature === undefined ? {} : { thoughtSignature: signature }),
  });
  const result = (id: string, response: Json): Json => ({ functionResponse: { name: "f", response, id } });
  const user = (...parts: Json[]): Json => ({ role: "user", parts });
  const model = (...parts: Json[]): Json => ({ role: "model", parts });
  const contents = (...turns: Json[]): Json => ({ contents: turns });

  test.each<[string, readonly Json[], Json, Asked?]>([
    [
      "system messages go to the top",
      [{ role: "system", content: "a" }, { role: "developer", content: "b" }, USER],
      { systemInstruction: { parts: [{ text: "a" }, { text: "b" }] } },
    ],
    [
      "neighbours are merged",
      [USER, USER, { role: "assistant", content: "a" }],
      contents(user({ text: "hi" }, { text: "hi" }), model({ text: "a" })),
    ],
    [
      "pictures",
      [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,QUJD" } },
            { type: "image_url", image_url: { url: "https://x/y.webp?z=1" } },
          ],
        },
      ],
      contents(
        user(
          { inlineData: { mimeType: "image/png", data: "QUJD" } },
          { fileData: { mimeType: "image/webp", fileUri: "https://x/y.webp?z=1" } },
        ),
      ),
    ],
    [
      "documents, audio, video and files",
      [
        {
          role: "user",
          content: [
            { type: "file", file: { file_data: "data:application/pdf;base64,QUJD" } },
            { type: "input_audio", input_audio: { data: "QUJD", format: "wav" } },
            { type: "video_url", video_url: { url: "https://youtu.be/x" } },
            { type: "file", file: { file_id: "files/1" } },
          ],
        },
      ],
      contents(
        user(
          { inlineData: { mimeType: "application/pdf", data: "QUJD" } },
          { inlineData: { mimeType: "audio/wav", data: "QUJD" } },
          { fileData: { mimeType: "video/mp4", fileUri: "https://youtu.be/x" } },
          { fileData: { mimeType: "application/pdf", fileUri: "https://provider.test/v1/files/1" } },
        ),
      ),
    ],
    [
      "calls and results, by name, in a turn of their own",
      [
        USER,
        { role: "assistant", content: null, tool_calls: [call("x"), call("y")] },
        { role: "tool", tool_call_id: "x", content: "r" },
        { role: "tool", tool_call_id: "y", content: '{"s":1}' },
        USER,
      ],
      contents(
        HI,
        model(part("x"), part("y")),
        user(result("x", { content: "r" }), result("y", { s: 1 })),
        HI,
      ),
    ],
    [
      "a failed result",
      [
        USER,
        { role: "assistant", tool_calls: [call("x")] },
        { role: "tool", tool_call_id: "x", content: "no", is_error: true },
      ],
      contents(HI, model(part("x")), user(result("x", { error: "no" }))),
    ],
    [
      "results in the order of their calls, and what they hold besides behind them all",
      [
        USER,
        { role: "assistant", tool_calls: [call("x"), call("y")] },
        {
          role: "tool",
          tool_call_id: "y",
          content: [
            { type: "text", text: "ry" },
            { type: "image_url", image_url: { url: "https://i/a.png" } },
          ],
        },
        { role: "tool", tool_call_id: "x", content: "rx" },
      ],
      contents(
        HI,
        model(part("x"), part("y")),
        user(result("x", { content: "rx" }), result("y", { content: "ry" })),
        user({ fileData: { mimeType: "image/png", fileUri: "https://i/a.png" } }),
      ),
    ],
    [
      "a picture as a result",
      [
        USER,
        { role: "assistant", tool_calls: [call("x")] },
        {
          role: "tool",
          tool_call_id: "x",
          content: [
            { type: "text", text: "r" },
            { type: "image_url", image_url: { url: "https://i/a.png" } },
          ],
        },
      ],
      contents(
        HI,
        model(part("x")),
        user(result("x", { content: "r" })),
        user({ fileData: { mimeType: "image/png", fileUri: "https://i/a.png" } }),
      ),
    ],
    [
      "a signature in the id",
      [
        USER,
        { role: "assistant", tool_calls: [call("x__thought__s+/="), call("y")] },
        { role: "tool", tool_call_id: "x__thought__s+/=", content: "r" },
      ],
      contents(HI, model(part("x", "s+/="), part("y")), user(result("x", { content: "r" }))),
      NEW,
    ],
    [
      "a signature in extra_content wins",
      [
        USER,
        {
          role: "assistant",
          tool_calls: [call("x__thought__s", { extra_content: { google: { thought_signature: "t" } } })],
        },
      ],
      contents(HI, model(part("x", "t"))),
      NEW,
    ],
    [
      "a signature of text",
      [USER, { role: "assistant", content: "a", extra_content: { google: { thought_signature: "s" } } }],
      contents(HI, model({ text: "a", thoughtSignature: "s" })),
      NEW,
    ],
    [
      "a lost signature gets the documented placeholder, once per turn",
      [USER, { role: "assistant", tool_calls: [call("x"), call("y")] }],
      contents(HI, model(part("x", "skip_thought_signature_validator"), part("y"))),
      NEW,
    ],
    [
      "no ids at Vertex",
      [
        USER,
        { role: "assistant", tool_calls: [call("x")] },
        { role: "tool", tool_call_id: "x", content: "r" },
      ],
      contents(
        HI,
        model({ functionCall: { name: "f", args: { a: 1 } } }),
        user({ functionResponse: { name: "f", response: { content: "r" } } }),
      ),
      { baseUrl: VERTEX },
    ],
  ])("are carried over: %s", (_, messages, expected, asked) => {
    expect(check({ messages }, expected, asked)).toEqual([]);
  });

  test.each<[string, readonly Json[], string]>([
    ["a later system message", [USER, { role: "system", content: "s" }, USER], "moved to the top"],
    ["the system alone", [{ role: "system", content: "s" }], "sent as the user's"],
    [
      "another provider's thinking",
      [USER, { role: "assistant", content: "a", thinking_blocks: [{}] }],
      "Thinking was dropped",
    ],
    [
      "reasoning beside the content",
      [USER, { role: "assistant", content: "a", reasoning_content: "t" }],
      "Thinking was dropped",
    ],
  ])("that change are warned of: %s", (_, messages, warning) => {
    const { warnings } = encode({ messages });
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });
});
