// Boards of a fleet over a network that delays, loses, doubles and cuts, on disks that forget, with clocks that
// disagree: they agree again once they can talk, and nothing that was durable is lost.
import { describe, expect, test } from "vitest";
import { Board } from "../../src/fleet/board.ts";
import { silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { ManualClock } from "../manual-clock.ts";
import { World } from "../sim/world.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

function board(store: MemoryStore, clock: ManualClock, run = 0, replica = "r0"): Board {
  const author = `${replica}${run}`.replaceAll(/\D/g, "").padStart(32, "0");
  return new Board({ store, clock, log: silentLog, replica, author });
}

function text(at: Board, key: string): string | undefined {
  const found = at.get(key);
  return found === undefined ? undefined : Buffer.from(found.value).toString();
}

/** One exchange, there and back. */
function exchange(asking: Board, asked: Board): void {
  const heard = asked.receive(asking.request("link"), null);
  asking.receive(asked.answer(heard), "link");
}

/** Two of them: the first exchange tells what each has heard. */
function meet(one: Board, other: Board): void {
  exchange(one, other);
  exchange(one, other);
}

const DAYS_MS = 86_400_000;

/** Thousands of runs of processes have counted something, some days ago; two boards know of them. */
function longLived(gone: number): { readonly clock: ManualClock; readonly boards: readonly [Board, Board] } {
  const clock = new ManualClock(0, 1_764_547_200_000);
  const boards = [board(new MemoryStore(), clock), board(new MemoryStore(), clock, 0, "r1")] as const;
  for (let run = 1; run <= gone; run++) {
    const passing = board(new MemoryStore(), clock, run, "r2");
    passing.set(`usage/${run}`, bytes("1"));
    meet(boards[0], passing);
  }
  clock.advance(2 * DAYS_MS);
  boards[0].set("use", bytes("1"));
  boards[1].set("more", bytes("1"));
  meet(...boards);
  return { clock, boards };
}

describe("a board", () => {
  test("says no more when thousands of runs that have ended wrote what stands", () => {
    const sizeBeside = (gone: number): number => longLived(gone).boards[0].request("link").length;
    expect(sizeBeside(500)).toBe(sizeBeside(5));
  });

  test("tells a sibling that has missed what ended runs wrote, though neither names them", () => {
    const { clock, boards } = longLived(5);
    const [one, other] = boards;
    const late = board(new MemoryStore(), clock, 9, "r3");
    // It was written long ago, and only one has heard of it.
    late.set("usage/late", bytes("1"));
    meet(one, late);
    clock.advance(DAYS_MS);
    one.set("use", bytes("2"));
    exchange(one, other);
    exchange(one, other);
    exchange(one, other);
    expect([text(other, "usage/late"), text(other, "use")]).toEqual(["1", "2"]);
    expect(one.request("link").length).toBeLessThan(100);
  });

  test("keeps what was flushed over a restart, and the ages go on", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore();
    const first = board(store, clock);
    first.set("limits/a", bytes("one"));
    first.set("limits/gone", bytes("two"));
    first.delete("limits/gone");
    first.add("use", 5);
    first.count();
    await first.flush();
    clock.advance(1000);
    const second = board(store, clock, 1);
    expect([...second.entries("limits/")].map(({ key, ageMs }) => [key, ageMs])).toEqual([
      ["limits/a", 1000],
    ]);
    second.add("use", 2);
    expect(second.sum("use")).toBe(7);
    second.count();
    expect(second.sum("use")).toBe(7);
  });

  test("tells siblings what was written under a clock that was days ahead, once the clock is right", async () => {
    const store = new MemoryStore();
    const at = (days: number): ManualClock => new ManualClock(0, 1_764_547_200_000 + days * 86_400_000);
    const wrong = board(store, at(3));
    wrong.set("limits/a", bytes("one"));
    await wrong.flush();
    const right = board(store, at(0), 1);
    const sibling = board(new MemoryStore(), at(0), 0, "r1");
    meet(sibling, right);
    expect(text(sibling, "limits/a")).toBe("one");
    right.set("limits/a", bytes("two"));
    meet(sibling, right);
    expect(text(sibling, "limits/a")).toBe("two");
  });

  test("tells its listeners of own changes and of siblings', with the age of each", () => {
    const clock = new ManualClock();
    const [one, other] = [board(new MemoryStore(), clock), board(new MemoryStore(), clock, 0, "r1")];
    const told: unknown[] = [];
    other.onChange((key, value, ageMs) =>
      told.push([key, value === null ? null : Buffer.from(value).toString(), ageMs]),
    );
    other.set("b", bytes("1"));
    one.set("a", bytes("2"));
    clock.advance(40);
    meet(one, other);
    one.delete("a");
    meet(one, other);
    expect(told).toEqual([
      ["b", "1", 0],
      ["a", "2", 40],
      ["a", null, 0],
    ]);
  });

  test("gets back from its siblings what its disk lost, damage included", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore();
    const [one, other] = [board(store, clock), board(new MemoryStore(), clock, 0, "r1")];
    one.set("a", bytes("first"));
    one.set("c", bytes("kept"));
    one.add("use", 3);
    one.count();
    await one.flush();
    const old = store.contents();
    one.set("a", bytes("second"));
    one.add("use", 4);
    one.count();
    meet(one, other);
    const damaged = new Map(old);
    damaged.set("board/c", bytes("rubbish"));
    for (const contents of [new Map(), old, damaged]) {
      const again = board(new MemoryStore({ contents }), clock, 1);
      again.set("b", bytes("new"));
      again.add("use", 1);
      again.count();
      meet(again, other);
      expect([text(again, "a"), text(again, "c"), again.sum("use")]).toEqual(["second", "kept", 7]);
    }
    expect([text(other, "a"), text(other, "b"), other.sum("use")]).toEqual(["second", "new", 7]);
  });

  test("tries again when the store refused, and a flush says so", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore();
    const one = board(store, clock);
    store.breakWith("the disk is full");
    one.set("a", bytes("1"));
    await expect(one.flush()).rejects.toMatchObject({ code: "storage_unavailable" });
    store.breakWith(null);
    one.tick();
    await one.flush();
    expect([...store.entries("board/")]).toHaveLength(1);
  });

  test("leaves a store that has just refused alone for a second", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore();
    const one = board(store, clock);
    const stored = async (): Promise<number> => {
      one.tick();
      await Promise.resolve();
      return [...store.entries("board/")].length;
    };
    one.set("a", bytes("1"));
    store.breakWith("the disk is full");
    one.tick();
    await expect(one.flush()).rejects.toMatchObject({ code: "storage_unavailable" });
    store.breakWith(null);
    clock.advance(900);
    expect(await stored()).toBe(0);
    clock.advance(200);
    expect(await stored()).toBe(1);
  });

  test("forgets pauses after an hour, in the store too", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore();
    const one = board(store, clock);
    one.set("paused/x", bytes("1"));
    await one.flush();
    clock.advance(3_600_001);
    one.tick();
    await one.flush();
    expect([...store.entries("board/")]).toEqual([]);
    expect(one.get("paused/x")).toBeUndefined();
  });

  test.each([
    ["", 1],
    ["k".repeat(201), 1],
    ["é".repeat(150), 1],
    ["sum/x", 1],
    ["x", 4097],
  ])("refuses a key or value that is too long or of another kind: %s", (key, length) => {
    const one = board(new MemoryStore(), new ManualClock());
    expect(() => one.set(key, new Uint8Array(length))).toThrow("too long");
  });

  test("takes 50,000 entries and refuses the next", () => {
    const one = board(new MemoryStore(), new ManualClock());
    for (let index = 0; index < 50_000; index++) one.set(`k${index}`, bytes("x"));
    expect(() => one.set("one more", bytes("x"))).toThrow("no place");
    one.set("k7", bytes("y"));
    expect(one.check()).toBe(true);
  });

  test("sends more than fits into one message in several, and asks for another turn", () => {
    const clock = new ManualClock();
    const [one, other] = [board(new MemoryStore(), clock), board(new MemoryStore(), clock, 0, "r1")];
    for (let index = 0; index < 200; index++) one.set(`k${index}`, new Uint8Array(4000));
    let news = 0;
    one.onNews = () => news++;
    let rounds = 0;
    for (; [...other.entries("k")].length < 200; rounds++) exchange(one, other);
    expect(rounds).toBeGreaterThan(3);
    expect(rounds).toBeLessThan(8);
    expect(news).toBeGreaterThan(1);
  });

  test("publishes what it wrote once, and nothing of others", () => {
    const clock = new ManualClock();
    const [one, other] = [board(new MemoryStore(), clock), board(new MemoryStore(), clock, 0, "r1")];
    one.set("a", bytes("1"));
    const notice = one.notice();
    expect(one.notice()).toBeNull();
    other.receive(notice ?? new Uint8Array(), null);
    expect(text(other, "a")).toBe("1");
    expect(other.notice()).toBeNull();
  });
});

