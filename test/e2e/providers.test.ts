// Every recorded stream through a real gateway to everybody who reads it: official clients in three languages and the
// frameworks above them. Each knows its own language only, and has to find in it all that the stream holds.
import Anthropic from "@anthropic-ai/sdk";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NOTICE } from "../dialects/recordings.ts";
import { frameworksAt } from "./frameworks.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { replays, startReplaying, type Holds, type Replaying } from "./replays.ts";

const ALL = replays();
const WHOLE = ALL.flatMap(({ name, holds }) => (holds === null ? [] : [{ name, holds }]));
const BROKEN = ALL.filter(({ holds }) => holds === null);
const TOOL_SCHEMA = { type: "object", properties: {} } as const;

let gateway: GatewayProcess;
let replaying: Replaying;

beforeAll(async () => {
  replaying = await startReplaying(ALL);
  gateway = await startGateway({ providers: replaying.providers, retry: { attempts: 1 } });
}, 180_000);

afterAll(async () => {
  replaying.close();
  await gateway.stop("SIGKILL");
});

const toolNames = ({ calls }: Holds): readonly string[] => [
  ...new Set(calls.length === 0 ? ["a_tool"] : calls.map(({ name }) => name)),
];
const parsed = (args: string): unknown => JSON.parse(args);

describe(`a recorded stream${NOTICE}`, () => {
  describe.each(["openai", "openai-v6"])("read by %s", (packageName) => {
    async function connect() {
      const { default: OpenAI }: typeof Sdk = await import(packageName);
      return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
    }

    test.each(WHOLE)("from $name is a chat completion", async ({ name, holds }) => {
      const client = await connect();
      const stream = client.chat.completions.stream({
        model: `${name}/m`,
        max_tokens: 2000,
        messages: [{ role: "user", content: "Hi" }],
        tools: toolNames(holds).map((tool) => ({
          type: "function",
          function: { name: tool, parameters: TOOL_SCHEMA },
        })),
        stream_options: { include_usage: true },
      });
      const { choices, usage } = await stream.finalChatCompletion();
      const [choice] = choices;
      expect(choice?.message.content ?? "").toBe(holds.text);
      expect(
        choice?.message.tool_calls?.map((call) =>
          call.type === "function"
            ? { name: call.function.name, args: parsed(call.function.arguments) }
            : call,
        ) ?? [],
      ).toEqual(holds.calls);
      expect(usage?.prompt_tokens).toBe(holds.inputTokens);
    });

    test.each(WHOLE)("from $name is a response", async ({ name, holds }) => {
      const client = await connect();
      const stream = client.responses.stream({
        model: `${name}/m`,
        input: "Hi",
        max_output_tokens: 2000,
        tools: toolNames(holds).map((tool) => ({
          type: "function",
          name: tool,
          strict: false,
          parameters: TOOL_SCHEMA,
        })),
      });
      const { output_text: text, output, usage } = await stream.finalResponse();
      expect(text).toBe(holds.text);
      const calls = output.flatMap((item) =>
        item.type === "function_call" ? [{ name: item.name, args: parsed(item.arguments) }] : [],
      );
      expect(calls).toEqual(holds.calls);
      expect(usage?.input_tokens).toBe(holds.inputTokens);
    });

    test.each(BROKEN)("from $name that breaks off is an error", async ({ name }) => {
      const client = await connect();
      const request = { model: `${name}/m`, messages: [{ role: "user" as const, content: "Hi" }] };
      await expect(client.chat.completions.stream(request).finalChatCompletion()).rejects.toThrow();
      const stream = client.responses.stream({ model: `${name}/m`, input: "Hi" });
      await expect(stream.finalResponse()).rejects.toThrow();
    });
  });

  describe("read by @anthropic-ai/sdk", () => {
    const connect = () => new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 });

    test.each(WHOLE)("from $name is a message", async ({ name, holds }) => {
      const stream = connect().messages.stream({
        model: `${name}/m`,
        max_tokens: 2000,
        messages: [{ role: "user", content: "Hi" }],
        tools: toolNames(holds).map((tool) => ({ name: tool, input_schema: TOOL_SCHEMA })),
      });
      const { content, usage } = await stream.finalMessage();
      expect(content.map((block) => (block.type === "text" ? block.text : "")).join("")).toBe(holds.text);
      const calls = content.flatMap((block) =>
        block.type === "tool_use" ? [{ name: block.name, args: block.input }] : [],
      );
      expect(calls).toEqual(holds.calls);
      expect(usage.input_tokens).toBeGreaterThan(0);
    });

    test.each(BROKEN)("from $name that breaks off is an error", async ({ name }) => {
      const request = { model: `${name}/m`, max_tokens: 2000, messages: [] };
      await expect(connect().messages.stream(request).finalMessage()).rejects.toThrow();
    });
  });

  describe.each(frameworksAt(() => gateway.url))("read by $name", (framework) => {
    test.each(WHOLE)("from $name holds all that is in it", async ({ name, holds }) => {
      const [tool = ""] = toolNames(holds);
      const told = await framework.ask(`${name}/m`, {
        user: "Hi",
        tool: { name: tool, description: "A tool.", schema: TOOL_SCHEMA, run: () => "" },
        steps: 1,
        isStream: true,
      });
      expect(told.text).toBe(holds.text);
      expect(told.calls).toEqual(holds.calls);
    });

    test.each(BROKEN)("from $name that breaks off is an error", async ({ name }) => {
      await expect(framework.ask(`${name}/m`, { user: "Hi", isStream: true })).rejects.toThrow();
    });
  });

  test.runIf(WHOLE.some(({ name }) => name.startsWith("bedrock")))("is asked for with a signature", () => {
    const [, { path, authorization } = { path: "", authorization: "" }] =
      [...replaying.seen].find(([name]) => name.startsWith("bedrock")) ?? [];
    expect(path).toMatch(/^\/bedrock[\w-]+\/v1\/model\/m\/converse-stream$/);
    expect(authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });
});
