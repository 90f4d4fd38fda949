// Gemini generateContent, at AI Studio and at Vertex.
import type { Dialect } from "../dialect.ts";
import { SseParser } from "../sse.ts";
import { dialectStream } from "../stream.ts";
import { generateAnswer } from "./answer.ts";
import { embeddings } from "./embeddings.ts";
import { generateRequest } from "./request.ts";
import { GenerateStream } from "./stream.ts";

export const gemini: Dialect = {
  native: false,
  chat: {
    encode: generateRequest,
    decode: generateAnswer,
    stream(target, includeUsage) {
      const state = new GenerateStream(target, includeUsage);
      return dialectStream(new SseParser((event, data) => state.event(event, data)), state);
    },
  },
  embeddings,
  path: () => null,
};
