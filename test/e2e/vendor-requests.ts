// Four vendors as end-to-end tests meet them: how each is configured and asked, what the same four questions are in its
// language, whichever client asked them, and how it fails.
import type { Json } from "../../providers/dialects/json.ts";
import { SIGNATURE, VENDOR_ANSWERS, type Call, type Said } from "../dialects/vendor-answers.ts";
import type { Reply } from "./vendor.ts";

export type VendorName = keyof typeof VENDOR_ANSWERS;
export const VENDOR_NAMES = ["mistral", "anthropic", "gemini", "bedrock"] as const;

/** What a client of another language may meet. */
export const FAULTS = ["rate limited", "bad request", "wrong key", "overloaded"] as const;
export type Fault = (typeof FAULTS)[number];

/** As the schema library's helper of the official client writes it, to the order of its members. */
export const SCHEMA = {
  $schema: "http://json-schema.org/draft-07/schema#",
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
} as const;
export const TOOL = { name: "get_weather", description: "The weather in a city." } as const;
export const CALLS: readonly Call[] = [
  { id: "call00001", name: "get_weather", args: { city: "Oslo" } },
  { id: "call00002", name: "get_weather", args: { city: "Rome" } },
];
export const PNG = "UElDVFVSRQ==";

/** The question with a system message; one with a schema; one with a picture; the turn that brings tools' results. */
export type Question = "talk" | "schema" | "picture" | "results";

export interface VendorFacts {
  readonly model: string;
  readonly config: (name: string, url: string) => Json;
  /** The request line, for a whole answer and for a stream. */
  readonly lines: readonly [whole: string, streamed: string];
  readonly auth: { readonly header: string; readonly value: (name: string) => RegExp };
  readonly streamType: string;
  readonly bodies: Readonly<Record<Question, Json>>;
  /** What asks for thinking with a budget of 1,024 tokens, and what of a thought stands in the next turn's request. */
  readonly thinking: { readonly asked: Json; readonly kept: Json | undefined };
  readonly faults: Readonly<Record<Fault, Reply>>;
}

const fails = (status: number, body: Json, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});
const keyed = (name: string, url: string): Json => ({ base_url: url, api_key: `key-of-${name}` });
const [OSLO, ROME] = ["4 degrees", "20 degrees"];

const chatText = (role: string, content: string): Json => ({ role, content });
const MISTRAL_REST: Json = { model: "mistral-large-2512", max_tokens: 2000 };
const mistral: VendorFacts = {
  model: "mistral-large-2512",
  config: (name, url) => ({ type: "mistral", ...keyed(name, url) }),
  lines: ["POST /chat/completions", "POST /chat/completions"],
  auth: { header: "authorization", value: (name) => new RegExp(`^Bearer key-of-${name}$`) },
  streamType: "text/event-stream",
  bodies: {
    talk: {
      ...MISTRAL_REST,
      messages: [chatText("system", "Be brief."), chatText("user", "Hello?")],
    },
    schema: {
      ...MISTRAL_REST,
      messages: [chatText("user", "Which city?")],
      response_format: { type: "json_schema", json_schema: { name: "output", strict: true, schema: SCHEMA } },
    },
    picture: {
      ...MISTRAL_REST,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
          ],
        },
      ],
    },
    results: {
      ...MISTRAL_REST,
      messages: [
        chatText("user", "Which is warmer?"),
        {
          role: "assistant",
          tool_calls: CALLS.map(({ id, name, args }) => ({
            id,
            type: "function",
            function: { name, arguments: JSON.stringify(args) },
          })),
        },
        { ...chatText("tool", OSLO), tool_call_id: "call00001" },
        { ...chatText("tool", ROME), tool_call_id: "call00002" },
      ],
      tools: [{ type: "function", function: { ...TOOL, parameters: SCHEMA } }],
      tool_choice: "auto",
    },
  },
  thinking: { asked: { reasoning_effort: "low" }, kept: undefined },
  faults: {
    "rate limited": fails(
      429,
      { object: "error", message: "Rate limit exceeded", type: "rate_limited", code: "1300" },
      { "retry-after": "7" },
    ),
    "bad request": fails(400, {
      object: "error",
      message: "Bad length",
      type: "invalid_request_error",
      code: "3001",
    }),
    "wrong key": fails(401, { message: "Unauthorized", request_id: "r" }),
    overloaded: fails(503, {
      object: "error",
      message: "Service unavailable",
      type: "unavailable",
      code: "3000",
    }),
  },
};

