// One machine: a disk, clocks that may be stepped, and a process that runs the real replica on them until it crashes.
// It drives the replica as the shell does, in virtual time.
import type { Limit } from "../../src/bucket/limit.ts";
import type { Instant } from "../../src/bucket/record.ts";
import { type Clock, clockFrom } from "../../src/clock.ts";
import { load, PREFIX } from "../../src/fleet/journal.ts";
import type { MembershipOptions } from "../../src/fleet/membership.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Replica } from "../../src/fleet/replica.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { World } from "./world.ts";

const TICK_MS = 100;

export interface Fleet {
  readonly world: World;
  readonly machines: Map<string, Machine>;
  readonly limits: readonly Limit[];
  readonly membership: Omit<MembershipOptions, "name">;
  /** Told when a bucket of a machine may have room. */
  room(machine: Machine, bucket: Bucket): void;
  /** Told when a process has died. */
  crashed(machine: Machine): void;
}

export class Machine {
  readonly name: string;
  readonly fleet: Fleet;
  disk: Map<string, Uint8Array> = new Map();
  replica: Replica | null = null;
  buckets: Bucket[] = [];
  /** The process's number; what belonged to an earlier one comes too late. */
  life = 0;
  /** The wall clock less true time. */
  wallOffsetMs = 1_700_000_000_000;
  /** True time at which the machine's monotonic clock was zero, suspended time included. */
  #suspendedMs = 0;
  /** Since when the machine sleeps; null while it doesn't. */
  #asleepMs: number | null = null;
  #pauses = 0;
  bootCount = 1;
  diskMinMs = 0.2;
  diskMaxMs = 1;
  /** Writes fail; they are tried again with each tick. */
  isDiskFull = false;
  peers: () => string[];
  #clock: Clock;
  #batch: { readonly apply: () => void } | null = null;
  #isDriving = false;
  isPaused = false;
  hasStopped = false;
  /** It left the fleet, and a sibling has confirmed. */
  hasLeft = false;

