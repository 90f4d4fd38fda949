// What a provider of the clients' own language was recorded to answer, replayed through the gateway: nothing of it changes.
import { describe, expect, test } from "vitest";
import { readArray, readNumber, readObject, readString } from "../../providers/dialects/json.ts";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedFile } from "../dialects/recordings.ts";
import { requestBytes } from "../http/raw-client.ts";
import { startGateway, WAYS } from "./gateway-fixture.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";

interface Recorded {
  readonly path: string;
  readonly asked: object | undefined;
  readonly status: number;
  /** A stream as the provider sent it; undefined: the answer is `json`. */
  readonly text: string | undefined;
  readonly json: unknown;
}

function recorded(name: string): Recorded {
  const cassette: unknown = ARE_RECORDINGS_ABSENT ? {} : JSON.parse(recordedFile(name));
  const [interaction] = readArray(cassette, "interactions");
  const request = readObject(interaction, "request");
  const response = readObject(interaction, "response");
  return {
    path: new URL(readString(request, "url") ?? "http://recording.test/").pathname,
    asked: readObject(request, "json"),
    status: readNumber(response, "status") ?? 0,
    text: readString(response, "text"),
    json: response?.["json"],
  };
}

async function replay({ path, asked, status, text, json }: Recorded, quirks: string) {
  const upstream = await scriptedUpstream((r) => {
    if (text === undefined) r.answer(status, JSON.stringify(json));
    else r.streamHead().chunk(text).endChunks();
  });
  const gateway = await startGateway({ providers: { a: upstream }, quirks });
  const answer = await gateway.ask({ ...asked, model: "any" }, path);
  await gateway.settled();
  return { answer, gateway };
}

function eventsIn(text: string): readonly unknown[] {
  const events = text.split("\n\n").filter((event) => event !== "" && event !== "data: [DONE]");
  return events.map((event): unknown => JSON.parse(event.slice("data: ".length)));
}

describe.skipIf(ARE_RECORDINGS_ABSENT).each(WAYS)(
  `recorded answers, passed on $way${NOTICE}`,
  ({ quirks }) => {
    test.each(["openai/chat-streaming.json", "openai/chat-streaming-detailed-usage.json"])(
      "%s",
      async (name) => {
        const recording = recorded(name);
        const { answer, gateway } = await replay(recording, quirks);
        expect(answer.status).toBe(200);
        expect(answer.body.endsWith("data: [DONE]\n\n")).toBe(true);
        const events = eventsIn(answer.body);
        expect(events).toEqual(eventsIn(recording.text ?? ""));
        const hasUsage = events.some((event) => readObject(event, "usage") !== undefined);
        expect(hasUsage).toBe(name.includes("usage"));
        expect(gateway.records).toMatchObject([{ outcome: "ok", isUsageEstimated: !hasUsage }]);
      },
    );

    test.each(["openai/chat-parallel-tools.json", "openai/embeddings-base64.json"])("%s", async (name) => {
      const recording = recorded(name);
      const { answer, gateway } = await replay(recording, quirks);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toEqual(recording.json);
      expect(gateway.records).toMatchObject([{ outcome: "ok", isUsageEstimated: false }]);
    });

    test("openai/chat-bad-request.json", async () => {
      const recording = recorded("openai/chat-bad-request.json");
      const { answer } = await replay({ ...recording, asked: { messages: [] } }, quirks);
      expect(answer.status).toBe(400);
      const error = readObject(recording.json, "error");
      expect(JSON.parse(answer.body)).toEqual({
        error: {
          message: `Provider \`a\` says: ${readString(error, "message")}`,
          type: error?.["type"],
          param: error?.["param"],
          code: error?.["code"],
        },
      });
    });

    test("openai/audio-transcription-multipart.json", async () => {
      const { path, json } = recorded("openai/audio-transcription-multipart.json");
      const upstream = await scriptedUpstream((r) => r.answer(200, JSON.stringify(json)));
      const gateway = await startGateway({ providers: { a: upstream }, quirks });
      const form = [
        'name="model"\r\n\r\nany',
        'name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\nRIFF',
      ];
      const parts = form.map((part) => `--edge\r\ncontent-disposition: form-data; ${part}\r\n`).join("");
      const headers = { "content-type": "multipart/form-data; boundary=edge" };
      const answer = await gateway
        .client()
        .send(requestBytes("POST", path, headers, `${parts}--edge--\r\n`))
        .answer();
      expect(JSON.parse(answer.body)).toEqual(json);
      expect((await upstream.request(0)).head).toContain("POST /v1/audio/transcriptions ");
      await gateway.settled();
    });
  },
);
