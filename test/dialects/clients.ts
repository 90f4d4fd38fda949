// The official clients' own accumulators, fed with our chunks: the proof that a stream is accepted.
import OpenAI from "openai";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import OpenAI6 from "openai-v6";
import { ChatCompletionStream as ChatCompletionStream6 } from "openai-v6/lib/ChatCompletionStream";
import type { Json } from "../../providers/dialects/json.ts";
import { encode } from "./recordings.ts";

/** One JSON object per line, which is what the accumulators read. */
function lines(chunks: readonly Json[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encode(`${JSON.stringify(chunk)}\n`));
      controller.close();
    },
  });
}

/** The completion each client makes of the chunks; rejects when it refuses them. */
export const CLIENTS = [
  {
    name: "openai 7",
    accumulate: (chunks: readonly Json[]) =>
      ChatCompletionStream.fromReadableStream(lines(chunks)).finalChatCompletion(),
  },
  {
    name: "openai 6",
    accumulate: (chunks: readonly Json[]) =>
      ChatCompletionStream6.fromReadableStream(lines(chunks)).finalChatCompletion(),
  },
] as const;

/** A fetch that answers every request with these bytes as an event stream. */
function answering(bytes: Uint8Array): typeof fetch {
  return () =>
    Promise.resolve(
      new Response(new Blob([bytes.slice()]), { headers: { "content-type": "text/event-stream" } }),
    );
}

/** Whole clients reading wire bytes: the chunks they yield. */
export const WIRE_CLIENTS = [
  {
    name: "openai 7",
    read: async (bytes: Uint8Array): Promise<unknown[]> => {
      const client = new OpenAI({ apiKey: "none", maxRetries: 0, fetch: answering(bytes) });
      const stream = await client.chat.completions.create({ model: "m", messages: [], stream: true });
      return Array.fromAsync(stream);
    },
  },
  {
    name: "openai 6",
    read: async (bytes: Uint8Array): Promise<unknown[]> => {
      const client = new OpenAI6({ apiKey: "none", maxRetries: 0, fetch: answering(bytes) });
      const stream = await client.chat.completions.create({ model: "m", messages: [], stream: true });
      return Array.fromAsync(stream);
    },
  },
] as const;
