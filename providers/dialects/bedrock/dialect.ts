// Bedrock's Converse API, for every model that has no chat-completions endpoint there.
import type { Dialect } from "../dialect.ts";
import { dialectStream } from "../stream.ts";
import { converseAnswer } from "./answer.ts";
import { EventStreamReader } from "./event-stream.ts";
import { converseRequest } from "./request.ts";
import { ConverseStream } from "./stream.ts";

export const bedrock: Dialect = {
  native: false,
  streamType: "application/vnd.amazon.eventstream",
  chat: {
    encode: converseRequest,
    decode: converseAnswer,
    stream(target, includeUsage) {
      const state = new ConverseStream(target, includeUsage);
      return dialectStream(new EventStreamReader((frame) => state.frame(frame)), state);
    },
  },
  path: () => null,
};
