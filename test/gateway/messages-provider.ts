// A provider of the Messages language, and a gateway in front of it.
import { startGateway } from "./gateway-fixture.ts";
import { scriptedUpstream, type Script } from "./scripted-upstream.ts";

export const MESSAGE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "m",
  content: [{ type: "text", text: "Hello." }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 3 },
};

export function event(value: { readonly type: string } & Record<string, unknown>): string {
  return `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
}

export const START = event({
  type: "message_start",
  message: { ...MESSAGE, content: [], stop_reason: null, usage: { input_tokens: 10, output_tokens: 1 } },
});
export const TEXT = [
  event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } }),
  event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "." } }),
  event({ type: "content_block_stop", index: 0 }),
].join("");
export const END = [
  event({
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 3 },
  }),
  event({ type: "message_stop" }),
].join("");
export const OVERLOADED = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };

export const whole: Script = (request) => request.answer(200, JSON.stringify(MESSAGE));
export const streamed: Script = (request) =>
  request.streamHead().chunk(START).chunk(TEXT).chunk(END).endChunks();

export async function over(...scripts: readonly Script[]) {
  const upstream = await scriptedUpstream(...scripts);
  const gateway = await startGateway({
    providers: { other: upstream },
    dialects: { other: "anthropic" },
    config: "retry: { attempts: 1 }",
  });
  return { upstream, gateway };
}
