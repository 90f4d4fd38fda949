// One machine: a disk, clocks that may be stepped, and a process that runs the real replica on them until it crashes.
// It drives the replica as the shell does, in virtual time.
import type { Limit } from "../../src/bucket/limit.ts";
import type { Instant } from "../../src/bucket/record.ts";
import { type Clock, clockFrom } from "../../src/clock.ts";
import type { Heard } from "../../src/bucket/lww-map.ts";
import { load, PREFIX } from "../../src/fleet/journal.ts";
import type { Received } from "../../src/fleet/exchange.ts";
import type { MembershipOptions } from "../../src/fleet/membership.ts";
import type { Bucket } from "../../src/fleet/quota.ts";
import { Replica } from "../../src/fleet/replica.ts";
import type { Parcel } from "../../src/fleet/parcel.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Batch } from "../../src/store/store.ts";
import { placeOf, posted, postedIn } from "./posted-limits.ts";
import { SharedProcess, type Truth } from "./shared.ts";
import type { World } from "./world.ts";

const TICK_MS = 100;
const NOTHING = new Uint8Array();

export interface Fleet {
  readonly world: World;
  readonly machines: Map<string, Machine>;
  readonly limits: readonly Limit[];
  readonly membership: Omit<MembershipOptions, "name">;
  /** What is shared beside the buckets; null: nothing is. */
  readonly truth: Truth | null;
  /** Told when a bucket of a machine may have room. */
  room(machine: Machine, bucket: Bucket): void;
  /** Names that somebody gave up because the others had forgotten what it did not know of. */
  readonly givenUp: Set<string>;
  /** Told when a process has died. */
  crashed(machine: Machine): void;
}

export class Machine {
  readonly name: string;
  readonly fleet: Fleet;
  disk: Map<string, Uint8Array> = new Map();
  replica: Replica | null = null;
  buckets: Bucket[] = [];
  shared: SharedProcess | null = null;
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
  #batch: Batch | null = null;
  #sharedBatch: Batch | null = null;
  #isDriving = false;
  isPaused = false;
  hasStopped = false;
  /** It left the fleet, and a sibling has confirmed. */
  hasLeft = false;
  readonly #durableLimits = new Map<string, Limit>();

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
    this.hasLeft = false;
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
    this.#share(replica);
    this.buckets = limits.map((limit) => replica.open(this.#inForce(limit)));
    this.drive();
    this.#tickLater(this.life);
  }

  /** Opens what is shared beside the buckets. */
  #share(replica: Replica): void {
    const { truth, world } = this.fleet;
    if (truth === null) return;
    const process = { clock: this.#clock, replica: replica.id, author: world.chance.id() };
    const { map } = (this.shared = new SharedProcess(this.disk, truth, process));
    map.onNews = () => {
      replica.state.news += 1;
      replica.state.wake();
    };
    map.onChange((key) => {
      for (const limit of this.fleet.limits) {
        if (key === placeOf(limit)) replica.open(this.#inForce(limit), this.monotonicMs);
      }
    });
  }

  /** A limit as it was set at run time, as far as is known here. */
  #inForce(limit: Limit): Limit {
    return posted(limit, this.shared?.map.get(placeOf(limit))?.value);
  }

  /** Which limit its disk knows: one that was set at run time counts as kept when it is there. */
  durableLimit(limit: Limit): Limit {
    return this.#durableLimits.get(limit.key) ?? limit;
  }

  /** An operator sets a limit for the whole fleet, as a part of what is configured; 1 unsets it. */
  setLimit(limit: Limit, factor: number): void {
    const key = placeOf(limit);
    if (factor === 1) this.shared?.map.delete(key);
    else this.shared?.map.set(key, Buffer.from(String(factor)));
    this.drive();
  }

  #tickLater(life: number): void {
    this.fleet.world.after(TICK_MS, () => {
      if (life !== this.life || this.replica === null) return;
      if (!this.isPaused) {
        this.replica.setLinks(this.peers());
        this.replica.tick(this.monotonicMs, this.wallMs);
        this.shared?.map.tick();
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
      this.#writeShared();
      this.#send(this.replica);
    });
  }

  /** Whether all that the replica wants written is on the disk. */
  get isWritten(): boolean {
    return this.#batch === null && this.replica?.journal.hasWork === false;
  }

  #write(replica: Replica): void {
    if (this.#batch !== null || !replica.journal.hasWork) return;
    const flush = replica.journal.collect(this.monotonicMs, this.#instant());
    if (flush === null) return;
    const { batch } = flush;
    this.#batch = batch;
    this.#later(() => {
      if (this.#batch !== batch) return;
      this.#batch = null;
      if (this.isDiskFull) {
        replica.journal.failed();
        return;
      }
      this.#apply(batch);
      replica.journal.written(this.monotonicMs);
      this.#answerWaiting();
      this.drive();
    });
  }

  #writeShared(): void {
    const { shared } = this;
    if (shared === null || this.#sharedBatch !== null) return;
    const batch = shared.collect();
    if (batch === null) return;
    this.#sharedBatch = batch;
    this.#later(() => {
      if (this.#sharedBatch !== batch) return;
      this.#sharedBatch = null;
      if (!this.isDiskFull) this.#applyShared(batch);
      shared.ended(!this.isDiskFull);
    });
  }

