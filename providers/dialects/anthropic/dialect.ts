// Anthropic Messages, at Anthropic itself and at Vertex (a base URL that ends in `/publishers/anthropic`).
import type { Dialect } from "../dialect.ts";
import { SseParser } from "../sse.ts";
import { dialectStream } from "../stream.ts";
import { messageAnswer } from "./answer.ts";
import { languageHeaders, messagesRequest } from "./request.ts";
import { MessageStream } from "./stream.ts";

/** Routes of the language that pass on as they are, for clients who speak it themselves. */
const ROUTES: ReadonlySet<string> = new Set(["/messages", "/messages/count_tokens", "/models"]);

export const anthropic: Dialect = {
  native: false,
  chat: {
    encode: messagesRequest,
    decode: messageAnswer,
    stream(target, includeUsage) {
      const state = new MessageStream(target, includeUsage);
      const reader = new SseParser((event, data) => state.event(event, data));
      return { ...dialectStream(reader, state), endEvent: "message_stop" };
    },
  },
  passed: { headerPrefix: "anthropic-", headers: languageHeaders },
  path: (route) => (ROUTES.has(route) ? route : null),
};
