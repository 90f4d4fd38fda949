// Many buckets, and many replicas that are gone. Memory is measured on bare replicas without stores or connections;
// what 10,000 buckets cost to write and to hand to a newcomer, on LMDB and over real HTTP.
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { randomId, systemClock, systemInstant } from "../../src/clock.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { load } from "../../src/fleet/journal.ts";
import { ALONE } from "../../src/fleet/membership.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { numberIn, runApart } from "./apart.ts";
import { Lab, limitsOf } from "./lab.ts";
import { Steps } from "./steps.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

function heapBytes(): number {
  if (typeof collect !== "function") throw new Error("the collector can't be called");
  collect();
  return process.memoryUsage().heapUsed;
}

/** A replica without a shell: what it would write goes into a map, what it would send is handed over at once. */
class Bare {
  readonly replica: Replica;
  readonly disk = new MemoryStore();

  constructor(name: string, nowMs: number) {
    this.replica = new Replica({
      loaded: load(this.disk.entries("")),
      newId: randomId(),
      nowMs,
      instant: systemInstant(),
      membership: { ...ALONE, name, hasPeers: true, foundAfterMs: name === "first" ? 0 : Infinity },
    });
    this.replica.setLinks(["other"]);
  }

  async write(nowMs: number): Promise<void> {
    const { journal } = this.replica;
    for (;;) {
      const flush = journal.collect(nowMs, systemInstant());
      if (flush === null) return;
      await this.disk.write(flush.batch);
      journal.written();
    }
  }
}

/** Time moves in ticks; in each both write, and exchange with each other what is due. Resolves with the bytes sent. */
async function ticks(count: number, time: { nowMs: number }, left: Bare, right: Bare): Promise<number> {
  let bytes = 0;
  for (let tick = 0; tick < count; tick += 1) {
    time.nowMs += 100;
    for (const { replica } of [left, right]) replica.tick(time.nowMs, time.nowMs);
    bytes += await exchange(time.nowMs, left, right);
    bytes += await exchange(time.nowMs, right, left);
  }
  return bytes;
}

async function exchange(nowMs: number, from: Bare, to: Bare): Promise<number> {
  let bytes = 0;
  await from.write(nowMs);
  for (const message of from.replica.due(nowMs)) {
    const received = to.replica.receive(message.bytes, nowMs, null);
    if (received.kind === "refused") throw new Error(received.detail);
    await to.write(nowMs);
    const answer = to.replica.answer(received.from);
    from.replica.receive(answer, nowMs, message.link);
    bytes += message.bytes.length + answer.length;
  }
  await from.write(nowMs);
  return bytes;
}

export interface Memory {
  readonly bucketBytes: number;
  readonly rowBytes: number;
}

/** Heap per open bucket, and per row that a sibling's spending puts beside it. */
export async function measureMemory(limits: readonly Limit[]): Promise<Memory> {
  const time = { nowMs: 0 };
  const first = new Bare("first", 0);
  const other = new Bare("other", 0);
  await ticks(3, time, first, other);
  const before = heapBytes();
  for (const limit of limits) {
    first.replica.open(limit);
    first.replica.state.publish(first.replica.state.holding(limit.key));
  }
  await first.write(time.nowMs);
  const disks = heapOf(first) + heapOf(other);
  const opened = heapBytes();
  const { state } = other.replica;
  for (const { key } of limits) state.publish(state.holding(key));
  const speaking = heapBytes();
  await ticks(30, time, first, other);
  const heard = heapBytes();
  const grown = heapOf(first) + heapOf(other) - disks;
  if (first.replica.state.holding(limits[0]?.key ?? "").rows.entries.size < 2)
    throw new Error("no rows came");
  return {
    bucketBytes: (opened - before - disks) / limits.length,
    rowBytes: (heard - speaking - grown) / limits.length,
  };
}

/** About what the pretended disk holds on the heap, which is no part of a replica. */
function heapOf({ disk }: Bare): number {
  let bytes = 0;
  for (const [key, value] of disk.entries("")) bytes += key.length + value.length + 200;
  return bytes;
}

export interface Gone {
  readonly gone: number;
  /** Sent between the one that stays and one other while nothing happens. */
  readonly bytesPerSecond: number;
  readonly storeEntries: number;
  readonly heapBytes: number;
  /** CPU time of ten ticks is that of a second; both replicas' ticks and exchanges. */
  readonly tickMicros: number;
}

