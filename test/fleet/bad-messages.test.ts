// Whatever comes in through a replica's own port: what is no sibling's message changes nothing and is counted, and a
// liar who knows the secret can't make anyone admit more than the limit. The replica goes on with what it holds.
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { crc32, Writer } from "../../src/bucket/codec.ts";
import { MODULUS, WHOLE } from "../../src/bucket/parts.ts";
import { NEVER, NO_EDGE } from "../../src/bucket/row.ts";
import type { Section } from "../../src/bucket/sections.ts";
import { openFrame, sealFrame, versionsOf } from "../../src/fleet/seal.ts";
import { BUCKETS_MAX, MEMBERS_MAX } from "../../src/fleet/crowding.ts";
import { encodeMapMessage } from "../../src/bucket/lww-codec.ts";
import { MESSAGE_BYTES_MAX, type TransportFault } from "../../src/fleet/transport.ts";
import { silentLog } from "../../src/observe/events.ts";
import { gauge, Liar, post, REQUESTS, startVictim, type Victim } from "./victim.ts";

let victim: Victim;

afterEach(async () => {
  await victim.running.close();
});

const refused = (fault: TransportFault): number => victim.running.counts().refused.get(fault) ?? 0;

/** An honest sibling is still answered, and the replica still admits all that it holds and no more. */
async function expectServing(admitting: number): Promise<void> {
  const honest = new Liar(victim);
  expect(await honest.send(honest.message([], { boot: 2 }))).toBe("ok");
  expect(await victim.drain()).toBe(admitting);
  victim.running.replica.check();
}

describe("a stranger's bytes", () => {
  const sealed = sealFrame("another secret", {
    envelope: { direction: "request", from: "sender", to: "none", number: 1, outcome: "ok" },
    body: Uint8Array.of(1, 2, 3),
  });
  const named = Buffer.from(sealed).toString("latin1");

  test.each<[string, Uint8Array, TransportFault]>([
    ["a page of HTML", Buffer.from("<html><body>It works!</body></html>"), "malformed"],
    ["a frame sealed with another secret", sealed, "wrong_secret"],
    ["a frame of half the length", sealed.subarray(0, sealed.length / 2), "malformed"],
    ["random bytes", Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) & 0xff), "malformed"],
  ])("are refused, counted and change nothing: %s", async (_, bytes, fault) => {
    victim = await startVictim();
    const before = victim.state();
    expect(await post(victim.port, bytes)).toEqual({ status: 401, body: Buffer.alloc(0) });
    expect(victim.state()).toEqual(before);
    expect(refused(fault)).toBe(1);
    await expectServing(100);
  });

  test("that are not even HTTP are answered, counted and change nothing", async () => {
    victim = await startVictim();
    const before = victim.state();
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(victim.port, "127.0.0.1");
      socket.once("data", (data) => resolve(data.toString().slice(9, 12)));
      // The first bytes of a TLS handshake.
      socket.write(Buffer.from("16030100a5010000a10303", "hex"));
    });
    expect(answer).toBe("400");
    expect(refused("malformed")).toBe(1);
    expect(victim.state()).toEqual(before);
    await expectServing(100);
  });

  test("of a later protocol are told this one's version, so that both sides can say what is wrong", async () => {
    victim = await startVictim();
    const before = victim.state();
    const later = Buffer.from(named.replace("fleet-1", "fleet-2"), "latin1");
    const answer = await post(victim.port, later);
    expect(Buffer.from(answer.body).toString()).toBe("sluice-fleet-1 version\n");
    expect(victim.state()).toEqual(before);
    expect(refused("version")).toBe(1);
    expect(versionsOf(later)).toBe("version 2 of the fleet's protocol; this program speaks 1");
    // To one of another version this answer is what it is.
    expect(openFrame("any", Buffer.from("sluice-fleet-2 version\n"))).toBe("version");
    await expectServing(100);
  });

  test("that never end are given up once they are too many", async () => {
    victim = await startVictim();
    const before = victim.state();
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(victim.port, "127.0.0.1");
      socket.write("POST /fleet/sync HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
      const chunk = Buffer.alloc(0x10000, "a");
      const feed = (): void => {
        while (socket.write(`10000\r\n${chunk.toString()}\r\n`));
      };
      socket.on("drain", feed);
      socket.on("error", () => resolve("reset"));
      socket.once("data", (data) => {
        resolve(data.toString().slice(9, 12));
        socket.destroy();
      });
      feed();
    });
    expect(["413", "reset"]).toContain(answer);
    expect(refused("oversized")).toBe(1);
    expect(victim.state()).toEqual(before);
    await expectServing(100);
  });
});

