// How much memory large bodies may take together. The bound on each one says nothing about a hundred of them at once, and
// a small compressed body can be a large one in memory. Ordinary requests are not counted: the bound on connections
// bounds them.
import type { ServerResponse } from "node:http";
import { GatewayError } from "../errors.ts";

/** Bodies below this size are not counted. */
export const LARGE_BYTES_MIN = 256 * 1024;

/** When a client that was refused may try again: large bodies are held for as long as their answers take. */
const RETRY_AFTER_MS = 2000;

export class BodyBudget {
  readonly #bytesMax: number;
  #heldBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of large bodies in memory, for metrics. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Counts bytes that have come in; `false`: there is no room, and nothing was counted. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#bytesMax) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /** Counts a whole body until its answer is over. Throws `overloaded`. */
  hold(body: Buffer, response: ServerResponse): void {
    const { length } = body;
    if (length < LARGE_BYTES_MIN) return;
    if (!this.take(length)) throw overloaded();
    response.once("close", () => this.give(length));
  }
}

export function overloaded(): GatewayError {
  const message = "The gateway holds as many large requests as it may. Try again in a moment.";
  return new GatewayError("overloaded", message, { retryAfterMs: RETRY_AFTER_MS });
}