/** How long replicas may come and go for the measurement. */
const COMING_AND_GOING_MS = 20_000;

/** One replica that stays while others join it, take something and leave: what it costs before, and after `most` of them, or as many as there was time for. */
export async function measureGone(most: number): Promise<readonly Gone[]> {
  const limits = limitsOf(3);
  const time = { nowMs: 0 };
  const first = new Bare("first", 0);
  for (const limit of limits) first.replica.open(limit);
  const before = await measureOne(0, first, limits, time);
  const startedMs = performance.now();
  let gone = 0;
  while (gone < most && performance.now() - startedMs < COMING_AND_GOING_MS) {
    await visit(first, limits, time);
    gone += 1;
  }
  return [before, await measureOne(gone, first, limits, time)];
}

async function visit(first: Bare, limits: readonly Limit[], time: { nowMs: number }): Promise<void> {
  const guest = new Bare(`guest-${time.nowMs}`, time.nowMs);
  const buckets = limits.map((limit) => guest.replica.open(limit));
  await ticks(3, time, first, guest);
  for (const bucket of buckets) guest.replica.wait(bucket, { cost: 1, sinceMs: time.nowMs }, time.nowMs);
  await ticks(3, time, first, guest);
  for (const bucket of buckets) {
    guest.replica.take([bucket], [1], time.nowMs);
    guest.replica.wait(bucket, null, time.nowMs);
  }
  await ticks(2, time, first, guest);
  await depart(guest, time, first);
}

const GONE_TICKS = 200;

async function measureOne(
  gone: number,
  first: Bare,
  limits: readonly Limit[],
  time: { nowMs: number },
): Promise<Gone> {
  const guest = new Bare("observer", time.nowMs);
  for (const limit of limits) guest.replica.open(limit);
  // Who has just left is looked after for some seconds.
  await ticks(100, time, first, guest);
  const heap = heapBytes() - heapOf(first) - heapOf(guest);
  const startedMs = performance.now();
  const bytes = await ticks(GONE_TICKS, time, first, guest);
  const tickMicros = ((performance.now() - startedMs) * 1000) / GONE_TICKS;
  await depart(guest, time, first);
  const storeEntries = [...first.disk.entries("")].length;
  return { gone, bytesPerSecond: (bytes / GONE_TICKS) * 10, storeEntries, heapBytes: heap, tickMicros };
}

async function depart(guest: Bare, time: { nowMs: number }, first: Bare): Promise<void> {
  guest.replica.leave();
  for (let tries = 0; tries < 20 && !guest.replica.hasLeft; tries += 1) await ticks(1, time, first, guest);
  if (!guest.replica.hasLeft) throw new Error("a guest could not leave");
}

export interface Many {
  /** Writing all buckets. */
  readonly flushMs: number;
  /** From the newcomer's start until it knows all buckets, its own first write included. */
  readonly joinMs: number;
  readonly joinBytes: number;
  /** The longest piece of work meanwhile on either side, in CPU time: requests wait for so long. */
  readonly giverStepMs: number;
  readonly newcomerStepMs: number;
}

/** Many buckets, all in use: writing them all, and telling them all to a newcomer in another process. */
export async function measureMany(count: number): Promise<Many> {
  const lab = await Lab.open({ replicas: 1, limits: limitsOf(count), store: "lmdb" });
  try {
    const { running, buckets } = lab.seat(0);
    await running.flush();
    for (const bucket of buckets) running.quota.take([bucket], [1], systemClock.elapsedMs());
    const { state } = running.replica;
    for (const holding of state.holdings.values()) state.markDirty(holding);
    const flushMs = await timed(() => running.flush());
    const sentBefore = running.counts().traffic.sentBytes;
    const steps = new Steps();
    const newcomer = await runApart(lab, "newcomer.ts", [String(count)]);
    steps.stop();
    return {
      flushMs,
      joinMs: numberIn(newcomer, "joinMs"),
      joinBytes: running.counts().traffic.sentBytes - sentBefore,
      giverStepMs: steps.longestMs,
      newcomerStepMs: numberIn(newcomer, "stepMs"),
    };
  } finally {
    await lab.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
