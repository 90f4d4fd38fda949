// When siblings were last heard, and how long this replica may not have been heard of by them. That is what a replica
// owes for that was declared dead and lives: the word on it may come a moment after the first contact, so just after a
// silence all of it counts.

/** Siblings give a sign of life every second; longer than this is a silence. */
const SILENCE_MS = 1500;
/** For so long after a silence the news may still follow. */
const NEWS_MS = 3000;

/** All times in elapsed milliseconds. */
export class Contact {
  /** When a sibling was last heard. */
  atMs: number;
  #silence = { fromMs: -Infinity, untilMs: -Infinity };

  constructor(nowMs: number) {
    this.atMs = nowMs;
  }

  /** A sibling is heard. */
  meet(nowMs: number): void {
    if (nowMs - this.atMs >= SILENCE_MS) this.#silence = { fromMs: this.atMs, untilMs: nowMs };
    this.atMs = nowMs;
  }

  /** How long this replica may not have been heard of. */
  unheardMs(nowMs: number): number {
    const { fromMs, untilMs } = this.#silence;
    return nowMs - (nowMs - untilMs < NEWS_MS ? fromMs : this.atMs);
  }
}
