// Streams as compatible providers send them, each with one thing wrong, and what clients must read from it. Shared by
// the tests of the object side and the byte side.
import { DIALECTS, FrameNormaliser } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { decodePieces, encode, target, type Decoded } from "../recordings.ts";

export const chat = DIALECTS.get("openai")!.chat;
export const HEAD = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 5, model: "m" };

export function chunk(delta: Json, finish: string | null = null, extra: Json = {}): Json {
  return { ...HEAD, choices: [{ index: 0, delta, finish_reason: finish }], ...extra };
}

export function decode(bytes: Uint8Array, includeUsage = false): Decoded {
  return decodePieces(chat.stream(target(), includeUsage), [bytes]);
}

/** Frames as bytes through the byte side. */
export function relay(bytes: Uint8Array, includeUsage = false): { text: string; failure: string | null } {
  const normaliser = new FrameNormaliser(target(), includeUsage);
  const frames = new TextDecoder().decode(bytes).split(/(?<=\n\n|\r\n\r\n)/);
  const sent = frames.map((frame) => new TextDecoder().decode(normaliser.frame(encode(frame)))).join("");
  return {
    text: sent + new TextDecoder().decode(normaliser.end()),
    failure: normaliser.failure()?.code ?? null,
  };
}

export const ROLE = chunk({ role: "assistant", content: "" });
export const STOP = chunk({}, "stop");
export const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

interface Defect {
  readonly name: string;
  readonly sent: readonly Json[];
  readonly content?: string;
  readonly reasoning?: string;
  readonly tools?: readonly { id: string; name: string; args: string }[];
  readonly finish?: string;
}

const tool = (call: Json): Json => chunk({ tool_calls: [call] });