  constructor(name: string, fleet: Fleet) {
    this.name = name;
    this.fleet = fleet;
    this.peers = () => [...fleet.machines.keys()].filter((other) => other !== name);
    this.#clock = clockFrom(
      () => this.#rawMonotonicMs,
      () => this.wallMs,
    );
    fleet.machines.set(name, this);
  }

  /** Another process runs under this one's identity and was started later: it admits nothing any more. */
  get isSuperseded(): boolean {
    return this.replica !== null && this.replica.state.supersededByBoot > 0;
  }

  /** CLOCK_MONOTONIC: it stands still while the machine sleeps. */
  get #rawMonotonicMs(): number {
    return (this.#asleepMs ?? this.fleet.world.nowMs) - this.#suspendedMs;
  }

  /** The process's clock, as the shell has it. */
  get monotonicMs(): number {
    return this.#clock.elapsedMs();
  }

  get wallMs(): number {
    return this.wallOffsetMs + this.fleet.world.nowMs;
  }

  #instant(): Instant {
    return {
      bootId: `${this.name}-${this.bootCount}`,
      monotonicMs: this.#rawMonotonicMs,
      wallMs: this.wallMs,
    };
  }

  start(): void {
    const { world, limits, membership } = this.fleet;
    this.life += 1;
    this.hasStopped = false;
    this.#clock = clockFrom(
      () => this.#rawMonotonicMs,
      () => this.wallMs,
    );
    const replica = new Replica({
      loaded: load(new MemoryStore({ contents: this.disk }).entries(PREFIX)),
      newId: world.chance.id(),
      nowMs: this.monotonicMs,
      instant: this.#instant(),
      random: world.chance.next,
      membership: { ...membership, name: this.name },
    });
    this.replica = replica;
    replica.onWake(() => this.drive());
    replica.onRoom((bucket) => this.fleet.room(this, bucket));
    replica.setLinks(this.peers());
    this.buckets = limits.map((limit) => replica.open(limit));
    this.drive();
    this.#tickLater(this.life);
  }

  #tickLater(life: number): void {
    this.fleet.world.after(TICK_MS, () => {
      if (life !== this.life || this.replica === null) return;
      if (!this.isPaused) {
        this.replica.setLinks(this.peers());
        this.replica.tick(this.monotonicMs, this.wallMs);
        this.drive();
      }
      this.#tickLater(life);
    });
  }

  /** Writes and sends what is due, soon. */
  drive(): void {
    if (this.#isDriving) return;
    this.#isDriving = true;
    const { life } = this;
    this.fleet.world.after(0, () => {
      this.#isDriving = false;
      if (life !== this.life || this.replica === null || this.isPaused) return;
      this.#write(this.replica);
      this.#send(this.replica);
    });
  }

  #write(replica: Replica): void {
    if (this.#batch !== null || !replica.journal.hasWork) return;
    const flush = replica.journal.collect(this.monotonicMs, this.#instant());
    if (flush === null) return;
    const { life } = this;
    const { world } = this.fleet;
    let isApplied = false;
    const apply = (): void => {
      if (isApplied) return;
      isApplied = true;
      for (const [key, value] of flush.batch) {
        if (value === null) this.disk.delete(key);
        else this.disk.set(key, value);
      }
    };
    const batch = { apply };
    this.#batch = batch;
    world.after(world.chance.between(this.diskMinMs, this.diskMaxMs), () => {
      if (life !== this.life || this.#batch !== batch) return;
      this.#batch = null;
      if (this.isDiskFull) {
        replica.journal.failed();
        return;
      }
      apply();
      replica.journal.written();
      this.#answerWaiting();
      this.drive();
    });
  }

  #asks = 0;
  readonly #waitingAnswers: (() => void)[] = [];

  #answerWaiting(): void {
    if (this.replica?.journal.hasWork === true) return;
    for (const answer of this.#waitingAnswers.splice(0)) answer();
  }

  #send(replica: Replica): void {
    for (const { link, bytes } of replica.due(this.monotonicMs)) {
      const { life } = this;
      this.fleet.world.send(this.name, link, () =>
        this.fleet.machines.get(link)?.deliver(this, bytes, (answer) => {
          if (life !== this.life || this.replica !== replica || this.isPaused) return;
          replica.receive(answer, this.monotonicMs, link);
          this.drive();
        }),
      );
    }
    this.#askAgain(replica);
  }

  #askAgain(replica: Replica): void {
    const { life } = this;
    const inMs = replica.askAgainMs(this.monotonicMs);
    if (inMs === Infinity) return;
    const number = ++this.#asks;
    this.fleet.world.after(inMs, () => {
      if (life === this.life && number === this.#asks) this.drive();
    });
  }

  deliver(from: Machine, bytes: Uint8Array, reply: (answer: Uint8Array) => void): void {
    const { replica, life } = this;
    if (replica === null || this.isPaused) return;
    const received = replica.receive(bytes, this.monotonicMs, null);
    this.drive();
    if (received.kind !== "taken" || !received.wantsAnswer) return;
    const answer = (): void => {
      if (life !== this.life || this.replica !== replica) return;
      const bytes = replica.answer(received.from);
      this.fleet.world.send(this.name, from.name, () => reply(bytes));
    };
    if (received.mustFlush) this.#waitingAnswers.push(answer);
    else answer();
  }

  /** The process stands still, and with `isAsleep` the whole machine and its monotonic clock. */
  pause(forMs: number, isAsleep: boolean): void {
    if (this.replica === null || this.isPaused) return;
    const { life } = this;
    const { world } = this.fleet;
    this.isPaused = true;
    if (isAsleep) this.#asleepMs = world.nowMs;
    const pause = ++this.#pauses;
    world.after(forMs, () => {
      if (life === this.life && pause === this.#pauses) this.wake();
    });
  }

  /** Goes on after a pause. */
  wake(): void {
    if (!this.isPaused) return;
    this.#endPause();
    this.drive();
    for (const bucket of this.buckets) this.fleet.room(this, bucket);
  }

  #endPause(): void {
    this.isPaused = false;
    if (this.#asleepMs === null) return;
    this.#suspendedMs += this.fleet.world.nowMs - this.#asleepMs;
    this.#asleepMs = null;
  }

  /** The process dies. What was being written is on the disk, or not. */
  crash(): void {
    if (this.#batch !== null && !this.isDiskFull && this.fleet.world.chance.hits(0.5)) this.#batch.apply();
    this.#batch = null;
    this.#waitingAnswers.length = 0;
    this.#isDriving = false;
    this.replica = null;
    this.buckets = [];
    this.life += 1;
    this.#endPause();
    this.fleet.crashed(this);
  }

  /** Leaves the fleet and stops when a sibling has confirmed, or at the deadline. */
  leave(deadlineMs: number, stopped: () => void): void {
    const { replica, life } = this;
    if (replica === null) return;
    replica.leave();
    this.drive();
    const untilMs = this.fleet.world.nowMs + deadlineMs;
    const look = (): void => {
      if (life !== this.life || this.replica !== replica) return;
      this.hasLeft = replica.hasLeft;
      if (replica.hasLeft || this.fleet.world.nowMs >= untilMs) this.stop(stopped);
      else this.fleet.world.after(20, look);
    };
    look();
  }

  /** A clean stop. */
  stop(stopped: () => void = () => {}): void {
    const { replica, life } = this;
    if (replica === null) return;
    this.hasStopped = true;
    replica.rest(this.monotonicMs);
    const look = (): void => {
      if (life !== this.life) return;
      if (this.#batch === null && !replica.journal.hasWork) {
        this.crash();
        stopped();
      } else {
        this.drive();
        this.fleet.world.after(1, look);
      }
    };
    look();
  }
}
