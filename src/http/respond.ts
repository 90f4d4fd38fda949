// Writing small complete answers, errors above all, so that the client really gets them. The trap: when a server
// answers while the client is still sending and closes, the unread bytes make the kernel reset the connection, and
// the reset can overtake the answer. So the rest of the request is read and thrown away for a moment before closing.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { GatewayError } from "../errors.ts";
import type { HeaderList } from "../gateway/downstream.ts";
import { errorBody, errorHeaders, errorStatus, type ErrorShape } from "./error-answer.ts";

/** How long the rest of a refused request is thrown away before the connection is closed. */
export const LINGER_MS = 2000;
/** A request body of at most this size is skipped and the connection kept; Node does that by itself. */
const SKIPPED_BYTES_MAX = 65_536;

/** The status of a body that does not arrive: waiting for its rest would be the same wait again. */
const REQUEST_TIMEOUT = 408;

/** Sends a complete answer. Does nothing when the head is already sent or the client is gone. */
export function sendAnswer(
  response: ServerResponse,
  status: number,
  headers: HeaderList,
  body: string | Buffer,
): void {
  if (response.headersSent || response.destroyed) return;
  const request = response.req;
  const list = [...headers, "content-length", String(Buffer.byteLength(body))];
  if (status !== REQUEST_TIMEOUT && isQuicklySkipped(request)) {
    response.writeHead(status, list).end(body);
    return;
  }
  response.writeHead(status, [...list, "connection", "close"]);
  // By its content-length the answer is whole with this write; `end` would close the connection at once.
  if (response.req.method !== "HEAD") response.write(body);
  closeAfterRequest(request, response);
}

/** Sends an error as the whole answer, with `extra` headers among its own. */
export function sendError(
  response: ServerResponse,
  error: GatewayError,
  about: { readonly requestId: string; readonly shape: ErrorShape; readonly extra?: HeaderList },
): void {
  const { requestId, shape, extra } = about;
  const { answer } = error;
  const body = answer?.body ?? errorBody(error, shape, requestId);
  sendAnswer(
    response,
    answer?.status ?? errorStatus(error, shape),
    errorHeaders(error, shape, requestId, extra),
    body,
  );
}

/** Whether what is left of the request's body is nothing, or so little that the connection is worth keeping. */
function isQuicklySkipped(request: IncomingMessage): boolean {
  if (request.complete) return true;
  if (request.headers["transfer-encoding"] !== undefined) return false;
  const length = request.headers["content-length"];
  return length === undefined || Number(length) <= SKIPPED_BYTES_MAX;
}

function closeAfterRequest(request: IncomingMessage, response: ServerResponse): void {
  const close = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(close, LINGER_MS).unref();
  request.once("end", close).once("close", close).resume();
}
