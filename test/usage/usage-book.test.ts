// Totals of use: counted on several replicas, kept over restarts and kills, dropped after their days.
import { beforeEach, describe, expect, test } from "vitest";
import { Board } from "../../src/fleet/board.ts";
import { type RequestRecord, silentLog, type Usage } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { parseQuestion, usageReport } from "../../src/usage/report.ts";
import { UsageBook } from "../../src/usage/usage-book.ts";
import { ManualClock } from "../manual-clock.ts";
import { requestRecord } from "../observe/record.ts";

const DAY_MS = 86_400_000;
/** 2026-11-21T12:00:00Z. */
const NOON_MS = Date.UTC(2026, 10, 21, 12);

let clock: ManualClock;
let runs = 0;

beforeEach(() => {
  clock = new ManualClock(0, NOON_MS);
});

class Station {
  readonly store: MemoryStore;
  readonly replica: string;
  readonly board: Board;
  readonly usage: UsageBook;

  constructor(digit: string, store = new MemoryStore(), isElder = false) {
    this.store = store;
    this.replica = digit.padStart(32, digit);
    runs += 1;
    this.board = new Board({
      store,
      clock,
      log: silentLog,
      replica: this.replica,
      author: runs.toString(16).padStart(32, "0"),
    });
    this.usage = new UsageBook({
      board: this.board,
      clock,
      replica: this.replica,
      isElder: () => isElder,
      isListed: (_, model) => model.startsWith("m"),
    });
    this.usage.keepDays(3);
    this.board.onCount = () => this.usage.flush();
  }

  /** Lets a second pass, in which what was counted becomes durable and news. */
  async second(): Promise<void> {
    clock.advance(1000);
    this.board.tick();
    await this.board.flush();
  }
}

function used(inputTokens: number, outputTokens: number, cachedInputTokens = 0): Usage {
  return { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens: 0, reasoningTokens: 0 };
}

function ended(
  key: string,
  provider: string,
  model: string,
  outcome: RequestRecord["outcome"] = "ok",
): RequestRecord {
  return requestRecord({ keyName: key, provider, model, outcome });
}

/** One request from its settlement to its end. */
function request(
  { usage }: Station,
  key: string,
  model: string,
  tokens: readonly [number, number],
  microUsd: number,
): void {
  usage.settled({ key, provider: "main", model }, used(...tokens), microUsd);
  usage.ended(ended(key, "main", model));
}

function exchange(left: Station, right: Station): void {
  for (let round = 0; round < 2; round++) {
    const heard = right.board.receive(left.board.request(right.replica), left.replica);
    left.board.receive(right.board.answer(heard), right.replica);
  }
}

/** `group: requests errors input output microUsd`, sorted. */
async function report({ usage }: Station, query: string, key?: string): Promise<string[]> {
  const question = parseQuestion(new URLSearchParams(query), clock.wallMs(), "key");
  const { data } = await usageReport(usage, question, key);
  return data
    .map((row) => {
      const group = question.groupBy.map((name) => row[name]).join(" ");
      return `${group}: ${row.requests} ${row.errors} ${row.input_tokens} ${row.output_tokens} ${row.micro_usd}`;
    })
    .sort();
}

