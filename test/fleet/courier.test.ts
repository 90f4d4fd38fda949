// What the log says of exchanges that fail: once per sibling, kind and minute, however often they fail and succeed in turn.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Timers } from "../../src/clock.ts";
import { Board } from "../../src/fleet/board.ts";
import { Courier } from "../../src/fleet/courier.ts";
import { pack, unpack } from "../../src/fleet/parcel.ts";
import { type Transport, TransportError, type TransportFault } from "../../src/fleet/transport.ts";
import { type Log, type LogFields, silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Solo } from "./solo.ts";

const timers: Timers = { after: () => () => {} };

test.each<[TransportFault, number]>([
  ["busy", 2],
  // It has heard a later message before; the next is taken.
  ["replayed", 0],
])(
  "a sibling that fails now and then (%s) is told of %d times in 90 s, and every failure is counted",
  async (fault, told) => {
    const solo = new Solo();
    const lines: string[] = [];
    const log: Log = {
      ...silentLog,
      warn: (message, fields) => void lines.push(`${message}: ${String(fields?.["fault"])}`),
      info: (message) => void lines.push(message),
    };
    const clock = { elapsedMs: () => solo.nowMs, wallMs: () => solo.wallMs };
    const board = new Board({
      store: new MemoryStore(),
      clock,
      log: silentLog,
      replica: solo.replica.id,
      author: "a".repeat(32),
    });
    const courier = new Courier(solo.replica, { board, clock, timers, log, flush: () => Promise.resolve() });
    const sibling = new Solo("2");
    let exchanges = 0;
    const transport: Transport = {
      peers: () => ["http://sibling"],
      refused: () => new Map(),
      traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
      close: () => Promise.resolve(),
      exchange: (_, message) => {
        exchanges += 1;
        if (exchanges % 2 === 0) return Promise.reject(new TransportError(fault, fault));
        const { ledger } = unpack(message);
        const received = sibling.replica.receive(ledger, solo.nowMs, null);
        if (received.kind === "refused") throw new Error(received.detail);
        return Promise.resolve(
          pack({ ledger: sibling.replica.answer(received.from), board: new Uint8Array() }),
        );
      },
    };
    solo.flush();
    courier.use(transport);
    for (let second = 0; second < 90; second++) {
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      solo.advance(1000);
      courier.schedule();
    }
    const isFailing = exchanges % 2 === 0 && told > 0;
    expect([...courier.failing()]).toEqual(isFailing ? [["http://sibling", fault]] : []);
    const failures = courier.counts().failed.get(fault) ?? 0;
    expect(failures).toBeGreaterThan(30);
    const once = [`no exchange with a sibling: ${fault}`, "a sibling answers again"];
    expect(lines).toEqual(Array.from({ length: told }, () => once).flat());
    await courier.close();
  },
);

test("a message on which the program itself fails is told of with where it failed, once in a while", async () => {
  const [solo, sibling] = [new Solo(), new Solo("2")];
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (_, fields) => void lines.push(String(fields?.["reason"])) };
  const clock = { elapsedMs: () => solo.nowMs, wallMs: () => solo.wallMs };
  const store = new MemoryStore();
  const board = new Board({ store, clock, log, replica: solo.replica.id, author: "a".repeat(32) });
  const onMerge = (): void => {
    throw new Error("an invariant is broken");
  };
  const flush = (): Promise<void> => Promise.resolve();
  const courier = new Courier(solo.replica, { board, clock, timers, log, flush, onMerge });
  for (const each of [solo, sibling]) each.flush();
  sibling.replica.setLinks(["http://solo"]);
  for (let times = 0; times < 2; times++) {
    sibling.advance(1000);
    const [message] = sibling.replica.due(sibling.nowMs);
    if (message === undefined) throw new Error("a sign of life is due");
    const parcel = pack({ ledger: message.bytes, board: new Uint8Array() });
    await expect(courier.receive(parcel)).rejects.toThrow("an invariant is broken");
    sibling.replica.linkFailed("http://solo");
  }
  expect(lines).toEqual([expect.stringContaining("courier.test.ts")]);
  await courier.close();
});

