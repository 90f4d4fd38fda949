// The requests of one machine: a line, first come first served, as the limiter keeps it, reduced to what the replica
// sees of it.
import type { Bucket } from "../../src/fleet/quota.ts";
import { OpenBucket } from "../../src/fleet/holding.ts";
import type { Machine } from "./machine.ts";
import type { Oracle } from "./oracle.ts";

export interface Request {
  readonly costs: readonly number[];
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  /** How long it runs, and what it turns out to have used of each bucket. */
  readonly runsMs: number;
  readonly actual: readonly number[];
}

export class Desk {
  readonly machine: Machine;
  readonly #oracles: readonly Oracle[];
  line: Request[] = [];
  #life = 0;
  #wakeAtMs = Infinity;
  #waitingOn: Bucket | null = null;
  #waitingFor: Request | null = null;
  admitted = 0;
  refused = 0;
  /** Time in line of each admitted request that had to wait. */
  readonly waitsMs: number[] = [];

  constructor(machine: Machine, oracles: readonly Oracle[]) {
    this.machine = machine;
    this.#oracles = oracles;
  }

  arrive(request: Request): void {
    if (this.machine.replica === null || this.machine.hasStopped) {
      this.refused += 1;
      return;
    }
    this.#renew();
    this.line.push(request);
    if (this.line.length === 1) this.serve();
    else this.#tellWaiting();
  }

  /** Those who waited at a process that died are gone. */
  #renew(): void {
    if (this.#life === this.machine.life) return;
    this.#life = this.machine.life;
    this.refused += this.line.length;
    this.line = [];
    this.#waitingOn = null;
    this.#waitingFor = null;
    this.#wakeAtMs = Infinity;
  }

  /** Admits from the head of the line as long as there is room. */
  serve(): void {
    const { replica } = this.machine;
    this.#renew();
    if (replica === null || this.machine.isPaused) return;
    const { world } = this.machine.fleet;
    for (let head = this.line[0]; head !== undefined; head = this.line[0]) {
      if (world.nowMs > head.deadlineMs) {
        this.line.shift();
        this.refused += 1;
        continue;
      }
      const shortage = replica.take(this.machine.buckets, head.costs, this.machine.monotonicMs);
      if (shortage !== null) {
        this.#waitOn(shortage.bucket);
        // Units that only lack a block on disk are told of by `room`. At its deadline a request leaves the line.
        const waitMs = shortage.reason === "level" ? Math.max(0.01, shortage.waitMs) : Infinity;
        this.#wakeIn(Math.min(waitMs, head.deadlineMs - world.nowMs + 0.001));
        return;
      }
      this.line.shift();
      this.#admit(head);
    }
    this.#waitOn(null);
  }

  #admit(request: Request): void {
    const { world } = this.machine.fleet;
    const { life, buckets } = this.machine;
    this.admitted += 1;
    if (world.nowMs > request.arrivedMs) this.waitsMs.push(world.nowMs - request.arrivedMs);
    const periods = buckets.map(periodOf);
    request.costs.forEach((cost, index) => {
      this.#oracles[index]?.admit(cost, world.nowMs, periods[index] ?? 0);
      if (buckets[index]?.limit.refill.kind !== "held") return;
      this.#running[index] = (this.#running[index] ?? 0) + cost;
    });
    world.after(request.runsMs, () => this.#end(request, life));
  }

  /** A request is over. One whose process died is not settled: what it took stays taken. */
  #end(request: Request, life: number): void {
    const { machine } = this;
    const { replica, buckets, monotonicMs } = machine;
    if (machine.life !== life || replica === null) return;
    if (machine.isPaused) {
      machine.fleet.world.after(50, () => this.#end(request, life));
      return;
    }
    buckets.forEach((bucket, index) => {
      const taken = request.costs[index] ?? 0;
      const isHeld = bucket.limit.refill.kind === "held";
      const actual = isHeld ? 0 : (request.actual[index] ?? taken);
      const period = periodOf(bucket);
      replica.settle(bucket, taken, actual, monotonicMs);
      if (isHeld) this.#running[index] = (this.#running[index] ?? 0) - taken;
      if (actual < taken) this.#oracles[index]?.giveBack(taken - actual, machine.fleet.world.nowMs, period);
    });
    machine.drive();
  }

  /** The process died, and with it the requests that ran. */
  crashed(): void {
    this.#running.forEach((running, index) =>
      this.#oracles[index]?.giveBack(running, this.machine.fleet.world.nowMs, 0),
    );
    this.#running.length = 0;
    this.#renew();
  }

  /** What runs now of each bucket of running requests. */
  readonly #running: number[] = [];

  #waitOn(bucket: Bucket | null): void {
    const { replica } = this.machine;
    const head = this.line[0] ?? null;
    if (this.#waitingOn === bucket && this.#waitingFor === head) return;
    const now = this.machine.monotonicMs;
    if (this.#waitingOn !== null && this.#waitingOn !== bucket) {
      this.#waitingOn.queued = 0;
      replica?.wait(this.#waitingOn, null, now);
    }
    this.#waitingOn = bucket;
    this.#waitingFor = bucket === null ? null : head;
    if (bucket !== null) this.#tellWaiting();
    this.machine.drive();
  }

  #tellWaiting(): void {
    const { replica, buckets, monotonicMs, fleet } = this.machine;
    const head = this.line[0];
    const bucket = this.#waitingOn;
    if (replica === null || head === undefined || bucket === null) return;
    const index = buckets.indexOf(bucket);
    bucket.queued = this.line.reduce((sum, request) => sum + (request.costs[index] ?? 0), 0);
    const sinceMs = monotonicMs - (fleet.world.nowMs - head.arrivedMs);
    replica.wait(bucket, { cost: head.costs[index] ?? 0, sinceMs }, monotonicMs);
  }

  #wakeIn(delayMs: number): void {
    const { world } = this.machine.fleet;
    const atMs = world.nowMs + delayMs;
    if (atMs >= this.#wakeAtMs - 1e-9 && this.#wakeAtMs > world.nowMs) return;
    this.#wakeAtMs = atMs;
    world.after(delayMs, () => {
      if (this.#wakeAtMs > world.nowMs + 1e-9) return;
      this.#wakeAtMs = Infinity;
      this.serve();
    });
  }
}

function periodOf(bucket: Bucket): number {
  return bucket instanceof OpenBucket ? bucket.period : 0;
}
