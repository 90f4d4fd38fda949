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
import type { Batch, Store } from "../store/store.ts";
import { load, type Loaded, PREFIX } from "./journal.ts";
import type { Quota } from "./quota.ts";
import { Replica } from "./replica.ts";

export interface OpenReplicaOptions {
  readonly store: Store;
  readonly log: Log;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** The machine's clocks, for what may refill over a restart. */
  readonly instant?: () => Instant;
  readonly newId?: () => string;
  readonly random?: Random;
}

export interface RunningReplica {
  readonly replica: Replica;
  readonly quota: Quota;
  /** Resolves when everything that was to be written at the call is durable. Rejects with `storage_unavailable`. */
  flush(): Promise<void>;
  /** Writes back what was reserved and stops. The store stays open: it belongs to the caller. */
  close(): Promise<void>;
}

const TICK_MS = 100;
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
  });
  replica.state.isBurnt = isDamaged;
  const shell = new Shell(replica, { ...options, clock, instant, timers: options.timers ?? systemTimers });
  await shell.flush();
  return shell;
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
  readonly #options: ShellOptions;
  #writing: Promise<void> | null = null;
  #isScheduled = false;
  #isClosed = false;
  #stopTick: () => void = () => {};
  #stopRetry: () => void = () => {};

  constructor(replica: Replica, options: ShellOptions) {
    this.replica = replica;
    this.#options = options;
    replica.onWake(() => this.#schedule());
    this.#tickLater();
  }

  get quota(): Quota {
    return this.replica;
  }

  #tickLater(): void {
    this.#stopTick = this.#options.timers.after(TICK_MS, () => {
      const { clock } = this.#options;
      this.replica.tick(clock.elapsedMs(), clock.wallMs());
      if (!this.#isClosed) this.#tickLater();
    });
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
    this.#options.log.error("buckets could not be written; taking goes on with what is reserved", {
      reason: error instanceof Error ? error.message : String(error),
    });
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
      journal.written();
    }
  }

  async flush(): Promise<void> {
    if (this.#writing !== null) await this.#writing;
    if (this.#writing === null) this.#start();
    if (this.#writing !== null) await this.#writing;
  }

  async close(): Promise<void> {
    this.#stopTick();
    this.#stopRetry();
    if (this.#writing !== null) await this.#writing.catch(() => undefined);
    this.replica.rest(this.#options.clock.elapsedMs());
    try {
      await this.flush();
    } finally {
      this.#isClosed = true;
    }
  }
}
