// Reads a request's body into memory, bounded in size and patience. Nearly all bodies come in one piece with their
// head; those that don't are watched by one sweep for all connections rather than by a timer each.
import type { IncomingMessage } from "node:http";
import { GatewayError } from "../errors.ts";
import { LARGE_BYTES_MIN, overloaded, type BodyBudget } from "./body-budget.ts";
import { Roster, type Seated } from "../roster.ts";
import { tooLarge } from "./content.ts";

/** Called exactly once, unless the client goes away before the body is whole: then never. */
export type BodyRead = (error: GatewayError | null, body: Buffer) => void;

const NOTHING = Buffer.alloc(0);

export interface BodyLimits {
  /** Largest body, before and after decoding. */
  readonly bodyBytesMax: number;
  /** Longest silence in the middle of a body. */
  readonly bodyStallMs: number;
}

export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #budget: BodyBudget;
  /** Bodies of which a part is missing. */
  readonly #waiting = new Roster<PartialBody>();

  constructor(limits: BodyLimits, budget: BodyBudget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** How many bodies are being waited for, for metrics. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Reads the body; `nowMs` is the time of its head's arrival by the clock that `sweep` is given. */
  read(request: IncomingMessage, nowMs: number, done: BodyRead): void {
    const body = new PartialBody({ limits: this.#limits, budget: this.#budget }, nowMs, (error, bytes) => {
      this.#waiting.delete(body);
      done(error, bytes);
    });
    this.#waiting.add(body);
    request.on("data", (chunk: Buffer) => body.add(chunk));
    request.on("end", () => body.finish());
    request.on("close", () => {
      this.#waiting.delete(body);
      body.drop();
    });
    // The client broke off: `close` follows, and there is nobody to answer.
    request.on("error", () => body.drop());
  }

  /** Gives up bodies that have been silent for too long. Call it about once a second. */
  sweep(nowMs: number): void {
    for (const body of this.#waiting.list()) body.check(nowMs);
  }
}

/** One body while it comes in. */
class PartialBody implements Seated {
  seat = -1;
  readonly #limits: BodyLimits;
  readonly #budget: BodyBudget;
  readonly #done: BodyRead;
  /** What the budget has counted of it. */
  #countedBytes = 0;
  /** `#room[0, #length)` has come in. */
  #room: Buffer = NOTHING;
  #length = 0;
  #isDone = false;
  /** The time of the latest sweep that saw progress; precise to a sweep's interval. */
  #heardMs: number;
  #lengthAtSweep = 0;

  constructor(
    bounds: { readonly limits: BodyLimits; readonly budget: BodyBudget },
    nowMs: number,
    done: BodyRead,
  ) {
    this.#limits = bounds.limits;
    this.#budget = bounds.budget;
    this.#heardMs = nowMs;
    this.#done = done;
  }

  add(chunk: Buffer): void {
    if (this.#isDone) return;
    this.#length += chunk.length;
    if (this.#length > this.#limits.bodyBytesMax) this.#end(tooLarge(this.#limits.bodyBytesMax), NOTHING);
    else if (this.#length >= LARGE_BYTES_MIN && !this.#count()) this.#end(overloaded(), NOTHING);
    else this.#append(chunk);
  }

  /**
   * Most bodies are one chunk and are not copied. For others the room doubles: joining all chunks at the end would block the
   * loop for as long as all of it takes, and room for the announced length would be there for the asking.
   */
  #append(chunk: Buffer): void {
    if (this.#room.length === 0) {
      this.#room = chunk;
      return;
    }
    if (this.#room.length < this.#length) {
      const grown = Buffer.allocUnsafeSlow(2 * this.#length);
      this.#room.copy(grown, 0, 0, this.#length - chunk.length);
      this.#room = grown;
    }
    chunk.copy(this.#room, this.#length - chunk.length);
  }

  #count(): boolean {
    if (!this.#budget.take(this.#length - this.#countedBytes)) return false;
    this.#countedBytes = this.#length;
    return true;
  }

  /** Lets go of what has come in; the body will not be whole. */
  drop(): void {
    this.#isDone = true;
    this.#room = NOTHING;
    this.#budget.give(this.#countedBytes);
    this.#countedBytes = 0;
  }

  finish(): void {
    if (this.#isDone) return;
    const isFull = this.#room.length === this.#length;
    this.#end(null, isFull ? this.#room : this.#room.subarray(0, this.#length));
  }

  check(nowMs: number): void {
    if (this.#length > this.#lengthAtSweep) {
      this.#lengthAtSweep = this.#length;
      this.#heardMs = nowMs;
    } else if (nowMs - this.#heardMs > this.#limits.bodyStallMs) {
      this.#end(
        new GatewayError("request_timeout", "The body stopped arriving before it was whole."),
        NOTHING,
      );
    }
  }

  #end(error: GatewayError | null, body: Buffer): void {
    if (this.#isDone) return;
    this.drop();
    this.#done(error, body);
  }
}
