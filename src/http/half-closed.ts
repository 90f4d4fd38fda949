// A client that has sent its last byte has either closed its connection or only the half that it sends on (`nc -N` does), and
// the kernel does not say which until it is sent something: then it resets a connection that nobody reads from. So what
// means nothing is sent, an interim answer or an event stream's comment. The first of them brings the reset, the second
// runs into it, and the answer's `close` tells that the client is gone; one that still reads is none the wiser.
import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { pendingAnswer } from "./client-error.ts";

/** Before the first thing is sent: answers that come sooner are sent as if nothing had been. */
const FIRST_MS = 5;
/** Between the first and the second; it doubles from there, for clients that are far away. */
const SECOND_MS = 20;

const COMMENT = ":\n\n";
const EVENT_STREAM = /\r\ncontent-type: text\/event-stream/i;

/**
 * Finds out whether a client that has sent its last byte still waits for an answer, for as long as one is due on its
 * connection. `isFramed` tells whether an event stream is written in whole events only, so that a comment may go between.
 */
export function askWhetherGone(socket: Socket, isFramed: (answer: ServerResponse) => boolean): void {
  let delayMs = SECOND_MS;
  const ask = (): void => {
    const answer = pendingAnswer(socket);
    if (socket.destroyed || !(answer instanceof ServerResponse) || answer.writableEnded) return;
    // Interim answers are not for clients of HTTP/1.0 (RFC 9110 section 15.2), among them proxies whose own client has left.
    if (answer.req.httpVersionMinor === 0) {
      socket.destroy();
      return;
    }
    if (!answer.headersSent) answer.writeProcessing();
    else if (isEventStream(answer) && isFramed(answer)) answer.write(COMMENT);
    setTimeout(ask, delayMs).unref();
    delayMs *= 2;
  };
  setTimeout(ask, FIRST_MS).unref();
}

/** Node keeps the head as it was sent under this name; headers that are given all at once are kept nowhere else. */
function isEventStream(answer: ServerResponse): boolean {
  return EVENT_STREAM.test(String(Reflect.get(answer, "_header")));
}
