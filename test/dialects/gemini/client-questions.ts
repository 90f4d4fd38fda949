// The same questions as a chat request and as the vendor's own client takes them: what both write must be the same, but for
// the differences that are meant, each with its reason.
import {
  createPartFromBase64,
  createPartFromFunctionResponse,
  createPartFromUri,
  FunctionCallingConfigMode,
  HarmBlockThreshold,
  HarmCategory,
  ServiceTier,
  ThinkingLevel,
  Type,
  type GenerateContentConfig,
  type GenerateContentParameters,
} from "@google/genai";
import { isObject, type Json } from "../../../providers/dialects/json.ts";

const SCHEMA = {
  type: "object",
  properties: { city: { type: ["string", "null"] } },
  required: ["city"],
  additionalProperties: false,
} as const;
const TOOL = { name: "get_weather", description: "The weather in a city." } as const;
const FUNCTION = { type: "function", function: { ...TOOL, parameters: SCHEMA } } as const;
const SAFETY = {
  category: HarmCategory.HARM_CATEGORY_HARASSMENT,
  threshold: HarmBlockThreshold.BLOCK_ONLY_HIGH,
} as const;
const SYSTEM_AND_HI: readonly Json[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "hi" },
];

/** One question in both languages; by default it is `hi`. */
export interface Question {
  readonly name: string;
  readonly chat: Json;
  readonly contents?: GenerateContentParameters["contents"];
  readonly config?: GenerateContentConfig;
  readonly model?: string;
  /** Why and how our request is meant to be another than the client's. */
  readonly differs?: { readonly because: string; readonly ours: (theirs: Json) => unknown };
}

const calling = (choice: unknown, mode: FunctionCallingConfigMode, names?: string[]): Question => ({
  name: `tools, ${JSON.stringify(choice)}`,
  chat: { tools: [FUNCTION], tool_choice: choice },
  config: {
    tools: [{ functionDeclarations: [{ ...TOOL, parametersJsonSchema: SCHEMA }] }],
    toolConfig: {
      functionCallingConfig: { mode, ...(names === undefined ? {} : { allowedFunctionNames: names }) },
    },
  },
});
const schemaAsked: Json = { type: "json_schema", json_schema: { name: "city", schema: SCHEMA } };
const OLD = "gemini-1.5-flash";
const LEVELLED = "gemini-3-flash-preview";

