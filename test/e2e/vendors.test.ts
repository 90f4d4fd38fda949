// The official clients of two languages through one real gateway to vendors of four: what each vendor is sent, down to the
// credentials, and that each client makes the same of every vendor's answer.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";
import type * as Sdk from "openai";
import type * as Helpers from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { readString, type Json } from "../../providers/dialects/json.ts";
import { SIGNATURE } from "../dialects/vendor-answers.ts";
import { startGateway, type GatewayProcess } from "./harness.ts";
import { startVendor, type Vendor } from "./vendor.ts";
import { expectAsked, expectSent, expectWait, failureOf } from "./vendor-checks.ts";
import {
  breaking,
  CALLS,
  FAULTS,
  PNG,
  saying,
  SCHEMA,
  TOOL,
  VENDOR_NAMES,
  VENDORS,
  type Fault,
  type Question,
  type VendorName,
} from "./vendor-requests.ts";

const OPENAI = ["openai", "openai-v6"];
const TIMES: Readonly<Record<string, string>> = { Oslo: "4 degrees", Rome: "20 degrees" };
const WHOLE_OR_STREAM = [
  ["whole", false],
  ["streamed", true],
] as const;

let gateway: GatewayProcess;
let vendor: Vendor;

/** A provider that fails is left alone for a while, so that each failure of each client has its own. */
const failing = (vendorName: string, client: string, fault: string): string =>
  `${vendorName}-${client}-${fault}`.replaceAll(/[^\w]+/g, "-");

beforeAll(async () => {
  vendor = await startVendor();
  const providers = VENDOR_NAMES.flatMap((name) => {
    const { config, model } = VENDORS[name];
    const faults = [...FAULTS, "breaks"].flatMap((fault) =>
      [...OPENAI, "anthropic"].map((client) => failing(name, client, fault)),
    );
    return [name, ...faults].map((each) => [each, { ...config(each, vendor.url), models: { [model]: {} } }]);
  });
  gateway = await startGateway({
    providers: Object.fromEntries(providers),
    retry: { attempts: 1 },
    queue: { max_wait: "0s" },
  });
}, 180_000);

afterAll(async () => {
  vendor.close();
  await gateway.stop("SIGKILL");
});

const modelOf = (name: VendorName, provider: string = name): string => `${provider}/${VENDORS[name].model}`;

