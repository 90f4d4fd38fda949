// The client's side of one request, as much of it as the gateway touches. http/ makes it from Node's request and
// response; answers are written to Node's response directly, because every layer in between costs more than all of
// the gateway's own work.
import type { GatewayError } from "../errors.ts";
import type { AnswerSink } from "./relay/relay.ts";

/** Header names and values in turn, ready for `response.writeHead`. Values are checked: no CR, LF or other control. */
export type HeaderList = readonly string[];

/** As much of Node's response as the gateway touches. */
export interface ClientResponse extends AnswerSink {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
  end(body?: Buffer | string): unknown;
  end(text: string, encoding: "latin1"): unknown;
  writeHead(status: number, headers: string[]): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
}

export interface Downstream {
  /** Whether the answer is an event stream; settled when its head is sent. */
  isStream: boolean;
  /** Its `close` event tells that the client is gone, unless the answer has been finished (`writableFinished`). */
  readonly response: ClientResponse;
  /**
   * Ends the request with an error in the shape of the route's clients. Before the head is sent: status, headers and
   * envelope. After it an event stream gets an error event as its last, without the end mark of a whole answer, and
   * anything else is cut off so that it can't be taken for whole. Does nothing once the client is gone.
   */
  fail(error: GatewayError, headers: HeaderList): void;
}
