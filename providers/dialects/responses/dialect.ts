// The Responses language for clients, over providers that have chat completions only.
import type { ClientDialect } from "../dialect.ts";
import { responseFromChat } from "./answer.ts";
import { chatFromResponses } from "./request.ts";
import { ResponsesStream } from "./stream.ts";

export const responses: ClientDialect = {
  decode: chatFromResponses,
  encode: responseFromChat,
  stream: (context) => new ResponsesStream(context),
};
