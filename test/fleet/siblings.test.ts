// Replicas as they run, over the real transport on loopback: units come to who waits, and a leaver hands over.
import { EventEmitter, once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { randomId } from "../../src/clock.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { HttpTransport } from "../../src/fleet/http-transport.ts";
import { openReplica, type RunningReplica } from "../../src/fleet/shell.ts";
import { type Log, type LogFields, silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";

const REFILL_PER_MS = 0.001;

const LIMIT: Limit = {
  key: "p/requests",
  dimension: "requests",
  capacity: 100,
  refill: { kind: "continuous", unitsPerMs: REFILL_PER_MS },
};

const running: RunningReplica[] = [];
const addresses: string[] = [];

afterEach(async () => {
  for (const replica of running.splice(0)) await replica.close();
  addresses.length = 0;
});

async function start(log: Log = silentLog, isTracing = false): Promise<RunningReplica> {
  const isFirst = running.length === 0;
  const replica = await openReplica({
    store: new MemoryStore(),
    log,
    isTracing,
    membership: {
      name: `r${running.length}`,
      hasPeers: true,
      foundAfterMs: isFirst ? 1 : 10_000,
      foundsUnheard: true,
      bootGraceMs: 1000,
      reclaimAfterMs: Infinity,
      unreachableAfterMs: 3000,
    },
    connect: async (receive) => {
      let own = "";
      const transport = new HttpTransport({
        listen: { host: "127.0.0.1", port: 0 },
        peers: () => addresses.filter((address) => address !== own),
        secret: "s".repeat(32),
        session: randomId(),
        receive,
      });
      await transport.listen({ host: "127.0.0.1", port: 0 });
      own = `http://127.0.0.1:${transport.port}`;
      addresses.push(own);
      return transport;
    },
  });
  running.push(replica);
  return replica;
}

/** Resolves when the take succeeds; each piece of news is a reason to try. */
function takeSoon(replica: RunningReplica, cost: number): Promise<void> {
  const bucket = replica.quota.open(LIMIT);
  return new Promise((resolve) => {
    let isDone = false;
    const attempt = (): void => {
      const now = performance.now();
      if (isDone || replica.quota.take([bucket], [cost], now) !== null) return;
      isDone = true;
      replica.quota.wait(bucket, null, now);
      resolve();
    };
    replica.quota.onRoom(attempt);
    attempt();
    if (!isDone) replica.quota.wait(bucket, { cost, sinceMs: performance.now() }, performance.now());
  });
}

test("units come to the replica that waits for them, and the whole stays the whole", async () => {
  const startedMs = performance.now();
  const first = await start();
  await takeSoon(first, 10);
  const second = await start();
  await takeSoon(second, 50);
  await takeSoon(first, 30);
  const now = performance.now();
  const room = second.quota.room(second.quota.open(LIMIT), now);
  // However slowly this ran: there is no more than what was not taken, and the refill of all that time.
  expect(room.level).toBeLessThanOrEqual(10 + (now - startedMs) * REFILL_PER_MS);
});

test("a leaver's share is its siblings' when it has left", async () => {
  const first = await start();
  await takeSoon(first, 10);
  const second = await start();
  await takeSoon(second, 1);
  expect(await first.leave(5000)).toBe(true);
  await takeSoon(second, 80);
});

test("when all leave none waits for a sibling that would take over", async () => {
  const all = [await start(), await start()];
  await Promise.all(all.map((each) => takeSoon(each, 1)));
  // An hour: the test would end before.
  expect(await Promise.all(all.map((each) => each.leave(3_600_000)))).toEqual([false, false]);
});

test("a merge is traced with both vectors, the rule, whose rows were taken, shares and levels", async () => {
  const lines: unknown[] = [];
  const log: Log = { ...silentLog, info: (message, fields) => void lines.push({ message, ...fields }) };
  const first = await start();
  await takeSoon(first, 10);
  const second = await start(log, true);
  await takeSoon(second, 50);
  const [giver, receiver] = [first, second].map(({ replica }) => replica.id.slice(0, 8));
  expect(lines).toContainEqual({
    message: "merge",
    from: giver,
    rule: expect.stringMatching(/dominates|concurrent/),
    vector_here: expect.any(Object),
    vector_there: expect.objectContaining({ [giver ?? ""]: expect.stringMatching(/^\d+\.\d+$/) }),
    rows: expect.any(Number),
    gave: false,
    buckets: [
      {
        bucket: LIMIT.key,
        rows: { [giver ?? ""]: expect.stringMatching(/^\d+\.\d+$/) },
        shares: { [giver ?? ""]: expect.any(Number), [receiver ?? ""]: expect.any(Number) },
        share: expect.any(Number),
        level: expect.any(Number),
      },
    ],
  });
});

test("what one shares beside the buckets is at the other with the next exchange, over the real transport", async () => {
  const first = await start();
  const second = await start();
  const arrived = Promise.withResolvers<string>();
  second.board.onChange((key, value) => arrived.resolve(`${key}=${Buffer.from(value ?? "").toString()}`));
  first.board.set("limits/a", Buffer.from("7"));
  expect(await arrived.promise).toBe("limits/a=7");
});

test("the log tells once each of looking for a fleet, founding one, joining it, and of who joins and leaves", async () => {
  const told: string[] = [];
  const news = new EventEmitter();
  const hear = (who: string): Log => {
    const line = (message: string, { founder, name, heir }: LogFields = {}): void => {
      const words = [founder, name, heir].filter((word) => typeof word === "string");
      told.push([who, message, ...words].join("; "));
      news.emit("line");
    };
    return { ...silentLog, info: line, warn: line };
  };
  const untilTold = async (line: string): Promise<void> => {
    while (!told.some((one) => one.startsWith(line))) await once(news, "line");
  };
  await start(hear("first"));
  await untilTold("first; founded a fleet");
  const second = await start(hear("second"));
  await untilTold("second; joined a fleet");
  await untilTold("first; a sibling has joined");
  expect(await second.leave(5000)).toBe(true);
  await untilTold("first; a sibling has left");
  expect(told.toSorted()).toEqual([
    "first; a sibling has joined; r1",
    "first; a sibling has left, and has handed its share over; r1; r0",
    "first; founded a fleet: no peer that answered is in one; r0",
    "first; looking for siblings; r0",
    "second; joined a fleet; r0",
    "second; looking for siblings; r1",
  ]);
});