/** A message whose payload was changed after the fact, with a checksum that fits again. */
function changed(message: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(message);
  change(copy);
  new DataView(copy.buffer).setUint32(copy.length - 4, crc32(copy, copy.length - 4), true);
  return copy;
}

describe("a message with the right seal", () => {
  test("is refused whole wherever it is cut", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const message = liar.message([
      liar.section({ spent: 5, given: new Map([[victim.running.replica.id, NO_EDGE]]) }),
    ]);
    const before = victim.state();
    for (let length = 0; length < message.length; length += 1) {
      const cut = changed(message.subarray(0, Math.max(4, length)), () => {});
      expect(await liar.send(cut)).toBe("malformed");
    }
    expect(victim.state()).toEqual(before);
    expect(refused("malformed")).toBe(message.length);
    await expectServing(100);
  });

  test("never gets through with any byte changed and its checksum not", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const message = liar.message([liar.section({ spent: 5 })]);
    const before = victim.state();
    for (let index = 0; index < message.length; index += 1) {
      const copy = Uint8Array.from(message);
      copy[index] = (copy[index] ?? 0) ^ 0x41;
      expect(await liar.send(copy)).toBe("malformed");
    }
    expect(victim.state()).toEqual(before);
    await expectServing(100);
  });

  test("of a later version beside the buckets is refused as such, too", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const board = encodeMapMessage({ word: { since: 0, digest: 0, recent: new Map() }, stretches: [] }, 0);
    expect(
      await liar.send(
        liar.message([]),
        changed(board, (bytes) => (bytes[1] = 9)),
      ),
    ).toBe("version");
    await expectServing(100);
  });

  test("that invents more members or buckets than are kept is refused, and counted", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const { ledger } = victim.running.replica.state;
    for (let member = 0; ledger.members.size < MEMBERS_MAX; member++)
      ledger.member(`${member}`.padStart(32, "0"));
    const known = liar.message([], { sender: "1".padStart(32, "0") });
    expect(await liar.send(known)).toBe("ok");
    expect(await liar.send(liar.message([liar.section({})]))).toBe("oversized");
    const vector = new Map(
      Array.from({ length: MEMBERS_MAX + 1 }, (_, at) => [`${at}`.padStart(32, "0"), NEVER]),
    );
    expect(await liar.send(liar.message([], { vector }))).toBe("oversized");
    ledger.members.delete("0".repeat(32));
    for (let bucket = 0; ledger.buckets.size < BUCKETS_MAX; bucket++) ledger.bucket(`bucket-${bucket}`);
    expect(await liar.send(liar.message([liar.section({}, "one-too-many")]))).toBe("oversized");
    expect(await liar.send(liar.message([liar.section({})]))).toBe("ok");
    expect(refused("oversized")).toBe(3);
  });

  test("of a later version is refused as such, so that an upgrade shows for what it is", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const before = victim.state();
    const later = changed(liar.message([]), (bytes) => (bytes[1] = 2));
    expect(await liar.send(later)).toBe("version");
    expect(refused("version")).toBe(1);
    expect(victim.state()).toEqual(before);
    await expectServing(100);
  });

  test("that is repeated under a new seal changes nothing a second time", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const message = liar.message([liar.section({ spent: 5 })]);
    expect(await liar.send(message)).toBe("ok");
    const before = victim.state();
    expect(await liar.send(message)).toBe("replayed");
    expect(victim.state()).toEqual(before);
    expect(refused("replayed")).toBe(1);
    await expectServing(100);
  });

  test("of before its sender began again is refused and counted, and told of only when there are many", async () => {
    const lines: string[] = [];
    const warn = (message: string): void => void lines.push(message);
    victim = await startVictim({ log: { ...silentLog, warn } });
    const liar = new Liar(victim);
    expect(await liar.send(liar.message([], { boot: 2 }))).toBe("ok");
    const before = victim.state();
    for (let times = 1; times <= 20; times++)
      expect(await liar.send(liar.message([liar.section({ spent: 5 })]))).toBe("replayed");
    expect(lines).toEqual([]);
    for (let times = 1; times <= 20; times++) await liar.send(liar.message([]));
    expect(lines).toEqual(["a fleet message was refused"]);
    expect(victim.state()).toEqual(before);
    expect(refused("replayed")).toBe(40);
    expect(await liar.send(liar.message([], { boot: 2 }))).toBe("ok");
    expect(await victim.drain()).toBe(100);
  });

  test("and the most bytes there may be is read within its bounds", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    // Four bytes say how much of it speaks of buckets.
    expect(await liar.send(new Uint8Array(MESSAGE_BYTES_MAX - 4))).toBe("malformed");
    await expectServing(100);
  });

  test("and rubbish beside the buckets is refused, and changes nothing that is shared", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const { board } = victim.running;
    board.set("kept", Buffer.from("as it was"));
    expect(await liar.send(liar.message([]), Buffer.from("rubbish"))).toBe("malformed");
    expect(refused("malformed")).toBe(1);
    expect([...board.entries("")].map(({ key }) => key)).toEqual(["kept"]);
    await expectServing(100);
  });

  test("is logged once in a while, however many come", async () => {
    const lines: string[] = [];
    const warn = (message: string): void => void lines.push(message);
    victim = await startVictim({ log: { debug: warn, info: warn, warn, error: warn } });
    const liar = new Liar(victim);
    for (let times = 0; times < 20; times += 1) await liar.send(Uint8Array.of(1, 2, 3));
    expect(lines.filter((line) => line.includes("refused"))).toHaveLength(1);
    victim.time.pass(60_000);
    await liar.send(Uint8Array.of(1, 2, 3));
    expect(lines.filter((line) => line.includes("refused"))).toHaveLength(2);
    expect(refused("malformed")).toBe(21);
  });
});

