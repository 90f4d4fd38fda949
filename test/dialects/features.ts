// What a chat client may ask for, one request per feature, with what must stand in the provider's request if the feature
// is said to be carried: a feature that is neither there nor warned of nor refused was lost silently.
import type { Json } from "../../providers/dialects/json.ts";

export interface RequestFeature {
  readonly group: string;
  readonly name: string;
  readonly request: Json;
  /** Found in the provider's request when the feature is carried. */
  readonly evidence: RegExp;
}

const USER: Json = { role: "user", content: "hi" };
const SCHEMA: Json = { type: "object", properties: { PROPERTY: { type: "string" } }, required: ["PROPERTY"] };
const TOOL: Json = { type: "function", function: { name: "TOOLNAME", parameters: SCHEMA } };
const CALL: Json = {
  id: "CALLID",
  type: "function",
  function: { name: "TOOLNAME", arguments: '{"PROPERTY":"ARGUMENT"}' },
};

const asks = (...content: readonly Json[]): Json => ({
  messages: [{ role: "user", content: [{ type: "text", text: "hi" }, ...content] }],
});
const image = (url: string): Json => ({ type: "image_url", image_url: { url } });
const file = (members: Json): Json => ({ type: "file", file: members });
const after = (assistant: Json, ...rest: readonly Json[]): Json => ({
  messages: [USER, { role: "assistant", content: null, ...assistant }, ...rest],
  tools: [TOOL],
});
const result = (content: unknown, id = "CALLID"): Json => ({ role: "tool", tool_call_id: id, content });
const feature = (group: string, name: string, request: Json, evidence: RegExp): RequestFeature => ({
  group,
  name,
  request: { messages: [USER], max_completion_tokens: 4000, ...request },
  evidence,
});

export const REQUEST_FEATURES: readonly RequestFeature[] = [
  feature(
    "Messages",
    "system and developer messages",
    { messages: [{ role: "system", content: "SYSTEM" }, { role: "developer", content: "DEVELOPER" }, USER] },
    /SYSTEM.*DEVELOPER/,
  ),
  feature(
    "Messages",
    "system message between others",
    { messages: [USER, { role: "system", content: "SYSTEM" }, USER] },
    /hi.*SYSTEM.*hi/,
  ),
  feature("Messages", "picture as data", asks(image("data:image/png;base64,UElDVFVSRQ==")), /UElDVFVSRQ==/),
  feature("Messages", "picture by URL", asks(image("https://PICTURE/x.png")), /https:\/\/PICTURE/),
  feature(
    "Messages",
    "PDF as data",
    asks(file({ filename: "a.pdf", file_data: "data:application/pdf;base64,RE9DVU1FTlQ=" })),
    /RE9DVU1FTlQ=/,
  ),
  feature("Messages", "PDF by URL", asks(file({ file_url: "https://DOCUMENT/x.pdf" })), /https:\/\/DOCUMENT/),
  feature(
    "Messages",
    "text file",
    asks(file({ filename: "a.txt", file_data: "data:text/plain;base64,VEVYVA==" })),
    /VEVYVA==|TEXT/,
  ),
  feature(
    "Messages",
    "sound",
    asks({ type: "input_audio", input_audio: { data: "U09VTkQ=", format: "wav" } }),
    /U09VTkQ=/,
  ),
  feature(
    "Messages",
    "prompt-cache control",
    asks({ type: "text", text: "x", cache_control: { type: "ephemeral" } }),
    /cache_control|cachePoint/,
  ),
  feature("Messages", "names of speakers", { messages: [{ ...USER, name: "SPEAKER" }] }, /SPEAKER/),
  feature("Tools", "tools", { tools: [TOOL] }, /TOOLNAME.*PROPERTY/),
  feature(
    "Tools",
    "strict tools",
    { tools: [{ type: "function", function: { name: "f", parameters: SCHEMA, strict: true } }] },
    /"strict":true/,
  ),
  feature(
    "Tools",
    "tool choice: required",
    { tools: [TOOL], tool_choice: "required" },
    /"required"(?!:)|"any"|"ANY"/,
  ),
  feature(
    "Tools",
    "tool choice: none",
    { tools: [TOOL], tool_choice: "none" },
    /"none"|"NONE"|^(?!.*TOOLNAME)/,
  ),
  feature(
    "Tools",
    "tool choice: one tool",
    { tools: [TOOL], tool_choice: { type: "function", function: { name: "TOOLNAME" } } },
    /TOOLNAME.*TOOLNAME/,
  ),
  feature("Tools", "one call at a time", { tools: [TOOL], parallel_tool_calls: false }, /parallel/),
  feature(
    "Tools",
    "parallel calls and results",
    after({ tool_calls: [CALL, { ...CALL, id: "OTHER" }] }, result("RESULT"), result("AGAIN", "OTHER")),
    /ARGUMENT.*RESULT.*AGAIN/,
  ),
  feature(
    "Tools",
    "picture in a result",
    after({ tool_calls: [CALL] }, result([image("data:image/png;base64,UElDVFVSRQ==")])),
    /UElDVFVSRQ==/,
  ),
  feature(
    "Tools",
    "free-form tools",
    { tools: [{ type: "custom", custom: { name: "FREEFORM" } }] },
    /FREEFORM/,
  ),
  feature(
    "Output",
    "JSON object",
    { response_format: { type: "json_object" } },
    /json_object|application\/json/,
  ),
  feature(
    "Output",
    "JSON schema",
    { response_format: { type: "json_schema", json_schema: { name: "n", schema: SCHEMA } } },
    /PROPERTY/,
  ),
  feature("Output", "longest answer", { max_completion_tokens: 4321 }, /4321/),
  feature("Output", "stop sequences", { stop: ["STOPWORD"] }, /STOPWORD/),
  feature("Output", "several answers (`n`)", { n: 2 }, /"(n|candidateCount)":2/),
  feature("Output", "logprobs", { logprobs: true, top_logprobs: 2 }, /ogprobs/),
  feature("Output", "pictures made by the model", { modalities: ["text", "image"] }, /image|IMAGE/),
  feature("Reasoning", "reasoning effort", { reasoning_effort: "high" }, /reasoning_effort|thinking/),
  feature(
    "Reasoning",
    "signed thinking sent back",
    after(
      {
        tool_calls: [CALL],
        thinking_blocks: [{ type: "thinking", thinking: "THOUGHT", signature: "SIGNATURE" }],
      },
      result("r"),
    ),
    /THOUGHT.*SIGNATURE/,
  ),
  feature(
    "Reasoning",
    "thought signature in a call's id",
    after(
      { tool_calls: [{ ...CALL, id: "CALLID__thought__SIGNATURE" }] },
      result("r", "CALLID__thought__SIGNATURE"),
    ),
    /SIGNATURE/,
  ),
  feature("Sampling", "temperature", { temperature: 0.5 }, /"temperature":0.5/),
  feature("Sampling", "top_p", { top_p: 0.875 }, /0\.875/),
  feature("Sampling", "top_k", { top_k: 41 }, /41/),
  feature("Sampling", "seed", { seed: 987 }, /987/),
  feature("Sampling", "penalties", { presence_penalty: 0.25 }, /0\.25/),
  feature("Sampling", "logit_bias", { logit_bias: { "765": 1 } }, /765/),
  feature("Request", "end user", { user: "ENDUSER" }, /ENDUSER/),
  feature("Request", "service tier", { service_tier: "default" }, /service_?[tT]ier|^(?!.*ier)/),
  feature("Request", "web search", { web_search_options: {} }, /web_search_options|googleSearch/),
  feature("Request", "unknown members", { frobnicate: "UNKNOWN" }, /UNKNOWN/),
];

