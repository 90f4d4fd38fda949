// The client keys that were made at run time, in the fleet's replicated map: a key made, rotated or revoked on one replica
// is so on all of them with the next exchange. They join those of the configuration, which stay what they are: where both
// have a name, the configuration's holds.
import type { Clock } from "../clock.ts";
import type { ClientKey, Config } from "../config/config.ts";
import { resolveRuntimeKey, type WrittenKey } from "../config/key-definition.ts";
import { GatewayError } from "../errors.ts";
import type { Board } from "../fleet/board.ts";
import type { Log } from "../observe/events.ts";
import { newSecret, type Secret } from "./secret.ts";
import {
  decodeKey,
  encodeKey,
  encodeRevoked,
  rotated,
  type StoredKey,
  type StoredSecret,
} from "./stored-key.ts";

const PREFIX = "keys/";

const KEYS_MAX = 10_000;
/** Words of revoked keys are kept up to this number; the oldest go first. */
const REVOKED_MAX = 5_000;

type Offer = Pick<Config, "providers" | "models">;

interface KeyBookOptions {
  readonly board: Board;
  readonly clock: Clock;
  readonly log: Log;
}

export class KeyBook {
  readonly #board: Board;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #keys = new Map<string, StoredKey>();
  /** Name → when it was revoked. */
  readonly #revoked = new Map<string, number>();
  /** What the keys may do in the configuration that was asked for last. */
  #resolved = new WeakMap<StoredKey, ClientKey>();
  #offer: Offer | null = null;
  /** Called when a key was made, rotated or revoked, here or elsewhere. */
  onChange: () => void = () => {};

  constructor({ board, clock, log }: KeyBookOptions) {
    this.#board = board;
    this.#clock = clock;
    this.#log = log;
    for (const { key, value } of board.entries(PREFIX)) this.#heed(key, value);
    board.onChange((key, value) => {
      if (!key.startsWith(PREFIX)) return;
      this.#heed(key, value);
      this.onChange();
    });
  }

  #heed(key: string, value: Uint8Array | null): void {
    const name = key.slice(PREFIX.length);
    const kept = value === null ? null : decodeKey(name, value);
    this.#keys.delete(name);
    this.#revoked.delete(name);
    if (kept === null) return;
    if (kept.kind === "key") this.#keys.set(name, kept.key);
    else if (kept.kind === "revoked") this.#revoked.set(name, kept.atMs);
    else this.#log.error("a client key can't be read and lets nobody in", { name });
  }

  get(name: string): StoredKey | undefined {
    return this.#keys.get(name);
  }

  /** Whether there is a key, or was one that is revoked. */
  get hasBegun(): boolean {
    return this.#keys.size + this.#revoked.size > 0;
  }

  /** The configuration with these keys beside its own. */
  applyTo(config: Config): Config {
    if (this.#keys.size === 0) return config;
    const { providers, models } = config;
    if (this.#offer?.providers !== providers || this.#offer.models !== models) {
      this.#offer = { providers, models };
      this.#resolved = new WeakMap();
    }
    const keys = new Map(config.keys);
    for (const key of this.#keys.values()) {
      if (!config.keys.has(key.name)) keys.set(key.name, this.#resolve(key, config));
    }
    return { ...config, keys };
  }

  #resolve(key: StoredKey, offer: Offer): ClientKey {
    const known = this.#resolved.get(key);
    if (known !== undefined) return known;
    const { definition, fault } = resolveRuntimeKey(key.raw, offer);
    if (fault !== null) {
      this.#log.warn("a client key does not fit the configuration any more", {
        name: key.name,
        reason: fault.message,
      });
    }
    const secrets = key.secrets.map(({ sha256, until }) => ({ sha256, expiresMs: until ?? null }));
    const resolved = { ...definition, secrets };
    this.#resolved.set(key, resolved);
    return resolved;
  }

  /** Makes a key. Resolves with its secret when it is durable here; siblings hear of it with the next exchange. */
  async create({ raw, plain }: WrittenKey): Promise<Secret> {
    if (this.#keys.size >= KEYS_MAX) {
      throw new GatewayError("overloaded", `There are ${KEYS_MAX} keys already; revoke some first.`);
    }
    const nowMs = this.#clock.wallMs();
    const secret = newSecret();
    const secrets = [stored(secret, nowMs)];
    this.#put({ name: raw.name, raw, plain, createdMs: nowMs, secrets });
    await this.#board.flush();
    return secret;
  }

  /** Gives a key another secret; the former ones stay good for a while. Resolves as `create` does. */
  async rotate(key: StoredKey, overlapMs: number): Promise<Secret> {
    const nowMs = this.#clock.wallMs();
    const secret = newSecret();
    const overlap = { nowMs, untilMs: nowMs + overlapMs };
    this.#put({ ...key, secrets: rotated(key.secrets, stored(secret, nowMs), overlap) });
    await this.#board.flush();
    return secret;
  }

  /** Resolves when it is durable here. Requests that run go on. */
  async revoke(name: string): Promise<void> {
    this.#board.set(PREFIX + name, encodeRevoked(this.#clock.wallMs()));
    this.#forgetRevoked();
    await this.#board.flush();
  }

  /** Forgets that there ever were keys, so that callers of this machine need none. Resolves as `revoke` does; rejects while there are keys. */
  async forgetAll(): Promise<void> {
    if (this.#keys.size > 0) {
      const [name = ""] = this.#keys.keys();
      throw new GatewayError(
        "invalid_request",
        `There are keys still (${this.#keys.size}, \`${name}\` among them): revoke them first.`,
      );
    }
    for (const name of this.#revoked.keys()) this.#board.delete(PREFIX + name);
    await this.#board.flush();
  }

  #put(key: StoredKey): void {
    try {
      this.#board.set(PREFIX + key.name, encodeKey(key));
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== "invalid_request") throw error;
      throw error.with({
        message: "The definition is too long: tags, metadata and models take at most about 3 KB.",
      });
    }
  }

  #forgetRevoked(): void {
    if (this.#revoked.size <= REVOKED_MAX) return;
    const [oldest] = [...this.#revoked].sort((left, right) => left[1] - right[1]);
    if (oldest !== undefined) this.#board.delete(PREFIX + oldest[0]);
  }
}

function stored({ sha256, prefix }: Secret, created: number): StoredSecret {
  return { sha256, prefix, created };
}
