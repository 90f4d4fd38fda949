// Identical requests at the same time are asked once. The first one leads; those that come while it runs follow, and get
// its answer when all of it is there. So nobody's answer depends on somebody else's connection: a leader that leaves
// or fails leaves nothing behind, and a follower leads in its place.
//
//   lead ──▶ answered ──▶ every follower has the answer
//        ├─▶ abandoned, or failed once ──▶ the first follower leads, the others wait for it
//        └─▶ can't be kept, or failed again ──▶ every follower goes on alone: waiting in turn would only add up
import type { CachedAnswer } from "./answer.ts";

/** What becomes of a follower. */
export type FlightEnd =
  | { readonly kind: "answered"; readonly answer: CachedAnswer }
  /** It leads now. */
  | { readonly kind: "lead" }
  | { readonly kind: "alone" };

type Listener = (end: FlightEnd) => void;

const LEAD: FlightEnd = { kind: "lead" };
const ALONE: FlightEnd = { kind: "alone" };

/** More go on alone. */
const FOLLOWERS_MAX = 1000;

/** After so many failures in a row those who wait stop waiting. */
const FAILURES_MAX = 2;

/** One question that is being asked. Its leader ends it exactly once, by any of the last four; after that they do nothing. */
export class Flight {
  readonly #followers = new Set<Listener>();
  readonly #remove: (flight: Flight) => void;
  #failures = 0;
  #isOver = false;

  constructor(remove: (flight: Flight) => void) {
    this.#remove = remove;
  }

  get isFull(): boolean {
    return this.#followers.size >= FOLLOWERS_MAX;
  }

  get followerCount(): number {
    return this.#followers.size;
  }

  /** The listener is called once, in a later event; the function that it returns calls that off. */
  follow(listener: Listener): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  answered(answer: CachedAnswer): void {
    this.#finish({ kind: "answered", answer });
  }

  /** The answer was no success. */
  failed(): void {
    this.#failures += 1;
    if (this.#failures < FAILURES_MAX) this.abandoned();
    else this.release();
  }

  /** The leader has left. */
  abandoned(): void {
    if (this.#isOver) return;
    const [next] = this.#followers;
    if (next === undefined) {
      this.release();
      return;
    }
    this.#followers.delete(next);
    next(LEAD);
  }

  /** Whatever comes, it will not be kept. */
  release(): void {
    this.#finish(ALONE);
  }

  #finish(end: FlightEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#remove(this);
    const followers = [...this.#followers];
    this.#followers.clear();
    for (const listener of followers) listener(end);
  }
}

/** What is being asked now, by key. */
export class Flights {
  readonly #flights = new Map<string, Flight>();

  get followerCount(): number {
    let count = 0;
    for (const flight of this.#flights.values()) count += flight.followerCount;
    return count;
  }

  /** The flight to follow; undefined: there is none. */
  get(key: string): Flight | undefined {
    return this.#flights.get(key);
  }

  /** Begins one; whoever does so leads it. */
  begin(key: string): Flight {
    const flight = new Flight((ended) => {
      if (this.#flights.get(key) === ended) this.#flights.delete(key);
    });
    this.#flights.set(key, flight);
    return flight;
  }
}