export const DEFECTS: readonly Defect[] = [
  { name: "nothing is wrong", sent: [ROLE, chunk({ content: "a" }), STOP], content: "a" },
  { name: "no role", sent: [chunk({ content: "a" }), chunk({ content: "b" }), STOP], content: "ab" },
  {
    name: "the role on every delta",
    sent: [chunk({ role: "assistant", content: "a" }), chunk({ role: "assistant", content: "b" }), STOP],
    content: "ab",
  },
  { name: "no finish reason", sent: [ROLE, chunk({ content: "a" })], content: "a", finish: "stop" },
  { name: "an empty finish reason", sent: [ROLE, chunk({ content: "a" }, ""), STOP], content: "a" },
  { name: "two finish reasons", sent: [ROLE, chunk({ content: "a" }, "stop"), STOP], content: "a" },
  { name: "another word for the end", sent: [ROLE, chunk({ content: "a" }, "eos")], content: "a" },
  {
    name: "model_length",
    sent: [ROLE, chunk({ content: "a" }, "model_length")],
    content: "a",
    finish: "length",
  },
  {
    name: "usage alone, without choices",
    sent: [ROLE, chunk({ content: "a" }), STOP, { ...HEAD, choices: undefined, usage: USAGE }],
    content: "a",
  },
  {
    name: "usage with an empty id",
    sent: [ROLE, chunk({ content: "a" }), STOP, { ...HEAD, id: "", choices: [], usage: USAGE }],
    content: "a",
  },
  { name: "ids that change", sent: [ROLE, { ...chunk({ content: "a" }), id: "other" }, STOP], content: "a" },
  {
    name: "no id, object, time or model",
    sent: [{ choices: [{ delta: { content: "a" } }] }, { choices: [{ delta: {}, finish_reason: "stop" }] }],
    content: "a",
  },
  {
    name: "content as parts",
    sent: [
      ROLE,
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] }),
      chunk({ content: [{ type: "text", text: "a" }] }),
      STOP,
    ],
    content: "a",
    reasoning: "hm",
  },
  {
    name: "content as one part, and as a number",
    sent: [ROLE, chunk({ content: { type: "text", text: "a" } }), chunk({ content: 1 }), STOP],
    content: "a",
  },
  {
    name: "reasoning by another name",
    sent: [ROLE, chunk({ reasoning: "hm" }), chunk({ content: "a" }), STOP],
    content: "a",
    reasoning: "hm",
  },
  {
    name: "a tool call without index and type",
    sent: [ROLE, tool({ id: "x", function: { name: "f", arguments: "{}" } }), chunk({}, "tool_calls")],
    tools: [{ id: "x", name: "f", args: "{}" }],
  },
  {
    name: "a tool call in pieces without index; later ones with an empty name and no id",
    sent: [
      ROLE,
      tool({ id: "x", function: { name: "f", arguments: '{"a"' } }),
      tool({ id: "", function: { name: "", arguments: ":1}" } }),
      chunk({}, "tool_calls"),
    ],
    tools: [{ id: "x", name: "f", args: '{"a":1}' }],
  },
  {
    name: "a tool index that starts at 1",
    sent: [
      ROLE,
      tool({ index: 1, id: "x", type: "function", function: { name: "f", arguments: "" } }),
      tool({ index: 1, function: { arguments: "{}" } }),
      tool({ index: 2, id: "y", type: "function", function: { name: "g", arguments: "{}" } }),
      chunk({}, "tool_calls"),
    ],
    tools: [
      { id: "x", name: "f", args: "{}" },
      { id: "y", name: "g", args: "{}" },
    ],
  },
  {
    name: "one index for several tool calls",
    sent: [
      ROLE,
      tool({ index: 0, id: "x", type: "function", function: { name: "f", arguments: "{}" } }),
      tool({ index: 0, id: "y", type: "function", function: { name: "f", arguments: "[]" } }),
      tool({ index: 0, id: "x", type: "function", function: { name: "f", arguments: " " } }),
      chunk({}, "tool_calls"),
    ],
    tools: [
      { id: "x", name: "f", args: "{} " },
      { id: "y", name: "f", args: "[]" },
    ],
  },
  {
    name: "tool calls without any identity, with arguments as objects and a stop",
    sent: [
      ROLE,
      tool({ function: { name: "f", arguments: { a: 1 } } }),
      tool({ function: { name: "f" } }),
      STOP,
    ],
    tools: [
      { id: "call_0123456789abcdef_0_0", name: "f", args: '{"a":1}' },
      { id: "call_0123456789abcdef_0_1", name: "f", args: "{}" },
    ],
  },
  {
    name: "id and name again on every tool delta",
    sent: [
      ROLE,
      tool({ index: 0, id: "x", type: "function", function: { name: "f", arguments: "{" } }),
      tool({ index: 0, id: "x", type: "function", function: { name: "f", arguments: "}" } }),
      chunk({}, "tool_calls"),
    ],
    tools: [{ id: "x", name: "f", args: "{}" }],
  },
  {
    name: "a filter's verdict with an empty id first",
    sent: [
      { ...HEAD, id: "", model: "", object: "", created: 0, choices: [] },
      ROLE,
      chunk({ content: "a" }),
      STOP,
    ],
    content: "a",
  },
  { name: "a ping object", sent: [{ type: "ping" }, ROLE, chunk({ content: "a" }), STOP], content: "a" },
  {
    name: "an error beside the usage of a finished answer",
    sent: [
      ROLE,
      chunk({ content: "a" }, "length"),
      { ...HEAD, choices: [], usage: USAGE, error: { code: 400 } },
    ],
    content: "a",
    finish: "length",
  },
  {
    name: "the whole message again at the end, in the place of a delta",
    sent: [
      ROLE,
      chunk({ content: "a" }),
      {
        ...HEAD,
        choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }],
      },
    ],
    content: "a",
  },
  {
    name: "calls that only the whole message at the end has",
    sent: [
      chunk({ role: "assistant", content: "a" }),
      {
        ...HEAD,
        choices: [
          {
            index: 0,
            finish_reason: "tool_calls",
            message: { content: "a", tool_calls: [{ id: "x", function: { name: "f", arguments: "{}" } }] },
          },
        ],
      },
    ],
    content: "a",
    tools: [{ id: "x", name: "f", args: "{}" }],
  },
  {
    name: "a status of success beside the answer",
    sent: [ROLE, chunk({ content: "a" }, null, { base_resp: { status_code: 0, status_msg: "" } }), STOP],
    content: "a",
  },
  {
    name: "tool calls without arguments",
    sent: [
      ROLE,
      tool({ index: 0, id: "x", type: "function", function: { name: "f", arguments: "" } }),
      tool({ index: 1, id: "y", type: "function", function: { name: "f" } }),
      chunk({}, "tool_calls"),
    ],
    tools: [
      { id: "x", name: "f", args: "{}" },
      { id: "y", name: "f", args: "{}" },
    ],
  },
  {
    name: "a call's signature beside it",
    sent: [
      ROLE,
      tool({
        id: "x",
        function: { name: "f", arguments: "{}" },
        extra_content: { google: { thought_signature: "c2ln" } },
      }),
      STOP,
    ],
    tools: [{ id: "x__thought__c2ln", name: "f", args: "{}" }],
  },
  ...[
    ["MAX_TOKENS", "length"],
    ["model_context_window_exceeded", "length"],
    ["content_filter: PROHIBITED_CONTENT", "content_filter"],
    ["refusal", "content_filter"],
    ["ERROR_TOXIC", "content_filter"],
    ["COMPLETE", "stop"],
  ].map(([sent, finish = ""]) => ({
    name: `${sent} as its end`,
    sent: [ROLE, chunk({ content: "a" }, sent)],
    content: "a",
    finish,
  })),
  { name: "error: null", sent: [ROLE, chunk({ content: "a" }, null, { error: null }), STOP], content: "a" },
];
