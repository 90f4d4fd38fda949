// Listens to an answer on its way to the client, so that it can be kept. What is recorded is bounded, for one answer and
// for all together; beyond that the recording is given up, and the answer goes on as if there had been none.
//
// While it records, a slow client does not slow the provider down: others may be waiting for the end of this answer, and
// the bound on what is recorded bounds what piles up for the client too.
import type { ResponseCache } from "../../cache/response-cache.ts";
import type { AnswerSink } from "./relay.ts";

export class Recording implements AnswerSink {
  /** What the client was told about its request. */
  warnings: readonly string[] = [];
  readonly #sink: AnswerSink;
  readonly #cache: ResponseCache;
  readonly #onLost: () => void;
  #pieces: (Buffer | string)[] = [];
  #bytes = 0;
  #isLost = false;
  #isEnded = false;

  /** `onLost` is called when it is given up. */
  constructor(sink: AnswerSink, cache: ResponseCache, onLost: () => void) {
    this.#sink = sink;
    this.#cache = cache;
    this.#onLost = onLost;
  }

  write(bytes: Buffer): boolean;
  write(text: string, encoding: "latin1"): boolean;
  write(piece: Buffer | string): boolean {
    this.#note(piece);
    const isReady = typeof piece === "string" ? this.#sink.write(piece, "latin1") : this.#sink.write(piece);
    return isReady || !this.#isLost;
  }

  end(bytes?: Buffer): unknown;
  end(text: string, encoding: "latin1"): unknown;
  end(piece?: Buffer | string): unknown {
    if (piece !== undefined) this.#note(piece);
    this.#isEnded = true;
    return typeof piece === "string" ? this.#sink.end(piece, "latin1") : this.#sink.end(piece);
  }

  /** The whole answer; null: it did not end, or was too large. */
  body(): Buffer | null {
    if (this.#isLost || !this.#isEnded) return null;
    // Memory of its own: a slice of a shared block would keep all of the block.
    const body = Buffer.allocUnsafeSlow(this.#bytes);
    let to = 0;
    for (const piece of this.#pieces) {
      to += typeof piece === "string" ? body.write(piece, to, "latin1") : piece.copy(body, to);
    }
    return body;
  }

  /** Lets go of what was recorded. */
  close(): void {
    this.#isLost = true;
    this.#pieces = [];
    this.#cache.giveRoom(this.#bytes);
    this.#bytes = 0;
  }

  #note(piece: Buffer | string): void {
    if (this.#isLost) return;
    const { length } = piece;
    if (this.#bytes + length > this.#cache.answerBytesMax || !this.#cache.takeRoom(length)) {
      this.close();
      this.#onLost();
      return;
    }
    this.#bytes += length;
    this.#pieces.push(piece);
  }
}
