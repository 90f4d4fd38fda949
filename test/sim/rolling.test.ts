// What rolling restarts, scaling down and coming back do to a calendar quota while requests go on: nothing. Only there it
// shows when units are lost on the way, for they do not come back before the next period.
import { expect, test } from "vitest";
import type { Limit } from "../../src/bucket/limit.ts";
import { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { running } from "./three.ts";

const CAPACITY = 400;
const QUOTA: Limit = {
  key: "p/requests/month",
  dimension: "requests",
  capacity: CAPACITY,
  refill: { kind: "calendar", period: "month", timezone: "UTC" },
};

class Story {
  readonly cluster: Cluster;
  #isOver = false;

  constructor(seed: number, machines: number) {
    this.cluster = new Cluster({ seed, machines, limits: [QUOTA] });
    this.cluster.startAll();
    this.cluster.world.runUntil(3000);
    this.#request();
    this.pass(9000, 9000);
  }

  /** Two requests per second, each at an instance that serves. */
  #request(): void {
    const { world, machines } = this.cluster;
    if (this.#isOver) return;
    const serving = [...machines.values()].filter(({ replica }) => replica?.isInService === true);
    const { name } = serving[Math.floor(world.chance.between(0, serving.length))] ?? {};
    const [arrivedMs, deadlineMs] = [world.nowMs, world.nowMs + 4000];
    if (name !== undefined)
      this.cluster.arrive(name, { costs: [1], arrivedMs, deadlineMs, runsMs: 20, actual: [1] });
    world.after(500, () => this.#request());
  }

  /** The machine in this place, counted round and round. */
  at(place: number): Machine {
    const machines = [...this.cluster.machines.values()];
    const machine = machines[place % machines.length];
    if (machine === undefined) throw new Error("a fleet has machines");
    return machine;
  }

  pass(fromMs: number, toMs: number): void {
    const { world } = this.cluster;
    world.runUntil(world.nowMs + world.chance.between(fromMs, toMs));
  }

  /** Leaves within so many milliseconds, and is started again soon after it has stopped. */
  restart(machine: Machine, withinMs: number): void {
    const { world } = this.cluster;
    world.after(world.chance.between(0, withinMs), () =>
      machine.leave(5000, () => world.after(world.chance.between(100, 1500), () => machine.start())),
    );
  }

  /** Units that are neither spent nor left, when all has come to rest. */
  lost(): number {
    this.#isOver = true;
    this.pass(12_000, 12_000);
    const levels = running(this.cluster).map(({ replica }) => {
      const local = replica?.state.holdings.get(QUOTA.key)?.local;
      return local === undefined || local === null ? 0 : Math.min(local.level, local.capacity);
    });
    return CAPACITY - this.cluster.admitted - levels.reduce((sum, level) => sum + level, 0);
  }
}

test.each([
  ["one after the other", 1],
  ["two at a time", 2],
])("no unit of a quota is lost when five instances are restarted %s", (_, together) => {
  const lost = Array.from({ length: 25 }, (_unused, seed) => {
    const story = new Story(seed + 1, 5);
    for (let round = 0; round < 6; round++) {
      for (let next = 0; next < together; next++)
        story.restart(story.at(round + next), together === 1 ? 0 : 200);
      story.pass(3000 * together, 8000);
    }
    return story.lost();
  });
  expect(lost.filter((units) => Math.abs(units) > 0.01)).toEqual([]);
});

test("no unit of a quota is lost when one is cut off, and it and another leave before that is noticed", () => {
  const lost = Array.from({ length: 20 }, (_, seed) => {
    const story = new Story(seed + 1, 3);
    const { world, machines } = story.cluster;
    for (let round = 0; round < 3; round++) {
      const away = story.at(round);
      const others = [...machines.keys()].filter((name) => name !== away.name);
      world.partition([[away.name], others]);
      story.pass(0, 4000);
      story.restart(away, 0);
      story.restart(story.at(round + 1), 200);
      story.pass(300, 7000);
      world.heal();
      story.pass(18_000, 18_000);
    }
    return story.lost();
  });
  expect(lost.filter((units) => Math.abs(units) > 0.01)).toEqual([]);
});
