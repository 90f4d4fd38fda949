import { describe, expect, test } from "vitest";
import type { ClientContext } from "../../../providers/dialects/dialect.ts";
import { CLIENT_DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";

const responses = CLIENT_DIALECTS.get("responses")!;
const REQUEST: Json = {
  model: "asked",
  input: "hi",
  temperature: 0.5,
  metadata: { a: "b" },
  text: { verbosity: "low" },
};
const CONTEXT: ClientContext = { request: REQUEST, id: "1", createdSeconds: 5, inputTokens: 42 };
const USAGE: Json = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
const message = (...content: Json[]): Json => ({
  type: "message",
  role: "assistant",
  status: "completed",
  content,
});
const output = (text: string): Json => ({ type: "output_text", text });

describe("an answer", () => {
  const answer = (said: Json, finish = "stop", extra: Json = {}): Json => ({
    choices: [{ index: 0, message: { role: "assistant", ...said }, finish_reason: finish, ...extra }],
    usage: USAGE,
  });

  test.each<[string, Json, Json]>([
    [
      "text",
      answer({ content: "a" }),
      { status: "completed", output: [message({ ...output("a"), annotations: [], logprobs: [] })] },
    ],
    [
      "everything",
      answer(
        {
          content: "a",
          reasoning_content: "hm",
          tool_calls: [{ id: "x", function: { name: "f", arguments: "{}" } }],
        },
        "tool_calls",
      ),
      {
        output: [
          { id: "rs_1", type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] },
          { id: "msg_1" },
          { id: "fc_1_0", type: "function_call", call_id: "x", name: "f", arguments: "{}" },
        ],
      },
    ],
    [
      "a refusal",
      answer({ content: null, refusal: "no" }),
      { output: [message({ type: "refusal", refusal: "no" })] },
    ],
    [
      "a limit",
      answer({ content: "a" }, "length"),
      { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    ],
    ["nothing", { choices: [] }, { status: "completed", output: [], usage: null }],
  ])("carries %s", (_, chat, expected) => {
    expect(responses.encode(chat, CONTEXT)).toMatchObject({
      id: "resp_1",
      object: "response",
      model: "asked",
      store: false,
      error: null,
      text: { format: { type: "text" }, verbosity: "low" },
      ...expected,
    });
  });
});
