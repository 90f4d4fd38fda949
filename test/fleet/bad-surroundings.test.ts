// What surrounds a replica may fail in every way: peers that are no siblings, clocks that are set, names that can't be
// resolved, a disk that is full. It says so, and goes on with what it holds.
import { createServer, type Server } from "node:http";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { type Limit } from "../../src/bucket/limit.ts";
import type { Resolver } from "../../src/fleet/discovery.ts";
import { openSiblings } from "../../src/fleet/siblings.ts";
import type { Transport, TransportFault } from "../../src/fleet/transport.ts";
import { type Log, silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Liar, SECRET, startVictim, Time, type Victim } from "./victim.ts";

const DAY_MS = 86_400_000;

let victim: Victim | undefined;
let server: Server | undefined;
let transport: Transport | undefined;

afterEach(async () => {
  await victim?.running.close();
  await transport?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => {
    if (server === undefined) resolve(null);
    else server.close(resolve);
  });
  victim = undefined;
  server = undefined;
  transport = undefined;
});

/** A log that keeps its lines, and tells of the first that matches. */
function listeningLog(pattern: RegExp): {
  readonly log: Log;
  readonly lines: string[];
  readonly found: Promise<string>;
} {
  const lines: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const keep = (message: string, fields: object = {}): void => {
    const line = `${message} ${JSON.stringify(fields)}`;
    lines.push(line);
    if (pattern.test(line)) resolve(line);
  };
  return { log: { debug: keep, info: keep, warn: keep, error: keep }, lines, found: promise };
}

describe("a peer's address", () => {
  test.each<[string, number, string, string, TransportFault]>([
    ["answers with a page of HTML", 200, "text/html", "<html><body>It works!</body></html>", "malformed"],
    ["answers 404", 404, "text/plain", "not found", "malformed"],
    ["answers 500 with nothing", 500, "text/plain", "", "malformed"],
    ["sends elsewhere", 302, "text/plain", "", "malformed"],
    ["answers with more than a message may be", 200, "text/html", "x".repeat(5_000_000), "unreachable"],
  ])(
    "that %s is named in the log, counted, and keeps nobody from serving",
    async (_, status, type, page, fault) => {
      server = createServer((_request, response) => {
        response.writeHead(status, { "content-type": type, location: "http://127.0.0.1:1/" }).end(page);
      });
      await new Promise<void>((resolve) => {
        server?.listen(0, "127.0.0.1", resolve);
      });
      const address = server.address();
      const url = `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
      const { log, lines, found } = listeningLog(/no exchange/);
      victim = await startVictim({ log, peers: [url] });
      expect(await found).toContain(url);
      victim.time.pass(300);
      // On a busy machine the first exchanges may fail for want of time.
      while (!victim.running.counts().failed.has(fault)) {
        victim.time.pass(300);
        await setImmediate();
      }
      expect(await victim.drain()).toBe(100);
      expect(lines.filter((line) => line.includes("no exchange"))).toHaveLength(1);
    },
  );
});

describe("a clock that is set by a day", () => {
  test.each([
    ["forward", DAY_MS],
    ["backward", -DAY_MS],
  ])("%s neither gives nor takes units, and siblings are heard as before", async (_, stepMs) => {
    victim = await startVictim();
    expect(await victim.drain()).toBe(100);
    victim.time.wallMs += stepMs;
    victim.time.pass(200);
    expect(await victim.drain()).toBe(20);
    const liar = new Liar(victim);
    expect(await liar.send(liar.message([liar.section({ spent: 1 })]))).toBe("ok");
    victim.time.wallMs -= stepMs;
    victim.time.pass(100);
    expect(await victim.drain()).toBe(10);
    expect(victim.running.counts().refused.size).toBe(0);
  });

  test("while the process is down gives nothing back either", async () => {
    const time = new Time();
    const store = new MemoryStore();
    victim = await startVictim({ time, store });
    expect(await victim.drain()).toBe(100);
    await victim.running.close();
    time.wallMs += DAY_MS;
    victim = await startVictim({ time, store });
    expect(await victim.drain()).toBe(0);
  });

  test("back and forth refills a day's quota once per day", async () => {
    const daily: Limit = {
      key: "p/requests/day",
      dimension: "requests",
      capacity: 50,
      refill: { kind: "calendar", period: "day", timezone: "UTC" },
    };
    victim = await startVictim({ limit: daily });
    const admitted = [await victim.drain()];
    for (const stepMs of [DAY_MS, -DAY_MS, DAY_MS, -DAY_MS, DAY_MS]) {
      victim.time.wallMs += stepMs;
      victim.time.pass(100);
      admitted.push(await victim.drain());
    }
    expect(admitted).toEqual([50, 50, 0, 0, 0, 0]);
  });
});

describe("names that can't be resolved", () => {
  test("keep the addresses known last while the resolver flaps, and are logged once each time", async () => {
    const { log, lines } = listeningLog(/x/);
    const time = new Time();
    let answer: readonly string[] | null = ["10.0.0.1"];
    const resolver: Resolver = {
      addresses: () => (answer === null ? Promise.reject(new Error("EAI_AGAIN")) : Promise.resolve(answer)),
      services: () => Promise.reject(new Error("not asked")),
    };
    transport = await openSiblings(
      {
        listen: { host: "127.0.0.1", port: 0 },
        peers: [{ kind: "dns", host: "headless", port: 8788 }],
        secret: SECRET,
      },
      {
        clock: { elapsedMs: () => time.nowMs, wallMs: () => 0 },
        timers: time,
        log,
        receive: () => Promise.reject(new Error("nobody")),
        resolver,
      },
    );
    const peers = async (next: readonly string[] | null): Promise<readonly string[]> => {
      answer = next;
      time.pass(5000);
      for (let turns = 0; turns < 20; turns += 1) await Promise.resolve();
      return transport?.peers() ?? [];
    };
    expect(await peers(null)).toEqual(["http://10.0.0.1:8788"]);
    expect(await peers(null)).toEqual(["http://10.0.0.1:8788"]);
    expect(await peers(["10.0.0.2"])).toEqual(["http://10.0.0.2:8788"]);
    expect(await peers([])).toEqual(["http://10.0.0.2:8788"]);
    expect(await peers(["10.0.0.2"])).toEqual(["http://10.0.0.2:8788"]);
    expect(lines.filter((line) => line.includes("can't be resolved"))).toHaveLength(2);
  });
});

test("a full disk keeps a sibling's units where they are: nothing is given that is not durable, and all of it once there is room", async () => {
  const store = new MemoryStore();
  victim = await startVictim({ store, log: silentLog });
  const liar = new Liar(victim);
  store.breakWith("No space left on device");
  const wants = { level: 0, demand: 10, cost: 1, waiting: 30, waitingMs: 100 };
  expect(await liar.send(liar.message([liar.section({ gauge: wants })]))).toBe("ok");
  const { state } = victim.running.replica;
  const shown = () =>
    state.ledger.buckets.get("p/requests/min")?.entries.get(victim?.running.replica.id ?? "")?.row;
  const sent = () => victim?.running.replica.answer(liar.id) ?? new Uint8Array();
  expect(victim.running.quota.isDiskFailing).toBe(true);
  const hidden = sent().length;
  store.breakWith(null);
  await victim.running.flush();
  expect(victim.running.quota.isDiskFailing).toBe(false);
  expect(shown()?.given.has(liar.id)).toBe(true);
  // The row that gives goes out only now.
  expect(sent().length).toBeGreaterThan(hidden + 20);
  expect(await victim.drain()).toBeLessThanOrEqual(100 - 30);
});
