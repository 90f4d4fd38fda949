// How the tests of Anthropic requests ask: a smallest request, models of each kind, and a check of the body.
import { expect } from "vitest";
import { DIALECTS } from "../../../providers/dialects/index.ts";
import type { Json } from "../../../providers/dialects/json.ts";
import { target } from "../recordings.ts";

export const { chat } = DIALECTS.get("anthropic")!;
export const USER: Json = { role: "user", content: "hi" };
export const HI: Json = { role: "user", content: [{ type: "text", text: "hi" }] };

export interface Asked {
  readonly baseUrl?: string;
  readonly model?: string;
  readonly options?: Readonly<Record<string, string>>;
}

export function encode(
  request: Json,
  { model = "claude-sonnet-4-5", options = {}, baseUrl = target().baseUrl }: Asked = {},
): { body: Json; warnings: readonly string[]; path: string; headers: Json } {
  const { body, ...rest } = chat.encode(
    { messages: [USER], max_tokens: 4000, ...request },
    target({ model, options, baseUrl }),
  );
  return { body: JSON.parse(String(body)), ...rest };
}

/** Checks a request's body beyond the members every one has. */
export function check(request: Json, expected: Json, asked: Asked = {}): readonly string[] {
  const { body, warnings } = encode(request, asked);
  expect(body).toEqual({
    model: asked.model ?? "claude-sonnet-4-5",
    max_tokens: 4000,
    messages: [HI],
    ...expected,
  });
  return warnings;
}

export const OLD = { model: "claude-3-5-sonnet-20241022" };
export const BUDGET = { model: "claude-3-7-sonnet-20250219" };
export const NEW = { model: "claude-opus-4-8" };
export const LATEST = { model: "claude-sonnet-5-5", options: { anthropic_version: "2026-10-21" } };

export const TOOL: Json = {
  type: "function",
  function: {
    name: "f",
    description: "d",
    parameters: { type: "object", properties: {}, $defs: {}, allOf: [], additionalProperties: false },
  },
};
export const USE: Json = { id: "x", type: "function", function: { name: "f", arguments: '{"a":1}' } };
export const TOOL_USE: Json = { type: "tool_use", id: "x", name: "f", input: { a: 1 } };
