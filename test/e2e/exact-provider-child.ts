// A provider as a process of its own: answers every chat with a word, and refuses with 429 what is beyond its quota.
// Arguments: requests at once, requests per second, slack in milliseconds. It says on standard output where it listens.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ExactCount } from "./exact-count.ts";

const [burst = 0, perSecond = 0, slackMs = 0] = process.argv.slice(2).map(Number);
const count = new ExactCount({ burst, perSecond, slackMs });
/** Requests let in, by the process id of who sent them. */
const bySender = new Map<string, number>();
let travelMs = 0;

const ANSWER = JSON.stringify({
  id: "chatcmpl-exact",
  object: "chat.completion",
  created: 0,
  model: "sim-echo",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});
const REFUSAL = JSON.stringify({ error: { message: "Over the quota.", type: "requests", code: "exact" } });

function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  if (typeof value !== "string") throw new Error(`a request without ${name}`);
  return value;
}

function stats(): object {
  const { admitted, refused, lowest } = count;
  return { admitted, refused, lowest, travelMs, bySender: Object.fromEntries(bySender) };
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const atMs = Number(header(request, "x-set-out-ms"));
  travelMs = Math.max(travelMs, nowMs() - atMs);
  const isIn = count.admit(atMs);
  const sender = header(request, "x-set-out-by");
  if (isIn) bySender.set(sender, (bySender.get(sender) ?? 0) + 1);
  answer(response, isIn ? 200 : 429, isIn ? ANSWER : REFUSAL);
}

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  request.resume();
  if (request.url === "/stats") answer(response, 200, JSON.stringify(stats()));
  else if (request.method === "POST") request.once("end", () => serve(request, response));
  else answer(response, 404, "{}");
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  console.log(`listens at http://127.0.0.1:${address.port}`);
});
