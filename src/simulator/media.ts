// Images and audio of the pretend model. An image is a small PNG of one colour and speech a second of a tone, both drawn
// from a hash of the request; a transcript is prose seeded by the file's bytes. All of it is what real decoders take.
import { crc32, deflateSync } from "node:zlib";
import { frame } from "./faults.ts";
import { countAt, invalid, stringAt, type JsonObject } from "./json.ts";
import { filesAt } from "./multipart.ts";
import { drawFrom, hash32, pieces, promptTokens, prose } from "./prose.ts";
import type { Answer } from "./answers.ts";

const IMAGES_MAX = 10;
const IMAGE_TOKENS = 64;
const SIDE = 16;
const SAMPLES_PER_SECOND = 8000;
const TRANSCRIPT_WORDS = 12;
const JSON_TYPE = "application/json";
const STREAM_TYPE = "text/event-stream";
const BYTES_PER_AUDIO_TOKEN = 800;

/** `POST /v1/images/generations`. */
export function generateImages(body: JsonObject, created: number): Answer {
  return imagesAnswer(body, stringAt(body, "prompt"), { created, event: "image_generation", inputTokens: 0 });
}

/** `POST /v1/images/edits`: the answer depends on the files too. */
export function editImages(body: JsonObject, created: number): Answer {
  const files = filesAt(body, "image");
  const seed = `${stringAt(body, "prompt")}\n${files.map(({ bytes }) => hashOf(bytes)).join()}`;
  const inputTokens = files.length * IMAGE_TOKENS;
  return imagesAnswer(body, seed, { created, event: "image_edit", inputTokens });
}

/** `POST /v1/images/variations`. */
export function varyImage(body: JsonObject, created: number): Answer {
  const [file] = filesAt(body, "image");
  const seed = String(hashOf(file?.bytes ?? Buffer.alloc(0)));
  return imagesAnswer(body, seed, { created, event: "image_edit", inputTokens: IMAGE_TOKENS });
}

interface ImageFacts {
  readonly created: number;
  readonly event: string;
  readonly inputTokens: number;
}

function imagesAnswer(body: JsonObject, seed: string, { created, event, inputTokens }: ImageFacts): Answer {
  const count = countAt(formNumbers(body), "n", 1) ?? 1;
  if (count > IMAGES_MAX) throw invalid("n", `\`n\` is at most ${IMAGES_MAX}.`);
  const data = Array.from({ length: count }, (_, at) => ({
    b64_json: image(hash32(`${seed}\n${at}`)).toString("base64"),
  }));
  const promptTotal = promptTokens(seed) + inputTokens;
  const usage = {
    input_tokens: promptTotal,
    output_tokens: count * IMAGE_TOKENS,
    total_tokens: promptTotal + count * IMAGE_TOKENS,
    input_tokens_details: { text_tokens: promptTotal - inputTokens, image_tokens: inputTokens },
  };
  const [first] = data;
  const isStream = isTrue(body["stream"]);
  const events = [
    { type: `${event}.partial_image`, partial_image_index: 0, ...first, created_at: created },
    { type: `${event}.completed`, ...first, created_at: created, usage },
  ];
  return {
    promptTokens: promptTotal,
    completionTokens: count * IMAGE_TOKENS,
    isStream,
    chunks: isStream ? events.map(namedFrame) : [JSON.stringify({ created, data, usage })],
  };
}

/** `POST /v1/audio/speech`: a WAV file, or its events with `stream_format: "sse"`. */
export function speak(body: JsonObject): Answer {
  const input = stringAt(body, "input");
  stringAt(body, "voice");
  const audio = tone(hash32(`${input}\n${String(body["voice"])}`));
  const isStream = body["stream_format"] === "sse";
  const tokens = promptTokens(input);
  const usage = { input_tokens: tokens, output_tokens: tokens, total_tokens: 2 * tokens };
  const events = [
    ...halves(audio).map((half) => ({ type: "speech.audio.delta", audio: half.toString("base64") })),
    { type: "speech.audio.done", usage },
  ];
  return {
    promptTokens: tokens,
    completionTokens: tokens,
    isStream,
    contentType: isStream ? STREAM_TYPE : "audio/wav",
    chunks: isStream ? events.map(namedFrame) : halves(audio),
  };
}

