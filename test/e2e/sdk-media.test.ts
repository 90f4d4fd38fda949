// The official clients, both majors in use, with images, audio, moderations and files, against a real gateway process with the
// simulator behind it; and what one process holds while large forms pass.
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";

const KEY = "sk-sluice-test";
const MIB = 1024 * 1024;

let simulator: Simulator;
let gateway: GatewayProcess;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-media-"));
  simulator = await startSimulator();
  gateway = await startGateway({
    providers: {
      sim: {
        dialect: "openai",
        base_url: `${simulator.url}/v1`,
        limits: [{ requests: "100000/min" }, { tokens: "100_000_000/min" }, { concurrent: 8 }],
        models: { "sim-any": {} },
      },
    },
    models: { media: ["sim/sim-any"], moderations: ["sim/sim-any"], images: ["sim/sim-any"] },
    keys: [{ name: "team", key: KEY }],
  });
});

afterAll(async () => {
  await gateway?.stop();
  await simulator?.close();
  rmSync(folder, { recursive: true, force: true });
});

function fileOf(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Resolves when no slot is held. */
async function slotsFree(): Promise<void> {
  const metric = "sluice_requests_running";
  for (;;) if ((await gateway.metric(metric)) === 0) return;
}

describe.each(["openai", "openai-v6"])("the official client %s", (packageName) => {
  async function makeClient() {
    const { default: OpenAI }: typeof Sdk = await import(packageName);
    return new OpenAI({ apiKey: KEY, maxRetries: 0, baseURL: `${gateway.url}/v1` });
  }

  test("moderates, with a model and without", async () => {
    const client = await makeClient();
    const flagged = await client.moderations.create({ model: "media", input: "a forbidden word" });
    expect(flagged.results[0]?.flagged).toBe(true);
    const plain = await client.moderations.create({ input: ["one", "two"] });
    expect(plain.results.map((result) => result.flagged)).toEqual([false, false]);
  });

  test("makes images, whole and streamed", async () => {
    const client = await makeClient();
    const whole = await client.images.generate({ model: "media", prompt: "a gate", n: 2 });
    expect(whole.data).toHaveLength(2);
    const stream = await client.images.generate({ model: "media", prompt: "a gate", stream: true });
    const events = await Array.fromAsync(stream);
    expect(events.map(({ type }) => type)).toEqual([
      "image_generation.partial_image",
      "image_generation.completed",
    ]);
    expect(events[1]?.b64_json).toBe(whole.data?.[0]?.b64_json);
  });

  test("edits and varies images, several at a time, streamed and without a model", async () => {
    const client = await makeClient();
    const path = fileOf("image.png", Buffer.alloc(100_000, 3));
    const image = () => createReadStream(path);
    const edited = await client.images.edit({ model: "media", image: image(), prompt: "more water" });
    expect(edited.data?.[0]?.b64_json).toMatch(/^iVBOR/);
    const several = await client.images.edit({ image: [image(), image()], prompt: "more water" });
    expect(several.data).not.toEqual(edited.data);
    const stream = await client.images.edit({
      model: "media",
      image: image(),
      prompt: "more water",
      stream: true,
    });
    expect((await Array.fromAsync(stream)).at(-1)?.type).toBe("image_edit.completed");
    const varied = await client.images.createVariation({ image: image() });
    expect(varied.data).toHaveLength(1);
  });

  test("gets speech, whole and as events", async () => {
    const client = await makeClient();
    const speech = await client.audio.speech.create({ model: "media", voice: "alloy", input: "hello" });
    const audio = Buffer.from(await speech.arrayBuffer());
    expect(audio.toString("latin1", 0, 4)).toBe("RIFF");
    expect(audio.length).toBe(8044);
    const events = await client.audio.speech.create({
      model: "media",
      voice: "alloy",
      input: "hello",
      stream_format: "sse",
    });
    expect(await events.text()).toContain('"speech.audio.done"');
  });

  test("transcribes and translates, whole, as text and streamed", async () => {
    const client = await makeClient();
    const path = fileOf("speech.wav", Buffer.alloc(3 * MIB, 5));
    const file = () => createReadStream(path);
    const whole = await client.audio.transcriptions.create({ model: "media", file: file() });
    expect(whole.text.length).toBeGreaterThan(10);
    const text = await client.audio.transcriptions.create({
      model: "media",
      file: file(),
      response_format: "text",
    });
    expect(text.trim()).toBe(whole.text);
    const stream = await client.audio.transcriptions.create({ model: "media", file: file(), stream: true });
    const last = (await Array.fromAsync(stream)).at(-1);
    expect(last).toMatchObject({ type: "transcript.text.done", text: whole.text });
    const translated = await client.audio.translations.create({ model: "media", file: file() });
    expect(translated.text).toBe(whole.text);
  });

  test("reads an error of a form like any other", async () => {
    const client = await makeClient();
    const call = client.audio.transcriptions.create({ model: "nowhere", file: new File(["x"], "a.wav") });
    await expect(call).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    await slotsFree();
  });
});

test("rerank works by plain fetch", async () => {
  const answer = await fetch(`${gateway.url}/v1/rerank`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "media", query: "water", documents: ["dry", "water"] }),
  });
  expect(JSON.parse(await answer.text()).results[0]).toEqual({ index: 1, relevance_score: 1 });
});

test("forms of 60 MB pass at once, and one of 100 MB that breaks off, in little memory", async () => {
  const before = gateway.peakMemoryBytes();
  const file = new Blob([Buffer.alloc(60 * MIB, 1)]);
  const post = async (): Promise<number> => {
    const form = new FormData();
    form.append("model", "media");
    form.append("file", file, "a.wav");
    const headers = { authorization: `Bearer ${KEY}` };
    const answer = await fetch(`${gateway.url}/v1/audio/transcriptions`, {
      method: "POST",
      headers,
      body: form,
    });
    await answer.text();
    return answer.status;
  };
  expect(await Promise.all([post(), post(), post(), post()])).toEqual([200, 200, 200, 200]);
  await breakOff();
  await slotsFree();
  expect(gateway.peakMemoryBytes() - before).toBeLessThan(120 * MIB);
  expect(await gateway.metric("sluice_http_large_bodies_bytes")).toBe(0);
});

/** Sends half of a form of 100 MB and goes away. */
async function breakOff(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.on("close", () => resolve());
  socket.write(
    `POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${100 * MIB}\r\n\r\n--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nmedia\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n`,
  );
  socket.write(Buffer.alloc(50 * MIB, 1), () => socket.destroy());
  await promise;
}
