// What programs use above the official clients: the Vercel AI SDK over each of its providers that know a base URL, and
// LangChain over both of OpenAI's APIs. One interface for all, so that one table of tests drives them.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  HumanMessage,
  SystemMessage,
  ToolMessage,
  type AIMessageChunk,
  type BaseMessage,
} from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, isStepCount, jsonSchema, Output, streamText, tool, type LanguageModel } from "ai";
import { isObject, readNumber, readObject, readString } from "../../providers/dialects/json.ts";

/** What a program asks, in the words of no framework. */
export interface Asked {
  readonly system?: string;
  readonly user: string;
  readonly tool?: FrameworkTool;
  /** A JSON schema that the answer has to follow. */
  readonly schema?: object;
  readonly isStream: boolean;
  /** How often the model may be asked; else until it calls no more tools, within reason. */
  readonly steps?: number;
}

export interface FrameworkTool {
  readonly name: string;
  readonly description: string;
  readonly schema: object;
  run(args: unknown): string;
}

/** What the framework makes of the answer. */
export interface Told {
  readonly text: string;
  readonly reasoning: string;
  readonly finish: string | undefined;
  readonly object: unknown;
  /** The calls in the last answer. */
  readonly calls: readonly { readonly name: string; readonly args: unknown }[];
  readonly usage: { readonly input: unknown; readonly cached: unknown; readonly output: unknown };
}

export interface Framework {
  readonly name: string;
  /** The client's language, which the gateway may have to translate. */
  readonly language: "chat" | "responses" | "messages";
  /** Whether it looks for reasoning in its language. */
  readonly readsReasoning: boolean;
  /** Rejects with what the framework throws. `onText` hears of each piece of a stream. */
  ask(model: string, asked: Asked, onText?: (piece: string) => void): Promise<Told>;
}

const OUTPUT_TOKENS_MAX = 2000;
const STEPS_MAX = 3;
/** Its chat API knows no reasoning. */
const AI_CHAT = "ai with @ai-sdk/openai over chat";

function aiSdk(
  name: string,
  language: Framework["language"],
  modelOf: (model: string) => LanguageModel,
): Framework {
  return {
    name,
    language,
    readsReasoning: name !== AI_CHAT,
    async ask(model, asked, onText = () => undefined) {
      const request = aiRequest(modelOf(model), asked);
      if (!asked.isStream) {
        const result = await generateText(request);
        return aiTold(result, asked.schema === undefined ? undefined : result.output);
      }
      let failure: unknown;
      const result = streamText({ ...request, onError: ({ error }) => void (failure = error) });
      for await (const piece of result.textStream) onText(piece);
      if (failure !== undefined) throw failure;
      const output = asked.schema === undefined ? undefined : await result.output;
      const [text, toolCalls, reasoningText, finishReason, usage] = await Promise.all([
        result.text,
        result.toolCalls,
        result.reasoningText,
        result.finishReason,
        result.usage,
      ]);
      return aiTold({ text, toolCalls, reasoningText, finishReason, usage }, output);
    },
  };
}

function aiRequest(model: LanguageModel, { system, user, tool: used, schema, steps = STEPS_MAX }: Asked) {
  return {
    model,
    maxRetries: 0,
    maxOutputTokens: OUTPUT_TOKENS_MAX,
    ...(system === undefined ? {} : { instructions: system }),
    prompt: user,
    stopWhen: isStepCount(steps),
    // The provider over the Responses API would otherwise send references to what a server keeps.
    providerOptions: { openai: { store: false } },
    ...(used === undefined
      ? {}
      : {
          tools: {
            [used.name]: tool({
              description: used.description,
              inputSchema: jsonSchema(used.schema),
              execute: async (args: unknown) => used.run(args),
            }),
          },
        }),
    ...(schema === undefined ? {} : { output: Output.object({ schema: jsonSchema(schema) }) }),
  };
}

interface AiResult {
  readonly text: string;
  readonly toolCalls: readonly { readonly toolName: string; readonly input: unknown }[];
  readonly reasoningText: string | undefined;
  readonly finishReason: string;
  readonly usage: {
    readonly inputTokens: number | undefined;
    readonly outputTokens: number | undefined;
    readonly inputTokenDetails: { readonly cacheReadTokens: number | undefined };
  };
}

