// The replica's shell: a store to write to, timers and clocks. It holds no decisions: the replica says what is to be
// written, and this writes it, one batch at a time, and tells the replica when it is durable.
import { Malformed } from "../bucket/codec.ts";
import {
  type Clock,
  type Random,
  randomId,
  systemClock,
  systemInstant,
  systemRandom,
  systemTimers,
  type Timers,
} from "../clock.ts";
import type { Instant } from "../bucket/record.ts";
import { GatewayError } from "../errors.ts";
import type { Log } from "../observe/events.ts";
import { PAST_UNKNOWN_KEY } from "../store/schema.ts";
import type { Batch, Store } from "../store/store.ts";
import { Board } from "./board.ts";
import { Courier } from "./courier.ts";
import { load, type Loaded, PREFIX } from "./journal.ts";
import { ALONE, type MembershipOptions } from "./membership.ts";
import { Milestones } from "./milestones.ts";
import { traceMerge } from "./trace.ts";
import type { Receive, Transport } from "./transport.ts";
import type { Quota } from "./quota.ts";
import { Replica } from "./replica.ts";
import { RollCall } from "./roll-call.ts";
import { burn } from "./renewal.ts";

export interface OpenReplicaOptions {
  readonly store: Store;
  readonly log: Log;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** The machine's clocks, for what may refill over a restart. */
  readonly instant?: () => Instant;
  readonly newId?: () => string;
  /** Opens the way to the siblings; without it the replica is alone. */
  readonly connect?: (receive: Receive) => Promise<Transport>;
  readonly membership?: MembershipOptions;
  /** Where siblings reach this instance, for the log. */
  readonly address?: string;
  /** One log line per merge. */
  readonly isTracing?: boolean;
  readonly random?: Random;
}

export interface RunningReplica {
  readonly replica: Replica;
  readonly quota: Quota;
  /** What the fleet shares beside its buckets. */
  readonly board: Board;
  /** Resolves when everything that was to be written at the call is durable. Rejects with `storage_unavailable`. */
  flush(): Promise<void>;
  /** The addresses of the siblings as known now. */
  peers(): readonly string[];
  /** Addresses with which the last exchange failed, each with the reason in words. */
  failing(): ReadonlyMap<string, string>;
  /** Messages that were refused, and exchanges that failed, by reason; and what went over the wire. Since the start. */
  counts(): ReturnType<Courier["counts"]>;
  /** Whether somebody with another `fleet.secret` was heard within the last minute. */
  readonly isMetByStrangers: boolean;
  /** Resolves when another process goes on under this identity: this one must end. */
  readonly superseded: Promise<void>;
  /** Hands everything over to the siblings; resolves with whether one has confirmed within `timeoutMs`; at once, when none stays. */
  leave(timeoutMs: number): Promise<boolean>;
  /** Writes back what was reserved and stops. The store stays open: it belongs to the caller. */
  close(): Promise<void>;
}

const TICK_MS = 100;
/** How often to look whether a leave was confirmed. */
const LEAVE_LOOK_MS = 20;
/** How often to look whether the store's file is still there and may be written. */
const LOOK_EVERY_MS = 1000;
/** How long to wait before writing again after the store refused. */
const RETRY_MS = 1000;

/** Reads the store and starts the replica; its start is durable when this resolves. */
export async function openReplica(options: OpenReplicaOptions): Promise<RunningReplica> {
  const { store, log, clock = systemClock, newId = randomId, instant = systemInstant } = options;
  const { loaded, isDamaged } = await readStore(store, log, clock);
  const replica = new Replica({
    loaded,
    newId: newId(),
    nowMs: clock.elapsedMs(),
    instant: instant(),
    random: options.random ?? systemRandom,
    membership: options.membership ?? { ...ALONE, hasPeers: options.connect !== undefined },
  });
  const isPastUnknown = store.get(PAST_UNKNOWN_KEY) !== undefined;
  if (isPastUnknown) log.warn("what was spent before is not known to this store: its buckets start empty");
  if (isDamaged || isPastUnknown) burn(replica.state);
  replica.state.isTracing = options.isTracing ?? false;
  const board = new Board({ store, clock, log, replica: replica.id, author: newId() });
  const parts = { ...options, clock, instant, timers: options.timers ?? systemTimers };
  const shell = new Shell(replica, board, parts);
  try {
    await shell.flush();
    if (isPastUnknown) await store.write([[PAST_UNKNOWN_KEY, null]]);
    if (options.connect !== undefined) {
      shell.courier.use(await options.connect(shell.courier.receive));
      shell.beginTelling();
    }
    return shell;
  } catch (error) {
    await shell.abandon();
    throw error;
  }
}