describe.each(OPENAI)("%s", (packageName) => {
  async function connect() {
    const sdk: typeof Sdk = await import(packageName);
    return new sdk.default({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
  }
  const user = (content: string) => ({ role: "user" as const, content });

  describe.each(VENDOR_NAMES)("at %s", (name) => {
    const rest = { model: modelOf(name), max_completion_tokens: 2000 };
    const usage = {
      prompt_tokens: 20,
      completion_tokens: 9,
      total_tokens: 29,
      prompt_tokens_details: { cached_tokens: 4 },
    };

    test("gets text, and what it cost", async () => {
      const openai = await connect();
      vendor.willAnswer(saying(name, { text: "Hello there." }, false));
      const request = {
        ...rest,
        messages: [{ role: "developer" as const, content: "Be brief." }, user("Hello?")],
      };
      const answer = await openai.chat.completions.create(request);
      expectAsked(vendor.sent.at(-1), name, "talk", false);
      expect(answer.choices[0]).toMatchObject({
        finish_reason: "stop",
        message: { role: "assistant", content: "Hello there." },
      });
      expect(answer.usage).toMatchObject(usage);
    });

    test("gets text in pieces, and what it cost", async () => {
      const openai = await connect();
      vendor.willAnswer(saying(name, { thinking: "Hm.", text: "Hello there." }, true));
      const request = {
        ...rest,
        messages: [{ role: "developer" as const, content: "Be brief." }, user("Hello?")],
      };
      const stream = openai.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      const pieces: string[] = [];
      stream.on("content", (piece) => piece !== "" && pieces.push(piece));
      const answer = await stream.finalChatCompletion();
      expectAsked(vendor.sent.at(-1), name, "talk", true);
      expect(pieces).toEqual(["Hello ", "there."]);
      expect(answer.choices[0]).toMatchObject({
        finish_reason: "stop",
        message: { content: "Hello there.", reasoning_content: "Hm." },
      });
      expect(answer.usage).toMatchObject(usage);
    });

    test.each(WHOLE_OR_STREAM)("runs tools that are called at once, %s", async (_, isStream) => {
      const openai = await connect();
      vendor.willAnswer(saying(name, { calls: CALLS }, isStream), saying(name, { text: "Rome." }, isStream));
      const asked: unknown[] = [];
      const tool = {
        type: "function" as const,
        function: {
          ...TOOL,
          parameters: { ...SCHEMA, required: [...SCHEMA.required] },
          parse: JSON.parse,
          function: (args: object) => {
            asked.push(args);
            return TIMES[readString(args, "city") ?? ""] ?? "";
          },
        },
      };
      const request = {
        ...rest,
        messages: [user("Which is warmer?")],
        tools: [tool],
        tool_choice: "auto" as const,
      };
      const runner = isStream
        ? openai.chat.completions.runTools({ ...request, stream: true })
        : openai.chat.completions.runTools(request);
      expect(await runner.finalContent()).toBe("Rome.");
      expect(asked).toEqual([{ city: "Oslo" }, { city: "Rome" }]);
      expect(vendor.sent).toHaveLength(2);
      expectAsked(vendor.sent.at(-1), name, "results", isStream);
    });

    test.each(WHOLE_OR_STREAM)("gets an answer that follows a schema, parsed, %s", async (_, isStream) => {
      const openai = await connect();
      const { zodResponseFormat }: typeof Helpers = await import(`${packageName}/helpers/zod`);
      vendor.willAnswer(saying(name, { text: '{"city":"Oslo"}' }, isStream));
      const request = {
        ...rest,
        messages: [user("Which city?")],
        response_format: zodResponseFormat(z.object({ city: z.string() }), "output"),
      };
      const answer = isStream
        ? await openai.chat.completions.stream(request).finalChatCompletion()
        : await openai.chat.completions.parse(request);
      expectAsked(vendor.sent.at(-1), name, "schema", isStream);
      expect(answer.choices[0]?.message.parsed).toEqual({ city: "Oslo" });
    });

    test("shows a picture", async () => {
      const openai = await connect();
      vendor.willAnswer(saying(name, { text: "A dot." }, false));
      const content = [
        { type: "text" as const, text: "What is this?" },
        { type: "image_url" as const, image_url: { url: `data:image/png;base64,${PNG}` } },
      ];
      const answer = await openai.chat.completions.create({ ...rest, messages: [{ role: "user", content }] });
      expectAsked(vendor.sent.at(-1), name, "picture", false);
      expect(answer.choices[0]?.message.content).toBe("A dot.");
    });

    const FAILURES: Readonly<Record<Fault, Json>> = {
      "rate limited": { name: "RateLimitError", status: 429, code: "rate_limit_exceeded" },
      "bad request": { name: "BadRequestError", status: 400, type: "invalid_request_error" },
      "wrong key": { name: "InternalServerError", status: 502, code: "provider_auth" },
      overloaded: { name: "InternalServerError", status: 503, code: "provider_overloaded" },
    };
    test.each(FAULTS)("understands: %s", async (fault) => {
      const openai = await connect();
      const provider = failing(name, packageName, fault);
      for (const stream of fault === "bad request" ? [false, true] : [fault === "overloaded"]) {
        vendor.willAnswer(VENDORS[name].faults[fault]);
        const request = { model: modelOf(name, provider), messages: [user("Hello?")], stream };
        const failure = await failureOf(openai.chat.completions.create(request));
        expect(failure).toMatchObject(FAILURES[fault]);
        expectWait(name, fault, failure);
        expect(vendor.sent).toHaveLength(1);
        expectSent(vendor.sent[0], name, stream, provider);
      }
    });

    test("sees a stream that breaks as an error, after what came before", async () => {
      const openai = await connect();
      vendor.willAnswer(breaking(name));
      const model = modelOf(name, failing(name, packageName, "breaks"));
      const stream = await openai.chat.completions.create({
        model,
        messages: [user("Hello?")],
        stream: true,
      });
      let text = "";
      const failure = await failureOf(
        (async () => {
          for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
        })(),
      );
      expect(text).toBe("Hel");
      expect(failure).toMatchObject({ name: "APIError", code: "provider_overloaded" });
    });
  });
});

describe("@anthropic-ai/sdk", () => {
  /** The bodies of the client's requests as it wrote them. */
  const written: string[] = [];
  const connect = () =>
    new Anthropic({
      baseURL: gateway.url,
      apiKey: "none",
      maxRetries: 0,
      fetch(url, init) {
        if (typeof init?.body === "string") written.push(init.body);
        return fetch(url, init);
      },
    });
  const user = (content: string) => ({ role: "user" as const, content });

  /** A vendor of the client's own language gets what the client wrote, but for the model's name. */
  function expectQuestion(name: VendorName, question: Question, isStream: boolean): void {
    if (name !== "anthropic") return expectAsked(vendor.sent.at(-1), name, question, isStream);
    const sent = vendor.sent.at(-1);
    expectSent(sent, name, isStream);
    expect(sent?.body).toEqual({ ...JSON.parse(written.at(-1) ?? ""), model: VENDORS[name].model });
  }

  describe.each(VENDOR_NAMES)("at %s", (name) => {
    const rest = { model: modelOf(name), max_tokens: 2000 };

    test.each(WHOLE_OR_STREAM)("gets text, and what it cost, %s", async (_, isStream) => {
      vendor.willAnswer(saying(name, { text: "Hello there." }, isStream));
      const request = { ...rest, system: "Be brief.", messages: [user("Hello?")] };
      const { messages } = connect();
      const pieces: string[] = [];
      const answer = isStream
        ? await messages
            .stream(request)
            .on("text", (piece) => piece !== "" && pieces.push(piece))
            .finalMessage()
        : await messages.create(request);
      expectQuestion(name, "talk", isStream);
      expect(answer).toMatchObject({
        type: "message",
        role: "assistant",
        stop_reason: "end_turn",
        content: [{ type: "text", text: "Hello there." }],
      });
      expect(pieces).toEqual(isStream ? ["Hello ", "there."] : []);
      const { input_tokens: input, cache_creation_input_tokens: made, ...usage } = answer.usage;
      expect(input + (made ?? 0)).toBe(16);
      expect(usage).toMatchObject({ cache_read_input_tokens: 4, output_tokens: 9 });
    });

    test.each(WHOLE_OR_STREAM)("runs tools that are called at once, %s", async (_, isStream) => {
      vendor.willAnswer(saying(name, { calls: CALLS }, isStream), saying(name, { text: "Rome." }, isStream));
      const asked: unknown[] = [];
      const tool = betaTool({
        ...TOOL,
        inputSchema: SCHEMA,
        run(args) {
          asked.push(args);
          return TIMES[args.city] ?? "";
        },
      });
      const request = {
        ...rest,
        messages: [user("Which is warmer?")],
        tools: [tool],
        tool_choice: { type: "auto" as const },
      };
      const runner = connect().beta.messages.toolRunner({ ...request, stream: isStream });
      const answer = await runner.runUntilDone();
      expect(answer.content).toMatchObject([{ type: "text", text: "Rome." }]);
      expect(asked).toEqual([{ city: "Oslo" }, { city: "Rome" }]);
      expect(vendor.sent).toHaveLength(2);
      expectQuestion(name, "results", isStream);
    });

    test("gets an answer that follows a schema, parsed", async () => {
      vendor.willAnswer(saying(name, { text: '{"city":"Oslo"}' }, false));
      const format = jsonSchemaOutputFormat(SCHEMA, { transform: false });
      const request = { ...rest, messages: [user("Which city?")], output_config: { format } };
      const answer = await connect().messages.parse(request);
      expectQuestion(name, "schema", false);
      expect(answer.parsed_output).toEqual({ city: "Oslo" });
    });

    test("shows a picture", async () => {
      vendor.willAnswer(saying(name, { text: "A dot." }, false));
      const source = { type: "base64" as const, media_type: "image/png" as const, data: PNG };
      const content = [
        { type: "text" as const, text: "What is this?" },
        { type: "image" as const, source },
      ];
      await connect().messages.create({ ...rest, messages: [{ role: "user", content }] });
      expectQuestion(name, "picture", false);
    });

    test.each(WHOLE_OR_STREAM)(
      "gets thoughts, and takes them into the next turn, %s",
      async (_, isStream) => {
        const { asked, kept } = VENDORS[name].thinking;
        const said = saying(name, { thinking: "Hm.", text: "Hello there." }, isStream);
        vendor.willAnswer(said, said);
        const thinking = { type: "enabled" as const, budget_tokens: 1024 };
        const first = { ...rest, thinking, messages: [user("Hello?")] };
        const { messages } = connect();
        const speak = (request: Anthropic.MessageCreateParamsNonStreaming): Promise<Anthropic.Message> =>
          isStream ? messages.stream(request).finalMessage() : messages.create(request);
        const answer = await speak(first);
        expect(vendor.sent[0]?.body).toMatchObject(asked);
        expect(answer.content).toMatchObject([
          {
            type: "thinking",
            thinking: "Hm.",
            signature: kept === undefined ? expect.any(String) : SIGNATURE,
          },
          { type: "text", text: "Hello there." },
        ]);
        const turn = { role: "assistant" as const, content: answer.content };
        await speak({ ...first, messages: [user("Hello?"), turn, user("And?")] });
        const next = JSON.stringify(vendor.sent[1]?.body);
        if (kept === undefined) expect(next).not.toMatch(/signature/i);
        else expect(next).toContain(JSON.stringify(kept));
      },
    );

    const FAILURES: Readonly<Record<Fault, Json>> = {
      "rate limited": { name: "RateLimitError", status: 429, type: "rate_limit_error" },
      "bad request": { name: "BadRequestError", status: 400, type: "invalid_request_error" },
      // The key is the gateway's own, and nothing that the client could mend.
      "wrong key": { name: "InternalServerError", status: 502, type: "api_error" },
      overloaded: { type: "overloaded_error", status: 529 },
    };
    test.each(FAULTS)("understands: %s", async (fault) => {
      const provider = failing(name, "anthropic", fault);
      const reply = VENDORS[name].faults[fault];
      vendor.willAnswer(reply);
      const request = { ...rest, model: modelOf(name, provider), messages: [user("Hello?")] };
      const failure = await failureOf(connect().messages.create(request));
      expectSent(vendor.sent[0], name, false, provider);
      expect(failure).toMatchObject(FAILURES[fault]);
      expectWait(name, fault, failure);
      // A vendor of the client's own language is quoted word for word: clients match its wording.
      if (name === "anthropic" && fault !== "wrong key")
        expect(failure["error"]).toEqual(JSON.parse(String(reply.body)));
    });

    test("sees a stream that breaks as an error, after what came before", async () => {
      vendor.willAnswer(breaking(name));
      const model = modelOf(name, failing(name, "anthropic", "breaks"));
      const stream = connect().messages.stream({ ...rest, model, messages: [user("Hello?")] });
      let text = "";
      stream.on("text", (piece) => (text += piece));
      const failure = await failureOf(stream.finalMessage());
      expect(text).toBe("Hel");
      expect(failure).toMatchObject({ name: "APIError", type: "overloaded_error" });
    });

    test("is told how many tokens a request has", async () => {
      vendor.willAnswer({ headers: { "content-type": "application/json" }, body: '{"input_tokens":42}' });
      const request = { model: modelOf(name), messages: [user("Hello?")] };
      const { input_tokens: count } = await connect().messages.countTokens(request);
      if (name === "anthropic") {
        expect(vendor.sent[0]).toMatchObject({
          line: "POST /messages/count_tokens",
          body: { ...request, model: VENDORS[name].model },
        });
        expect(count).toBe(42);
      } else {
        // Nobody else can tell: it is an estimate of ours.
        expect(vendor.sent).toEqual([]);
        expect(count).toBeGreaterThan(0);
      }
    });
  });
});
