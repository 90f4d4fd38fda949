// The world that replicas live in: virtual time, a network that delays, loses, doubles, reorders and cuts, and machines
// whose processes crash and whose disks keep what was written. One queue of events, one seed; nothing here reads a
// real clock, so a run is replayed by its seed.
import { Chance } from "./random.ts";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export interface NetworkFaults {
  delayMinMs: number;
  delayMaxMs: number;
  loss: number;
  duplication: number;
}

export class World {
  readonly chance: Chance;
  readonly network: NetworkFaults = { delayMinMs: 0.5, delayMaxMs: 5, loss: 0, duplication: 0 };
  nowMs = 0;
  events = 0;
  /** Called after every event. */
  afterEvent: () => void = () => {};
  readonly #heap: Event[] = [];
  #order = 0;
  /** Directed links that are cut: `from>to`. */
  readonly #cuts = new Set<string>();

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run };
    const heap = this.#heap;
    heap.push(event);
    for (let index = heap.length - 1; index > 0;) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[index] = heap[parent]!;
      heap[parent] = event;
      index = parent;
    }
  }

  /** Runs everything that happens until `untilMs`. */
  runUntil(untilMs: number): void {
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= untilMs; event = this.#heap[0]) {
      this.#pop();
      this.nowMs = event.atMs;
      this.events += 1;
      event.run();
      this.afterEvent();
    }
    this.nowMs = untilMs;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }

  /** Carries a message, or not. */
  send(from: string, to: string, deliver: () => void): void {
    const { network, chance } = this;
    const copies = chance.hits(network.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = chance.between(network.delayMinMs, network.delayMaxMs);
      if (this.#cuts.has(`${from}>${to}`) || chance.hits(network.loss)) continue;
      this.after(delayMs, () => {
        if (!this.#cuts.has(`${from}>${to}`)) deliver();
      });
    }
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Cuts every link between replicas of different groups. */
  partition(groups: readonly (readonly string[])[]): void {
    groups.forEach((group, index) => {
      for (const other of groups.slice(index + 1).flat()) {
        for (const name of group) {
          this.cut(name, other);
          this.cut(other, name);
        }
      }
    });
  }

  heal(): void {
    this.#cuts.clear();
  }
}

function isBefore(left: Event | undefined, right: Event | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
