// Large media pass a translation as the bytes they are, in whatever language; and where they can't, nothing is lost.
import { describe, expect, test } from "vitest";
import { HeldMedia } from "../../../src/gateway/request/held-media.ts";
import { scanRequest } from "../../../src/gateway/request/request-scan.ts";
import { startGateway } from "../gateway-fixture.ts";
import { scriptedUpstream } from "../scripted-upstream.ts";

const IMAGE = Buffer.alloc(200_000, 7).toString("base64");
const part = (url: string) => ({ type: "image_url", image_url: { url } });
const text = (content: string) => ({ type: "text", text: content });

function held(body: object | string) {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const members = scanRequest(bytes, null);
  return { bytes, media: HeldMedia.of(bytes, members.largeMedia, "id") };
}

describe("large media", () => {
  test("leave marks, and come back byte by byte", () => {
    const { bytes, media } = held({
      model: "m",
      messages: [part(`data:image/png;base64,${IMAGE}`), part(`data:image/gif;BASE64,${IMAGE}`)],
    });
    expect(media?.rest.toString()).toBe(
      '{"model":"m","messages":[{"type":"image_url","image_url":{"url":"data:image/png;base64,~held:id:0~"}},{"type":"image_url","image_url":{"url":"data:image/gif;BASE64,~held:id:1~"}}]}',
    );
    expect(media?.restored(media.rest).equals(bytes)).toBe(true);
    // In another order, and as often as they are written.
    expect(media?.restored(Buffer.from("~held:id:1~ ~held:id:0~ ~held:id:1~")).length).toBe(
      3 * IMAGE.length + 2,
    );
  });

  test.each([
    ["small", { model: "m", data: "QUJD" }],
    ["text in a data URL", { model: "m", url: `data:text/plain,${"a".repeat(70_000)}` }],
    ["elsewhere", { model: "m", content: IMAGE }],
    ["escaped", `{"model":"m","url":"data:image\\/png;base64,${IMAGE}"}`],
  ])("stay where they are when they are %s", (_, body) => {
    expect(held(body).media).toBeNull();
  });
});

describe("a translated request with large media", () => {
  const answers: Readonly<Record<string, string>> = {
    anthropic: JSON.stringify({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: "hello" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 3, output_tokens: 2 },
    }),
    gemini: JSON.stringify({
      candidates: [{ content: { role: "model", parts: [{ text: "hello" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
    }),
  };

  async function sent(dialect: string, content: unknown, path?: string): Promise<string> {
    const upstream = await scriptedUpstream((r) => r.answer(200, answers[dialect] ?? ""));
    const gateway = await startGateway({ providers: { a: upstream }, dialects: { a: dialect } });
    const answer = await gateway.ask(
      { model: "any", max_tokens: 10, messages: [{ role: "user", content }] },
      path,
    );
    expect(answer.status).toBe(200);
    await gateway.settled();
    return (await upstream.request(0)).body;
  }

  test.each([
    ["anthropic", `"source":{"type":"base64","media_type":"image/png","data":"${IMAGE}"}`],
    ["gemini", `"inlineData":{"mimeType":"image/png","data":"${IMAGE}"}`],
  ])("has them whole in %s, small and large side by side", async (dialect, expected) => {
    const small = "QUJD".repeat(100);
    const body = await sent(dialect, [
      text("look ~held:x:0~"),
      part(`data:image/png;base64,${small}`),
      part(`data:image/png;base64,${IMAGE}`),
    ]);
    expect(body.includes(expected)).toBe(true);
    expect(body).toContain(small);
    expect(body.match(/~held:/g)).toHaveLength(1);
    expect(() => JSON.parse(body)).not.toThrow();
  });

  test("has them whole from a client of another language", async () => {
    const source = { type: "base64", media_type: "image/png", data: IMAGE };
    const body = await sent("gemini", [{ type: "image", source }], "/v1/messages");
    expect(body.includes(IMAGE)).toBe(true);
    expect(body).not.toContain("~held:");
  });

  test("whose language looks into them is translated from the whole body", async () => {
    const document = Buffer.from("Many words. ".repeat(10_000));
    const file = { filename: "a.txt", file_data: `data:text/plain;base64,${document.toString("base64")}` };
    const body = await sent("anthropic", [{ type: "file", file }]);
    expect(body).toContain(document.toString());
    expect(body).not.toContain("~held:");
  });
});
