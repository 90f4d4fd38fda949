// Chat completions to chat completions: for providers with quirks, and for requests that were translated from another
// client language and have to be written out anyway. Providers with other paths (a deployment in the path, an API
// version in the query) say so in their catalog file.
import type { Dialect } from "../dialect.ts";
import { SseParser } from "../sse.ts";
import { dialectStream } from "../stream.ts";
import { chatAnswer } from "./answer.ts";
import { ChatNormaliser } from "./normaliser.ts";
import { chatRequest } from "./request.ts";

export const openai: Dialect = {
  native: true,
  chat: {
    encode(request, target) {
      const warnings: string[] = [];
      const body = JSON.stringify(chatRequest(request, target, warnings));
      return { path: "/chat/completions", headers: { "content-type": "application/json" }, body, warnings };
    },
    decode: chatAnswer,
    stream(target, includeUsage) {
      const normaliser = new ChatNormaliser(target, includeUsage);
      const reader = new SseParser((event, data) => void normaliser.event(event, data));
      return dialectStream(reader, normaliser);
    },
  },
  path: (route) => route,
};
