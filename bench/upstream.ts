// The provider that the benchmarks talk to, in its own process: it answers at once, with 500 bytes or with 30 events,
// and can hold streams open. It does as little as it can, because it shares the machine with what is measured.
//
// Prints its port on the first line.
import { createServer, type ServerResponse } from "node:http";

const CONTENT = "Every replica spends only what it holds, and what is held can be handed on.".repeat(3);
const USAGE =
  '{"prompt_tokens":120,"completion_tokens":30,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}';
const HEAD = '"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench"';

/** 500 bytes, as a short chat answer has. */
export const ANSWER = padded(
  `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"${CONTENT.slice(0, 100)}"},"logprobs":null,"finish_reason":"stop"}],"usage":${USAGE}`,
  500,
);

function padded(text: string, length: number): string {
  return `${text},"service_tier":"${"d".repeat(Math.max(0, length - text.length - 19))}"}`;
}

function event(delta: string, finish: string, usage: string): string {
  return `data: {${HEAD},"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}]${usage}}\n\n`;
}

/** 30 chunks: a role, 28 pieces of content, the finish; then the usage, if asked for, and the end mark. */
function streamEvents(includesUsage: boolean): readonly Buffer[] {
  const usage = includesUsage ? ',"usage":null' : "";
  const events = [event('{"role":"assistant","content":""}', "null", usage)];
  for (let i = 0; i < 28; i++) events.push(event(`{"content":" word${i}"}`, "null", usage));
  events.push(event("{}", '"stop"', usage));
  if (includesUsage) events.push(`data: {${HEAD},"choices":[],"usage":${USAGE}}\n\n`);
  events.push("data: [DONE]\n\n");
  return events.map((text) => Buffer.from(text));
}

const PLAIN_EVENTS = streamEvents(false);
const USAGE_EVENTS = streamEvents(true);
const ANSWER_HEAD = ["content-type", "application/json", "content-length", String(Buffer.byteLength(ANSWER))];
const STREAM_HEAD = ["content-type", "text/event-stream"];

const held: ServerResponse[] = [];

function stream(response: ServerResponse, body: Buffer): void {
  const events = body.includes('"include_usage":true') ? USAGE_EVENTS : PLAIN_EVENTS;
  response.writeHead(200, STREAM_HEAD);
  for (const bytes of events) response.write(bytes);
  response.end();
}

function hold(response: ServerResponse): void {
  response.writeHead(200, STREAM_HEAD);
  // The role alone only announces an answer, which a gateway may hold back.
  for (const bytes of PLAIN_EVENTS.slice(0, 2)) response.write(bytes);
  held.push(response);
}

const server = createServer((request, response) => {
  if (request.method === "DELETE") {
    for (const stream of held.splice(0)) stream.end("data: [DONE]\n\n");
    response.end();
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    if (body.includes('"hold":true')) hold(response);
    else if (body.includes('"stream":true')) stream(response, body);
    else response.writeHead(200, ANSWER_HEAD).end(ANSWER);
  });
});
process.once("SIGTERM", () => process.exit());
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(typeof address === "object" ? address?.port : address);
});