const textBlock = (text: string): Json => ({ type: "text", text });
const MESSAGES_REST: Json = { model: "claude-sonnet-4-5", max_tokens: 2000 };
const messagesError = (type: string, message: string): Json => ({
  type: "error",
  error: { type, message },
  request_id: "req_1",
});
const anthropic: VendorFacts = {
  model: "claude-sonnet-4-5",
  config: (name, url) => ({ type: "anthropic", ...keyed(name, url) }),
  lines: ["POST /messages", "POST /messages"],
  auth: { header: "x-api-key", value: (name) => new RegExp(`^key-of-${name}$`) },
  streamType: "text/event-stream; charset=utf-8",
  bodies: {
    talk: {
      ...MESSAGES_REST,
      system: [textBlock("Be brief.")],
      messages: [{ role: "user", content: [textBlock("Hello?")] }],
    },
    schema: {
      ...MESSAGES_REST,
      messages: [{ role: "user", content: [textBlock("Which city?")] }],
      output_config: { format: { type: "json_schema", schema: SCHEMA } },
    },
    picture: {
      ...MESSAGES_REST,
      messages: [
        {
          role: "user",
          content: [
            textBlock("What is this?"),
            { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
          ],
        },
      ],
    },
    results: {
      ...MESSAGES_REST,
      messages: [
        { role: "user", content: [textBlock("Which is warmer?")] },
        {
          role: "assistant",
          content: CALLS.map(({ id, name, args }) => ({ type: "tool_use", id, name, input: args })),
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "call00001", content: OSLO },
            { type: "tool_result", tool_use_id: "call00002", content: ROME },
          ],
        },
      ],
      tools: [{ ...TOOL, input_schema: SCHEMA }],
      tool_choice: { type: "auto" },
    },
  },
  thinking: {
    asked: { thinking: { type: "enabled", budget_tokens: 1024 } },
    kept: { type: "thinking", thinking: "Hm.", signature: SIGNATURE },
  },
  faults: {
    "rate limited": fails(429, messagesError("rate_limit_error", "Too many requests"), {
      "retry-after": "7",
    }),
    "bad request": fails(400, messagesError("invalid_request_error", "Bad length")),
    "wrong key": fails(401, messagesError("authentication_error", "invalid x-api-key")),
    overloaded: fails(529, messagesError("overloaded_error", "Overloaded")),
  },
};

const GENERATION: Json = { maxOutputTokens: 2000 };
const userParts = (...parts: readonly Json[]): Json => ({ role: "user", parts });
const googleError = (code: number, status: string, message: string, details: readonly Json[] = []): Json => ({
  error: { code, message, status, details },
});
const gemini: VendorFacts = {
  model: "gemini-2.5-flash",
  config: (name, url) => ({ type: "gemini", ...keyed(name, url) }),
  lines: [
    "POST /models/gemini-2.5-flash:generateContent",
    "POST /models/gemini-2.5-flash:streamGenerateContent?alt=sse",
  ],
  auth: { header: "x-goog-api-key", value: (name) => new RegExp(`^key-of-${name}$`) },
  streamType: "text/event-stream",
  bodies: {
    talk: {
      contents: [userParts({ text: "Hello?" })],
      systemInstruction: { parts: [{ text: "Be brief." }] },
      generationConfig: GENERATION,
    },
    schema: {
      contents: [userParts({ text: "Which city?" })],
      generationConfig: {
        ...GENERATION,
        responseMimeType: "application/json",
        responseJsonSchema: SCHEMA,
      },
    },
    picture: {
      contents: [userParts({ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: PNG } })],
      generationConfig: GENERATION,
    },
    results: {
      contents: [
        userParts({ text: "Which is warmer?" }),
        {
          role: "model",
          parts: CALLS.map(({ id, name, args }) => ({ functionCall: { id, name, args } })),
        },
        userParts(
          { functionResponse: { id: "call00001", name: TOOL.name, response: { content: OSLO } } },
          { functionResponse: { id: "call00002", name: TOOL.name, response: { content: ROME } } },
        ),
      ],
      tools: [{ functionDeclarations: [{ ...TOOL, parametersJsonSchema: SCHEMA }] }],
      toolConfig: { functionCallingConfig: { mode: "AUTO" } },
      generationConfig: GENERATION,
    },
  },
  thinking: {
    asked: {
      generationConfig: { ...GENERATION, thinkingConfig: { thinkingBudget: 1024, includeThoughts: true } },
    },
    kept: undefined,
  },
  faults: {
    "rate limited": fails(
      429,
      googleError(429, "RESOURCE_EXHAUSTED", "Quota exceeded", [
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "7s" },
      ]),
    ),
    "bad request": fails(400, googleError(400, "INVALID_ARGUMENT", "Bad length")),
    "wrong key": fails(401, googleError(401, "UNAUTHENTICATED", "Invalid credentials")),
    overloaded: fails(503, googleError(503, "UNAVAILABLE", "The model is overloaded.")),
  },
};

