// Client keys made at run time, on replicas that hear of each other and on one that comes back.
import { beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../../src/config/resolve-keys.ts";
import type { Config } from "../../src/config/config.ts";
import { readKeyDefinition, type WrittenKey } from "../../src/config/key-definition.ts";
import { Board } from "../../src/fleet/board.ts";
import { KeyBook } from "../../src/keys/key-book.ts";
import { silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { load } from "../config/setup.ts";
import { ManualClock } from "../manual-clock.ts";

const DAY_MS = 86_400_000;

const clock = new ManualClock();
let config: Config;

beforeEach(async () => {
  ({ config } = await load(`
providers:
  main: { type: simulator, models: { small: { prices: { input: 1, output: 2 } }, gratis: } }
models: { smart: [ main/small ] }
keys: [ { name: of-config, key: secret-of-config } ]
`));
});

let runs = 0;

function boardOn(store: MemoryStore, replica: string): Board {
  runs += 1;
  const author = runs.toString(16).padStart(32, "0");
  return new Board({ store, clock, log: silentLog, replica, author });
}

class Station {
  readonly store = new MemoryStore();
  readonly replica: string;
  board: Board;
  book: KeyBook;
  readonly warnings: string[] = [];

  constructor(digit: string) {
    this.replica = digit.repeat(32);
    this.board = boardOn(this.store, this.replica);
    this.book = this.open();
  }

  private open(): KeyBook {
    const warn = (message: string): void => void this.warnings.push(message);
    return new KeyBook({ board: this.board, clock, log: { ...silentLog, warn, error: warn } });
  }

  restart(): void {
    this.board = boardOn(this.store, this.replica);
    this.book = this.open();
  }
}

/** One round trip. */
function exchange(left: Station, right: Station): void {
  for (let round = 0; round < 2; round++) {
    const heard = right.board.receive(left.board.request(right.replica), left.replica);
    left.board.receive(right.board.answer(heard), right.replica);
  }
}

function written(definition: object): WrittenKey {
  const read = readKeyDefinition(JSON.stringify(definition));
  if (read.kind === "fault") throw new Error(read.message);
  return read;
}

/** The names whose secret is this, as requests would be let in. */
function whoHas(secret: string, { book }: Station): string[] {
  return [...book.applyTo(config).keys.values()]
    .filter((key) =>
      key.secrets.some(
        (one) => one.sha256 === sha256(secret) && (one.expiresMs ?? Infinity) > clock.wallMs(),
      ),
    )
    .map(({ name }) => name);
}

describe("a key made at run time", () => {
  test("stands beside those of the configuration, in the same words", async () => {
    const station = new Station("a");
    const definition = {
      name: "alice",
      priority: "high",
      weight: 2,
      limits: [{ usd: "5/month" }, { concurrent: 3 }],
      tags: ["x"],
    };
    const { text } = await station.book.create(written(definition));
    expect(whoHas(text, station)).toEqual(["alice"]);
    expect(whoHas("secret-of-config", station)).toEqual(["of-config"]);
    expect(station.book.applyTo(config).keys.get("alice")).toMatchObject({
      priority: "high",
      weight: 2,
      tags: ["x"],
      limits: [
        { dimension: "usd", amount: 5, per: "month", refill: "calendar", timezone: "UTC" },
        { dimension: "concurrent", amount: 3 },
      ],
    });
  });

  test("is kept as its hash alone, over a restart", async () => {
    const station = new Station("a");
    const { text } = await station.book.create(written({ name: "alice" }));
    const stored = [...station.store.entries("")].map(([, value]) => Buffer.from(value).toString("latin1"));
    expect(stored.join()).toContain(sha256(text));
    expect(stored.join()).not.toContain(text.slice(20));
    station.restart();
    expect(whoHas(text, station)).toEqual(["alice"]);
  });

  test("works, and stops working, on a sibling with the next exchange", async () => {
    const [here, there] = [new Station("a"), new Station("b")];
    let changes = 0;
    there.book.onChange = () => (changes += 1);
    const { text } = await here.book.create(written({ name: "alice" }));
    expect(whoHas(text, there)).toEqual([]);
    exchange(here, there);
    expect(whoHas(text, there)).toEqual(["alice"]);
    await there.book.revoke("alice");
    exchange(here, there);
    expect(whoHas(text, here)).toEqual([]);
    expect(changes).toBe(2);
  });

  test("that was revoked is not brought back by a sibling that was away for months", async () => {
    const [here, there] = [new Station("a"), new Station("b")];
    const { text } = await here.book.create(written({ name: "alice" }));
    exchange(here, there);
    await there.board.flush();
    await here.book.revoke("alice");
    for (let day = 0; day < 120; day++) {
      clock.advance(DAY_MS);
      here.board.tick();
    }
    there.restart();
    expect(whoHas(text, there)).toEqual(["alice"]);
    exchange(there, here);
    expect(whoHas(text, here)).toEqual([]);
    expect(whoHas(text, there)).toEqual([]);
    expect(here.book.hasBegun).toBe(true);
  });

  test("can be made anew under the name of one that was revoked, with another secret", async () => {
    const station = new Station("a");
    const first = await station.book.create(written({ name: "alice" }));
    await station.book.revoke("alice");
    const second = await station.book.create(written({ name: "alice" }));
    expect(whoHas(first.text, station)).toEqual([]);
    expect(whoHas(second.text, station)).toEqual(["alice"]);
  });

  test("made under one name at two replicas in one moment is one key on both", async () => {
    const [here, there] = [new Station("a"), new Station("b")];
    const secrets = [
      await here.book.create(written({ name: "alice" })),
      await there.book.create(written({ name: "alice" })),
    ];
    exchange(here, there);
    for (const station of [here, there]) {
      expect(secrets.flatMap(({ text }) => whoHas(text, station))).toEqual(["alice"]);
    }
    expect(secrets.map(({ text }) => whoHas(text, here))).toEqual(
      secrets.map(({ text }) => whoHas(text, there)),
    );
  });

  test("has two secrets while one takes the other's place", async () => {
    const station = new Station("a");
    const first = await station.book.create(written({ name: "alice" }));
    const key = station.book.get("alice");
    if (key === undefined) throw new Error("no key");
    const second = await station.book.rotate(key, 60_000);
    expect([first, second].map(({ text }) => whoHas(text, station))).toEqual([["alice"], ["alice"]]);
    clock.advance(60_000);
    expect([first, second].map(({ text }) => whoHas(text, station))).toEqual([[], ["alice"]]);
  });

  test("gives way to one of the configuration that has its name", async () => {
    const station = new Station("a");
    const { text } = await station.book.create(written({ name: "of-config" }));
    expect(whoHas(text, station)).toEqual([]);
    expect(whoHas("secret-of-config", station)).toEqual(["of-config"]);
  });

  test("with a budget may ask only for what has a price, also when prices change", async () => {
    const station = new Station("a");
    await station.book.create(written({ name: "alice", limits: [{ usd: "5/day" }] }));
    const models = station.book.applyTo(config).keys.get("alice")?.models;
    expect([...(models ?? [])].filter((name) => !name.includes("sim-"))).toEqual([
      "smart",
      "small",
      "main/small",
    ]);
    expect(station.warnings).toEqual([]);
    const main = config.providers.get("main");
    if (main === undefined) throw new Error("no provider");
    const unpriced = new Map(
      [...main.models].map(([name, model]) => [name, { ...model, prices: null }] as const),
    );
    const changed = { ...config, providers: new Map([["main", { ...main, models: unpriced }]]) };
    expect(station.book.applyTo(changed).keys.get("alice")?.models).toEqual(new Set());
    expect(station.warnings).toEqual(["a client key does not fit the configuration any more"]);
  });

  test("keeps what it is when another one changes", async () => {
    const station = new Station("a");
    await station.book.create(written({ name: "alice" }));
    const before = station.book.applyTo(config).keys.get("alice");
    await station.book.create(written({ name: "bob" }));
    expect(station.book.applyTo(config).keys.get("alice")).toBe(before);
  });

  test("of more words than the fleet shares is refused", async () => {
    const metadata = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`m${at}`, "x".repeat(60)]));
    const station = new Station("a");
    await expect(station.book.create(written({ name: "alice", metadata }))).rejects.toThrow("too long");
    expect(station.book.get("alice")).toBeUndefined();
  });
});

describe("a sibling's entry that can't be read", () => {
  test("lets nobody in, and the rest goes on", async () => {
    const station = new Station("a");
    const { text } = await station.book.create(written({ name: "alice" }));
    station.board.set("keys/mallory", Buffer.from("{}"));
    expect(station.warnings).toEqual(["a client key can't be read and lets nobody in"]);
    expect(whoHas(text, station)).toEqual(["alice"]);
    expect(station.book.get("mallory")).toBeUndefined();
  });
});