  /** When the disk is done, unless the process has died. */
  #later(done: () => void): void {
    const { life } = this;
    const { world } = this.fleet;
    world.after(world.chance.between(this.diskMinMs, this.diskMaxMs), () => {
      if (life === this.life) done();
    });
  }

  #apply(batch: Batch): void {
    for (const [key, value] of batch) {
      if (value === null) this.disk.delete(key);
      else this.disk.set(key, value);
    }
  }

  #applyShared(batch: Batch): void {
    this.#apply(batch);
    for (const [key, limit] of postedIn(batch, this.fleet.limits)) this.#durableLimits.set(key, limit);
  }

  readonly #waitingAnswers: (() => void)[] = [];

  #answerWaiting(): void {
    if (this.replica?.journal.hasWork === true) return;
    for (const answer of this.#waitingAnswers.splice(0)) answer();
  }

  #send(replica: Replica): void {
    const { shared } = this;
    for (const { link, bytes } of replica.due(this.monotonicMs)) {
      const { life } = this;
      const parcel = { ledger: bytes, board: shared?.map.request(link) ?? NOTHING };
      this.fleet.world.send(this.name, link, () =>
        this.fleet.machines.get(link)?.deliver(this, parcel, (answer) => {
          if (life !== this.life || this.replica !== replica || this.isPaused) return;
          const received = this.#receive(replica, answer.ledger, link);
          if (received.kind === "taken") shared?.map.receive(answer.board, link);
          this.drive();
        }),
      );
    }
  }

  #receive(replica: Replica, bytes: Uint8Array, link: string | null): Received {
    const { id } = replica;
    const received = replica.receive(bytes, this.monotonicMs, link);
    if (replica.id !== id) this.fleet.givenUp.add(id);
    return received;
  }

  deliver(from: Machine, parcel: Parcel, reply: (answer: Parcel) => void): void {
    const { replica, life, shared } = this;
    if (replica === null || this.isPaused) return;
    const received = this.#receive(replica, parcel.ledger, null);
    this.drive();
    if (received.kind !== "taken") return;
    const heard: Heard | null = shared?.map.receive(parcel.board, null) ?? null;
    if (!received.wantsAnswer) return;
    const answer = (): void => {
      if (life !== this.life || this.replica !== replica) return;
      const ledger = replica.answer(received.from);
      const board = shared?.map.answer(heard) ?? NOTHING;
      this.fleet.world.send(this.name, from.name, () => reply({ ledger, board }));
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
    const { chance } = this.fleet.world;
    if (this.#batch !== null && !this.isDiskFull && chance.hits(0.5)) this.#apply(this.#batch);
    this.#batch = null;
    this.#crashShared();
    this.#waitingAnswers.length = 0;
    this.#isDriving = false;
    this.replica = null;
    this.buckets = [];
    this.life += 1;
    this.#endPause();
    this.fleet.crashed(this);
  }

  #crashShared(): void {
    const { shared } = this;
    const batch = this.#sharedBatch;
    this.shared = null;
    this.#sharedBatch = null;
    if (shared === null) return;
    const isDurable = batch !== null && !this.isDiskFull && this.fleet.world.chance.hits(0.5);
    if (isDurable) this.#applyShared(batch);
    shared.died(isDurable);
  }

  /** Leaves the fleet and stops when a sibling has confirmed, or at the deadline. */
  leave(deadlineMs: number, stopped: () => void): void {
    const { replica, life } = this;
    if (replica === null) return;
    this.shared?.map.count();
    replica.leave();
    this.drive();
    const untilMs = this.fleet.world.nowMs + deadlineMs;
    const look = (): void => {
      if (life !== this.life || this.replica !== replica) return;
      this.hasLeft = replica.hasLeft && this.shared?.map.isTold !== false;
      if (this.hasLeft || this.fleet.world.nowMs >= untilMs) this.stop(stopped);
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
    this.shared?.map.count();
    const look = (): void => {
      if (life !== this.life) return;
      const isWritten = this.#sharedBatch === null && this.shared?.map.hasWork !== true;
      if (isWritten && this.#batch === null && !replica.journal.hasWork) {
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