const CONVERSE_MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const CONVERSE_PATH = "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0";
const INFERENCE: Json = { inferenceConfig: { maxTokens: 2000 } };
const converseError = (status: number, type: string, message: string): Reply =>
  fails(status, { message }, { "x-amzn-errortype": type });
const bedrock: VendorFacts = {
  model: CONVERSE_MODEL,
  config: (_, url) => ({
    type: "bedrock",
    base_url: url,
    credentials: { access_key_id: "AKIDEXAMPLE", secret_access_key: "not-a-secret" },
  }),
  lines: [`${CONVERSE_PATH}/converse`, `${CONVERSE_PATH}/converse-stream`],
  auth: {
    header: "authorization",
    value: () =>
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, .*Signature=/,
  },
  streamType: "application/vnd.amazon.eventstream",
  bodies: {
    talk: {
      ...INFERENCE,
      system: [{ text: "Be brief." }],
      messages: [{ role: "user", content: [{ text: "Hello?" }] }],
    },
    schema: {
      ...INFERENCE,
      messages: [{ role: "user", content: [{ text: "Which city?" }] }],
      outputConfig: {
        textFormat: {
          type: "json_schema",
          structure: { jsonSchema: { schema: JSON.stringify(SCHEMA), name: "output" } },
        },
      },
    },
    picture: {
      ...INFERENCE,
      messages: [
        {
          role: "user",
          content: [{ text: "What is this?" }, { image: { format: "png", source: { bytes: PNG } } }],
        },
      ],
    },
    results: {
      ...INFERENCE,
      messages: [
        { role: "user", content: [{ text: "Which is warmer?" }] },
        {
          role: "assistant",
          content: CALLS.map(({ id, name, args }) => ({ toolUse: { toolUseId: id, name, input: args } })),
        },
        {
          role: "user",
          content: [
            { toolResult: { toolUseId: "call00001", content: [{ text: OSLO }] } },
            { toolResult: { toolUseId: "call00002", content: [{ text: ROME }] } },
          ],
        },
      ],
      toolConfig: {
        tools: [{ toolSpec: { ...TOOL, inputSchema: { json: SCHEMA } } }],
        toolChoice: { auto: {} },
      },
    },
  },
  thinking: {
    asked: { additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1024 } } },
    kept: { reasoningContent: { reasoningText: { text: "Hm.", signature: SIGNATURE } } },
  },
  faults: {
    "rate limited": converseError(429, "ThrottlingException", "Too many requests"),
    "bad request": converseError(400, "ValidationException", "Bad length"),
    "wrong key": converseError(403, "UnrecognizedClientException", "The security token is invalid."),
    overloaded: converseError(503, "ServiceUnavailableException", "Try again later."),
  },
};

export const VENDORS: Readonly<Record<VendorName, VendorFacts>> = { mistral, anthropic, gemini, bedrock };

/** What the vendor answers when its model says this. */
export function saying(vendor: VendorName, said: Said, isStream: boolean): Reply {
  const answers = VENDOR_ANSWERS[vendor];
  return isStream
    ? { headers: { "content-type": VENDORS[vendor].streamType }, body: answers.streamed(said) }
    : { headers: { "content-type": "application/json" }, body: JSON.stringify(answers.whole(said)) };
}

/** A stream that fails after its first word. */
export function breaking(vendor: VendorName): Reply {
  return { headers: { "content-type": VENDORS[vendor].streamType }, body: VENDOR_ANSWERS[vendor].broken() };
}
