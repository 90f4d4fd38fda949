// The Messages language for clients, over any provider.
import type { ClientDialect } from "../dialect.ts";
import { messageFromChat } from "./answer.ts";
import { chatFromMessages } from "./request.ts";
import { MessagesStream } from "./stream.ts";

export const messages: ClientDialect = {
  decode: chatFromMessages,
  encode: messageFromChat,
  stream: (context) => new MessagesStream(context),
};