describe("use", () => {
  test("is told at once where it was counted, by whatever it is asked by", async () => {
    const station = new Station("a");
    request(station, "ann", "m1", [10, 20], 50);
    request(station, "ann", "m2", [1, 2], 5);
    request(station, "bob", "m1", [100, 200], 500);
    expect(await report(station, "group_by=key")).toEqual(["ann: 2 0 11 22 55", "bob: 1 0 100 200 500"]);
    expect(await report(station, "group_by=model")).toEqual(["m1: 2 0 110 220 550", "m2: 1 0 1 2 5"]);
    expect(await report(station, "group_by=provider,day")).toEqual(["main 2026-11-21: 3 0 111 222 555"]);
    expect(await report(station, "group_by=model", "ann")).toEqual(["m1: 1 0 10 20 50", "m2: 1 0 1 2 5"]);
  });

  test("of all replicas is one sum, on each of them", async () => {
    const [here, there] = [new Station("a"), new Station("b")];
    for (let round = 0; round < 3; round++) {
      request(here, "ann", "m1", [10, 20], 50);
      request(there, "ann", "m1", [1, 2], 5);
      await here.second();
      await there.second();
      exchange(here, there);
    }
    for (const station of [here, there]) expect(await report(station, "")).toEqual(["ann: 6 0 33 66 165"]);
    // Hearing it again changes nothing.
    exchange(here, there);
    exchange(there, here);
    expect(await report(here, "")).toEqual(["ann: 6 0 33 66 165"]);
  });

  test("outlives a restart; a kill takes what was counted since the last second", async () => {
    const station = new Station("a");
    request(station, "ann", "m1", [10, 20], 50);
    await station.second();
    request(station, "ann", "m1", [1000, 2000], 5000);
    const revived = new Station("a", station.store);
    expect(await report(revived, "")).toEqual(["ann: 1 0 10 20 50"]);
    request(revived, "ann", "m1", [1, 2], 5);
    expect(await report(revived, "")).toEqual(["ann: 2 0 11 22 55"]);
  });

  test("of processes that have ended costs messages nothing once its days are over, and stays what it was", async () => {
    const elder = new Station("a", new MemoryStore(), true);
    const other = new Station("b");
    for (const { usage } of [elder, other]) usage.keepDays(30);
    for (let gone = 100; gone < 150; gone++) {
      const guest = new Station(String(gone));
      request(guest, "ann", "m1", [10, 20], 50);
      await guest.second();
      exchange(guest, elder);
    }
    exchange(elder, other);
    const month = "from=2026-11-01&to=2026-11-30";
    const sum = ["ann: 50 0 500 1000 2500"];
    const told = ({ board }: Station): number => board.request("somebody else").length;
    const before = told(other);
    for (const days of [1, 4]) {
      clock.advance(days * DAY_MS);
      await elder.second();
      exchange(elder, other);
      for (const station of [elder, other]) expect(await report(station, month)).toEqual(sum);
      if (days === 1) expect(told(other)).toBe(before);
    }
    expect(before).toBeGreaterThan(50 * 20);
    expect(told(elder)).toBeLessThan(200);
    expect(told(other)).toBeLessThan(200);
    // A restart finds it as it was, and so does whoever hears of it again.
    const revived = new Station("a", elder.store);
    exchange(other, revived);
    expect(await report(revived, month)).toEqual(sum);
    clock.advance(30 * DAY_MS);
    other.board.tick();
    expect(await report(other, month)).toEqual([]);
  });

  test("comes back from a sibling when the disk went back in time", async () => {
    const [here, there] = [new Station("a"), new Station("b")];
    request(here, "ann", "m1", [10, 20], 50);
    await here.second();
    exchange(here, there);
    const revived = new Station("a");
    exchange(revived, there);
    request(revived, "ann", "m1", [1, 2], 5);
    await revived.second();
    exchange(revived, there);
    expect(await report(there, "")).toEqual(["ann: 2 0 11 22 55"]);
  });

  test("is parted by UTC days, which are dropped when their time is over", async () => {
    const station = new Station("a");
    for (let day = 0; day < 5; day++) {
      request(station, "ann", "m1", [10 ** day, 0], 0);
      await station.second();
      clock.advance(DAY_MS - 1000);
    }
    const question = "from=2026-11-01&to=2026-11-30&group_by=day";
    station.board.tick();
    expect(await report(station, question)).toEqual([
      "2026-11-23: 1 0 100 0 0",
      "2026-11-24: 1 0 1000 0 0",
      "2026-11-25: 1 0 10000 0 0",
    ]);
    expect(await report(station, "from=2026-11-24&to=2026-11-24&group_by=day")).toEqual([
      "2026-11-24: 1 0 1000 0 0",
    ]);
  });

  test("counts failures, and what was used for them, but not clients who left", async () => {
    const station = new Station("a");
    station.usage.ended(ended("ann", "main", "m1", "provider_error"));
    station.usage.ended(ended("ann", "main", "m1", "client_gone"));
    station.usage.settled({ key: "ann", provider: "main", model: "m1" }, used(7, 1), 9);
    station.usage.ended(ended("ann", "", "", "refused"));
    expect(await report(station, "group_by=provider")).toEqual([": 1 1 0 0 0", "main: 2 1 7 1 9"]);
  });

  test("of strangers who were refused is not counted", async () => {
    const station = new Station("a");
    station.usage.ended(ended("", "", "", "client_error"));
    expect(await report(station, "")).toEqual([]);
  });

  test("of callers without a key, where none is asked, has an empty name", async () => {
    const station = new Station("a");
    station.usage.ended(ended("", "main", "m1", "ok"));
    expect(await report(station, "")).toEqual([": 1 0 0 0 0"]);
  });

  test("of models that only a client knows has a row of its own once one has answered", async () => {
    const station = new Station("a");
    for (let at = 0; at < 100; at++)
      station.usage.ended(ended("ann", "main", `invented-${at}`, "provider_error"));
    request(station, "ann", "new-model", [1, 1], 0);
    expect(await report(station, "group_by=model")).toEqual([
      "(other): 100 100 0 0 0",
      "new-model: 1 0 1 1 0",
    ]);
  });

  test("by ten thousand keys on one day loses names, and not one token, in bounded space", async () => {
    const station = new Station("a");
    const before = station.board.check();
    for (let at = 0; at < 10_000; at++) {
      request(station, `key-${at}-of-a-name-of-some-length`, "m1", [3, 5], 2);
      if (at % 500 === 0) await station.second();
    }
    await station.second();
    expect(before && station.board.check()).toBe(true);
    const stored = [...station.store.entries("board/")];
    expect(stored.length).toBeLessThanOrEqual(64);
    expect(stored.reduce((sum, [, value]) => sum + value.length, 0)).toBeLessThan(64 * 4400);
    expect(await report(station, "group_by=provider")).toHaveLength(2);
    const question = parseQuestion(new URLSearchParams(), clock.wallMs(), "key");
    expect(await usageReport(station.usage, question)).toMatchObject({
      total: { requests: 10_000, input_tokens: 30_000, output_tokens: 50_000, micro_usd: 20_000 },
    });
  });

  test("of a hundred subjects takes a few entries, whoever comes first", async () => {
    const station = new Station("a");
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 100; at++) request(station, `key-${(at * 37) % 100}`, "m1", [3, 5], 2);
      await station.second();
    }
    const stored = [...station.store.entries("board/")];
    expect(stored.length).toBeLessThanOrEqual(8);
    const rows = await report(station, "");
    expect(rows).toHaveLength(100);
    expect(new Set(rows.map((row) => row.split(": ")[1]))).toEqual(new Set(["3 0 9 15 6"]));
  });

  test("leaves room for keys and limits: where half of it is taken, new subjects share a row", async () => {
    const station = new Station("a");
    const value = new Uint8Array(4000);
    for (let at = 0; station.board.isRoomy; at++) station.board.set(`limits/${at}`, value);
    for (let at = 0; at < 100; at++) request(station, `key-${at}`, "m1", [3, 5], 2);
    await station.second();
    const { total, data } = await usageReport(
      station.usage,
      parseQuestion(new URLSearchParams(), clock.wallMs(), "key"),
    );
    expect(total).toMatchObject({ requests: 100, input_tokens: 300 });
    expect(data.map(({ key }) => key)).toContain("(other)");
    expect([...station.board.entries("usage/")]).toHaveLength(1);
  });
});

describe("a question", () => {
  const ask = (query: string) => parseQuestion(new URLSearchParams(query), NOON_MS, "key");

  test("is about the current month by default", () => {
    expect(ask("")).toEqual({ from: "2026-11-01", to: "2026-11-21", groupBy: ["key"] });
    expect(ask("to=2026-10-05")).toEqual({ from: "2026-10-01", to: "2026-10-05", groupBy: ["key"] });
    expect(ask("group_by=day,%20model")).toMatchObject({ groupBy: ["day", "model"] });
  });

  test.each([
    ["from=yesterday", "`from` must be a day such as 2026-11-21"],
    ["to=2026-02-30", "`to` must be a day"],
    ["to=", "`to` must be a day"],
    ["from=2026-11-22", "`from` is after `to`"],
    ["from=1999-01-01", "At most 400 days"],
    ["group_by=team", "`group_by` takes key, provider, model, day"],
    ["group_by=", "`group_by` takes"],
  ])("%s is refused: %s", (query, problem) => {
    expect(() => ask(query)).toThrow(problem);
  });
});