function aiTold({ text, toolCalls, reasoningText, finishReason, usage }: AiResult, object: unknown): Told {
  const { inputTokens: input, outputTokens: output, inputTokenDetails: details } = usage;
  return {
    text,
    reasoning: reasoningText ?? "",
    finish: finishReason,
    object,
    calls: toolCalls.map(({ toolName: name, input: args }) => ({ name, args })),
    usage: { input, cached: details.cacheReadTokens, output },
  };
}

function langchain(
  name: string,
  language: Framework["language"],
  modelOf: (model: string) => ChatOpenAI,
): Framework {
  return {
    name,
    language,
    readsReasoning: true,
    async ask(model, asked, onText = () => undefined) {
      const messages: BaseMessage[] = [
        ...(asked.system === undefined ? [] : [new SystemMessage(asked.system)]),
        new HumanMessage(asked.user),
      ];
      const chat = modelOf(model);
      for (let step = 1; ; step++) {
        const answer = await langchainStep(chat, messages, asked, onText);
        const calls = answer.tool_calls ?? [];
        if (calls.length === 0 || asked.tool === undefined || step === (asked.steps ?? STEPS_MAX))
          return langchainTold(answer, asked);
        messages.push(answer);
        for (const { id = "", args } of calls)
          messages.push(new ToolMessage({ content: asked.tool.run(args), tool_call_id: id }));
      }
    },
  };
}

async function langchainStep(
  chat: ChatOpenAI,
  messages: readonly BaseMessage[],
  { tool: used, schema, isStream }: Asked,
  onText: (piece: string) => void,
): Promise<AIMessageChunk> {
  const runnable = chat.withConfig({
    ...(used === undefined
      ? {}
      : {
          tools: [
            {
              type: "function",
              function: { name: used.name, description: used.description, parameters: { ...used.schema } },
            },
          ],
        }),
    ...(schema === undefined
      ? {}
      : {
          response_format: {
            type: "json_schema",
            json_schema: { name: "output", strict: true, schema: { ...schema } },
          },
        }),
  });
  if (!isStream) return runnable.invoke([...messages]);
  let whole: AIMessageChunk | undefined;
  for await (const piece of await runnable.stream([...messages])) {
    if (piece.text !== "") onText(piece.text);
    whole = whole === undefined ? piece : whole.concat(piece);
  }
  if (whole === undefined) throw new Error("The stream was empty.");
  return whole;
}

function langchainTold(answer: AIMessageChunk, { schema }: Asked): Told {
  const { response_metadata: about, additional_kwargs: more } = answer;
  const usage = readObject(answer, "usage_metadata");
  const thought = answer.contentBlocks.flatMap((block) =>
    block.type === "reasoning" && isObject(block) ? (readString(block, "reasoning") ?? "") : [],
  );
  return {
    text: answer.text,
    reasoning: thought.join("") || (readString(more, "reasoning_content") ?? ""),
    finish: readString(about, "finish_reason") ?? readString(about, "status"),
    object: schema === undefined ? undefined : JSON.parse(answer.text),
    calls: (answer.tool_calls ?? []).map(({ name, args }) => ({ name, args })),
    usage: {
      input: readNumber(usage, "input_tokens"),
      cached: readNumber(readObject(usage, "input_token_details"), "cache_read"),
      output: readNumber(usage, "output_tokens"),
    },
  };
}

/** All of them, for a gateway at this address. */
export function frameworksAt(url: () => string): readonly Framework[] {
  const apiKey = "none";
  const base = () => ({ baseURL: `${url()}/v1`, apiKey });
  const chatOpenAi = (model: string, useResponsesApi: boolean) =>
    new ChatOpenAI({
      model,
      apiKey,
      maxRetries: 0,
      maxTokens: OUTPUT_TOKENS_MAX,
      useResponsesApi,
      zdrEnabled: useResponsesApi,
      configuration: { baseURL: `${url()}/v1` },
    });
  return [
    aiSdk("ai with @ai-sdk/openai-compatible", "chat", (model) =>
      createOpenAICompatible({
        name: "sluice",
        ...base(),
        includeUsage: true,
        supportsStructuredOutputs: true,
      })(model),
    ),
    aiSdk(AI_CHAT, "chat", (model) => createOpenAI(base()).chat(model)),
    aiSdk("ai with @ai-sdk/openai over responses", "responses", (model) =>
      createOpenAI(base()).responses(model),
    ),
    aiSdk("ai with @ai-sdk/anthropic", "messages", (model) => createAnthropic(base())(model)),
    langchain("@langchain/openai over chat", "chat", (model) => chatOpenAi(model, false)),
    langchain("@langchain/openai over responses", "responses", (model) => chatOpenAi(model, true)),
  ];
}
