// One replica's 429 holds back the fleet, for as long as is left of it, whatever the clocks say.
import { expect, test } from "vitest";
import { sharePauses } from "../../../src/cli/wiring/fleet-pauses.ts";
import { Board } from "../../../src/fleet/board.ts";
import { silentLog } from "../../../src/observe/events.ts";
import { MemoryStore } from "../../../src/store/memory.ts";
import { SoloLimiter } from "../../limiter/solo-limiter.ts";
import { ManualClock } from "../../manual-clock.ts";

class Instance {
  readonly solo = new SoloLimiter();
  readonly clock: ManualClock;
  readonly board: Board;

  constructor(name: string, clock: ManualClock, store = new MemoryStore(), run = 0) {
    this.clock = clock;
    const author = `${name}${run}`.padStart(32, "0");
    this.board = new Board({ store, clock, log: silentLog, replica: name, author });
    sharePauses({ board: this.board, limiter: this.solo.limiter, clock, replica: name });
  }

  /** A 429 of the provider, or of one of its models, that asks for this. */
  refused(scope: "provider" | "model", forMs: number): void {
    const meters = this.solo.target("p", []);
    this.solo.limiter.pause(meters, scope, this.clock.elapsedMs() + forMs);
  }

  leftMs(owner: string): number {
    return Math.max(0, this.solo.limiter.pausedUntilMs(owner) - this.clock.elapsedMs());
  }
}

function meet(one: Instance, other: Instance): void {
  for (let round = 0; round < 2; round++) {
    const heard = other.board.receive(one.board.request("link"), null);
    one.board.receive(other.board.answer(heard), "link");
  }
}

/** Clocks that agree on nothing but their pace. */
function pair(): [Instance, Instance] {
  return [
    new Instance("1", new ManualClock(5000)),
    new Instance("2", new ManualClock(70, 1_764_547_200_000 - 50_000_000)),
  ];
}

test("a sibling waits for what is left of a pause", () => {
  const [one, other] = pair();
  one.refused("provider", 10_000);
  one.clock.advance(4000);
  other.clock.advance(4000);
  meet(one, other);
  expect([one.leftMs("p"), other.leftMs("p")]).toEqual([6000, 6000]);
  other.clock.advance(1000);
  meet(other, one);
  expect(other.leftMs("p")).toBe(5000);
});

test("of two pauses the longer stands everywhere, whichever was told last", () => {
  const [one, other] = pair();
  one.refused("provider", 60_000);
  other.refused("provider", 1000);
  meet(one, other);
  expect([one.leftMs("p"), other.leftMs("p")]).toEqual([60_000, 60_000]);
});

test("what a sibling tells is not told on as one's own: an exchange can't lengthen a pause", () => {
  const [one, other] = pair();
  one.refused("provider", 60_000);
  for (let round = 0; round < 20; round++) {
    one.clock.advance(50);
    other.clock.advance(50);
    meet(one, other);
  }
  expect([one.leftMs("p"), other.leftMs("p")]).toEqual([59_000, 59_000]);
  expect([...other.board.entries("paused/")]).toHaveLength(1);
});

test("no sibling is held back for more than an hour", () => {
  const [one, other] = pair();
  one.refused("provider", 86_400_000);
  meet(one, other);
  expect([one.leftMs("p"), other.leftMs("p")]).toEqual([86_400_000, 3_600_000]);
});

test("a pause of one model holds back that model alone", () => {
  const [one, other] = pair();
  const meters = one.solo.target("p", []);
  const [, model] = meters.pauses;
  one.refused("model", 5000);
  meet(one, other);
  expect([other.leftMs("p"), other.leftMs(model?.owner ?? "")]).toEqual([0, 5000]);
});

test("a pause outlives a restart", async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const first = new Instance("1", clock, store);
  first.refused("provider", 10_000);
  await first.board.flush();
  clock.advance(3000);
  expect(new Instance("1", clock, store, 1).leftMs("p")).toBe(7000);
});

test("a sibling that tells of a longer pause than an hour is heeded for an hour", () => {
  const [one, other] = pair();
  one.board.offer("paused/1/p", Buffer.from(String(7 * 86_400_000), "latin1"));
  meet(one, other);
  expect(other.leftMs("p")).toBe(3_600_000);
});
