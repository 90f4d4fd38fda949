// What Node's parser refuses before there is a request: malformed or smuggled framing, heads that are too large or
// too slow. There is no response object yet, so the answer is written to the bare socket; clients still get the
// envelope that they know how to read.
import { STATUS_CODES, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { GatewayError } from "../errors.ts";
import { errorBody, errorHeaders } from "./error-answer.ts";
import { LINGER_MS } from "./respond.ts";

/**
 * Answers a connection whose bytes could not be read as a request, and closes it a moment later: what the client goes on
 * sending is read and thrown away meanwhile, as in respond.ts. Every piece of that is reported as another error.
 */
export function answerClientError(error: Error, socket: Duplex, requestId: string): void {
  if (socket.writableEnded) return;
  if (!socket.writable || codeOf(error) === "ECONNRESET") {
    socket.destroy();
    return;
  }
  // An answer that is being written keeps what it has of it, which may be all.
  if (hasBegunAnswer(socket)) socket.end(() => socket.destroy());
  else socket.end(rawAnswer(clientError(error), requestId));
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}

/** An error as the bytes of a whole HTTP/1.1 answer that ends its connection. */
export function rawAnswer(error: GatewayError, requestId: string): string {
  const body = errorBody(error, "chat", requestId);
  const headers = [
    ...errorHeaders(error, "chat", requestId),
    "content-length",
    String(Buffer.byteLength(body)),
    "connection",
    "close",
  ];
  let head = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? "Error"}\r\n`;
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}\r\n${body}`;
}

/** What the parser's refusal means to the client. */
function clientError(error: Error): GatewayError {
  switch (codeOf(error)) {
    case "HPE_HEADER_OVERFLOW":
      return new GatewayError("headers_too_large", "The request's headers are too large.", { cause: error });
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new GatewayError("request_too_large", "The body's chunk extensions are too large.", {
        cause: error,
      });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new GatewayError("request_timeout", "The request took too long to arrive.", { cause: error });
    default:
      return new GatewayError("invalid_request", "This is not a well-formed HTTP request.", { cause: error });
  }
}

function codeOf(error: Error): unknown {
  return "code" in error ? error.code : undefined;
}

/** Whether bytes of an answer are on this connection already: more of another answer would garble them. */
function hasBegunAnswer(socket: Duplex): boolean {
  const answer = pendingAnswer(socket);
  return answer instanceof ServerResponse && answer.headersSent;
}

/** The answer that this connection is waiting for, or null. Node keeps it under this name for the same purposes. */
export function pendingAnswer(socket: Duplex): unknown {
  return Reflect.get(socket, "_httpMessage") ?? null;
}