/** One whole answer per language that holds everything it can. */
export const ANSWERS: Readonly<Record<string, Json>> = {
  openai: {
    id: "x",
    object: "chat.completion",
    created: 5,
    model: "m",
    choices: [
      {
        index: 0,
        finish_reason: "tool_calls",
        logprobs: { content: [{ token: "a" }] },
        message: {
          role: "assistant",
          content: "TEXT",
          reasoning_content: "THOUGHT",
          annotations: [{ type: "url_citation", url_citation: { url: "SOURCE" } }],
          tool_calls: [CALL],
        },
      },
    ],
    usage: {
      prompt_tokens: 16,
      completion_tokens: 20,
      total_tokens: 36,
      prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 7 },
    },
  },
  anthropic: {
    id: "x",
    model: "m",
    stop_reason: "tool_use",
    content: [
      { type: "thinking", thinking: "THOUGHT", signature: "SIGNATURE" },
      { type: "text", text: "TEXT", citations: [{ url: "SOURCE" }] },
      { type: "tool_use", id: "CALLID", name: "TOOLNAME", input: { PROPERTY: "ARGUMENT" } },
    ],
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: 2,
      output_tokens: 20,
      output_tokens_details: { thinking_tokens: 7 },
    },
  },
  gemini: {
    responseId: "x",
    modelVersion: "m",
    candidates: [
      {
        finishReason: "STOP",
        content: {
          parts: [
            { text: "THOUGHT", thought: true },
            { text: "TEXT" },
            {
              functionCall: { id: "CALLID", name: "TOOLNAME", args: { PROPERTY: "ARGUMENT" } },
              thoughtSignature: "SIGNATURE",
            },
            { inlineData: { mimeType: "image/png", data: "UElDVFVSRQ==" } },
          ],
        },
        groundingMetadata: { url: "SOURCE" },
        logprobsResult: { chosenCandidates: [{ token: "a", logProbability: -1 }] },
      },
    ],
    usageMetadata: {
      promptTokenCount: 16,
      candidatesTokenCount: 13,
      thoughtsTokenCount: 7,
      cachedContentTokenCount: 4,
    },
  },
  bedrock: {
    stopReason: "tool_use",
    output: {
      message: {
        content: [
          { reasoningContent: { reasoningText: { text: "THOUGHT", signature: "SIGNATURE" } } },
          { citationsContent: { content: [{ text: "TEXT" }], citations: [{ location: "SOURCE" }] } },
          { toolUse: { toolUseId: "CALLID", name: "TOOLNAME", input: { PROPERTY: "ARGUMENT" } } },
        ],
      },
    },
    usage: { inputTokens: 10, outputTokens: 20, cacheReadInputTokens: 4, cacheWriteInputTokens: 2 },
  },
};

/** Found in the chat answer when the feature is carried. */
export const ANSWER_FEATURES: readonly (readonly [string, RegExp])[] = [
  ["text", /"content":"TEXT"/],
  ["tool calls", /"arguments":"\{\\"PROPERTY\\":\\"ARGUMENT\\"\}"/],
  ["finish reason", /"finish_reason":"tool_calls"/],
  ["reasoning", /"reasoning_content":"THOUGHT"/],
  ["signed thinking", /SIGNATURE/],
  ["sources and citations", /SOURCE/],
  ["pictures", /"images":\[.*UElDVFVSRQ==/],
  ["logprobs", /"logprobs":\{"content":\[\{"token":"a"/],
  ["usage with cached and written tokens in the input", /"prompt_tokens":16.*"cached_tokens":4/],
  ["cache-write tokens", /"cache_write_tokens":2/],
  ["reasoning tokens in the output", /"completion_tokens":20.*"reasoning_tokens":7/],
];
