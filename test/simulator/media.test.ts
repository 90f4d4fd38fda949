// Images, audio and rerank of the pretend provider: deterministic, and what real decoders take.
import { inflateSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../src/simulator/simulator.ts";

async function started() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const post = (path: string, body: object | FormData): Promise<Response> => {
    const isForm = body instanceof FormData;
    return fetch(`${simulator.url}${path}`, {
      method: "POST",
      ...(isForm
        ? { body }
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  };
  return { simulator, post };
}

const jsonOf = async (answer: Promise<Response>) => JSON.parse(await (await answer).text());

function form(fields: Readonly<Record<string, string | Blob>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

const AUDIO = new File([Buffer.alloc(4000, 7)], "a.wav");

describe("images", () => {
  test("are PNGs, the same for the same prompt and different for each of several", async () => {
    const { post } = await started();
    const ask = () => jsonOf(post("/v1/images/generations", { prompt: "a gate", n: 2 }));
    const answer = await ask();
    expect(await ask()).toEqual({ ...answer, created: expect.any(Number) });
    const [first, second] = answer.data;
    expect(first.b64_json).not.toBe(second.b64_json);
    const png = Buffer.from(first.b64_json, "base64");
    expect(png.toString("latin1", 1, 4)).toBe("PNG");
    const at = png.indexOf("IDAT");
    expect(inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4))).length).toBe(16 * 49);
    expect(answer.usage.output_tokens).toBe(128);
  });

  test("can be edited and varied, by files that matter", async () => {
    const { post } = await started();
    const edit = (image: string) =>
      jsonOf(post("/v1/images/edits", form({ prompt: "x", image: new Blob([image]) })));
    expect((await edit("one")).data).not.toEqual((await edit("two")).data);
    const varied = await jsonOf(post("/v1/images/variations", form({ image: new Blob(["one"]) })));
    expect(varied.data).toHaveLength(1);
    expect((await post("/v1/images/edits", form({ prompt: "x" }))).status).toBe(400);
  });

  test("can be streamed", async () => {
    const { post } = await started();
    const text = await (await post("/v1/images/generations", { prompt: "x", stream: true })).text();
    expect(text).toMatch(/^event: image_generation\.partial_image\n/);
    expect(text).toContain("event: image_generation.completed\n");
  });
});

describe("audio", () => {
  test("speech is a WAV file", async () => {
    const { post } = await started();
    const answer = await post("/v1/audio/speech", { model: "sim-speech", input: "hello", voice: "alto" });
    expect(answer.headers.get("content-type")).toBe("audio/wav");
    const wav = Buffer.from(await answer.arrayBuffer());
    expect(wav.toString("latin1", 0, 4)).toBe("RIFF");
    expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
  });

  test.each([
    ["json", /^\{"text":"/],
    ["verbose_json", /"task":"transcribe"/],
    ["text", /^[A-Z].*\.\n$/],
    ["srt", /^1\n00:00/],
    ["vtt", /^WEBVTT\n/],
  ])("a transcript comes as %s", async (response_format, shape) => {
    const { post } = await started();
    const answer = await post("/v1/audio/transcriptions", form({ file: AUDIO, response_format }));
    expect(await answer.text()).toMatch(shape);
  });

  test("a streamed transcript is the whole one in pieces", async () => {
    const { post } = await started();
    const whole = await jsonOf(post("/v1/audio/transcriptions", form({ file: AUDIO })));
    const text = await (await post("/v1/audio/transcriptions", form({ file: AUDIO, stream: "true" }))).text();
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""));
    expect(
      events
        .filter(({ delta }) => delta !== undefined)
        .map(({ delta }) => delta)
        .join(""),
    ).toBe(whole.text);
    expect(events.at(-1)).toMatchObject({
      type: "transcript.text.done",
      text: whole.text,
      usage: whole.usage,
    });
  });
});

test("rerank puts the documents that share words first", async () => {
  const { post } = await started();
  const documents = ["a mill", "the water of the river", "the river"];
  const ask = { model: "sim-rerank", query: "river water", documents, top_n: 2 };
  expect((await jsonOf(post("/v1/rerank", ask))).results).toEqual([
    { index: 1, relevance_score: 1 },
    { index: 2, relevance_score: 0.5 },
  ]);
});

test("a form that breaks off is refused", async () => {
  const { simulator } = await started();
  const answer = await fetch(`${simulator.url}/v1/audio/transcriptions`, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=b" },
    body: '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nx',
  });
  expect(answer.status).toBe(400);
});
