// What translation costs per language: microseconds of CPU for a request, a whole answer and a stream, and how long a
// request with ten megabytes of images holds up everybody else. `node bench/translation.ts`
import { performance } from "node:perf_hooks";
import { DIALECTS, type ChatDialect, type DialectTarget } from "../providers/dialects/index.ts";
import { HeldMedia } from "../src/gateway/request/held-media.ts";
import { scanRequest } from "../src/gateway/request/request-scan.ts";

const TEXT = "Some words of an answer that is about as long as answers are. ";
const PROMPT = "Some words of a prompt. ".repeat(100);
const PIECES = 30;

const TARGET: DialectTarget = {
  model: "model-1",
  baseUrl: "http://127.0.0.1",
  maxOutputTokens: 4096,
  options: {},
  createdSeconds: 1,
  id: "id-1",
};

const REQUEST = {
  model: "smart",
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: PROMPT },
    { role: "assistant", content: TEXT },
    { role: "user", content: PROMPT },
  ],
  tools: [{ type: "function", function: { name: "find", parameters: { type: "object", properties: {} } } }],
  max_tokens: 100,
};

const usage = { prompt_tokens: 100, completion_tokens: 30, total_tokens: 130 };
const pieces = Array.from({ length: PIECES }, (_, at) => `piece ${at} of it `);
const event = (data: object, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;

interface Traffic {
  readonly answer: object;
  readonly stream: string;
}

function openaiChunk(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return event({ id: "1", object: "chat.completion.chunk", created: 1, model: "m", choices });
}

/** Answers as providers of each language give them. Binary event streams are left to their own tests. */
const TRAFFIC: Readonly<Record<string, Traffic>> = {
  openai: {
    answer: {
      id: "1",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: TEXT.repeat(8) }, finish_reason: "stop" }],
      usage,
    },
    stream: `${openaiChunk({ role: "assistant" })}${pieces.map((content) => openaiChunk({ content })).join("")}${openaiChunk({}, "stop")}data: [DONE]\n\n`,
  },
  anthropic: {
    answer: {
      id: "1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: TEXT.repeat(8) }],
      stop_reason: "end_turn",
      usage: { input_tokens: 100, output_tokens: 30 },
    },
    stream: [
      event(
        {
          type: "message_start",
          message: {
            id: "1",
            type: "message",
            role: "assistant",
            model: "m",
            content: [],
            usage: { input_tokens: 100, output_tokens: 1 },
          },
        },
        "message_start",
      ),
      event(
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        "content_block_start",
      ),
      ...pieces.map((text) =>
        event(
          { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
          "content_block_delta",
        ),
      ),
      event({ type: "content_block_stop", index: 0 }, "content_block_stop"),
      event(
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 30 } },
        "message_delta",
      ),
      event({ type: "message_stop" }, "message_stop"),
    ].join(""),
  },
  gemini: {
    answer: {
      candidates: [{ content: { role: "model", parts: [{ text: TEXT.repeat(8) }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 30 },
    },
    stream: pieces
      .map((text, at) =>
        event({
          candidates: [
            {
              content: { role: "model", parts: [{ text }] },
              ...(at === PIECES - 1 ? { finishReason: "STOP" } : {}),
            },
          ],
          usageMetadata: { promptTokenCount: 100, candidatesTokenCount: at },
        }),
      )
      .join(""),
  },
  bedrock: {
    answer: {
      output: { message: { role: "assistant", content: [{ text: TEXT.repeat(8) }] } },
      stopReason: "end_turn",
      usage: { inputTokens: 100, outputTokens: 30, totalTokens: 130 },
    },
    stream: "",
  },
};

/** The best of many short rounds: what the work takes when nothing else runs on the machine. */
function microseconds(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 60; round++) {
    const startedMs = performance.now();
    let count = 0;
    do {
      work();
      count++;
    } while (performance.now() - startedMs < 5);
    best = Math.min(best, ((performance.now() - startedMs) * 1000) / count);
  }
  return best;
}

function streamed(dialect: ChatDialect, bytes: readonly Buffer[]): number {
  const stream = dialect.stream(TARGET, true);
  let length = 0;
  for (const piece of bytes) for (const chunk of stream.push(piece)) length += JSON.stringify(chunk).length;
  for (const chunk of stream.end()) length += JSON.stringify(chunk).length;
  return length;
}

function costs(name: string, dialect: ChatDialect): string {
  const body = Buffer.from(JSON.stringify(REQUEST));
  const answer = Buffer.from(JSON.stringify(TRAFFIC[name]?.answer));
  const frames = (TRAFFIC[name]?.stream ?? "")
    .split(/(?<=\n\n)/)
    .filter((frame) => frame !== "")
    .map((frame) => Buffer.from(frame));
  const request = microseconds(() => Buffer.from(dialect.encode(JSON.parse(body.toString()), TARGET).body));
  const whole = microseconds(() =>
    Buffer.from(JSON.stringify(dialect.decode(JSON.parse(answer.toString()), TARGET).body)),
  );
  const stream = frames.length === 0 ? null : microseconds(() => streamed(dialect, frames)) / frames.length;
  return `| ${name} | ${request.toFixed(1)} | ${whole.toFixed(1)} | ${stream === null ? "" : stream.toFixed(2)} |`;
}

console.log(
  `CPU in µs: a request of ${JSON.stringify(REQUEST).length} bytes, an answer of about 500, a chunk of a stream\n`,
);
console.log("| language | request | whole answer | chunk |\n| --- | ---: | ---: | ---: |");
for (const [name, { chat }] of DIALECTS) console.log(costs(name, chat));

const images = Array.from({ length: 2 }, (_, at) => ({
  type: "image_url",
  image_url: { url: `data:image/png;base64,${Buffer.alloc(3_750_000, at + 1).toString("base64")}` },
}));
const large = Buffer.from(
  JSON.stringify({
    ...REQUEST,
    messages: [{ role: "user", content: [{ type: "text", text: "Look." }, ...images] }],
  }),
);

function heldUp(chat: ChatDialect): readonly number[] {
  const steps: number[] = [];
  const timed = <T>(work: () => T): T => {
    const startedMs = performance.now();
    const result = work();
    steps.push(performance.now() - startedMs);
    return result;
  };
  const members = timed(() => scanRequest(large, { name: "messages", kind: "array" }));
  timed(() => {
    const media = HeldMedia.of(large, members.largeMedia, "id");
    const encoded = chat.encode(JSON.parse((media?.rest ?? large).toString()), TARGET);
    return media?.restored(Buffer.from(encoded.body));
  });
  timed(() => Buffer.from(chat.encode(JSON.parse(large.toString()), TARGET).body));
  return steps;
}

console.log(
  `\nMilliseconds that a request of ${(large.length / 1e6).toFixed(1)} MB with two images holds up the others (median of 21)\n`,
);
console.log(
  "| language | read | translate | the same without taking the images out |\n| --- | ---: | ---: | ---: |",
);
for (const [name, { chat }] of DIALECTS) {
  const runs = Array.from({ length: 21 }, () => heldUp(chat));
  const medians = [0, 1, 2].map(
    (step) => runs.map((run) => run[step] ?? 0).toSorted((a, b) => a - b)[10] ?? 0,
  );
  console.log(`| ${name} | ${medians.map((ms) => ms.toFixed(1)).join(" | ")} |`);
}