/** `POST /v1/audio/transcriptions` and `/translations`. */
export function transcribe(body: JsonObject): Answer {
  const [file] = filesAt(body, "file");
  const bytes = file?.bytes ?? Buffer.alloc(0);
  const text = prose(drawFrom(hashOf(bytes)), TRANSCRIPT_WORDS);
  const words = pieces(text);
  const promptTotal = Math.ceil(bytes.length / BYTES_PER_AUDIO_TOKEN);
  const usage = {
    type: "tokens",
    input_tokens: promptTotal,
    output_tokens: words.length,
    total_tokens: promptTotal + words.length,
  };
  const made = { promptTokens: promptTotal, completionTokens: words.length };
  if (isTrue(body["stream"])) {
    const deltas = words.map((delta) => ({ type: "transcript.text.delta", delta }));
    const events = [...deltas, { type: "transcript.text.done", text, usage }];
    return { ...made, isStream: true, chunks: events.map(namedFrame) };
  }
  const [contentType, answer] = transcript(body["response_format"] ?? "json", text, usage);
  return { ...made, isStream: false, contentType, chunks: [answer] };
}

function transcript(format: unknown, text: string, usage: object): readonly [type: string, answer: string] {
  const plain = "text/plain; charset=utf-8";
  switch (format) {
    case "json":
      return [JSON_TYPE, JSON.stringify({ text, usage })];
    case "verbose_json":
      return [
        JSON_TYPE,
        JSON.stringify({ task: "transcribe", language: "english", duration: 1, text, segments: [] }),
      ];
    case "text":
      return [plain, `${text}\n`];
    case "srt":
      return [plain, `1\n00:00:00,000 --> 00:00:01,000\n${text}\n\n`];
    case "vtt":
      return [plain, `WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n${text}\n\n`];
    default:
      throw invalid("response_format", "`response_format` must be json, text, srt, verbose_json or vtt.");
  }
}

function namedFrame(event: { readonly type: string }): string {
  return `event: ${event.type}\n${frame(JSON.stringify(event))}`;
}

/** Numbers arrive as texts in a form. */
function formNumbers(body: JsonObject): JsonObject {
  return typeof body["n"] === "string" ? { ...body, n: Number(body["n"]) } : body;
}

function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}

function hashOf(bytes: Buffer): number {
  return hash32(bytes.toString("latin1"));
}

function halves(bytes: Buffer): readonly Buffer[] {
  const half = bytes.length >> 1;
  return [bytes.subarray(0, half), bytes.subarray(half)];
}

/** A PNG (https://www.w3.org/TR/png-3/) of one colour. */
function image(colour: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 2], 8);
  const row = [
    0,
    ...Array.from({ length: SIDE }, () => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255]).flat(),
  ];
  const pixels = deflateSync(Buffer.from(Array.from({ length: SIDE }, () => row).flat()));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    pngChunk("IHDR", header),
    pngChunk("IDAT", pixels),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), content]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(content.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}

/** One second of a tone, as a WAV file of 8-bit samples. */
function tone(seed: number): Buffer {
  const hertz = 200 + (seed % 600);
  const samples = Buffer.from(
    Array.from({ length: SAMPLES_PER_SECOND }, (_, at) =>
      Math.round(128 + 100 * Math.sin((2 * Math.PI * hertz * at) / SAMPLES_PER_SECOND)),
    ),
  );
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(SAMPLES_PER_SECOND, 24);
  head.writeUInt32LE(SAMPLES_PER_SECOND, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}
