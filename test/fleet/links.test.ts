// When siblings are asked for units: a request that begins to wait must not wait for a tick as well.
import { describe, expect, test } from "vitest";
import { type Link, Links, type Occasion } from "../../src/fleet/links.ts";

const HOLDER = "a".repeat(32);

/** One link to a sibling that answers at once, and the times at which it is asked. */
class Desk {
  readonly links = new Links(() => 0);
  readonly asked: number[] = [];
  nowMs = 1000;
  readonly #link: Link;

  constructor() {
    this.links.set(["http://holder"]);
    const link = this.links.all.get("http://holder");
    if (link === undefined) throw new Error("the link was set");
    this.#link = link;
    link.peer = HOLDER;
    // What a round sends was sent just before.
    this.#due(new Set());
    this.asked.length = 0;
  }

  /** As a shell does it: looks again when an answer has come. */
  #due(asked: Occasion["asked"]): void {
    while (this.links.due({ nowMs: this.nowMs, news: 0, isSeeking: false, asked }).length > 0) {
      this.asked.push(this.nowMs);
      this.links.answered(
        this.#link,
        { sender: HOLDER, vector: new Map(), isWhole: true },
        new Map(),
        this.nowMs,
      );
    }
  }

  /** A request waits from now on, and nothing comes; the links are looked at only when they ask for that. */
  waitFor(forMs: number): void {
    this.links.hurry();
    const untilMs = this.nowMs + forMs;
    for (;;) {
      this.#due(new Set([HOLDER]));
      const nextMs = this.links.pacedUntilMs;
      if (nextMs > untilMs) break;
      this.nowMs = nextMs;
    }
    this.nowMs = untilMs;
  }
}

describe("a sibling that holds units", () => {
  test("is asked within a millisecond, also right after another exchange", () => {
    const desk = new Desk();
    desk.nowMs += 0.25;
    desk.waitFor(0.8);
    expect(desk.asked).toEqual([1001]);
    desk.waitFor(1);
    expect(desk.asked).toEqual([1001, 1002]);
  });

  test("is asked less and less often while that brings nothing", () => {
    const desk = new Desk();
    desk.waitFor(1000);
    expect(desk.asked.map((atMs, index) => atMs - (desk.asked[index - 1] ?? 1000))).toEqual([
      1, 4, 8, 16, 32, 64,
    ]);
  });

  test("is not asked while nobody waits", () => {
    expect(new Desk().links.pacedUntilMs).toBe(Infinity);
  });
});
