// A circuit that opens at one replica is a hint to its siblings, for as long as it is open, whatever the clocks say.
import { expect, test } from "vitest";
import { shareCircuits } from "../../../src/cli/wiring/fleet-circuits.ts";
import { Board } from "../../../src/fleet/board.ts";
import { silentLog } from "../../../src/observe/events.ts";
import { admit, report, type Health, type Verdict } from "../../../src/routing/health.ts";
import { HealthBook } from "../../../src/routing/health-book.ts";
import { MemoryStore } from "../../../src/store/memory.ts";
import { ManualClock } from "../../manual-clock.ts";

class Instance {
  readonly health = new HealthBook();
  readonly clock: ManualClock;
  readonly board: Board;
  readonly target: Health;

  constructor(name: string, clock: ManualClock, model = "vendor/big") {
    this.clock = clock;
    this.board = new Board({
      store: new MemoryStore(),
      clock,
      log: silentLog,
      replica: name,
      author: name.padStart(32, "0"),
    });
    this.target = this.health.of("main", model, "two");
    const isConfigured = (_provider: string, asked: string): boolean => asked === "vendor/big";
    shareCircuits({ board: this.board, health: this.health, clock, replica: name, isConfigured });
  }

  ends(kind: Verdict["kind"], times = 1): void {
    const now = this.clock.elapsedMs();
    for (let time = 0; time < times; time++) {
      const pass = admit(this.target, now);
      if (pass !== null) report(this.target, pass, { kind }, now);
    }
  }

  state(scope: "provider" | "model" | "key"): string {
    return this.target[scope].state(this.clock.elapsedMs());
  }
}

function meet(one: Instance, other: Instance): void {
  for (let round = 0; round < 2; round++) {
    const heard = other.board.receive(one.board.request("link"), null);
    one.board.receive(other.board.answer(heard), "link");
  }
}

/** Clocks that agree on nothing but their pace. */
function pair(model?: string): [Instance, Instance] {
  return [
    new Instance("1", new ManualClock(5000), model),
    new Instance("2", new ManualClock(70, 1_764_547_200_000 - 50_000_000), model),
  ];
}

test.each([
  ["model", "transient", 5],
  ["provider", "unreachable", 5],
  ["key", "auth", 2],
] as const)("a sibling's open %s is in doubt here, and still asked", (scope, kind, times) => {
  const [one, other] = pair();
  one.ends(kind, times);
  meet(one, other);
  expect([one.state(scope), other.state(scope)]).toEqual(["open", "suspect"]);
  expect(other.target[scope].blockedMs(other.clock.elapsedMs())).toBe(0);
});

test("the first failure of what is in doubt opens it, the first success clears it", () => {
  const [one, other] = pair();
  one.ends("transient", 5);
  meet(one, other);
  other.ends("transient");
  expect(other.state("model")).toBe("open");
  const [three, four] = pair();
  three.ends("transient", 5);
  meet(three, four);
  four.ends("ok");
  four.ends("transient", 4);
  expect(four.state("model")).toBe("closed");
});

test("a hint is worth what is left of the time", () => {
  const [one, other] = pair();
  one.ends("transient", 5);
  one.clock.advance(4000);
  other.clock.advance(4000);
  meet(one, other);
  expect(other.state("model")).toBe("suspect");
  other.clock.advance(1001);
  expect(other.state("model")).toBe("closed");
});

test("an old hint says nothing, and one's own is none", () => {
  const [one, other] = pair();
  one.ends("transient", 5);
  one.clock.advance(6000);
  other.clock.advance(6000);
  meet(one, other);
  expect(other.state("model")).toBe("closed");
  meet(other, one);
  expect(one.state("model")).toBe("half_open");
});

test("models that only clients speak of are nobody else's business", () => {
  const [one, other] = pair("invented");
  one.ends("not_found", 2);
  meet(one, other);
  expect([one.state("model"), other.state("model")]).toEqual(["open", "closed"]);
  expect([...one.board.entries("circuit/")]).toEqual([]);
});