/** What the store holds. Damaged records are moved aside, never removed, and the replica starts as a new one. */
async function readStore(
  store: Store,
  log: Log,
  clock: Clock,
): Promise<{ readonly loaded: Loaded | null; readonly isDamaged: boolean }> {
  try {
    return { loaded: load(store.entries(PREFIX)), isDamaged: false };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const aside = `aside/${clock.wallMs()}/`;
    log.error("stored buckets are damaged and were set aside", { reason: error.message, prefix: aside });
    const batch: Batch = [...store.entries(PREFIX)].flatMap(([key, value]) => [
      [aside + key, value],
      [key, null],
    ]);
    await store.write(batch);
    return { loaded: null, isDamaged: true };
  }
}

interface ShellOptions extends OpenReplicaOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly instant: () => Instant;
}

class Shell implements RunningReplica {
  readonly replica: Replica;
  readonly board: Board;
  readonly courier: Courier;
  readonly #options: ShellOptions;
  readonly #milestones: Milestones;
  readonly #rollCall: RollCall;
  #isSuperseded = false;
  readonly #superseded = Promise.withResolvers<void>();
  #lookedMs = -Infinity;
  #storeFault: string | null = null;
  /** Why the last write was refused. */
  #fault: string | null = null;
  #writing: Promise<void> | null = null;
  #isScheduled = false;
  #isClosed = false;
  #stopTick: () => void = () => {};
  #stopRetry: () => void = () => {};
  readonly superseded = this.#superseded.promise;

  constructor(replica: Replica, board: Board, options: ShellOptions) {
    this.replica = replica;
    this.board = board;
    this.#options = options;
    const { clock, timers, log } = options;
    this.#milestones = new Milestones(replica, board, log);
    this.#rollCall = new RollCall(replica, log);
    this.courier = new Courier(replica, {
      board,
      clock,
      timers,
      log,
      flush: () => this.#flushQuietly(),
      onMerge: options.isTracing === true ? traceMerge(replica, log) : undefined,
    });
    board.onNews = () => {
      replica.state.news += 1;
    };
    replica.onWake(() => {
      this.#schedule();
      this.courier.schedule();
    });
    this.#tickLater();
  }

  get quota(): Quota {
    return this.replica;
  }

  /** The log tells of the fleet from now on. */
  beginTelling(): void {
    const { address } = this.#options;
    this.#milestones.begin({ address, peers: this.peers() });
  }

  peers(): readonly string[] {
    return this.courier.peers();
  }

  failing(): ReadonlyMap<string, string> {
    return this.courier.failing();
  }

  get isMetByStrangers(): boolean {
    return this.courier.isMetByStrangers;
  }

  counts(): ReturnType<Courier["counts"]> {
    return this.courier.counts();
  }

