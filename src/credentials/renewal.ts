// Keeps a key at hand that expires. It is renewed ahead of its end, by one call at a time, and the one that is held serves until
// then; when renewing fails it is tried again, later each time.
//
//        issued                      renewed ahead        end
//   ──────┼──────────────────────────────┼─────────────────┼──▶
//         │◀─────────── life ────────────┼──── lead ──────▶│
//
// Requests only compare two numbers. One that comes while there is no key waits for the call that is under way, which has a
// deadline; while nothing is under way, because the last call failed, it is refused at once.
import type { Clock, Random, Timers } from "../clock.ts";
import type { GatewayError } from "../errors.ts";
import type { Log } from "../observe/events.ts";
import { isSameKey, type Issued, type Key, KeyFault, type KeySource, noKey } from "./key.ts";

/** How long before its end a key is renewed: less than five minutes, for some issuers give the same one again until then. */
const LEAD_MS = 225_000;
/** A key is not used for this long before its end: requests travel, and clocks differ. */
const MARGIN_MS = 10_000;
/** How often a source whose keys have no end is asked for another one. */
const LOOK_MS = 2_000;
const RENEW_MS_MIN = 1_000;
/** Renewed once a day at least, whatever the issuer says. */
const LIFE_MS_MAX = 86_400_000;

const CALL_MS = 10_000;
const BACKOFF_MS = 1_000;
const BACKOFF_MS_MAX = 60_000;
/** A provider that refuses a key makes us ask for another, but no more often than this. */
const REFUSED_MS = 5_000;

export interface RenewalOptions {
  /** The provider's name in the configuration, with the API key's where it has several. */
  readonly account: string;
  readonly provider: string;
  readonly source: KeySource;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Another key holds from now on. */
  readonly onKey: () => void;
}

/** How a key is doing, for metrics and people. */
export interface RenewalReport {
  readonly account: string;
  readonly provider: string;
  readonly isValid: boolean;
  /** Milliseconds until the present key's end; null: it has none, or there is no key. */
  readonly endsInMs: number | null;
  /** Keys that differed from the one before. */
  readonly renewed: number;
  readonly failed: number;
  /** Why the latest call failed; empty: it did not. */
  readonly fault: string;
}

export class Renewal {
  readonly #options: RenewalOptions;
  #key: Key | null = null;
  /** On each clock: a machine that slept, or a clock that was set, must not keep an old key alive. */
  #endElapsedMs = 0;
  #endWallMs = 0;
  #calling: Promise<void> | null = null;
  #retryAtMs = 0;
  #askedMs = -Infinity;
  #fault: KeyFault | null = null;
  #failuresInRow = 0;
  #renewed = 0;
  #failed = 0;
  #cancelTimer: () => void = () => undefined;
  readonly #closing = new AbortController();

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** The latest key, valid or not; null: there never was one. */
  get key(): Key | null {
    return this.#key;
  }

  /** Gets the first key, and keeps renewing it until `close`. Resolves when the first call has ended. */
  start(): Promise<void> {
    return this.#renew();
  }

  /** Whether the key can be used now. */
  isValid(): boolean {
    const { clock } = this.#options;
    return this.#endElapsedMs > clock.elapsedMs() && this.#endWallMs > clock.wallMs();
  }

