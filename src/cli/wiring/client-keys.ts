// From the configuration's client keys to those that requests carry. A key that has not changed keeps what was compiled
// of it (its buckets and lines are not opened again), so that making one key among thousands costs one.
import type { ClientKey as KeyConfig, Config } from "../../config/config.ts";
import { PLACES } from "../../gateway/priority.ts";
import type { ClientKey, Snapshot } from "../../gateway/runtime.ts";
import type { Limiter } from "../../limiter/limiter.ts";
import type { Meters } from "../../limiter/meters.ts";
import { meterSpecs } from "./target-limits.ts";

interface Compiled {
  readonly meters: Meters;
  /** By the SHA-256 of each secret. */
  readonly clients: readonly (readonly [sha256: string, client: ClientKey])[];
}

export class ClientKeys {
  /** The limits of each key, also of those that are in force no more: a request may carry one. */
  readonly metersOf = new WeakMap<ClientKey, Meters>();
  /** Whether a gateway without keys asks for one all the same: there were some, and whoever had them must not get in now. */
  areAsked: () => boolean = () => false;
  readonly #limiter: Limiter;
  readonly #compiled = new WeakMap<KeyConfig, Compiled>();

  constructor(limiter: Limiter) {
    this.#limiter = limiter;
  }

  /** Whoever may ask; callers of this machine alone when nobody ever had a key and nobody else can connect. */
  compile({ keys, listen }: Pick<Config, "keys" | "listen">): Pick<Snapshot, "keys" | "anonymous"> {
    const compiled = new Map<string, ClientKey>();
    for (const key of keys.values()) {
      const { meters, clients } = this.#compile(key);
      this.#limiter.keep(meters);
      for (const [sha256, client] of clients) compiled.set(sha256, client);
    }
    const isOpen = keys.size === 0 && listen.isLoopback && !this.areAsked();
    return { keys: compiled, anonymous: isOpen ? this.#anonymous() : null };
  }

  /** The limits of a key. */
  meters(key: KeyConfig): Meters {
    return this.#compile(key).meters;
  }

  /** One caller for each secret of a key; they share the key's limits. */
  #compile(key: KeyConfig): Compiled {
    const known = this.#compiled.get(key);
    if (known !== undefined) return known;
    const { name, models, weight } = key;
    const priority = PLACES[key.priority];
    const meters = this.#limiter.open(meterSpecs({ kind: "key", name }, key.limits));
    const clients = key.secrets.map((secret) => {
      const expiresMs = Math.min(key.expiresMs ?? Infinity, secret.expiresMs ?? Infinity);
      const client: ClientKey = { name, models, priority, weight, expiresMs };
      this.metersOf.set(client, meters);
      return [secret.sha256, client] as const;
    });
    const compiled = { meters, clients };
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #anonymous(): ClientKey {
    const key: ClientKey = { name: "", models: null, priority: 1, weight: 1, expiresMs: Infinity };
    this.metersOf.set(key, this.#limiter.open([]));
    return key;
  }
}
