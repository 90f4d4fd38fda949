// A fleet inside one process, to be measured: real replicas with the real shell and the real HTTP transport between
// them on loopback, each on a store of its own. Killing one stops its clockwork and its connections, and nothing else.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { randomId, systemClock, type Timers } from "../../src/clock.ts";
import type { Limit } from "../../src/bucket/limit.ts";
import { WHOLE } from "../../src/bucket/parts.ts";
import { type HttpTransport, openHttpTransport } from "../../src/fleet/http-transport.ts";
import type { MembershipOptions } from "../../src/fleet/membership.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { openReplica, type RunningReplica } from "../../src/fleet/shell.ts";
import { silentLog } from "../../src/observe/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";

const SECRET = "the secret of a fleet that is measured";
const READY_MS_MAX = 20_000;

export interface LabOptions {
  readonly replicas: number;
  readonly limits: readonly Limit[];
  readonly store: "memory" | "lmdb";
  readonly reclaimAfterMs?: number;
  /** The addresses of replicas in other processes; nobody here founds a fleet then. */
  readonly joins?: readonly string[];
  /** Where stores are and stay; by default a folder that goes with the lab. */
  readonly folder?: string;
}

export interface Seat {
  readonly running: RunningReplica;
  readonly store: Store;
  readonly address: string;
  readonly buckets: readonly Bucket[];
  /** Ends it as a `kill -9` would: nothing is said or written any more. */
  kill(): Promise<void>;
}

/** Continuous limits that are far from being used up. */
export function limitsOf(count: number, capacity = 6000): readonly Limit[] {
  return Array.from({ length: count }, (_, index) => ({
    key: `provider-${index}/requests/min`,
    dimension: "requests" as const,
    capacity,
    refill: { kind: "continuous" as const, unitsPerMs: capacity / 60_000 },
  }));
}

/** A limit that is all used when so many are wanted per second: its burst is a second of them. */
export function tightLimit(perSecond: number): Limit {
  return {
    key: "provider/requests",
    dimension: "requests",
    capacity: perSecond,
    refill: { kind: "continuous", unitsPerMs: perSecond / 1000 },
  };
}

export class Lab {
  readonly seats: Seat[] = [];
  readonly #options: LabOptions;
  readonly #folder: string;
  readonly #transports: HttpTransport[] = [];
  readonly #elsewhere: string[] = [];

  private constructor(options: LabOptions) {
    this.#options = options;
    this.#folder = options.folder ?? labFolder();
    this.#elsewhere.push(...(options.joins ?? []));
  }

  /** Opens the fleet and waits until each replica is a member. */
  static async open(options: LabOptions): Promise<Lab> {
    const lab = new Lab(options);
    // The first one founds; the others find it.
    for (let index = 0; index < options.replicas; index += 1) {
      await lab.add();
      if (index === 0) await until(() => isMember(lab.seat(0)));
    }
    await until(() => lab.seats.every(isMember));
    return lab;
  }

  /** A replica of another process is a sibling of these from now on. */
  meet(address: string): void {
    this.#elsewhere.push(address);
  }

  seat(index: number): Seat {
    const seat = this.seats[index];
    if (seat === undefined) throw new Error(`no seat ${index}`);
    return seat;
  }

  async add(): Promise<Seat> {
    const { limits, reclaimAfterMs = Infinity, joins } = this.#options;
    const founds = joins === undefined && this.#transports.length === 0;
    const name = `gw-${this.#transports.length}`;
    const store = await this.#openStore(name);
    const timers = new StoppableTimers();
    let transport: HttpTransport | undefined;
    const running = await openReplica({
      store,
      log: silentLog,
      timers,
      membership: {
        ...MEMBERSHIP,
        name,
        reclaimAfterMs,
        foundAfterMs: founds ? 0 : Infinity,
        foundsUnheard: true,
      },
      connect: async (receive) => {
        transport = await openHttpTransport({
          secret: SECRET,
          session: randomId(),
          receive,
          listen: { host: "127.0.0.1", port: 0 },
          peers: () => this.#addresses(transport),
        });
        this.#transports.push(transport);
        return transport;
      },
    });
    const buckets = limits.map((limit) => running.quota.open(limit));
    const seat: Seat = {
      running,
      store,
      buckets,
      address: addressOf(transport),
      kill: async () => {
        timers.stop();
        this.seats.splice(this.seats.indexOf(seat), 1);
        await transport?.close();
      },
    };
    this.seats.push(seat);
    return seat;
  }

  async close(): Promise<void> {
    for (let seat = this.seats[0]; seat !== undefined; seat = this.seats[0]) {
      await seat.kill();
      await seat.store.close();
    }
    if (this.#options.folder === undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #addresses(own: HttpTransport | undefined): string[] {
    const here = this.#transports.filter((transport) => transport !== own).map(addressOf);
    return [...here, ...this.#elsewhere];
  }

  async #openStore(name: string): Promise<Store> {
    if (this.#options.store === "memory") return new MemoryStore();
    const directory = join(this.#folder, name);
    const { store } = await openStore({ directory, log: silentLog, wallMs: systemClock.wallMs() });
    return store;
  }
}

/** An empty folder for stores. */
export function labFolder(): string {
  return mkdtempSync(join(tmpdir(), "sluice-bench-"));
}

/** What a replica may use of its first bucket, from 0 to 1. */
export function shareOf({ running, buckets }: Seat): number {
  const { state } = running.replica;
  const { rows } = state.holding(buckets[0]?.limit.key ?? "");
  return Math.max(0, state.ledger.share(rows, running.replica.id)) / WHOLE;
}

export const MEMBERSHIP: MembershipOptions = {
  name: "",
  hasPeers: true,
  foundAfterMs: Infinity,
  foundsUnheard: true,
  bootGraceMs: 1000,
  unreachableAfterMs: 3000,
  reclaimAfterMs: Infinity,
};

/** The machine's timers until they are stopped for good. */
class StoppableTimers implements Timers {
  readonly #running = new Set<NodeJS.Timeout>();
  #isStopped = false;

  after(delayMs: number, action: () => void): () => void {
    if (this.#isStopped) return () => {};
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      action();
    }, delayMs);
    this.#running.add(timer);
    return () => {
      clearTimeout(timer);
      this.#running.delete(timer);
    };
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#running) clearTimeout(timer);
    this.#running.clear();
  }
}

function addressOf(transport: HttpTransport | undefined): string {
  return `http://127.0.0.1:${transport?.port ?? 0}`;
}

function isMember({ running }: Seat): boolean {
  return running.replica.state.ledger.lineage !== null;
}

/** Looks every few milliseconds until it is so; rejects when it never is. Resolves with how long that took, in milliseconds. */
export async function until(isSo: () => boolean): Promise<number> {
  const startedMs = performance.now();
  while (!isSo()) {
    if (performance.now() - startedMs > READY_MS_MAX) throw new Error(`not within 20 s: ${String(isSo)}`);
    await pause(2);
  }
  return performance.now() - startedMs;
}

/** The value below which the given part of the numbers lies. */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
