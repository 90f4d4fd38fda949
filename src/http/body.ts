// Reads a request's body into memory, bounded in size and patience. Nearly all bodies come in one piece with their
// head; those that don't are watched by one sweep for all connections rather than by a timer each.
import type { IncomingMessage } from "node:http";
import type { GatewayError } from "../errors.ts";
import { LARGE_BYTES_MIN, overloaded, type BodyBudget } from "./body-budget.ts";
import { Roster, type Seated } from "../roster.ts";
import { tooLarge } from "./content.ts";
import { Gathering } from "./gathering.ts";
import { Silence } from "./silence.ts";

/** Called exactly once, unless the client goes away before the body is whole: then never. */
export type BodyRead = (error: GatewayError | null, body: Buffer) => void;

const NOTHING: Buffer = Buffer.alloc(0);

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
    const announcedBytes = Number(request.headers["content-length"] ?? 0);
    const bounds = { limits: this.#limits, budget: this.#budget, announcedBytes };
    const body = new PartialBody(bounds, nowMs, (error, bytes) => {
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
  readonly #announcedBytes: number;
  readonly #begunMs: number;
  #length = 0;
  /** Most bodies are one chunk, and are not copied. */
  #first = NOTHING;
  #gathering: Gathering | null = null;
  /** Since a sweep has found it incomplete. */
  #silence: Silence | null = null;
  #isDone = false;

  constructor(
    bounds: { readonly limits: BodyLimits; readonly budget: BodyBudget; readonly announcedBytes: number },
    nowMs: number,
    done: BodyRead,
  ) {
    this.#limits = bounds.limits;
    this.#budget = bounds.budget;
    this.#announcedBytes = bounds.announcedBytes;
    this.#begunMs = nowMs;
    this.#done = done;
  }

  add(chunk: Buffer): void {
    if (this.#isDone) return;
    const length = this.#length + chunk.length;
    if (length > this.#limits.bodyBytesMax) this.#end(tooLarge(this.#limits.bodyBytesMax), NOTHING);
    else if (length >= LARGE_BYTES_MIN && !this.#count(length)) this.#end(overloaded(), NOTHING);
    else this.#append(chunk);
  }

  #append(chunk: Buffer): void {
    if (this.#length === 0) this.#first = chunk;
    else (this.#gathering ??= new Gathering(this.#first, this.#announcedBytes)).add(chunk);
    this.#length += chunk.length;
  }

  #count(length: number): boolean {
    if (!this.#budget.take(length - this.#countedBytes)) return false;
    this.#countedBytes = length;
    return true;
  }

  /** Lets go of what has come in; the body will not be whole. */
  drop(): void {
    this.#isDone = true;
    this.#first = NOTHING;
    this.#gathering?.drop();
    this.#gathering = null;
    this.#budget.give(this.#countedBytes);
    this.#countedBytes = 0;
  }

  finish(): void {
    if (this.#isDone) return;
    const body = this.#gathering?.take() ?? this.#first;
    this.#gathering = null;
    this.#end(null, body);
  }

  check(nowMs: number): void {
    this.#silence ??= new Silence(this.#begunMs);
    const error = this.#silence.look(this.#length, this.#limits.bodyStallMs, nowMs);
    if (error !== null) this.#end(error, NOTHING);
  }

  #end(error: GatewayError | null, body: Buffer): void {
    if (this.#isDone) return;
    this.drop();
    this.#done(error, body);
  }
}
