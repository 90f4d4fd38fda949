// The fleet's shared map (shared-map.ts) on a store: what was written is durable within a tick (100 ms) or at `flush`.
import type { Clock } from "../clock.ts";
import { assert, GatewayError } from "../errors.ts";
import type { Log } from "../observe/events.ts";
import type { Store } from "../store/store.ts";
import { BOARD_PREFIX, SharedMap, type SharedMapOptions } from "./shared-map.ts";

/** How long to wait before writing again after the store refused. */
const RETRY_MS = 1000;

export interface BoardOptions extends Omit<SharedMapOptions, "stored"> {
  readonly store: Store;
}

export class Board extends SharedMap {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  #writing: Promise<void> | null = null;
  #isFailing = false;
  /** Nothing is written before this time: the store has just refused. */
  #retryMs = -Infinity;

  constructor({ store, ...options }: BoardOptions) {
    super({ ...options, stored: store.entries(BOARD_PREFIX) });
    this.#store = store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** To be called about every 100 ms. */
  override tick(): void {
    super.tick();
    if (this.hasWork && this.#writing === null && this.#clock.elapsedMs() >= this.#retryMs)
      void this.#flushQuietly();
  }

  async #flushQuietly(): Promise<void> {
    try {
      await this.flush();
      this.#isFailing = false;
    } catch (error) {
      assert(error instanceof GatewayError, "a store refuses with a GatewayError");
      if (!this.#isFailing)
        this.#log.error("what the fleet shares could not be written; it is tried again", {
          reason: error.message,
        });
      this.#isFailing = true;
      this.#retryMs = this.#clock.elapsedMs() + RETRY_MS;
    }
  }

  /** Resolves when everything that was written at the call is durable. Rejects with `storage_unavailable`. */
  async flush(): Promise<void> {
    if (this.#writing !== null) await this.#writing.catch(() => undefined);
    if (!this.hasWork) return;
    this.#writing ??= this.#write().finally(() => (this.#writing = null));
    await this.#writing;
  }

  async #write(): Promise<void> {
    const batch = this.collect();
    if (batch === null) return;
    try {
      await this.#store.write(batch);
    } catch (error) {
      this.failed();
      throw error;
    }
    this.written();
  }
}
