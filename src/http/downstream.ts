// The client's side of a request as the gateway sees it.
import type { ServerResponse } from "node:http";
import type { GatewayError } from "../errors.ts";
import type { Downstream, HeaderList } from "../gateway/downstream.ts";
import { errorEvent, type ErrorShape } from "./error-answer.ts";
import { sendError } from "./respond.ts";

export class ClientDownstream implements Downstream {
  readonly response: ServerResponse;
  isStream: boolean;
  readonly #requestId: string;
  readonly #shape: ErrorShape;

  constructor(
    response: ServerResponse,
    about: { readonly requestId: string; readonly shape: ErrorShape; readonly isStream: boolean },
  ) {
    this.response = response;
    this.#requestId = about.requestId;
    this.#shape = about.shape;
    this.isStream = about.isStream;
  }

  fail(error: GatewayError, headers: HeaderList): void {
    const { response } = this;
    if (response.destroyed || response.writableEnded) return;
    if (!response.headersSent) {
      sendError(response, error, { requestId: this.#requestId, shape: this.#shape, extra: headers });
    } else if (this.isStream) {
      // The blank lines end whatever event was being sent; where none was, they mean nothing.
      response.end(`\n\n${errorEvent(error, this.#shape, this.#requestId)}`);
    } else {
      response.destroy();
    }
  }
}