  /** For requests that come while there is no valid key: resolves with null when there is one again, or with why there is none. Never rejects. */
  async missing(): Promise<GatewayError | null> {
    const now = this.#options.clock.elapsedMs();
    // The key's end came before the timer: the machine slept, or a clock was set.
    if (this.#calling !== null || now >= this.#retryAtMs) await this.#renew();
    if (this.isValid()) return null;
    const waitMs = Math.max(0, this.#retryAtMs - this.#options.clock.elapsedMs());
    return noKey(this.#options.provider, waitMs, this.#fault);
  }

  /** The provider has refused this key: perhaps there is another one by now. */
  refused(): void {
    const now = this.#options.clock.elapsedMs();
    if (this.#calling !== null || now - this.#askedMs < REFUSED_MS || now < this.#retryAtMs) return;
    void this.#renew();
  }

  report(): RenewalReport {
    const { account, provider, clock } = this.#options;
    const leftMs = Math.min(this.#endElapsedMs - clock.elapsedMs(), this.#endWallMs - clock.wallMs());
    return {
      account,
      provider,
      isValid: this.isValid(),
      endsInMs: this.#key === null || leftMs === Infinity ? null : Math.max(0, leftMs),
      renewed: this.#renewed,
      failed: this.#failed,
      fault: this.#fault?.message ?? "",
    };
  }

  /** Ends the renewing; a call under way is given up. */
  close(): void {
    this.#closing.abort();
    this.#cancelTimer();
  }

  /** One call at a time, whoever asks. */
  #renew(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    this.#cancelTimer();
    this.#askedMs = this.#options.clock.elapsedMs();
    this.#calling ??= this.#call().finally(() => {
      this.#calling = null;
    });
    return this.#calling;
  }

  async #call(): Promise<void> {
    const { source } = this.#options;
    const deadline = AbortSignal.timeout(CALL_MS);
    let dueMs: number;
    try {
      dueMs = this.#take(await source.issue(AbortSignal.any([deadline, this.#closing.signal])));
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      dueMs = this.#failedWith(deadline.aborted ? tooSlow() : error);
    }
    if (this.#closing.signal.aborted) return;
    this.#cancelTimer = this.#options.timers.after(dueMs, () => void this.#renew());
  }

  /** Puts a key in force; how long until the next call, in milliseconds. */
  #take({ key, lifeMs }: Issued): number {
    const { clock, account, log, onKey } = this.#options;
    if (lifeMs !== null && !(lifeMs > MARGIN_MS)) {
      throw new KeyFault("it was given a key that has expired already; is this machine's clock right?");
    }
    const isFirst = this.#key === null;
    const isNew = this.#key === null || !isSameKey(this.#key, key);
    const goodMs = lifeMs === null ? Infinity : Math.min(lifeMs, LIFE_MS_MAX) - MARGIN_MS;
    this.#endElapsedMs = clock.elapsedMs() + goodMs;
    this.#endWallMs = clock.wallMs() + goodMs;
    this.#key = key;
    if (this.#failuresInRow > 0) log.info("a provider's key can be renewed again", { provider: account });
    this.#fault = null;
    this.#failuresInRow = 0;
    this.#retryAtMs = 0;
    if (isNew) {
      this.#renewed += 1;
      onKey();
      log[isFirst ? "debug" : "info"]("a provider's key was renewed", { provider: account });
    }
    return lifeMs === null ? LOOK_MS : aheadMs(goodMs);
  }

  #failedWith(error: unknown): number {
    const { clock, random, source } = this.#options;
    const fault =
      error instanceof KeyFault ? error : new KeyFault("it failed unexpectedly", { cause: error });
    const mostMs = source.isLocal === true ? LOOK_MS : BACKOFF_MS_MAX;
    const backoffMs = Math.min(mostMs, BACKOFF_MS * 2 ** Math.min(this.#failuresInRow, 10));
    const isSaid = source.isLocal === true && this.#fault?.message === fault.message;
    const delayMs = backoffMs * (0.5 + random() / 2);
    this.#failuresInRow += 1;
    this.#failed += 1;
    this.#fault = fault;
    this.#retryAtMs = clock.elapsedMs() + delayMs;
    if (!isSaid) this.#tellOf(fault, delayMs);
    return delayMs;
  }

  #tellOf(fault: KeyFault, delayMs: number): void {
    const { account, log } = this.#options;
    log[this.isValid() ? "warn" : "error"]("a provider's key could not be renewed", {
      provider: account,
      reason: fault.message,
      isValid: this.isValid(),
      retryMs: Math.round(delayMs),
      ...(fault.cause === undefined ? {} : { cause: fault.cause }),
    });
  }
}

/** A key that lives long is renewed shortly before its end, a short-lived one at half of what is left. */
function aheadMs(goodMs: number): number {
  return Math.max(RENEW_MS_MIN, goodMs > 2 * LEAD_MS ? goodMs - LEAD_MS : goodMs / 2);
}

function tooSlow(): KeyFault {
  return new KeyFault(`nothing came back within ${CALL_MS / 1000} s`);
}
