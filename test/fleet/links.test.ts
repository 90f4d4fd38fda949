// When siblings are asked for units: a request that begins to wait must not wait for a tick as well.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Link, Links, type Occasion } from "../../src/fleet/links.ts";

const HOLDER = "a".repeat(32);

/** One link to a sibling that answers at once, and the times at which it is asked. */
class Desk {
  readonly links = new Links(() => 0);
  readonly asked: number[] = [];
  nowMs: number;
  readonly #link: Link;

  constructor(nowMs = 1000) {
    this.nowMs = nowMs;
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

  /** Whether the link was always due at the very time that was said, for a request that waits. */
  isDueAsSaid(): boolean {
    const asked = new Set([HOLDER]);
    this.links.hurry();
    for (this.#due(asked); this.links.pacedUntilMs < Infinity; this.#due(asked)) {
      if (this.nowMs === this.links.pacedUntilMs) return false;
      this.nowMs = this.links.pacedUntilMs;
    }
    return true;
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

  test("is due at the time that was said, whatever numbers round to", () => {
    const time = fc.double({ min: 400, max: 1100, noNaN: true });
    fc.assert(fc.property(time, (nowMs) => new Desk(nowMs).isDueAsSaid()));
  });

  test("is not asked while nobody waits", () => {
    expect(new Desk().links.pacedUntilMs).toBe(Infinity);
  });
});

test("siblings among hundreds of addresses with nobody behind them are heard every second, and the others still tried", () => {
  let seed = 1;
  const random = (): number => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;
  const links = new Links(random);
  const live = [10, 100, 200].map((at) => `http://10.0.0.${at}`);
  links.set(Array.from({ length: 256 }, (_, at) => `http://10.0.0.${at}`));
  const heardMs = new Map(live.map((name) => [name, 0]));
  const tried = new Set<string>();
  let silenceMs = 0;
  const look = (nowMs: number, isSeeking: boolean): void => {
    for (const link of links.due({ nowMs, news: nowMs, isSeeking, asked: new Set() })) {
      if (nowMs > 3000) tried.add(link.name);
      if (!live.includes(link.name)) {
        links.failed(link);
        continue;
      }
      const answer = { sender: link.name, vector: new Map(), isWhole: true };
      links.answered(link, answer, new Map(), nowMs);
      if (nowMs > 4000) silenceMs = Math.max(silenceMs, nowMs - (heardMs.get(link.name) ?? 0));
      heardMs.set(link.name, nowMs);
    }
  };
  for (let nowMs = 0; nowMs <= 120_000; nowMs += 100) look(nowMs, nowMs <= 3000);
  expect(silenceMs).toBeGreaterThan(0);
  expect(silenceMs).toBeLessThan(2000);
  expect(tried.size).toBeGreaterThan(200);
});
