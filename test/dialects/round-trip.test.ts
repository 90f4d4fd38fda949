// A conversation that goes to a provider's language and comes back from it is the same conversation: what a Messages
// client would have to send to mean the same is exactly what the Messages dialect sends.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CLIENT_DIALECTS, DIALECTS } from "../../providers/dialects/index.ts";
import type { Json } from "../../providers/dialects/json.ts";
import { target } from "./recordings.ts";

const words = fc.stringMatching(/^[a-zä€😄]{1,10}$/u);
const picture = fc
  .constantFrom("data:image/png;base64,QUJD", "https://x/y.png")
  .map((url) => ({ type: "image_url", image_url: { url } }));
const parts = fc
  .tuple(words, fc.array(picture, { minLength: 1, maxLength: 2 }))
  .map(([text, pictures]): Json[] => [{ type: "text", text }, pictures].flat());
const thinking = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("thinking"), thinking: words, signature: words }),
    fc.record({ type: fc.constant("redacted_thinking"), data: words }),
  ),
  { maxLength: 2 },
);

interface Exchange {
  readonly asked: unknown;
  readonly said: string;
  readonly thought: readonly Json[];
  readonly inputs: readonly Json[];
}

const exchange: fc.Arbitrary<Exchange> = fc.record({
  asked: fc.oneof(words, parts),
  said: words,
  thought: thinking,
  inputs: fc.array(fc.dictionary(words, fc.oneof(words, fc.integer(), fc.constant(null))), { maxLength: 3 }),
});

/** One turn of each side, with calls and their results. */
function turnsOf({ asked, said, thought, inputs }: Exchange, turn: number): readonly Json[] {
  const calls = inputs.map((input, index) => ({
    id: `call_${turn}_${index}`,
    type: "function",
    function: { name: "f", arguments: JSON.stringify(input) },
  }));
  const answer = {
    role: "assistant",
    content: said,
    ...(thought.length === 0 ? {} : { thinking_blocks: thought }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  return [
    { role: "user", content: asked },
    answer,
    ...calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: `result of ${id}` })),
  ];
}

test("chat → Messages → chat", () => {
  fc.assert(
    fc.property(fc.array(exchange, { minLength: 1, maxLength: 3 }), (exchanges) => {
      const messages = [{ role: "system", content: "s" }, ...exchanges.flatMap(turnsOf)];
      const tools = [
        {
          type: "function",
          function: { name: "f", description: "d", parameters: { type: "object", properties: {} } },
        },
      ];
      const { body, warnings } = DIALECTS.get("anthropic")!.chat.encode(
        { messages, tools, max_completion_tokens: 9 },
        target(),
      );
      expect(warnings).toEqual([]);
      const back = CLIENT_DIALECTS.get("messages")!.decode(JSON.parse(String(body)));
      expect(back.warnings).toEqual([]);
      expect(back.request).toEqual({ model: "test-model", messages, tools, max_completion_tokens: 9 });
    }),
  );
});

test.each(["gemini", "bedrock"])("chat → %s keeps the order and the whole of what was said", (dialect) => {
  fc.assert(
    fc.property(fc.array(exchange, { minLength: 1, maxLength: 3 }), (exchanges) => {
      const messages = exchanges
        .flatMap(turnsOf)
        .filter((message) => !JSON.stringify(message).includes("https://"));
      const { body } = DIALECTS.get(dialect)!.chat.encode(
        { messages: messages.map(({ thinking_blocks: _thinking, ...message }) => message) },
        target(),
      );
      const sent = String(body);
      let at = 0;
      for (const { content, tool_calls: calls } of messages) {
        const said = [
          typeof content === "string" ? content : "",
          ...(Array.isArray(calls)
            ? calls.map((call) => JSON.stringify(JSON.parse(call.function.arguments)))
            : []),
        ];
        for (const text of said) {
          const found = sent.indexOf(text.startsWith("{") ? text : JSON.stringify(text).slice(1, -1), at);
          expect(found).toBeGreaterThanOrEqual(at);
          at = found;
        }
      }
    }),
  );
});