/** A machine whose process can die and whose disk keeps what was flushed. */
class Node {
  store = new MemoryStore();
  clock: ManualClock;
  readonly name: string;
  board: Board;
  runs = 0;

  constructor(name: string, skewMs: number) {
    this.name = name;
    this.clock = new ManualClock(0, 1_764_547_200_000 + skewMs);
    this.board = board(this.store, this.clock, 0, name);
  }

  /** The wall clock may have been set meanwhile. */
  restart(contents: ReadonlyMap<string, Uint8Array>, skewMs: number): void {
    this.runs += 1;
    this.clock = new ManualClock(this.clock.elapsedMs(), 1_764_547_200_000 + skewMs);
    this.store = new MemoryStore({ contents });
    this.board = board(this.store, this.clock, this.runs, this.name);
  }
}

async function run(seed: number): Promise<void> {
  const world = new World(seed);
  const { chance } = world;
  const skewMs = (): number => chance.between(-40_000_000, 40_000_000);
  const nodes = Array.from({ length: 5 }, (_, at) => new Node(`r${at}`, skewMs()));
  const pick = (): Node => nodes[Math.floor(chance.between(0, nodes.length))]!;
  world.network.loss = 0.2;
  world.network.duplication = 0.2;
  world.network.delayMaxMs = 300;
  let counted = 0;
  let lastMs = 0;
  const advance = (): void => {
    for (const node of nodes) node.clock.advance(world.nowMs - lastMs);
    lastMs = world.nowMs;
  };
  const talk = (from: Node, to: Node): void => {
    const asking = from.board;
    const request = asking.request(to.name);
    world.send(from.name, to.name, () => {
      advance();
      const asked = to.board;
      const answer = asked.answer(asked.receive(request, null));
      world.send(to.name, from.name, () => {
        advance();
        if (from.board === asking) asking.receive(answer, to.name);
      });
    });
  };
  const step = async (): Promise<void> => {
    advance();
    const node = pick();
    const what = chance.between(0, 20);
    if (what < 7) node.board.set(`k${Math.floor(chance.between(0, 6))}`, bytes(`${seed} ${world.nowMs}`));
    else if (what < 9) node.board.delete(`k${Math.floor(chance.between(0, 6))}`);
    else if (what < 12) {
      node.board.add("use", 1);
      node.board.count();
      // What is durable is never lost.
      await node.board.flush();
      counted += 1;
    } else if (what < 13) node.restart(node.store.crash(0), skewMs());
    else if (what < 14)
      world.partition([[nodes[0]!.name, nodes[1]!.name], nodes.slice(2).map(({ name }) => name)]);
    else if (what < 16) world.heal();
    else talk(node, pick());
    for (const { board: each } of nodes) expect(each.check()).toBe(true);
  };
  for (let at = 0; at < 400; at++) {
    await step();
    world.runUntil(world.nowMs + 20);
  }
  world.heal();
  world.network.loss = 0;
  for (let round = 0; round < 6; round++) {
    for (const from of nodes) for (const to of nodes) if (from !== to) talk(from, to);
    world.runUntil(world.nowMs + 1000);
  }
  const views = nodes.map(({ board: each }) =>
    [...each.entries("")].map(({ key, value }) => `${key}=${Buffer.from(value).toString()}`).sort(),
  );
  for (const view of views) expect(view).toEqual(views[0]);
  for (const { board: each } of nodes) expect(each.sum("use")).toBe(counted);
}

test.each(Array.from({ length: 20 }, (_, seed) => seed + 1))(
  "boards agree, and count everything once, after loss, doubling, reordering, partitions and crashes (seed %i)",
  run,
);