export const QUESTIONS: readonly Question[] = [
  { name: "text", chat: {} },
  {
    name: "a system instruction",
    chat: { messages: SYSTEM_AND_HI },
    config: { systemInstruction: "Be brief." },
    differs: {
      because: "an instruction is nobody's turn, and the reference knows no role there",
      ours: (theirs) => ({ ...theirs, systemInstruction: { parts: [{ text: "Be brief." }] } }),
    },
  },
  {
    name: "a conversation",
    chat: {
      messages: [
        { role: "user", content: "hi" },
        { role: "assistant", content: "hello" },
        { role: "user", content: "bye" },
      ],
    },
    contents: [
      { role: "user", parts: [{ text: "hi" }] },
      { role: "model", parts: [{ text: "hello" }] },
      { role: "user", parts: [{ text: "bye" }] },
    ],
  },
  {
    name: "sampling and limits",
    chat: {
      temperature: 0.5,
      top_p: 0.25,
      top_k: 4,
      seed: 1,
      n: 2,
      stop: ["a"],
      max_completion_tokens: 50,
      presence_penalty: 0.5,
      frequency_penalty: 1,
      logprobs: true,
      top_logprobs: 3,
    },
    config: {
      temperature: 0.5,
      topP: 0.25,
      topK: 4,
      seed: 1,
      candidateCount: 2,
      stopSequences: ["a"],
      maxOutputTokens: 50,
      presencePenalty: 0.5,
      frequencyPenalty: 1,
      responseLogprobs: true,
      logprobs: 3,
    },
  },
  calling("auto", FunctionCallingConfigMode.AUTO),
  calling("required", FunctionCallingConfigMode.ANY),
  calling("none", FunctionCallingConfigMode.NONE),
  calling({ type: "function", function: { name: TOOL.name } }, FunctionCallingConfigMode.ANY, [TOOL.name]),
  {
    name: "tools for an old model",
    model: OLD,
    chat: { tools: [FUNCTION] },
    config: {
      tools: [
        {
          functionDeclarations: [
            {
              ...TOOL,
              parameters: {
                type: Type.OBJECT,
                properties: { city: { type: Type.STRING, nullable: true } },
                required: ["city"],
              },
            },
          ],
        },
      ],
    },
    differs: { because: "types may be written in either case", ours: lowerCaseTypes },
  },
  {
    name: "calls, signed, and their results",
    chat: {
      messages: [
        { role: "user", content: "hi" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "call_1__thought__c2ln",
              type: "function",
              function: { name: "get_weather", arguments: '{"city":"Oslo"}' },
            },
            {
              id: "call_2",
              type: "function",
              function: { name: "get_weather", arguments: '{"city":"Rome"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "call_1__thought__c2ln", content: '{"degrees":4}' },
        { role: "tool", tool_call_id: "call_2", content: "warm" },
      ],
    },
    contents: [
      { role: "user", parts: [{ text: "hi" }] },
      {
        role: "model",
        parts: [
          {
            functionCall: { id: "call_1", name: "get_weather", args: { city: "Oslo" } },
            thoughtSignature: "c2ln",
          },
          { functionCall: { id: "call_2", name: "get_weather", args: { city: "Rome" } } },
        ],
      },
      {
        role: "user",
        parts: [
          createPartFromFunctionResponse("call_1", "get_weather", { degrees: 4 }),
          createPartFromFunctionResponse("call_2", "get_weather", { content: "warm" }),
        ],
      },
    ],
  },
  {
    name: "a JSON schema",
    chat: { response_format: schemaAsked },
    config: { responseMimeType: "application/json", responseJsonSchema: SCHEMA },
  },
  {
    name: "a schema for an old model",
    model: OLD,
    chat: { response_format: schemaAsked },
    config: {
      responseMimeType: "application/json",
      responseSchema: {
        type: Type.OBJECT,
        properties: { city: { type: Type.STRING, nullable: true } },
        required: ["city"],
      },
    },
    differs: { because: "types may be written in either case", ours: lowerCaseTypes },
  },
  {
    name: "pictures",
    chat: {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,UElDVFVSRQ==" } },
            { type: "image_url", image_url: { url: "https://pictures.test/x.webp" } },
          ],
        },
      ],
    },
    contents: [
      {
        role: "user",
        parts: [
          { text: "What is this?" },
          createPartFromBase64("UElDVFVSRQ==", "image/png"),
          createPartFromUri("https://pictures.test/x.webp", "image/webp"),
        ],
      },
    ],
  },
  {
    name: "thinking by budget",
    chat: { reasoning_effort: "low" },
    config: { thinkingConfig: { thinkingBudget: 1024, includeThoughts: true } },
  },
  {
    name: "thinking by level",
    model: LEVELLED,
    chat: { reasoning_effort: "high" },
    config: { thinkingConfig: { thinkingLevel: ThinkingLevel.HIGH, includeThoughts: true } },
    differs: {
      because: "the guide writes levels in lower case, the client in upper case; both are taken",
      ours: (theirs) => ({
        ...theirs,
        generationConfig: { thinkingConfig: { thinkingLevel: "high", includeThoughts: true } },
      }),
    },
  },
  {
    name: "pictures as the answer",
    chat: { modalities: ["text", "image"] },
    config: { responseModalities: ["TEXT", "IMAGE"] },
  },
  {
    name: "search, safety, cached content and tier",
    chat: {
      web_search_options: {},
      safety_settings: [SAFETY],
      cached_content: "cachedContents/c",
      service_tier: "flex",
    },
    config: {
      tools: [{ googleSearch: {} }],
      safetySettings: [SAFETY],
      cachedContent: "cachedContents/c",
      serviceTier: ServiceTier.FLEX,
    },
  },
];

function lowerCaseTypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerCaseTypes);
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([key, member]) => [
    key,
    key === "type" ? String(member).toLowerCase() : lowerCaseTypes(member),
  ]);
  return Object.fromEntries(members);
}
