// How long the client of a body has been silent. Sweeps look at all bodies about once a second, so it is precise to that.
import { GatewayError } from "../errors.ts";

export class Silence {
  /** The time of the latest sweep that saw progress, or that nothing was due. */
  #heardMs: number;
  #receivedBytes = 0;

  constructor(nowMs: number) {
    this.#heardMs = nowMs;
  }

  /** Nothing is due from the client at present. */
  excuse(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** The error of a client that has sent nothing for longer than `limitMs`; null: it goes on, as far as this sweep can see. */
  look(receivedBytes: number, limitMs: number, nowMs: number): GatewayError | null {
    if (receivedBytes > this.#receivedBytes) {
      this.#receivedBytes = receivedBytes;
      this.#heardMs = nowMs;
    }
    if (nowMs - this.#heardMs <= limitMs) return null;
    return new GatewayError("request_timeout", "The body stopped arriving before it was whole.");
  }
}