describe("a sibling that lies about its own rows", () => {
  const edge = (changes: object) => ({ ...NO_EDGE, parts: WHOLE / 2, boot: 1, ...changes });
  const [low, high] = [
    { boot: 1, version: 1 },
    { boot: 1, version: 2 },
  ];
  const entryAt =
    (stamp: { boot: number; version: number }, row = {}) =>
    (section: Section) => ({
      ...section,
      entries: section.entries.map((entry) => ({ ...entry, stamp, row: { ...entry.row, ...row } })),
    });

  test.each<[string, (liar: Liar) => Section]>([
    ["it spent less than nothing", (liar) => liar.section({ spent: -1 })],
    ["it returned less than nothing", (liar) => liar.section({ returned: -1e300 })],
    ["it spent what is no number", (liar) => liar.section({ spent: Number.NaN })],
    ["it spent without end", (liar) => liar.section({ gauge: gauge({ level: -Infinity }) })],
    ["its demand is below zero", (liar) => liar.section({ gauge: gauge({ demand: -5 }) })],
    ["a request of its waits without end", (liar) => liar.section({ gauge: gauge({ waitingMs: Infinity }) })],
    [
      "it gave more parts than a total can count",
      (liar) => liar.section({ given: new Map([["2".repeat(32), edge({ parts: MODULUS })]]) }),
    ],
    [
      "it gave more units than a total can count",
      (liar) => liar.section({ given: new Map([["2".repeat(32), edge({ units: 2 ** 53 - 1 })]]) }),
    ],
    ["it gave to itself", (liar) => liar.section({ given: new Map([[liar.id, edge({})]]) })],
    ["an entry lies below its section", (liar) => entryAt(NEVER)(liar.section({}))],
    [
      "entries come in the wrong order",
      (liar) => {
        const section = liar.section({});
        return { ...section, entries: [high, low].flatMap((stamp) => entryAt(stamp)(section).entries) };
      },
    ],
    ["a bucket's name is longer than any", (liar) => liar.section({}, "k".repeat(100_000))],
  ])("is refused whole and changes nothing: %s", async (_, lie) => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const before = victim.state();
    expect(await liar.send(liar.message([lie(liar)]))).toBe("malformed");
    expect(victim.state()).toEqual(before);
    await expectServing(100);
  });

  test("about how many rows there are is refused before anything is made of them", async () => {
    victim = await startVictim();
    const liar = new Liar(victim);
    const writer = new Writer(0x4d + 0x80, 1);
    writer.id(liar.id);
    for (const number of [1, 1, 0, 1, 2 ** 50]) writer.integer(number);
    expect(await liar.send(writer.finish())).toBe("malformed");
    await expectServing(100);
  });

  const id = (): string => victim.running.replica.id;

  test.each<[string, (liar: Liar) => Section]>([
    [
      "gives what it never had",
      (liar) => liar.section({ given: new Map([[id(), edge({ units: 50_000 })]]) }),
    ],
    [
      "gives many times the whole",
      (liar) => liar.section({ given: new Map([[id(), edge({ parts: 1000 * WHOLE, units: 1e12 })]]) }),
    ],
    [
      "gives so much that it looks like less than nothing",
      (liar) => liar.section({ given: new Map([[id(), edge({ parts: MODULUS - WHOLE })]]) }),
    ],
    [
      "gives at the edge of what a total counts",
      (liar) => liar.section({ given: new Map([[id(), edge({ parts: MODULUS / 2, units: MODULUS - 1 })]]) }),
    ],
    [
      "wants all there is, and more than all requests ever",
      (liar) => liar.section({ gauge: gauge({ waiting: 3e38, waitingMs: 3e38, demand: 3e38, cost: 3e38 }) }),
    ],
    [
      "spent more than all there ever was",
      (liar) => liar.section({ spent: 1e300, returned: 1e300, gauge: gauge({ level: -3e38 }) }),
    ],
  ])("makes nobody admit more than the limit, when it %s", async (_, lie) => {
    victim = await startVictim();
    const liar = new Liar(victim);
    expect(await liar.send(liar.message([lie(liar)]))).toBe("ok");
    expect(await victim.drain()).toBeLessThanOrEqual(REQUESTS.capacity);
    victim.time.pass(100);
    expect(await victim.drain()).toBeLessThanOrEqual(10);
    victim.running.replica.check();
    const honest = new Liar(victim);
    expect(await honest.send(honest.message([], { boot: 2 }))).toBe("ok");
  });

  test("refills nobody faster than the limit, when it gives more than the whole", async () => {
    victim = await startVictim();
    const { quota } = victim.running;
    await victim.drain();
    quota.settle(quota.open(REQUESTS), 1, 51, victim.time.nowMs);
    const liar = new Liar(victim);
    const given = new Map([[id(), edge({ parts: 1000 * WHOLE })]]);
    expect(await liar.send(liar.message([liar.section({ given })]))).toBe("ok");
    victim.time.nowMs += 600;
    expect(await victim.drain()).toBeLessThanOrEqual(10);
  });

  test("gets no more than there is by wanting it: what the victim keeps and gives is the whole", async () => {
    victim = await startVictim();
    await victim.drain();
    victim.time.pass(500);
    const liar = new Liar(victim);
    const wants = gauge({ waiting: 30, waitingMs: 1000, demand: 1e30, cost: 1 });
    expect(await liar.send(liar.message([liar.section({ gauge: wants })]))).toBe("ok");
    const { state } = victim.running.replica;
    const holding = state.holding(REQUESTS.key);
    const units = holding.given.get(liar.id)?.units ?? 0;
    expect(units).toBeGreaterThan(0);
    expect(units / 1000 + (await victim.drain())).toBeLessThanOrEqual(50);
    expect(state.ledger.share(holding.rows, liar.id) + state.ledger.share(holding.rows, id())).toBe(WHOLE);
  });
});

test("nothing is promised to a sealed message but to be bounded: random bytes under a right seal never end the process", async () => {
  victim = await startVictim();
  const liar = new Liar(victim);
  const base = liar.message([liar.section({ spent: 5, given: new Map([["2".repeat(32), NO_EDGE]]) })]);
  let state = 1;
  const next = (): number => (state = (state * 48271) % 0x7fffffff);
  const outcomes = new Set<string>();
  for (let times = 0; times < 400; times += 1) {
    const bytes = changed(base, (copy) => {
      for (let hits = 0; hits < 1 + (times % 4); hits += 1)
        copy[2 + (next() % (copy.length - 6))] = next() & 0xff;
    });
    outcomes.add(await liar.send(bytes));
  }
  expect([...outcomes].every((outcome) => ["ok", "malformed", "replayed", "self"].includes(outcome))).toBe(
    true,
  );
  victim.running.replica.check();
});