  #tickLater(): void {
    this.#stopTick = this.#options.timers.after(TICK_MS, () => {
      const { clock } = this.#options;
      this.replica.tick(clock.elapsedMs(), clock.wallMs());
      this.board.tick();
      this.courier.publish();
      this.courier.schedule();
      this.#rollCall.look(clock.elapsedMs());
      this.#lookOut();
      this.#lookAtStore();
      if (!this.#isClosed) this.#tickLater();
    });
  }

  #lookOut(): void {
    this.#milestones.look();
    if (this.replica.state.supersededByBoot === 0 || this.#isSuperseded) return;
    this.#isSuperseded = true;
    this.#options.log.error(
      "another process runs with a copy of this data directory; this one admits nothing any more, and stops",
      { replica: this.replica.id, what_to_do: "give each process a data_dir of its own" },
    );
    this.#superseded.resolve();
  }

  /** A file that was removed takes writes for ever: it is looked for also while nothing is written. */
  #lookAtStore(): void {
    const { clock, store } = this.#options;
    const nowMs = clock.elapsedMs();
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    const reason = store.fault();
    if (reason === this.#storeFault) return;
    this.#storeFault = reason;
    if (reason !== null) {
      this.#options.log.error("the store can't be kept as it is", { reason });
      // Whether it takes a write is to be known before somebody needs one.
      this.replica.state.isIdentityDirty = true;
      this.#schedule();
    } else this.#options.log.info("the store is as it should be again");
  }

  /** Takes of the same turn share a flush. */
  #schedule(): void {
    if (this.#isScheduled || this.#writing !== null || this.#isClosed) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#writing === null && !this.#isClosed) this.#start();
    });
  }

  /** Writes until nothing is left to write; a failure is logged and tried again later. */
  #start(): void {
    this.#writing = this.#writeAll();
    this.#writing
      .catch((error: unknown) => this.#refused(error))
      .finally(() => {
        this.#writing = null;
      });
  }

  #refused(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    // It is tried every second; the log tells when it begins to fail, why if that changes, and when it works again.
    if (reason !== this.#fault)
      this.#options.log.error("buckets could not be written; taking goes on with what is reserved", {
        reason,
      });
    this.#fault = reason;
    if (this.#isClosed) return;
    this.#stopRetry();
    this.#stopRetry = this.#options.timers.after(RETRY_MS, () => this.#schedule());
  }

  async #writeAll(): Promise<void> {
    const { store, clock, instant } = this.#options;
    const { journal } = this.replica;
    for (;;) {
      const flush = journal.collect(clock.elapsedMs(), instant());
      if (flush === null) return;
      try {
        await store.write(flush.batch);
      } catch (cause) {
        journal.failed();
        throw cause instanceof GatewayError
          ? cause
          : new GatewayError("storage_unavailable", "The buckets could not be written.", { cause });
      }
      journal.written(clock.elapsedMs());
      if (this.#fault !== null) this.#options.log.info("buckets can be written again");
      this.#fault = null;
      if (this.#isClosed) return;
      this.courier.schedule();
    }
  }

  /** A give that could not be written stays hidden, so an answer may go out all the same. */
  async #flushQuietly(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  async leave(timeoutMs: number): Promise<boolean> {
    const { clock, timers } = this.#options;
    const untilMs = clock.elapsedMs() + timeoutMs;
    this.board.count();
    this.replica.leave();
    const { membership } = this.replica;
    const isOver = (): boolean => (this.replica.hasLeft && this.board.isTold) || membership.isDeserted;
    while (!isOver() && clock.elapsedMs() < untilMs) {
      this.courier.schedule();
      await new Promise<void>((resolve) => void timers.after(LEAVE_LOOK_MS, resolve));
      this.replica.tick(clock.elapsedMs(), clock.wallMs());
    }
    return this.replica.hasLeft;
  }

  async flush(): Promise<void> {
    if (this.#writing !== null) await this.#writing;
    if (this.#isClosed) throw new GatewayError("storage_unavailable", "The replica is closed.");
    if (this.#writing === null) this.#start();
    if (this.#writing !== null) await this.#writing;
  }

  /**
   * Nothing goes on that would keep the process from ending. Siblings may still be answered for a moment: what they bring is
   * not written any more, and so they are not told of it. A write that was under way has ended when this resolves.
   */
  async abandon(): Promise<void> {
    this.#isClosed = true;
    this.#stopTick();
    this.#stopRetry();
    await this.courier.close();
    if (this.#writing !== null) await this.#writing.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#stopTick();
    this.#stopRetry();
    if (this.#writing !== null) await this.#writing.catch(() => undefined);
    this.replica.rest(this.#options.clock.elapsedMs());
    this.board.count();
    try {
      await Promise.all([this.flush(), this.board.flush()]);
    } finally {
      await this.abandon();
    }
  }
}
