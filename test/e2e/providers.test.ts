// Official clients through a real gateway to providers of every language: mock providers replay what real ones sent, and
// each client, which only knows its own language, has to make sense of the answer.
import { createServer, type Server } from "node:http";
import Anthropic from "@anthropic-ai/sdk";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isObject, readObject, readString } from "../../providers/dialects/json.ts";
import {
  chatSse,
  encode,
  namedSse,
  NOTICE,
  recordedFile,
  recordedLines,
  recordedStreams,
} from "../dialects/recordings.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";

interface Replay {
  /** The provider's entry in the catalog. */
  readonly type: string;
  readonly body: Uint8Array | undefined;
  readonly contentType?: string;
  /** What the final message has at least. */
  readonly has: "text" | "call";
  readonly base?: string;
  readonly more?: object;
}

const SSE = "text/event-stream";
const AWS = { access_key_id: "AKIDEXAMPLE", secret_access_key: "not-a-secret" };

function bedrockStream(name: string): Uint8Array | undefined {
  const text = recordedFile("bedrock/eventstream-bins.json");
  if (text === "") return undefined;
  const base64 = readString(readObject(JSON.parse(text), "files"), `bedrock/${name}`);
  return base64 === undefined ? undefined : Buffer.from(base64, "base64");
}

function lines(path: string): Uint8Array | undefined {
  const recorded = recordedLines(path);
  return recorded.length === 0 ? undefined : chatSse(recorded);
}

/** Written by hand, for where there are no recordings. */
const WRITTEN = namedSse([
  {
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [],
      usage: { input_tokens: 9, output_tokens: 1 },
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello." } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 3 } },
  { type: "message_stop" },
]);

const REPLAYS: Readonly<Record<string, Replay>> = {
  written: { type: "anthropic", body: WRITTEN, has: "text" },
  thinking: {
    type: "anthropic",
    body: recordedStreams("anthropic/stream-thinking-signature.json")[0],
    has: "text",
  },
  gemini: { type: "gemini", body: recordedStreams("gemini/stream-crlf.json")[0], has: "text" },
  "gemini-call": {
    type: "gemini",
    body: recordedStreams("gemini/stream-tool-thought-signature.json")[0],
    has: "call",
  },
  converse: {
    type: "bedrock",
    body: bedrockStream("basic"),
    contentType: "application/vnd.amazon.eventstream",
    has: "text",
    more: { credentials: AWS },
  },
  "converse-call": {
    type: "bedrock",
    body: bedrockStream("tool"),
    contentType: "application/vnd.amazon.eventstream",
    has: "call",
    more: { credentials: AWS },
  },
  azure: {
    type: "azure-deployments",
    body: recordedStreams("azure/chat-stream.json")[0],
    has: "text",
    more: { options: { resource: "r" } },
  },
  mistral: { type: "mistral", body: lines("compat/mistral-tool-call.chunks.txt"), has: "call" },
  groq: { type: "groq", body: lines("compat/groq-tool-call.chunks.txt"), has: "call" },
  deepseek: { type: "deepseek", body: lines("compat/deepseek-tool-call.chunks.txt"), has: "call" },
};

/** What a provider got. */
interface Seen {
  readonly path: string;
  readonly authorization: string;
}

let gateway: GatewayProcess;
let provider: Server;
const seen = new Map<string, Seen>();

beforeAll(async () => {
  provider = createServer((request, response) => {
    const [, name = ""] = (request.url ?? "").split("/");
    const replay = REPLAYS[name];
    const { authorization = "" } = request.headers;
    seen.set(name, { path: request.url ?? "", authorization });
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": replay?.contentType ?? SSE });
      const body = replay?.body ?? encode("");
      for (let at = 0; at < body.length; at += 97) response.write(body.subarray(at, at + 97));
      response.end();
    });
  });
  await new Promise<void>((resolve) => {
    provider.listen(0, "127.0.0.1", resolve);
  });
  const address = provider.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const providers = Object.entries(REPLAYS).map(([name, { type, more }]) => {
    const key = type === "bedrock" ? {} : { api_key: `sk-${name}` };
    return [
      name,
      { type, base_url: `http://127.0.0.1:${port}/${name}/v1`, ...key, models: { m: {} }, ...more },
    ];
  });
  gateway = await startGateway({ providers: Object.fromEntries(providers) });
}, 60_000);

afterAll(async () => {
  provider.closeAllConnections();
  provider.close();
  await gateway.stop("SIGKILL");
});

const TOOL = { name: "get_weather", parameters: { type: "object", properties: {} } };
const present = Object.entries(REPLAYS).filter(([, { body }]) => body !== undefined);

describe(`a recorded stream${NOTICE}`, () => {
  describe.each(["openai", "openai-v6"])("read by %s", (name) => {
    test.each(present)("from %s is a chat completion", async (target, { has }) => {
      const { default: OpenAI }: typeof Sdk = await import(name);
      const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
      const stream = client.chat.completions.stream({
        model: `${target}/m`,
        max_tokens: 2000,
        messages: [{ role: "user", content: "Hi" }],
        tools: [{ type: "function", function: TOOL }],
        stream_options: { include_usage: true },
      });
      const { choices, usage } = await stream.finalChatCompletion();
      const [choice] = choices;
      if (has === "text") expect(choice?.message.content ?? "").not.toBe("");
      else expect(JSON.parse(firstArguments(choice?.message.tool_calls?.[0]))).toBeTypeOf("object");
      expect(choice?.finish_reason).toBe(has === "text" ? "stop" : "tool_calls");
      if (target !== "azure") expect(usage?.prompt_tokens).toBeGreaterThan(0);
    });

    test.each(present)("from %s is a response", async (target, { has }) => {
      const { default: OpenAI }: typeof Sdk = await import(name);
      const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
      // Some have the API themselves; what they replay is chat.
      if (target === "groq") return;
      const stream = client.responses.stream({
        model: `${target}/m`,
        input: "Hi",
        max_output_tokens: 2000,
        tools: [{ type: "function", strict: false, ...TOOL }],
      });
      const response = await stream.finalResponse();
      expect(response.status).toBe("completed");
      if (has === "text") expect(response.output_text).not.toBe("");
      else expect(response.output.some(({ type }) => type === "function_call")).toBe(true);
    });
  });

  test.each(present)("from %s is a message to @anthropic-ai/sdk", async (target, { has }) => {
    const client = new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 });
    const stream = client.messages.stream({
      model: `${target}/m`,
      max_tokens: 2000,
      messages: [{ role: "user", content: "Hi" }],
      tools: [{ name: TOOL.name, input_schema: { type: "object", properties: {} } }],
    });
    const message = await stream.finalMessage();
    expect(message.stop_reason).toBe(has === "text" ? "end_turn" : "tool_use");
    expect(message.content.some(({ type }) => type === (has === "text" ? "text" : "tool_use"))).toBe(true);
    expect(message.usage.input_tokens).toBeGreaterThan(0);
  });

  test.runIf(present.some(([name]) => name === "converse"))("is asked for with a signature", () => {
    const { path, authorization } = seen.get("converse") ?? { path: "", authorization: "" };
    expect(path).toBe("/converse/v1/model/m/converse-stream");
    expect(authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });
});

function firstArguments(call: unknown): string {
  return readString(isObject(call) ? call["function"] : undefined, "arguments") ?? "";
}
