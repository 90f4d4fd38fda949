// Fairness between client keys, in numbers.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Client, FairQueue, type Queued } from "../../src/limiter/fair-queue.ts";

class Item implements Queued {
  queuedCost = 0;
  queuedFor: Client<this> | null = null;
  before: this | null = null;
  after: this | null = null;
  readonly clientKey: string;
  readonly weight: number;
  readonly sequence: number;

  constructor(clientKey: string, sequence: number, weight = 1) {
    this.clientKey = clientKey;
    this.sequence = sequence;
    this.weight = weight;
  }
}

function fill(
  queue: FairQueue<Item>,
  plan: readonly (readonly [key: string, cost: number])[],
  from = 0,
): void {
  for (const [index, [key, cost]] of plan.entries()) queue.push(new Item(key, from + index), cost);
}

function repeat(key: string, cost: number, times: number): [string, number][] {
  return Array.from({ length: times }, () => [key, cost]);
}

/** Serves up to `count` requests and returns whose they were. */
function serve(queue: FairQueue<Item>, count: number): string[] {
  const served: string[] = [];
  for (let head = queue.head; head !== null && served.length < count; head = queue.head) {
    queue.serve(head);
    served.push(head.clientKey);
  }
  return served;
}

/** 1 when all got the same, 1/n when one got everything. */
function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  return sum ** 2 / (shares.length * shares.reduce((total, share) => total + share ** 2, 0));
}

describe("a fair queue", () => {
  test("serves in the order of arrival when there is one client", () => {
    const queue = new FairQueue<Item>();
    fill(queue, repeat("a", 1, 5));
    const order: number[] = [];
    for (let head = queue.head; head !== null; head = queue.head) {
      queue.serve(head);
      order.push(head.sequence);
    }
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test("serves a light client next, however long the heavy one's backlog is", () => {
    for (const backlog of [1, 10, 1000]) {
      const queue = new FairQueue<Item>();
      fill(queue, repeat("heavy", 1, backlog));
      serve(queue, backlog / 2);
      fill(queue, [["light", 1]], backlog);
      expect(serve(queue, 2)).toContain("light");
    }
  });

  test("gives ten clients equal shares while one of them asks for a hundred times as much (Jain's index ≥ 0.99)", () => {
    const queue = new FairQueue<Item>();
    fill(queue, repeat("heavy", 1, 1000));
    for (let client = 0; client < 9; client++)
      fill(queue, repeat(`light-${client}`, 1, 10), 1000 + client * 10);
    const served = serve(queue, 95);
    const shares = new Map<string, number>();
    for (const key of served) shares.set(key, (shares.get(key) ?? 0) + 1);
    expect(shares.size).toBe(10);
    expect(jainIndex([...shares.values()])).toBeGreaterThanOrEqual(0.99);
  });

  test("is fair by cost: one large request weighs as much as many small ones", () => {
    const queue = new FairQueue<Item>();
    fill(queue, [...repeat("large", 10, 10), ...repeat("small", 1, 100)]);
    const served = serve(queue, 55);
    expect(served.filter((key) => key === "large").length).toBeGreaterThanOrEqual(4);
    expect(served.filter((key) => key === "large").length).toBeLessThanOrEqual(6);
  });

  test("saves up no credit for who was idle", () => {
    const queue = new FairQueue<Item>();
    fill(queue, [...repeat("a", 1, 1), ...repeat("b", 1, 200)]);
    serve(queue, 101);
    // a was served once and then idle for a hundred turns; it doesn't get a hundred turns in a row.
    fill(queue, repeat("a", 1, 50), 1000);
    const served = serve(queue, 20);
    expect(served.filter((key) => key === "a").length).toBeLessThanOrEqual(11);
    expect(served.filter((key) => key === "b").length).toBeGreaterThanOrEqual(9);
  });

  test.each([
    [1, 1],
    [2, 1],
    [5, 1],
    [0.5, 2],
  ])("serves clients of the weights %d and %d in that proportion", (left, right) => {
    const queue = new FairQueue<Item>();
    for (let at = 0; at < 400; at++) {
      queue.push(new Item("left", 2 * at, left), 1);
      queue.push(new Item("right", 2 * at + 1, right), 1);
    }
    const served = serve(queue, 300);
    const part = served.filter((key) => key === "left").length / 300;
    expect(part).toBeCloseTo(left / (left + right), 1);
  });

  test("tells a newcomer of weight that less is ahead of it", () => {
    const queue = new FairQueue<Item>();
    fill(queue, repeat("heavy", 1, 100));
    expect(queue.costAhead({ clientKey: "new", weight: 4 }, 4)).toBe(1);
    expect(queue.costAhead({ clientKey: "new", weight: 0.5 }, 4)).toBe(8);
  });

  test("tells what is ahead of a newcomer: all of its own, of others no more than it asks for itself", () => {
    const queue = new FairQueue<Item>();
    fill(queue, [...repeat("heavy", 5, 100), ...repeat("me", 2, 3)]);
    expect(queue.costAhead({ clientKey: "me", weight: 1 }, 4)).toBe(6 + 10);
    expect(queue.costAhead({ clientKey: "new", weight: 1 }, 4)).toBe(4 + 4);
    expect(queue.costAhead({ clientKey: "heavy", weight: 1 }, 5)).toBe(500 + 6);
  });

  test("loses and doubles nobody, in any order of coming, going and being served", () => {
    const act = fc.tuple(
      fc.constantFrom("push", "push", "serve", "remove"),
      fc.nat({ max: 4 }),
      fc.nat({ max: 9 }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const queue = new FairQueue<Item>();
        const inside = new Set<Item>();
        for (const [index, [verb, client, cost]] of acts.entries()) {
          const [any] = [...inside].slice(client % Math.max(1, inside.size));
          if (verb === "push") {
            const item = new Item(`c${client}`, index);
            queue.push(item, cost);
            inside.add(item);
          } else if (verb === "serve" && queue.head !== null) {
            expect(inside.delete(queue.head)).toBe(true);
            queue.serve(queue.head);
          } else if (verb === "remove" && any !== undefined) {
            inside.delete(any);
            queue.remove(any);
          }
          expect(queue.size).toBe(inside.size);
          expect(new Set(queue.all())).toEqual(inside);
          expect(queue.head === null).toBe(inside.size === 0);
          expect(queue.cost).toBe([...inside].reduce((sum, item) => sum + item.queuedCost, 0));
        }
      }),
    );
  });
});