test("an answer on which the program fails is logged, and the next exchange comes all the same", async () => {
  const solo = new Solo();
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (message) => void lines.push(message) };
  const clock = { elapsedMs: () => solo.nowMs, wallMs: () => solo.wallMs };
  const options = { store: new MemoryStore(), clock, log: silentLog };
  const board = new Board({ ...options, replica: solo.replica.id, author: "a".repeat(32) });
  const courier = new Courier(solo.replica, { board, clock, timers, log, flush: () => Promise.resolve() });
  let exchanges = 0;
  courier.use({
    peers: () => ["http://sibling"],
    refused: () => new Map(),
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    close: () => Promise.resolve(),
    exchange: () => {
      exchanges += 1;
      return Promise.resolve(pack({ ledger: new Uint8Array(1), board: new Uint8Array() }));
    },
  });
  solo.flush();
  // An invariant that does not hold; there is no message known that breaks one.
  solo.replica.receive = () => {
    throw new Error("broken");
  };
  for (let second = 0; second < 10; second++) {
    courier.schedule();
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    solo.advance(1000);
  }
  expect(exchanges).toBeGreaterThan(5);
  expect(lines).toEqual(["a fleet message could not be worked on"]);
});

/** A courier whose siblings are told what to do, and what it logs. */
function courierTo(transport: Transport) {
  const solo = new Solo();
  const lines: string[] = [];
  const keep = (message: string, fields?: LogFields): void => {
    const fault = fields?.["fault"];
    lines.push(typeof fault === "string" ? `${message}: ${fault}` : message);
  };
  const log: Log = { ...silentLog, warn: keep, info: keep };
  const clock = { elapsedMs: () => solo.nowMs, wallMs: () => solo.wallMs };
  const store = new MemoryStore();
  const board = new Board({ store, clock, log: silentLog, replica: solo.replica.id, author: "a".repeat(32) });
  const flush = (): Promise<void> => Promise.resolve();
  const courier = new Courier(solo.replica, { board, clock, timers, log, flush });
  solo.flush();
  courier.use(transport);
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      solo.advance(1000);
      courier.schedule();
    }
  };
  return { courier, lines, pass };
}

test("what a sibling refuses as overtaken for a moment is nothing to be told of, but going on so is", async () => {
  let exchanges = 0;
  const { courier, lines, pass } = courierTo({
    peers: () => ["http://sibling"],
    refused: () => new Map(),
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    close: () => Promise.resolve(),
    exchange: () => {
      exchanges += 1;
      return Promise.reject(new TransportError("replayed", "overtaken"));
    },
  });
  await pass(1);
  expect([exchanges, lines, [...courier.failing()]]).toEqual([1, [], []]);
  await pass(3);
  expect(lines).toEqual(["no exchange with a sibling: replayed"]);
  expect([...courier.failing().keys()]).toEqual(["http://sibling"]);
  expect(courier.counts().failed.get("replayed")).toBe(exchanges);
  await courier.close();
});

test("of very many siblings that can't be reached some are told by name, and once that there are more", async () => {
  const peers = Array.from({ length: 60 }, (_, at) => `http://gone-${at}`);
  let exchanges = 0;
  const { courier, lines, pass } = courierTo({
    peers: () => peers,
    refused: () => new Map(),
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    close: () => Promise.resolve(),
    exchange: () => {
      exchanges += 1;
      return Promise.reject(new TransportError("unreachable", "nobody is there"));
    },
  });
  await pass(50);
  expect(exchanges).toBeGreaterThan(20);
  expect(lines).toEqual([
    ...Array.from({ length: 5 }, () => "no exchange with a sibling: unreachable"),
    "no exchange with more siblings: unreachable",
  ]);
  expect(courier.counts().failed.get("unreachable")).toBe(exchanges);
  await courier.close();
});

test("that somebody has another secret is told once, and stands for a minute after the last word", async () => {
  const refused = new Map<TransportFault, number>();
  const { courier, lines, pass } = courierTo({
    peers: () => [],
    refused: () => refused,
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    close: () => Promise.resolve(),
    exchange: () => Promise.reject(new TransportError("unreachable", "nobody is there")),
  });
  await pass(2);
  expect(courier.isMetByStrangers).toBe(false);
  for (let word = 1; word <= 3; word++) {
    refused.set("wrong_secret", word);
    await pass(20);
    expect(courier.isMetByStrangers).toBe(true);
  }
  await pass(60);
  expect(courier.isMetByStrangers).toBe(false);
  expect(lines).toEqual(["somebody with another fleet.secret asks or answers here, and is refused"]);
  await courier.close();
});
