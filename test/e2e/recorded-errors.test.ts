// Errors that providers were recorded to answer, through a real gateway to official clients of both families: each throws
// the class that its users catch, with the status, the words and the wait that the provider meant.
import Anthropic from "@anthropic-ai/sdk";
import type * as Sdk from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  isObject,
  readArray,
  readNumber,
  readObject,
  readString,
  type Json,
} from "../../providers/dialects/json.ts";
import { ARE_RECORDINGS_ABSENT, NOTICE, recordedFile, recordedLines } from "../dialects/recordings.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { startVendor, type Vendor } from "./vendor.ts";
import { failureOf } from "./vendor-checks.ts";

interface Failing {
  readonly name: string;
  readonly type: string;
  readonly status: number;
  readonly body: unknown;
  /** What it means to clients. */
  readonly means: "bad request" | "no such model" | "rate limited" | "no capacity";
}

const TYPES: Readonly<Record<string, string>> = {
  "api.openai.com": "openai",
  "api.anthropic.com": "anthropic",
  "api.deepseek.com": "deepseek",
  "api.groq.com": "groq",
  "generativelanguage.googleapis.com": "gemini",
  "bedrock-runtime.us-east-1.amazonaws.com": "bedrock",
};

/** All recorded failures of single requests are either about the model or about the request; wrong models say so in some words. */
const ABOUT_MODEL = /not_found|DeploymentNotFound|NOT_FOUND|identifier is invalid|Model nonexistent/;

function recordedErrors(): readonly Failing[] {
  if (ARE_RECORDINGS_ABSENT) return [];
  const singles = recordedLines("limits/errors-recorded.jsonl").map((line, index): Failing => {
    const recorded: unknown = JSON.parse(line);
    const host = readString(recorded, "host") ?? "";
    const body = isObject(recorded) ? recorded["body"] : undefined;
    const means = ABOUT_MODEL.test(JSON.stringify(body)) ? "no such model" : "bad request";
    const type = TYPES[host] ?? "vllm";
    return { name: `${type}-${index}`, type, status: readNumber(recorded, "status") ?? 0, body, means };
  });
  const cassette: unknown = JSON.parse(recordedFile("compat/openrouter-errors.json"));
  const routed = readArray(cassette, "interactions").map((each, index): Failing => {
    const body = readObject(readObject(each, "response"), "json");
    return { name: `openrouter-${index}`, type: "openrouter", status: 429, body, means: "no capacity" };
  });
  const quota: unknown = JSON.parse(recordedFile("gemini/429-retry-info.json"));
  return [
    ...singles,
    ...routed,
    { name: "quota", type: "gemini", status: 429, body: quota, means: "rate limited" },
  ];
}

const ERRORS = recordedErrors();
const OPENAI = ["openai", "openai-v6"];
const CLIENTS = [...OPENAI, "anthropic"];
const providerOf = (name: string, client: string): string => `${name}-to-${client}`;
/** A provider of the client's own language is quoted word for word. */
const isQuoted = ({ type }: Failing): boolean => type === "anthropic";

const CHAT_FAILURES: Readonly<Record<Failing["means"], Json>> = {
  "bad request": { name: "BadRequestError", status: 400, type: "invalid_request_error" },
  "no such model": { name: "NotFoundError", status: 404, code: "model_not_found" },
  "rate limited": { name: "RateLimitError", status: 429, code: "rate_limit_exceeded" },
  "no capacity": { name: "InternalServerError", status: 503, code: "provider_overloaded" },
};
const MESSAGES_FAILURES: Readonly<Record<Failing["means"], Json>> = {
  "bad request": { name: "BadRequestError", status: 400, type: "invalid_request_error" },
  "no such model": { name: "NotFoundError", status: 404, type: "not_found_error" },
  "rate limited": { name: "RateLimitError", status: 429, type: "rate_limit_error" },
  "no capacity": { status: 529, type: "overloaded_error" },
};

describe.skipIf(ARE_RECORDINGS_ABSENT)(`a recorded error${NOTICE}`, () => {
  let gateway: GatewayProcess;
  let vendor: Vendor;

  beforeAll(async () => {
    vendor = await startVendor();
    const providers = ERRORS.flatMap(({ name, type }) =>
      CLIENTS.map((client) => [
        providerOf(name, client),
        { type, base_url: vendor.url, api_key: "sk-any", endpoints: ["chat", "messages"], models: { m: {} } },
      ]),
    );
    gateway = await startGateway({
      providers: Object.fromEntries(providers),
      retry: { attempts: 1 },
      queue: { max_wait: "0s" },
    });
  }, 60_000);

  afterAll(async () => {
    vendor.close();
    await gateway.stop("SIGKILL");
  });

  const answer = ({ status, body }: Failing): void =>
    vendor.willAnswer({
      status,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });

  function expectTold(failure: Readonly<Record<string, unknown>>, { means, body }: Failing): void {
    expect(failure["said"]).not.toMatch(/no body|undefined|\[object/);
    if (means === "bad request") expect(failure["said"]).toContain(wordsOf(body).slice(0, 40));
    const { headers } = failure;
    const wait = headers instanceof Headers ? headers.get("retry-after") : undefined;
    if (means === "rate limited") expect(wait).toMatch(/^3[45]$/);
  }

  describe.each(OPENAI)("read by %s", (packageName) => {
    test.each(ERRORS)("of $name means: $means", async (failing) => {
      const { default: OpenAI }: typeof Sdk = await import(packageName);
      const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
      answer(failing);
      const model = `${providerOf(failing.name, packageName)}/m`;
      const failure = await failureOf(
        client.chat.completions.create({ model, messages: [{ role: "user", content: "Hi" }] }),
      );
      expect(failure).toMatchObject(CHAT_FAILURES[failing.means]);
      expect(failure["requestID"]).toMatch(/^[\w-]{20,}$/);
      expect(Object.keys(isObject(failure["error"]) ? failure["error"] : {}).toSorted()).toEqual([
        "code",
        "message",
        "param",
        "type",
      ]);
      expectTold(failure, failing);
    });
  });

  describe("read by @anthropic-ai/sdk", () => {
    test.each(ERRORS)("of $name means: $means", async (failing) => {
      const client = new Anthropic({ baseURL: gateway.url, apiKey: "none", maxRetries: 0 });
      answer(failing);
      const model = `${providerOf(failing.name, "anthropic")}/m`;
      const failure = await failureOf(
        client.messages.create({ model, max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }),
      );
      expect(failure).toMatchObject(MESSAGES_FAILURES[failing.means]);
      expect(failure["requestID"]).toMatch(/^[\w-]{20,}$/);
      if (isQuoted(failing)) expect(failure["error"]).toEqual(failing.body);
      else {
        expect(failure["error"]).toMatchObject({ type: "error", error: { message: expect.any(String) } });
        expectTold(failure, failing);
      }
    });
  });
});

/** The provider's own words, wherever they stand. */
function wordsOf(body: unknown): string {
  const error = readObject(body, "error");
  return readString(error, "message") ?? readString(body, "message") ?? readString(body, "detail") ?? "";
}
