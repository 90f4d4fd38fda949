// The store of tests and of the simulator: a map, and batches that become durable when the disk is told to flush, or
// one microtask later when it flushes by itself. What was not flushed can be lost, a write can be made to fail, and
// the durable state can be copied: a crash, a full disk and a restored or cloned disk, without a disk.
import { assert, GatewayError } from "../errors.ts";
import { type Batch, isStoreKey, type Store } from "./store.ts";

interface Pending {
  readonly batch: Batch;
  readonly resolve: () => void;
  readonly reject: (error: GatewayError) => void;
}

interface MemoryStoreOptions {
  /** What is on the disk already. */
  readonly contents?: ReadonlyMap<string, Uint8Array>;
  /** Batches stay in flight until `flush()`; by default they are durable one microtask after the write. */
  readonly flushesByHand?: boolean;
}

export class MemoryStore implements Store {
  readonly #durable: Map<string, Uint8Array>;
  readonly #flushesByHand: boolean;
  #pending: Pending[] = [];
  #closed = false;
  #fault: string | null = null;

  constructor(options: MemoryStoreOptions = {}) {
    this.#durable = new Map(options.contents);
    this.#flushesByHand = options.flushesByHand ?? false;
  }

  *entries(prefix: string): Iterable<readonly [key: string, value: Uint8Array]> {
    const snapshot = [...this.#durable].filter(([key]) => key.startsWith(prefix));
    for (const [key, value] of snapshot.sort(([left], [right]) => (left < right ? -1 : 1))) {
      yield [key, value.slice()];
    }
  }

  get(key: string): Uint8Array | undefined {
    return this.#durable.get(key)?.slice();
  }

  write(batch: Batch): Promise<void> {
    for (const [key] of batch) assert(isStoreKey(key), `a store key is printable ASCII: ${key}`);
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#pending.push({ batch, resolve, reject });
      if (!this.#flushesByHand && this.#pending.length === 1) queueMicrotask(() => this.flush());
    });
  }

  fault(): string | null {
    return this.#fault;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.flush();
    await Promise.resolve();
  }

  /** Makes the first `count` batches in flight durable (all by default), in order, and resolves their promises. */
  flush(count = this.#pending.length): void {
    for (const pending of this.#pending.splice(0, count)) this.#commit(pending);
  }

  /** How many batches are in flight. */
  get inFlight(): number {
    return this.#pending.length;
  }

  /** From now on every commit fails for this reason; `null` heals the disk. */
  breakWith(reason: string | null): void {
    this.#fault = reason;
  }

  /**
   * What a machine finds on this disk after a crash now: the durable entries, and of the batches in flight the first
   * `committed`, which reached the disk although nobody was told. This store is dead afterwards: its promises never settle.
   */
  crash(committed = 0): ReadonlyMap<string, Uint8Array> {
    for (const { batch } of this.#pending.splice(0).slice(0, committed)) this.#apply(batch);
    this.#closed = true;
    return this.contents();
  }

  /** A copy of what is durable now. */
  contents(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#durable].map(([key, value]) => [key, value.slice()]));
  }

  #commit({ batch, resolve, reject }: Pending): void {
    if (this.#fault !== null) {
      reject(new GatewayError("storage_unavailable", `The store could not be written: ${this.#fault}.`));
      return;
    }
    this.#apply(batch);
    resolve();
  }

  #apply(batch: Batch): void {
    for (const [key, value] of batch) {
      if (value === null) this.#durable.delete(key);
      else this.#durable.set(key, value.slice());
    }
  }
}

function closedError(): GatewayError {
  return new GatewayError("storage_unavailable", "The store is closed.");
}
